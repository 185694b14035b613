#!/usr/bin/env bash
# The second half of make test-bundle: the bundle's folder for Linux on aarch64, cross-built unoptimised and started
# under qemu-user with doctor and the repository's cases. Slow: all dependencies are compiled once more, and qemu
# translates each instruction. Says what is missing if it cannot run.
source "$(dirname "${BASH_SOURCE[0]}")/bundle.sh"

SYSTEM=linux-arm64
TRIPLE=aarch64-unknown-linux-gnu
BUILD=$CACHE/bundle/arm
# Where Debian puts that system's C library.
LIBRARIES=/usr/aarch64-linux-gnu

missing_for_arm() {
    if ! command -v qemu-aarch64 >/dev/null || [ ! -e $LIBRARIES/lib/libgcc_s.so.1 ]; then
        echo "qemu or its C library is not installed (apt-get install qemu-user libc6-arm64-cross libgcc-s1-arm64-cross)"
    elif ! rustc --print target-libdir --target $TRIPLE 2>/dev/null | xargs -r test -d; then
        echo "the target is not installed (rustup target add $TRIPLE)"
    elif ! "$CHOSEN_PYTHON" embed_runtime/fetch.py $SYSTEM >/dev/null; then
        echo "its Python could not be fetched; the reason stands above"
    fi
}

# In the profile of development, since it is only tried.
build_for_arm() { zigbuild --features py-embed --bin main_holdmetrics; }
assemble_for_arm() { assemble_folder "$TARGET/$TRIPLE/debug/main_holdmetrics" "$BUILD/folder"; }

# A command that the checks call as they call the program.
under_qemu() {
    printf '#!/bin/sh\nexec env -i %q -L %q %q "$@"\n' "$(command -v qemu-aarch64)" $LIBRARIES \
        "$BUILD/folder/main_holdmetrics" >"$BUILD/emulated"
    chmod +x "$BUILD/emulated"
    "$BUILD/emulated" doctor
    local engine
    for engine in native python; do
        "$CHOSEN_PYTHON" scripts/check_cases.py "$BUILD/emulated" --engine $engine tests/cases
    done
}

use_python
name="doctor and cases on aarch64, under qemu"
reason=$(missing_for_arm)
if [ -n "$reason" ]; then
    not_run "$name" "$reason"
else
    use_runtime
    step "the program for aarch64, unoptimised" build_for_arm
    step "the folder for aarch64" assemble_for_arm
    step "$name" under_qemu
fi
finish
