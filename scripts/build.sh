#!/usr/bin/env bash
# make build: the binary with CPython inside, at target/release/main_holdmetrics.
source "$(dirname "$0")/common.sh"
build_binary
say "Built ${BINARY#"$REPOSITORY"/}"
