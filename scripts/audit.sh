#!/usr/bin/env bash
# make audit: licences, sources and known vulnerabilities of the dependencies, after deny.toml. Builds
# cargo-deny into the cache where it is missing; `make test` uses it from there.
source "$(dirname "$0")/common.sh"
source scripts/steps.sh

# Without optimisation: it runs for a second, and builds several times as fast.
if ! command -v cargo-deny >/dev/null && [ ! -x "$CACHE/tools/bin/cargo-deny" ]; then
    say "cargo-deny into $CACHE/tools"
    CARGO_TARGET_DIR=$CACHE/tools/target \
        cargo install cargo-deny --locked --debug --quiet --root "$CACHE/tools" \
        || echo "cargo-deny could not be built; the reason stands above."
    rm -rf "$CACHE/tools/target"
fi
audit_steps
finish
