#!/usr/bin/env bash
# make test-windows: the program for Windows, built unoptimised, under Wine; see tests/windows. Names what is missing
# if it cannot run.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The first thing that is not there.
missing_for_windows() {
    local tool triple=x86_64-pc-windows-gnu
    for tool in x86_64-w64-mingw32-gcc-posix wine wineserver; do
        command -v $tool >/dev/null || { echo "$tool is not installed (apt-get install gcc-mingw-w64-x86-64-posix wine64 wine)"; return; }
    done
    if ! rustc --print target-libdir --target $triple 2>/dev/null | xargs -r test -d; then
        echo "the target is not installed (rustup target add $triple)"
    elif ! "$CHOSEN_PYTHON" embed_runtime/fetch.py windows-amd64 >/dev/null; then
        echo "its Python could not be fetched; the reason stands above"
    fi
}

# The folder of the program, and options of pytest. Wine stands still in some runs, so what fails is run once more.
pytest_windows() {
    local folder=$1
    shift
    once() {
        HOLDMETRICS_WINDOWS=$folder "$VENV/bin/python" -m pytest -ra -q -o cache_dir="$CACHE/pytest-windows" \
            --durations=5 "$@" tests/windows
    }
    once "$@" || { echo "once more, what failed:"; once --last-failed "$@"; }
}

# With options of pytest.
windows_steps() {
    local folder=$CACHE/bundle/windows-quick name="the program for Windows, under Wine" reason
    reason=$(missing_for_windows)
    if [ -n "$reason" ]; then
        not_run "$name" "$reason"
        return
    fi
    step "the bundle for Windows, unoptimised" scripts/bundle_windows.sh quick "$folder"
    step "$name" pytest_windows "$folder" "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    use_python
    make_test_venv
    windows_steps "$@"
    finish
fi
