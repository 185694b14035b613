#!/usr/bin/env bash
# make fmt: formats Rust and Python in place and mends what the linter can mend by itself.
source "$(dirname "$0")/common.sh"

make_test_venv
cargo fmt --all
"$VENV/bin/ruff" check --fix .
"$VENV/bin/ruff" format .
