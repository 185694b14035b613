#!/usr/bin/env bash
# make fuzz: each fuzz target for FUZZ_SECONDS (default 60), from the seeds in fuzz/seeds, from the published
# conformance cases where they lie beside this folder or POH_CONFORMANCE names theirs, and from what earlier runs
# found, which lies in the cache. Needs a nightly compiler; builds cargo-fuzz into the cache where it is
# missing. A finding ends the run with the file that holds it.
source "$(dirname "$0")/common.sh"

FUZZ_SECONDS=${FUZZ_SECONDS:-60}
TARGETS=${FUZZ_TARGETS:-frames encoding jsonl csv protobuf intervals airdrop}

cargo +nightly --version >/dev/null 2>&1 \
    || die "cargo-fuzz needs a nightly compiler: rustup toolchain install nightly --profile minimal"
fuzz=$(command -v cargo-fuzz || echo "$CACHE/tools/bin/cargo-fuzz")
if [ ! -x "$fuzz" ]; then
    say "cargo-fuzz into $CACHE/tools"
    CARGO_TARGET_DIR=$CACHE/tools/target \
        cargo install cargo-fuzz --locked --debug --quiet --root "$CACHE/tools"
    rm -rf "$CACHE/tools/target"
fi
export PATH=${fuzz%/*}:$PATH
# Our own code has no unsafe line that a target reaches, so panics and failed assertions are what is looked for,
# and the address sanitizer would halve the number of runs.
built=${FUZZ_TARGET_DIR:-$CACHE/fuzz-target}
options=(--dev --sanitizer none --target-dir "$built")
HOLDMETRICS_FUZZ_CORPUS=$CACHE/fuzz-corpus cargo test --release --locked --quiet --test cli fuzz_seeds::
unset CARGO_TARGET_DIR

say "building the targets"
cargo +nightly fuzz build "${options[@]}"
for target in $TARGETS; do
    say "$target, $FUZZ_SECONDS s"
    mkdir -p "$CACHE/fuzz-corpus/$target"
    cargo +nightly fuzz run "${options[@]}" "$target" "$CACHE/fuzz-corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=2048 -max_len=8192 -print_final_stats=1 -verbosity=0
done
echo "fuzz: nothing found in $(wc -w <<<"$TARGETS") targets"
