#!/usr/bin/env bash
# make test: everything that says whether this checkout is right. All steps run, also after one failed;
# the summary at the end names each, and each that could not run here with its reason.
#
# Every Rust step uses the release profile, so that the dependencies are compiled once
# (docs/decisions/one-profile.md). Optional inputs lie beside the checkout, in ../shared.
source "$(dirname "$0")/common.sh"
source scripts/lint.sh
source scripts/interop.sh
source scripts/python_servers.sh
source scripts/services.sh
source scripts/airdrops.sh
source scripts/wheels.sh
source scripts/test_windows.sh

SHARED=$(dirname "$REPOSITORY")/shared
# Not exported: a test that is told of a folder, and not only where to look, fails without it.
PUBLISHED_CASES=("$SHARED/conformance/cases" "$SHARED/conformance/cases-2")
if [ -n "${POH_CONFORMANCE:-}" ]; then PUBLISHED_CASES=("$POH_CONFORMANCE"); fi
SALES=${POH_CRYPTOPUNKS:-$SHARED/data/cryptopunks_sales_2017_2022.csv}
export HYPOTHESIS_STORAGE_DIRECTORY=$CACHE/hypothesis HOLDMETRICS_AS_TESTED=1

EXTENSION_PROFILE=("${UNOPTIMISED[@]}")
pytest_with_extension() { scripts/pytest.sh extension "$EXTENSION_VENV/bin/python"; }
# Here alone the servers in Python are held against the binary.
pytest_without_extension() { HOLDMETRICS_BINARY=$BINARY scripts/pytest.sh none "$VENV/bin/python"; }
# What chooses the native code and what goes by it: the rest of the suite is the run without the extension.
pytest_disabled() {
    POH_DISABLE_RUST=1 POH_EXPECT_NATIVE=none "$EXTENSION_VENV/bin/python" -m pytest -q -p no:cacheprovider \
        python_pkg/tests/test_{native,engines,conformance,frames,typed_models,storage_rows}.py
}
pytest_embedded() { scripts/pytest.sh host "$BINARY" python; }

# On the Python of the bundle, in a copy: an interpreter writes beside its modules, and the fetched folder is verified.
bundled_python() { "$CHOSEN_PYTHON" embed_runtime/fetch.py linux-amd64; }
pytest_bundled() {
    cp -ruT "$(bundled_python)" "$CACHE/python-of-the-bundle"
    PATH=$CACHE/python-of-the-bundle/bin:$PATH HOLDMETRICS_WHEELS=$WHEELS \
        "$VENV/bin/nox" --reuse-existing-virtualenvs --session extension-3.14
}

check_packages() { "$CHOSEN_PYTHON" scripts/check_packages.py "$WHEELS"; }

elsewhere() { (cd / && "$BINARY" doctor); }
cases() { "$CHOSEN_PYTHON" scripts/check_cases.py "$BINARY" --engine "$1" "$2"; }
cryptopunks() {
    "$BINARY" run examples/cryptopunks.py "$1" --json | "$CHOSEN_PYTHON" scripts/check_cryptopunks.py
}
can_mount() {
    local folder result=0
    folder=$(mktemp -d)
    if mount -t tmpfs -o size=1m tmpfs "$folder" 2>/dev/null; then umount "$folder"; else result=1; fi
    rmdir "$folder"
    return $result
}
# With the interpreter inside: what it affects, the command line, and both scorers against the definition of a score.
shipped_tests() {
    cargo_test_shipped --test host --test cli --test aggregator
    cargo_test_shipped --test serve -- lifecycle:: gate::
}

use_python
make_test_venv
lint_steps

step "cargo test, no Python" cargo_test
step "cargo test, the network on the servers in Python" python_servers cargo_test
step "cargo test, py-embed, unit tests" cargo_test --features py-embed --lib
# Unoptimised: the callable that panics exists with debug assertions only.
step "cargo test, py-embed, pipelines" cargo_test --features py-embed --test pipelines
step "cargo test, py-embed, as shipped" shipped_tests
step "build the binary" build_binary
step "doctor, from another folder" elsewhere
# Before the extension is built: its settings of pyo3 would have the binary built once more.
step "make run" scripts/run.sh

for engine in native python; do
    step "the repository's cases, --engine $engine" cases "$engine" tests/cases
    for folder in "${PUBLISHED_CASES[@]}"; do
        if [ -d "$folder" ]; then
            step "conformance $(basename "$folder"), --engine $engine" cases "$engine" "$folder"
        else
            not_run "conformance cases, --engine $engine" "there are none at $folder"
        fi
    done
done

interop_steps grpcio grpcurl schemathesis

step "pytest, no extension" pytest_without_extension
services_step
airdrop_steps
step "pytest, inside the binary" pytest_embedded
step "wheels and sdists" build_packages "$WHEELS"
step "each package alone, from its wheel" check_packages
if has_stable_abi; then
    step "build the extension, unoptimised" build_extension
    step "pytest, with the extension" pytest_with_extension
    step "pytest, extension switched off" pytest_disabled
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        not_run "pytest, on the Python of the bundle" "it is run on x86_64 Linux alone"
    elif bundled_python >/dev/null; then
        step "pytest, on the Python of the bundle" pytest_bundled
    else
        not_run "pytest, on the Python of the bundle" "it could not be fetched; the reason stands above"
    fi
else
    not_run "the extension and its tests" "$NO_STABLE_ABI"
fi

if [ -f "$SALES" ]; then
    step "CryptoPunks figures, inside the binary" cryptopunks "$SALES"
else
    not_run "CryptoPunks figures" "the sales are not at $SALES"
    not_run "CryptoPunks over gRPC with a kill -9 in the middle" "the sales are not at $SALES"
fi
command -v promtool >/dev/null ||
    not_run "promtool over metrics and alert rules" "it is not installed (Debian's package prometheus has it)"
# The bundle in its reduced form: our crate unoptimised, and this machine's own C library.
bundle_steps() {
    local folder=$CACHE/bundle/reduced name="the bundle where nothing else is installed"
    if [ "$(uname -sm)" != "Linux x86_64" ]; then
        not_run "$name" "it is tested on x86_64 Linux alone"
    elif [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
        not_run "$name" "it needs root, for chroot and mounts of its own"
    elif ! bundled_python >/dev/null; then
        not_run "$name" "its Python could not be fetched; the reason stands above"
    else
        step "the bundle, unoptimised" scripts/bundle.sh quick "$folder"
        step "$name" scripts/test_bundle.sh "$folder"
    fi
}
bundle_steps
windows_steps -k "not service_manager"
not_run "a service under the service manager of Wine" "the manager stands still in some runs; make test-windows has it"
can_mount || not_run "a full disk under a real process" "no tmpfs can be mounted here"

finish
