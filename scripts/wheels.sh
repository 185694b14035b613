#!/usr/bin/env bash
# make wheels: what a package index takes, in dist/, checked with twine. A wheel and an sdist of each package of
# python_pkg, where each wheel is built from its sdist, and the wheel of the extension for this platform.
#
# test.sh, bench.sh and noxfile.py take their wheels from here.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PACKAGES=(python_pkg python_pkg/poh_batcher python_pkg/poh_metrics)
TOOLS=$CACHE/venv-wheels
WHEELS=$CACHE/wheels
EXTENSION_VENV=$CACHE/venv-extension
# cargo's arguments for the extension besides: none as it is shipped, and UNOPTIMISED in test.sh.
EXTENSION_PROFILE=()

make_tools_venv() { make_venv "$TOOLS" build hatchling maturin twine; }

# The three packages into the empty folder $1.
build_packages() {
    local package
    make_tools_venv
    rm -rf "$1"
    for package in "${PACKAGES[@]}"; do
        # Not isolated: hatchling is installed once, not again for each of six builds.
        "$TOOLS/bin/python" -m build --no-isolation --outdir "$1" "$package" >/dev/null
    done
    "$TOOLS/bin/twine" check --strict "$1"/*
}

# The extension into the folder $1: one wheel for every Python from 3.12.
build_extension_wheel() {
    make_tools_venv
    rm -f "$1"/poh_holdmetrics_rust-*
    "$TOOLS/bin/maturin" build --release --locked --features py-ext --interpreter "$CHOSEN_PYTHON" --out "$1" \
        "${EXTENSION_PROFILE[@]}"
    "$TOOLS/bin/twine" check --strict "$1"/poh_holdmetrics_rust-*
}

# The three packages installed from the checkout, and the extension's wheel beside them.
build_extension() {
    make_venv "$EXTENSION_VENV" './python_pkg[dev]'
    build_extension_wheel "$WHEELS"
    "$EXTENSION_VENV/bin/python" -m pip install --quiet --no-deps --force-reinstall \
        "${PACKAGES[@]/#/./}" "$WHEELS"/poh_holdmetrics_rust-*.whl
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    use_python
    step "wheels and sdists" build_packages dist
    if has_stable_abi; then
        step "the wheel of the extension" build_extension_wheel dist
    else
        not_run "the wheel of the extension" "$NO_STABLE_ABI"
    fi
    ls -l dist
    finish
fi
