#!/usr/bin/env bash
# The tests of the service over the network (tests/net), unchanged, on the servers of the Python package. What those
# servers do not have is listed with the reason in tests/net/python_lacks.txt.
#
#   scripts/python_servers.sh [NAME OF A TEST]...
#
# test.sh sources this file for `python_servers`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# $1 is the command that builds and runs tests.
python_servers() {
    local build=$1 known name reason skipped=()
    shift
    known=$("$build" --test net -- --list --format terse)
    while read -r name reason; do
        case $name in "#" | "") continue ;; esac
        grep -q "^$name" <<<"$known" || die "tests/net/python_lacks.txt: no test is named $name; correct or remove the line"
        echo "not run: $name: $reason"
        skipped+=(--skip "$name")
    done <tests/net/python_lacks.txt
    HOLDMETRICS_TEST_SERVER=$VENV/bin/python "$build" --test net -- "${skipped[@]}" "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    use_python
    make_test_venv
    step "cargo test, the network on the servers in Python" python_servers cargo_test "$@"
    finish
fi
