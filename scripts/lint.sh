#!/usr/bin/env bash
# make lint: format and lints of Rust and Python; changes nothing. Every check runs, also after one failed.
source "$(dirname "$0")/common.sh"
source scripts/steps.sh

use_python
make_test_venv
lint_steps
finish
