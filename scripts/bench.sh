#!/usr/bin/env bash
# Benchmarks; each writes its table to docs/benchmarks.md. They take long and need a machine that does nothing
# else.
#
#   bench.sh files   make bench: scoring alone, calls over the boundary to Python, other tools on the same files
#   bench.sh shapes  make bench-shapes: the same events in files of many shapes
#   bench.sh serve   make bench-serve: the service beside servers that discard everything, a Python server and
#                    the disk's fdatasync floor
#   bench.sh host    make bench-host: the service with pipelines beside itself without, a Python server and Bytewax
#   bench.sh storage make bench-storage: SQLite and MongoDB as sinks beside plain inserts; prints its table only
#   bench.sh python  make bench-python: the HTTP server in Python with the extension beside itself without it;
#                    prints its table only
#   bench.sh packages make bench-packages: poh_batcher beside a queue and a loop, and what the middleware of
#                    poh_metrics adds to a request; prints its tables only
#   bench.sh frames  make bench-frames: score() of data frames beside the binary and float sums of polars; prints
#                    its table only
#   bench.sh airdrop make bench-airdrop: trees and proofs beside OpenZeppelin's npm package, and the allocation of ten
#                    million holders; prints its table only
#
# BENCH_ARGUMENTS is passed to benches/peers/run.py, benches/peers/shapes.py, benches/serve/run.py or benches/serve/pipelines.py, for example
# BENCH_ARGUMENTS="--sizes 1M --rounds 3" make bench, or BENCH_ARGUMENTS=--quick make bench-serve.
source "$(dirname "$0")/common.sh"
source scripts/wheels.sh
source scripts/airdrops.sh

read -ra arguments <<<"${BENCH_ARGUMENTS:-}"

bench_files() {
    local peers=benches/peers
    make_run_venv
    say "Scoring alone"
    cargo bench --locked --features py-embed --bench scoring
    say "Calls over the boundary"
    "$BINARY" run benches/boundary.py
    # Other tools have an environment of their own, with pinned versions.
    make_venv "$peers/.venv" --requirement "$peers/requirements.txt"
    say "Batch by batch"
    "$peers/.venv/bin/python" "$peers/incremental.py" --binary "$BINARY"
    say "Beside other tools"
    "$peers/.venv/bin/python" "$peers/run.py" --binary "$BINARY" "${arguments[@]}"
}

bench_shapes() {
    "$CHOSEN_PYTHON" benches/peers/shapes.py --binary "$BINARY" "${arguments[@]}"
}

bench_serve() {
    local serve=benches/serve
    cargo build --release --locked --features py-embed --example bare_server
    make_venv "$serve/.venv" --requirement "$serve/requirements.txt"
    "$serve/.venv/bin/python" "$serve/run.py" --binary "$BINARY" \
        --bare "$TARGET/release/examples/bare_server" "${arguments[@]}"
}

bench_host() {
    local serve=benches/serve
    make_run_venv
    make_venv "$serve/.venv" --requirement "$serve/requirements.txt"
    "$serve/.venv/bin/python" "$serve/pipelines.py" --binary "$BINARY" "${arguments[@]}"
}

bench_storage() {
    make_test_venv
    PYTHONPATH=python_pkg:tests "$VENV/bin/python" benches/storage.py "${arguments[@]}"
}

bench_python() {
    use_python
    build_extension
    "$EXTENSION_VENV/bin/python" benches/python_http.py "${arguments[@]}"
}

bench_packages() {
    make_test_venv
    export PYTHONPATH=python_pkg
    "$VENV/bin/python" benches/batcher.py "${arguments[@]}"
    "$VENV/bin/python" benches/middleware.py
}

bench_frames() {
    build_binary
    build_extension
    "$EXTENSION_VENV/bin/python" benches/frames.py "$BINARY" "${arguments[@]}"
}

bench_airdrop() {
    install_solidity
    "$CHOSEN_PYTHON" benches/airdrop.py "$BINARY" "$SOLIDITY" "${arguments[@]}"
    cargo bench --locked --bench allocation
}

case ${1:-} in
frames | storage | python | packages) "bench_$1" ;;
airdrop | files | host | serve | shapes)
    build_binary
    "bench_$1"
    ;;
*) die "say what to measure: airdrop, files, frames, host, packages, python, serve, shapes or storage" ;;
esac
