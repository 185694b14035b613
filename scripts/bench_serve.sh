#!/usr/bin/env bash
# make bench-serve: the service beside servers that throw everything away, a Python server and the disk's
# fdatasync floor; writes its table to docs/benchmarks.md. Needs a machine that does nothing else.
#
# SERVE_ARGUMENTS is handed on to benches/serve/run.py, for example SERVE_ARGUMENTS=--quick.
source "$(dirname "$0")/common.sh"

build_binary
cargo build --release --locked --features py-embed --example bare_server
make_venv "$REPOSITORY/benches/serve/.venv" --requirement benches/serve/requirements.txt
# Several arguments are meant.
# shellcheck disable=SC2086
"$REPOSITORY/benches/serve/.venv/bin/python" benches/serve/run.py --binary "$BINARY" \
    --bare "$TARGET/release/examples/bare_server" ${SERVE_ARGUMENTS:-}
