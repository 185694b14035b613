#!/usr/bin/env bash
# Writes the generated code of proto/poh/hold.proto anew: Rust in src/net/pb, Python in the package.
source "$(dirname "$0")/common.sh"

make_test_venv
export HOLDMETRICS_REGENERATE=1
cargo test --release --locked --test generated
cd python_pkg
../.venv/bin/python -m pytest -q -p no:cacheprovider tests/test_protocols.py
