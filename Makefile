# What people and CI run; `make help` lists it. What takes more than a few commands is a script in scripts/.
#
#   PYTHON=/path/to/python   build against this Python (3.11 to 3.14, with a shared libpython)
#   CARGO_TARGET_DIR=...     build elsewhere; the binary still lies at target/release/main_holdmetrics

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# For the lines below that need the project's paths and environments.
COMMON := source scripts/common.sh

.PHONY: help build run check test test-services test-python-servers test-pythons bundle test-bundle test-windows wheels soak fuzz bench bench-airdrop bench-frames bench-host bench-python bench-serve bench-shapes bench-storage bench-packages fmt lint audit protocols doctor clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build target/release/main_holdmetrics, with CPython inside
	@$(COMMON); build_binary; say "Built $${BINARY#"$$REPOSITORY"/}"

run: ## build, make .venv, print a leaderboard of generated events, serve and post one event
	@scripts/run.sh

check: ## types, lints and the fast tests of Rust, about a minute after a change; see docs/development.md
	@cargo fmt --all --check
	@cargo clippy --locked --all-targets -- -D warnings
	@cargo test --locked --quiet --lib --test cli --test import_rules --test telemetry

test: ## every test: Rust with and without Python, the extension, Python, lints, formats, import rules
	@scripts/test.sh

test-services: ## the tests on real servers: MongoDB and others; names those that are not installed
	@scripts/services.sh

test-python-servers: ## the tests of the service over the network, on the servers in Python
	@scripts/python_servers.sh

test-pythons: ## the suite of the Python packages on every Python from 3.11 that is found, with and without the extension
	@$(COMMON); make_test_venv; "$$VENV/bin/nox" --reuse-existing-virtualenvs

test-windows: ## the program for Windows, cross-built unoptimised, under Wine; names what is missing for it
	@scripts/test_windows.sh

wheels: ## wheels and sdists of the Python packages, and the extension's wheel for this platform, into dist/
	@scripts/wheels.sh

bundle: ## the program with its own Python for Linux and Windows, as one file and as a folder, into dist/; needs Go and MinGW
	@scripts/bundle.sh
	@scripts/bundle_windows.sh

test-bundle: ## what make bundle has left in dist/, in a root with the C library alone; the folder for aarch64 under qemu
	@scripts/test_bundle.sh
	@scripts/test_bundle_arm.sh

# HOLDMETRICS_KILL_ROUNDS, HOLDMETRICS_POWER_LOSSES and HOLDMETRICS_HISTORIES take other numbers of rounds.
soak: ## every bit of a state flipped, 100 rounds of kill -9 under load, 300 losses of power, 30 checked histories
	@$(COMMON); export HOLDMETRICS_ALL_FLIPS=1 HOLDMETRICS_KILL_ROUNDS=$${HOLDMETRICS_KILL_ROUNDS:-100} \
		HOLDMETRICS_POWER_LOSSES=$${HOLDMETRICS_POWER_LOSSES:-300} HOLDMETRICS_HISTORIES=$${HOLDMETRICS_HISTORIES:-30}; \
	step "every bit of a state" cargo test --release --locked --test engine state_store::d4_ -- --nocapture; \
	step "kill -9, $$HOLDMETRICS_KILL_ROUNDS rounds" cargo test --release --locked --test serve kill:: -- --nocapture; \
	step "power, $$HOLDMETRICS_POWER_LOSSES losses" cargo test --release --locked --test serve power_loss:: -- --nocapture; \
	step "answers, $$HOLDMETRICS_HISTORIES histories" cargo test --release --locked --test serve history:: -- --nocapture; \
	finish

bench: ## criterion benches, calls over the boundary, and the comparison with other tools
	@scripts/bench.sh files

fuzz: ## each fuzz target for a minute (FUZZ_SECONDS=60), from the seeds in fuzz/seeds; needs nightly
	@scripts/fuzz.sh

bench-airdrop: ## trees and proofs beside OpenZeppelin's npm package, and an allocation of ten million holders
	@scripts/bench.sh airdrop

bench-frames: ## score() of data frames beside the binary and beside float sums of polars
	@scripts/bench.sh frames

bench-host: ## the service with pipelines beside itself without, a Python server, and Bytewax
	@scripts/bench.sh host

bench-python: ## the HTTP server in Python with the extension beside itself without it, over a socket
	@scripts/bench.sh python

bench-serve: ## the service beside bare servers, a Python one and the disk's fdatasync floor
	@scripts/bench.sh serve

bench-shapes: ## the same events in files of many shapes: ids, weights, event ids, compression, formats
	@scripts/bench.sh shapes

bench-storage: ## SQLite and MongoDB as sinks of a pipeline beside plain inserts, and their statistics
	@scripts/bench.sh storage

bench-packages: ## poh_batcher beside a queue and a loop, and what the middleware of poh_metrics adds to a request
	@scripts/bench.sh packages

fmt: ## format Rust and Python in place
	@$(COMMON); make_test_venv; cargo fmt --all; "$$VENV/bin/ruff" check --fix .; "$$VENV/bin/ruff" format .

lint: ## formats, clippy, rustdoc, ruff, mypy, Windows check, licences; changes nothing
	@scripts/lint.sh

audit: ## licences, sources and known vulnerabilities of the dependencies
	@scripts/lint.sh audit

protocols: ## generate src/net/pb and the package's protocols from proto/poh/hold.proto
	@$(COMMON); make_test_venv; export HOLDMETRICS_REGENERATE=1; \
	cargo test --release --locked --test net generated::; \
	cd python_pkg; ../.venv/bin/python -m pytest -q -p no:cacheprovider tests/test_protocols.py

doctor: build ## build, then say what the binary finds and what is wrong
	@target/release/main_holdmetrics doctor

clean: ## remove what make has made in this folder
	rm -rf target .cache .venv benches/peers/.venv benches/serve/.venv
