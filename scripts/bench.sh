#!/usr/bin/env bash
# make bench: scoring by itself, calls over the boundary to Python, and the comparison with other tools,
# which writes its table to docs/benchmarks.md. Takes long, and needs a machine that does nothing else.
#
# PEERS_ARGUMENTS is handed on to benches/peers/run.py, for example PEERS_ARGUMENTS="--sizes 1M --rounds 3".
source "$(dirname "$0")/common.sh"

build_binary
make_run_venv

say "Scoring by itself"
cargo bench --locked --features py-embed --bench scoring

say "Calls over the boundary"
"$BINARY" run benches/boundary.py

# The peers have an environment of their own, with pinned versions.
peers=$REPOSITORY/benches/peers
make_venv "$peers/.venv" --requirement "$peers/requirements.txt"
say "Batch by batch"
"$peers/.venv/bin/python" "$peers/incremental.py" --binary "$BINARY"
say "Beside other tools"
# Several arguments are meant.
# shellcheck disable=SC2086
"$peers/.venv/bin/python" "$peers/run.py" --binary "$BINARY" ${PEERS_ARGUMENTS:-}
