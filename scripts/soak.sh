#!/usr/bin/env bash
# make soak: what takes too long for every make test. 100 rounds of kill -9 under load over one store, each
# checked against what was acknowledged and what was sent; HOLDMETRICS_KILL_ROUNDS takes another number.
source "$(dirname "$0")/common.sh"
source scripts/steps.sh

export HOLDMETRICS_KILL_ROUNDS=${HOLDMETRICS_KILL_ROUNDS:-100}
step "kill -9, $HOLDMETRICS_KILL_ROUNDS rounds" cargo test --release --locked --test serve_kill -- --nocapture
finish
