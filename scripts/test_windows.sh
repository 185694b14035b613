#!/usr/bin/env bash
# make test-windows: the program for Windows, built unoptimised, under Wine; see tests/windows. Names what is missing
# where it cannot run, and then does nothing.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TRIPLE=x86_64-pc-windows-gnu
NAME="the program for Windows, under Wine"

# The first thing that is not there.
missing() {
    local tool
    for tool in x86_64-w64-mingw32-gcc-posix wine wineserver; do
        command -v $tool >/dev/null || { echo "$tool is not installed (apt-get install gcc-mingw-w64-x86-64-posix wine64 wine)"; return; }
    done
    if ! rustc --print target-libdir --target $TRIPLE 2>/dev/null | xargs -r test -d; then
        echo "the target is not installed (rustup target add $TRIPLE)"
    elif ! "$CHOSEN_PYTHON" embed_runtime/fetch.py windows-amd64 >/dev/null; then
        echo "its Python could not be fetched; the reason stands above"
    fi
}

build() { scripts/bundle_windows.sh quick "$CACHE/bundle/windows-quick"; }

run_tests() {
    HOLDMETRICS_WINDOWS=$CACHE/bundle/windows-quick \
        "$VENV/bin/python" -m pytest -ra -q -p no:cacheprovider --durations=5 tests/windows
}

use_python
make_test_venv
reason=$(missing)
if [ -n "$reason" ]; then
    not_run "$NAME" "$reason"
else
    step "the bundle for Windows, unoptimised" build
    step "$NAME" run_tests
fi
finish
