#!/usr/bin/env bash
# Clients that are not ours against a running service: grpcio, grpcurl through reflection, and schemathesis over
# the OpenAPI document. Uses target/release/main_holdmetrics; steps that cannot run say why.
#
#   scripts/interop.sh [grpcio|grpcurl|schemathesis]...   default: all of them
source "$(dirname "$0")/common.sh"
source scripts/steps.sh
source scripts/interop_steps.sh

BINARY=${HOLDMETRICS_BINARY:-$BINARY}
[ -x "$BINARY" ] || die "$BINARY is not there: run make build"
interop_steps "$@"
finish
