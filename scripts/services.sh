#!/usr/bin/env bash
# The tests on real servers (marker `services`), once, without native code. tests/servers says where the programs
# come from; some are built with Go. Those that need the service itself use target/release/main_holdmetrics; without
# it they are skipped.
#
#   scripts/services.sh [ARGUMENT OF PYTEST]...
#
# test.sh sources this file for `services_step`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

services_pytest() {
    if [ -x "$BINARY" ]; then export HOLDMETRICS_BINARY=$BINARY; fi
    POH_EXPECT_NATIVE=none "$VENV/bin/python" -m pytest -q -p no:cacheprovider -m services python_pkg "$@"
}

# Where servers are missing and cannot be built, the summary says it beside the step.
services_step() {
    local server
    for server in collector/otelcol immudb/immudb; do
        if [ ! -x "$CACHE/$server" ] && ! command -v go >/dev/null; then
            not_run "pytest, real ${server%/*}" "it is built with Go, which is not installed (https://go.dev/dl)"
        fi
    done
    step "pytest, real servers" services_pytest "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    use_python
    make_test_venv
    services_step "$@"
    finish
fi
