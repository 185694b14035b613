#!/usr/bin/env bash
# make bundle: the program with its Python, for Linux x86_64, into dist/: one executable file, the same as a folder
# in a tar.zst, what is inside (CycloneDX) and under which licences, SHA256SUMS. Wheels are wheels.sh's.
#
#   bundle.sh             all of it, optimised, for glibc 2.28; needs Go, and gets zig from PyPI
#   bundle.sh quick DIR   the folder alone, into DIR: our crate unoptimised, linked for this machine's own glibc
#
# What is built lies in the cache; the same commit gives the same bytes (SOURCE_DATE_EPOCH, the commit's time).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source scripts/wheels.sh

SYSTEM=linux-amd64
TRIPLE=x86_64-unknown-linux-gnu
GLIBC=2.28
DIST=$REPOSITORY/dist
BUILD=$CACHE/bundle
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)
NAME=main_holdmetrics-$VERSION-linux-x86_64
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
HOLDMETRICS_COMMIT=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH HOLDMETRICS_COMMIT
# The scripts that assemble keep their downloads where the others do.
export HOLDMETRICS_CACHE=$CACHE

# The Python that travels, and the interpreter that compiles its bytecode, which runs here whatever system it is for.
use_runtime() {
    local travels
    RUNTIME=$("$CHOSEN_PYTHON" embed_runtime/fetch.py linux-amd64)
    travels=$("$CHOSEN_PYTHON" embed_runtime/fetch.py $SYSTEM)
    mkdir -p "$BUILD"
    printf '%s\n' implementation=CPython version=3.14 shared=true abi3=false lib_name=python3.14 \
        "lib_dir=$travels/lib" pointer_width=64 suppress_build_script_link_lines=false >"$BUILD/pyo3.txt"
    export PYO3_CONFIG_FILE=$BUILD/pyo3.txt HOLDMETRICS_BUNDLE=1
    unset PYO3_PYTHON
}

# With a hash seed of its own, the interpreter writes sets of constants in another order each time.
runtime_python() { env -i PATH="$PATH" HOME="$HOME" HOLDMETRICS_CACHE="$CACHE" PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 \
    SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" HOLDMETRICS_PIP_PYTHON="$CHOSEN_PYTHON" "$RUNTIME/bin/python3.14" "$@"; }

# Completions and manual pages, from the program $1, into the folder $2.
describe_commands() {
    local itself=(env "LD_LIBRARY_PATH=$RUNTIME/lib" "$1" self) shell
    rm -rf "$2"
    mkdir -p "$2/share/completions"
    for shell in bash zsh fish; do "${itself[@]}" completions $shell >"$2/share/completions/main_holdmetrics.$shell"; done
    "${itself[@]}" man "$2/share/man/man1"
}

# The folder $2 with the program $1; what follows is for bundle.py.
assemble_folder() {
    make_tools_venv
    rm -rf "$BUILD/wheels" "$2"
    "$TOOLS/bin/python" -m build --wheel --no-isolation --outdir "$BUILD/wheels" python_pkg >/dev/null
    runtime_python embed_runtime/bundle.py $SYSTEM --program "$1" --wheel "$BUILD"/wheels/*.whl --out "$2" "${@:3}"
}

# The same with the program stripped, and with what it says of its commands.
assemble() {
    describe_commands "$1" "$BUILD/extra"
    strip -o "$BUILD/main_holdmetrics" "$1"
    assemble_folder "$BUILD/main_holdmetrics" "$2" --extra "$BUILD/extra"
}

# Builds with the profile of all others, and its dependencies; what make build left is put back.
quick_folder() {
    local built=$TARGET/release/main_holdmetrics
    if [ -e "$built" ]; then cp -p "$built" "$BUILD/kept"; fi
    cargo build --release --locked --features py-embed --bin main_holdmetrics "${UNOPTIMISED[@]}" --target-dir "$TARGET"
    mv "$built" "$BUILD/quick"
    if [ -e "$BUILD/kept" ]; then mv "$BUILD/kept" "$built"; fi
    assemble "$BUILD/quick" "$1"
}

# All crates optimised as one, which leaves out what nothing calls, and takes minutes more.
WHOLE=(--config 'profile.release.lto="fat"')

# Without the folders of this machine, which would be in every panic message.
zigbuild() {
    make_venv "$CACHE/venv-zig" cargo-zigbuild==0.24.1 ziglang==0.17.1
    PATH=$CACHE/venv-zig/bin:$PATH \
        RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$REPOSITORY=/holdmetrics" \
        cargo zigbuild --locked --target $TRIPLE.$GLIBC --target-dir "$TARGET" "$@"
}

build_program() { zigbuild --release "${WHOLE[@]}" --features py-embed --bin main_holdmetrics; }
build_launcher() { zigbuild --release "${WHOLE[@]}" --manifest-path embed_runtime/launcher/Cargo.toml; }

# Twice, and compared: an order or a time that differs from run to run is found here.
assemble_twice() {
    local program=$TARGET/$TRIPLE/release/main_holdmetrics
    assemble "$program" "$BUILD/again"
    assemble "$program" "$BUILD/$NAME"
    diff -r "$BUILD/again" "$BUILD/$NAME"
    rm -r "$BUILD/again"
}

# Symbols of a newer C library would not be found on an older system.
check_program() {
    local file newest ours=("$BUILD/$NAME/main_holdmetrics" "$TARGET/$TRIPLE/release/holdmetrics_launcher") others
    mapfile -t others < <(find "$BUILD/$NAME" -name '*.so*')
    for file in "${ours[@]}" "${others[@]}"; do
        newest=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
        echo "$newest $(basename "$file")"
        [ "$(printf '%s\n' "GLIBC_$GLIBC" "$newest" | sort -V | tail -1)" = "GLIBC_$GLIBC" ] || die "$file needs $newest"
    done
    for file in "${ours[@]}"; do
        if strings "$file" | grep -e "$REPOSITORY" -e "$HOME/"; then die "$file names a folder of this machine"; fi
    done
}

pack() {
    runtime_python embed_runtime/pack.py "$BUILD/$NAME" --name "$NAME" --out "$DIST" \
        --launcher "$TARGET/$TRIPLE/release/holdmetrics_launcher"
}

describe() {
    "$CHOSEN_PYTHON" embed_runtime/sbom.py $SYSTEM --name "$NAME" --version "$VERSION" --out "$DIST"
    (cd "$DIST" && sha256sum -- * | grep -v ' SHA256SUMS$' >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
    ls -l "$DIST"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    use_python
    use_runtime
    case ${1:-all} in
    quick) quick_folder "${2:?the folder to make}" ;;
    all)
        step "the program" build_program
        step "the launcher" build_launcher
        step "the folder, twice" assemble_twice
        step "glibc $GLIBC, and no folder of this machine" check_program
        step "one file, and the tar.zst" pack
        step "contents, licences, SHA256SUMS" describe
        finish
        ;;
    *) die "$1: unknown argument; use none, or quick DIR" ;;
    esac
fi
