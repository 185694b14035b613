# What a person and the machine that checks run. Each target is a script in scripts/; `make help` lists them.
#
#   PYTHON=/path/to/python   build against this Python (3.11 to 3.13, with a shared libpython)
#   CARGO_TARGET_DIR=...     build elsewhere; the binary still lies at target/release/main_holdmetrics

.DEFAULT_GOAL := help
.PHONY: help build run test soak fuzz bench bench-serve fmt lint audit doctor clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build target/release/main_holdmetrics, with CPython inside
	@scripts/build.sh

run: ## build, make .venv, print a leaderboard of generated events, serve and post one event
	@scripts/run.sh

test: ## every test: Rust with and without Python, the extension, Python, lints, formats, import rules
	@scripts/test.sh

soak: ## every bit of a state flipped, and 100 rounds of kill -9 under load over one store
	@scripts/soak.sh

bench: ## criterion benches, calls over the boundary, and the comparison with other tools
	@scripts/bench.sh

fuzz: ## each fuzz target for a minute (FUZZ_SECONDS=60), from the seeds in fuzz/seeds; needs nightly
	@scripts/fuzz.sh

bench-serve: ## the service beside bare servers, a Python one and the disk's fdatasync floor
	@scripts/bench_serve.sh

fmt: ## format Rust and Python in place
	@scripts/fmt.sh

lint: ## formats, clippy, rustdoc, ruff, mypy, Windows check, licences; changes nothing
	@scripts/lint.sh

audit: ## licences, sources and known vulnerabilities of the dependencies
	@scripts/audit.sh

doctor: build ## build, then say what the binary finds and what is wrong
	@target/release/main_holdmetrics doctor

clean: ## remove what make has made in this folder
	rm -rf target .cache .venv benches/peers/.venv benches/serve/.venv
