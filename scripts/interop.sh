#!/usr/bin/env bash
# Third-party clients against a running service: grpcio, grpcurl through reflection, and schemathesis over the
# OpenAPI document. Uses target/release/main_holdmetrics; a step that cannot run says why.
#
#   scripts/interop.sh [grpcio|grpcurl|schemathesis]...   default: all of them
#
# test.sh sources this file for `interop_steps`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

INTEROP_VENV=$CACHE/venv-interop
GRPCURL_VERSION=v1.9.4

# Prints the path of a grpcurl, installing it into the cache where Go is there.
grpcurl_program() {
    if command -v grpcurl; then return; fi
    local program=$CACHE/tools/bin/grpcurl
    if [ ! -x "$program" ] && command -v go >/dev/null; then
        GOBIN=$CACHE/tools/bin go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$GRPCURL_VERSION" >&2 || true
    fi
    if [ -x "$program" ]; then echo "$program"; fi
}

interop_pytest() {
    HOLDMETRICS_BINARY=$BINARY "$INTEROP_VENV/bin/python" -m pytest -q -p no:cacheprovider "tests/interop/$1"
}

# Every route of the contract with made-up requests, good and bad: no 5xx, and no answer that the contract does
# not tell. tests/interop/schemathesis.toml says which checks are left out, and why.
fuzz_http() {
    local folder addresses http key=key-of-this-test
    folder=$(mktemp -d)
    # With keys, so that it is also told where one is missing.
    printf '[[key]]\nname = "test"\nscopes = ["read", "write", "metrics", "admin"]\nsha256 = "%s"\n' \
        "$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)" >"$folder/keys.toml"
    "$BINARY" serve --ephemeral --api-key-file "$folder/keys.toml" --grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0 >"$folder/addresses" 2>"$folder/log" &
    local service=$!
    # shellcheck disable=SC2064
    trap "kill $service 2>/dev/null || true; rm -rf '$folder'" EXIT
    for _ in $(seq 100); do
        addresses=$(cat "$folder/addresses")
        if [ -n "$addresses" ]; then break; fi
        kill -0 "$service" || { cat "$folder/log"; return 1; }
        sleep 0.1
    done
    http=${addresses##*http=}
    # Known facts, so that holders are found as well as missed.
    curl -sS --max-time 10 --fail -o "$folder/taken" -H 'content-type: application/x-ndjson' -H "authorization: Bearer $key" \
        --data-binary $'{"token_id":"T","holder_id":"a","start":0,"end":1000}\n{"token_id":"T","holder_id":"0","start":0}\n' \
        "http://$http/hold"
    # Away from the checkout: it writes files where it runs.
    (cd "$folder" && "$INTEROP_VENV/bin/schemathesis" --config-file "$REPOSITORY/tests/interop/schemathesis.toml" run "http://$http/openapi.json" \
        --header "Authorization: Bearer $key" \
        --max-examples "${SCHEMATHESIS_EXAMPLES:-40}" --generation-deterministic --workers 1 \
        --request-timeout 20 --no-color)
    kill -0 "$service"
}

interop_steps() {
    local wanted=${*:-grpcio grpcurl schemathesis} program
    make_venv "$INTEROP_VENV" --requirement tests/interop/requirements.txt
    for name in $wanted; do
        case $name in
        grpcio) step "gRPC from Python (grpcio)" interop_pytest test_grpcio.py ;;
        grpcurl)
            program=$(grpcurl_program)
            if [ -n "$program" ]; then
                GRPCURL=$program step "gRPC through reflection (grpcurl)" interop_pytest test_grpcurl.py
            else
                not_run "gRPC through reflection (grpcurl)" "neither grpcurl nor a Go that could build it is there"
            fi
            ;;
        schemathesis) step "HTTP contract (schemathesis)" fuzz_http ;;
        *) die "$name: no such client; there are grpcio, grpcurl and schemathesis" ;;
        esac
    done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    BINARY=${HOLDMETRICS_BINARY:-$BINARY}
    [ -x "$BINARY" ] || die "$BINARY does not exist: run make build"
    interop_steps "$@"
    finish
fi
