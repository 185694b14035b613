#!/usr/bin/env bash
# The second half of make bundle: the program with its Python for Windows x86_64, cross-built with MinGW, into dist/:
# one executable file, the same as a folder in a zip, contents and licences, SHA256SUMS over all of dist/.
#
#   bundle_windows.sh             all of it, optimised; completions come from the Linux program that bundle.sh built
#   bundle_windows.sh quick DIR   the folder into DIR/bundle and the one file as DIR/one.exe: everything unoptimised
#
# Needs Go, gcc-mingw-w64-x86-64-posix and Rust's target x86_64-pc-windows-gnu.
source "$(dirname "${BASH_SOURCE[0]}")/bundle.sh"

SYSTEM=windows-amd64
LINUX_PROGRAM=$TARGET/$TRIPLE/release/main_holdmetrics
TRIPLE=x86_64-pc-windows-gnu
NAME=main_holdmetrics-$VERSION-windows-x86_64
BUILD=$CACHE/bundle/windows
MINGW=x86_64-w64-mingw32

check_tools() {
    command -v $MINGW-gcc-posix >/dev/null || die "$MINGW-gcc-posix is not on PATH: apt-get install gcc-mingw-w64-x86-64-posix"
    rustup target list --installed | grep -qx $TRIPLE || die "Rust's target is missing: rustup target add $TRIPLE"
}

# The interpreter that compiles bytecode runs here, whatever system the bundle is for.
use_windows_runtime() {
    RUNTIME=$("$CHOSEN_PYTHON" embed_runtime/fetch.py linux-amd64)
    mkdir -p "$BUILD"
    export PYO3_CROSS=1 PYO3_CROSS_PYTHON_VERSION=3.14 HOLDMETRICS_BUNDLE=1
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$MINGW-gcc-posix CC_x86_64_pc_windows_gnu=$MINGW-gcc-posix
    unset PYO3_PYTHON PYO3_CONFIG_FILE
}

cross() { cargo build --release --locked --target $TRIPLE "$@"; }

# Nothing is optimised, dependencies neither, which are compiled for this alone: except the digest of 100 MB.
QUICK=(--config profile.release.opt-level=0 --config profile.release.lto=false --config profile.release.package.sha2.opt-level=3)

# Without a time in the headers, and without the folders of this machine.
shipped() {
    RUSTFLAGS="-C link-arg=-Wl,--no-insert-timestamp --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo \
--remap-path-prefix=$REPOSITORY=/holdmetrics" cross "${WHOLE[@]}" --target-dir "$TARGET" "$@"
}

# The folder $2 with the program $1, stripped; what follows is for bundle.py.
assemble_windows() {
    $MINGW-strip -o "$BUILD/main_holdmetrics.exe" "$1"
    assemble_folder "$BUILD/main_holdmetrics.exe" "${@:2}"
}

pack_windows() {
    runtime_python embed_runtime/pack.py "$BUILD/$NAME" --name "$NAME" --out "$DIST" --launcher "$1"
}

quick_windows() {
    local quick=$CACHE/windows
    cross --features py-embed --bin main_holdmetrics "${UNOPTIMISED[@]}" "${QUICK[@]}" --target-dir "$quick"
    cross --manifest-path embed_runtime/launcher/Cargo.toml "${QUICK[@]}" --target-dir "$quick"
    mkdir -p "$1"
    assemble_windows "$quick/$TRIPLE/release/main_holdmetrics.exe" "$1/bundle"
    runtime_python embed_runtime/pack.py "$1/bundle" --name bundle-windows --out "$1" --level 3 \
        --launcher "$quick/$TRIPLE/release/holdmetrics_launcher.exe"
    mv "$1/bundle-windows.exe" "$1/one.exe"
    rm "$1/bundle-windows.zip"
}

build_windows() {
    shipped --features py-embed --bin main_holdmetrics
    shipped --manifest-path embed_runtime/launcher/Cargo.toml
}

assemble_windows_twice() {
    local program=$TARGET/$TRIPLE/release/main_holdmetrics.exe
    rm -rf "$BUILD/extra"
    mkdir -p "$BUILD/extra/share/completions"
    LD_LIBRARY_PATH=$RUNTIME/lib "$LINUX_PROGRAM" self completions powershell \
        >"$BUILD/extra/share/completions/main_holdmetrics.ps1"
    assemble_windows "$program" "$BUILD/again" --extra "$BUILD/extra"
    assemble_windows "$program" "$BUILD/$NAME" --extra "$BUILD/extra"
    diff -r "$BUILD/again" "$BUILD/$NAME"
    rm -r "$BUILD/again"
}

# Libraries of the system and of the bundle alone, and no folder of this machine.
check_windows() {
    local file needed
    for file in "$BUILD/$NAME/main_holdmetrics.exe" "$TARGET/$TRIPLE/release/holdmetrics_launcher.exe"; do
        needed=$($MINGW-objdump -p "$file" | sed -n 's/.*DLL Name: //p' | tr '[:upper:]' '[:lower:]' | sort -u)
        echo "$(basename "$file"): ${needed//$'\n'/ }"
        if grep -vE '^(kernel32|ntdll|ws2_32|advapi32|bcrypt|bcryptprimitives|userenv|msvcrt|crypt32|ole32|shell32|secur32|psapi|powrprof|pdh|iphlpapi|user32|dbghelp|python314|api-ms-win-.*)\.dll$' <<<"$needed"; then
            die "$file needs a library that Windows does not have"
        fi
        if strings "$file" | grep -e "$REPOSITORY" -e "$HOME/"; then die "$file names a folder of this machine"; fi
    done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    use_python
    check_tools
    use_windows_runtime
    case ${1:-all} in
    quick) quick_windows "${2:?the folder to make}" ;;
    all)
        step "the program and the launcher for Windows" build_windows
        step "the folder for Windows, twice" assemble_windows_twice
        step "libraries of Windows, and no folder of this machine" check_windows
        step "one file, and the zip" pack_windows "$TARGET/$TRIPLE/release/holdmetrics_launcher.exe"
        step "contents, licences, SHA256SUMS" describe
        finish
        ;;
    *) die "$1: unknown argument; use none, or quick DIR" ;;
    esac
fi
