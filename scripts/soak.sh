#!/usr/bin/env bash
# make soak: what takes too long for every make test. Every bit of a small state flipped; 100 rounds of kill -9
# under load over one store, each checked against what was acknowledged and what was sent
# (HOLDMETRICS_KILL_ROUNDS takes another number).
source "$(dirname "$0")/common.sh"
source scripts/steps.sh

export HOLDMETRICS_KILL_ROUNDS=${HOLDMETRICS_KILL_ROUNDS:-100}
step "every bit of a state" env HOLDMETRICS_ALL_FLIPS=1 \
    cargo test --release --locked --test state_store d4_ -- --nocapture
step "kill -9, $HOLDMETRICS_KILL_ROUNDS rounds" cargo test --release --locked --test serve_kill -- --nocapture
finish
