# What the other scripts share: paths, the chosen Python, virtual environments, named steps with a summary.
# Sourced by bash.
#
# After `source scripts/common.sh` the working folder is the repository's. Variables that a caller may set:
#   PYTHON            the Python to build against (see choose_python.sh)
#   CARGO_TARGET_DIR  where cargo builds; default target/
#   HOLDMETRICS_CACHE where virtual environments for tests and downloaded tools lie; default .cache/
# shellcheck shell=bash disable=SC2034

set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$REPOSITORY"

CACHE=${HOLDMETRICS_CACHE:-$REPOSITORY/.cache}
TARGET=${CARGO_TARGET_DIR:-$REPOSITORY/target}
BINARY=$REPOSITORY/target/release/main_holdmetrics
VENV=$REPOSITORY/.venv
export CARGO_TARGET_DIR=$TARGET

# An environment that is active in the caller's shell is not the one that is built and tested here.
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH POH_DISABLE_RUST POH_PYTHON_HOME POH_PYTHON_PKG
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '\n==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Chooses the Python that the binary is built against, once in a script.
use_python() {
    if [ -n "${CHOSEN_PYTHON:-}" ]; then return; fi
    CHOSEN_PYTHON=$("$REPOSITORY/scripts/choose_python.sh")
    export PYO3_PYTHON=$CHOSEN_PYTHON
}

# The stable ABI that the extension is built for begins with 3.12.
has_stable_abi() { "$CHOSEN_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; }
NO_STABLE_ABI="the extension needs Python 3.12 or newer, and the chosen one is older"

# Builds the binary with CPython inside and leaves it at target/release/, wherever cargo builds. With
# HOLDMETRICS_AS_TESTED, it is the one that cargo_test_shipped has built (docs/decisions/one-profile.md).
build_binary() {
    local more=()
    use_python
    # An example is built with what tests depend on, whose features change dependencies of ours.
    if [ -n "${HOLDMETRICS_AS_TESTED:-}" ]; then more=(--example bare_server "${IN_PARALLEL[@]}"); fi
    cargo build --release --locked --features py-embed --bin main_holdmetrics "${more[@]}"
    if [ "$TARGET/release/main_holdmetrics" -ef "$BINARY" ]; then return; fi
    mkdir -p "$(dirname "$BINARY")"
    # Beside and renamed: a binary that runs at this moment is not written over.
    cp "$TARGET/release/main_holdmetrics" "$BINARY.new"
    mv "$BINARY.new" "$BINARY"
}

# cargo's arguments for our own crate unoptimised, which compiles it in a fifth of the time, over the dependencies of
# the shipped binary; and with debug assertions, with which there is a callable that panics.
ours=profile.release.package.poh_holdmetrics_rust
UNOPTIMISED=(--config "$ours.opt-level=0" --config "$ours.codegen-units=16")
ASSERTING=("${UNOPTIMISED[@]}" --config "$ours.debug-assertions=true")
# As it is shipped, but compiled by several threads.
IN_PARALLEL=(--config "$ours.codegen-units=4")
unset ours

cargo_test() { cargo test --release --locked --no-fail-fast "${ASSERTING[@]}" "$@"; }

cargo_test_shipped() { cargo test --release --locked --no-fail-fast "${IN_PARALLEL[@]}" --features py-embed "$@"; }

# Makes the virtual environment $1 hold what the pip arguments after it name, and does nothing when it
# already does. The stamp is keyed on the interpreter, the arguments and every file that names a package.
make_venv() {
    use_python
    local venv=$1 stamp key
    shift
    stamp=$venv/.holdmetrics-stamp
    key=$({ "$CHOSEN_PYTHON" -V; echo "$CHOSEN_PYTHON"; cat python_pkg/pyproject.toml benches/*/requirements.txt tests/interop/requirements.txt; } | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$key $*" ]; then return; fi
    if [ -e "$venv" ] && [ ! -e "$stamp" ] && [ -n "$(ls -A "$venv")" ]; then
        die "$venv was not made by make: move it away, then run this again"
    fi
    say "Python packages into ${venv#"$REPOSITORY"/}"
    "$CHOSEN_PYTHON" -m venv --clear "$venv"
    touch "$stamp"
    "$venv/bin/python" -m pip install --quiet "$@"
    printf '%s\n' "$key $*" >"$stamp"
}

# The environment of scripts in the binary: the package from the checkout, and what it depends on.
# `make test` adds its own packages to the same environment; if they are there, they stay.
make_run_venv() {
    if grep -qs 'python_pkg\[dev\]' "$VENV/.holdmetrics-stamp"; then
        make_test_venv
    else
        make_venv "$VENV" --editable ./python_pkg
    fi
}

make_test_venv() {
    make_venv "$VENV" --editable './python_pkg[dev]'
}

# Named steps: all run, also after one failed, and `finish` prints what became of each.
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

# Lists a step that cannot run here, with the reason; it does not count as passed.
not_run() {
    say "$1: not run, $2"
    SUMMARY+=("$(printf 'not run           %s: %s' "$1" "$2")")
}

# Prints the summary; exits with 1 if a step failed.
finish() {
    say "Summary"
    printf '%s\n' "${SUMMARY[@]}"
    if [ "$FAILED" -gt 0 ]; then
        printf '\nsteps failed: %d\n' "$FAILED"
        exit 1
    fi
}
