# Named steps that all run, also after one has failed, and one summary at the end. Sourced by bash.
#
# Holds the steps that more than one command uses; those of `make test` alone are in test.sh.
# shellcheck shell=bash

SUMMARY=()
FAILED=0

# Runs a command under a name and remembers how it ended.
step() {
    local name=$1 began=$SECONDS result
    shift
    say "$name"
    set +e
    (set -e; "$@")
    result=$?
    set -e
    if [ "$result" -eq 0 ]; then
        SUMMARY+=("$(printf 'ok      %5d s  %s' $((SECONDS - began)) "$name")")
    else
        SUMMARY+=("$(printf 'FAILED  %5d s  %s (exit %d)' $((SECONDS - began)) "$name" "$result")")
        FAILED=$((FAILED + 1))
        say "FAILED: $name (exit $result)"
    fi
}

# Says of a step that it cannot run here, and why; never counts as passed.
not_run() {
    say "$1: not run, $2"
    SUMMARY+=("$(printf 'not run           %s: %s' "$1" "$2")")
}

# Prints the summary; ends with 1 where a step failed.
finish() {
    say "Summary"
    printf '%s\n' "${SUMMARY[@]}"
    if [ "$FAILED" -gt 0 ]; then
        printf '\nsteps failed: %d\n' "$FAILED"
        exit 1
    fi
}

clippy() { cargo clippy --release --locked --all-targets "$@" -- -D warnings; }
# Links that lead nowhere are errors.
rustdoc() { RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --lib; }
ruff() { "$VENV/bin/ruff" "$@" .; }
# The package with its tests, then the scripts around it; the settings are the package's.
mypy_strict() {
    cd python_pkg
    ../.venv/bin/mypy --strict
    ../.venv/bin/mypy --strict ../examples/leaderboard.py ../scripts/check_cases.py ../scripts/check_cryptopunks.py
}

# The stable ABI that the extension is built for begins with 3.12.
has_stable_abi() { "$CHOSEN_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; }
NO_STABLE_ABI="the extension needs Python 3.12 or newer, and the chosen one is older"

lint_steps() {
    step "rustfmt" cargo fmt --all --check
    step "ruff check" ruff check
    step "ruff format" ruff format --check
    step "mypy --strict" mypy_strict
    step "clippy, no Python" clippy
    step "clippy, py-embed" clippy --features py-embed
    if has_stable_abi; then
        step "clippy, py-ext" clippy --features py-ext
    else
        not_run "clippy, py-ext" "$NO_STABLE_ABI"
    fi
    step "rustdoc" rustdoc
    if command -v shellcheck >/dev/null; then
        step "shellcheck" shellcheck -x -P SCRIPTDIR scripts/*.sh .ci/run
    else
        not_run "shellcheck" "it is not installed"
    fi
    windows_step
    audit_steps
}

# Type-checks the parts without Python for Windows. Checking links nothing, so where no C compiler for
# Windows is there, a stand-in takes the place of the one that the zstd crate calls.
windows_step() {
    local target=x86_64-pc-windows-gnu name="cargo check for Windows"
    if ! rustc --print target-libdir --target "$target" 2>/dev/null | xargs -r test -d; then
        not_run "$name" "the target is not installed (rustup target add $target)"
        return
    fi
    if ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
        export CC_x86_64_pc_windows_gnu=true AR_x86_64_pc_windows_gnu=true
    fi
    step "$name" cargo check --release --locked --target "$target" --lib --bins
}

# Licences, sources and banned crates offline; advisories where their databases can be reached.
audit_steps() {
    local deny said
    deny=$(command -v cargo-deny || echo "$CACHE/tools/bin/cargo-deny")
    if [ -x "$deny" ]; then
        step "cargo deny: bans, licences, sources" \
            "$deny" --locked check --hide-inclusion-graph bans licenses sources
        if said=$("$deny" --locked fetch db 2>&1); then
            step "cargo deny: advisories" "$deny" --locked check --hide-inclusion-graph advisories --disable-fetch
        else
            not_run "cargo deny: advisories" "their database could not be fetched (${said##*$'\n'})"
        fi
    else
        not_run "cargo deny" "it is not installed (cargo install cargo-deny --locked, or make audit)"
    fi
}
