# What a person and the machine that checks run. Each target is a script in scripts/; `make help` lists them.
#
#   PYTHON=/path/to/python   build against this Python (3.11 to 3.13, with a shared libpython)
#   CARGO_TARGET_DIR=...     build elsewhere; the binary still lies at target/release/main_holdmetrics

.DEFAULT_GOAL := help
.PHONY: help build run test bench fmt lint audit doctor clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build target/release/main_holdmetrics, with CPython inside
	@scripts/build.sh

run: ## build, make .venv, generate hold events and print a leaderboard
	@scripts/run.sh

test: ## every test: Rust with and without Python, the extension, Python, lints, formats, import rules
	@scripts/test.sh

bench: ## criterion benches, calls over the boundary, and the comparison with other tools
	@scripts/bench.sh

fmt: ## format Rust and Python in place
	@scripts/fmt.sh

lint: ## formats, clippy, ruff, mypy, Windows check, licences; changes nothing
	@scripts/lint.sh

audit: ## licences, sources and known vulnerabilities of the dependencies
	@scripts/audit.sh

doctor: build ## build, then say what the binary finds and what is wrong
	@target/release/main_holdmetrics doctor

clean: ## remove what make has made in this folder
	rm -rf target .cache .venv benches/peers/.venv
