#!/usr/bin/env bash
# make run: builds, makes .venv, generates hold events and prints a leaderboard of them, twice: by an
# operator's Python script that runs inside the process, and by the `score` command. Then starts the service,
# posts one event to it, asks for its score and stops it.
source "$(dirname "$0")/common.sh"

build_binary
make_run_venv

demo=$REPOSITORY/target/demo
mkdir -p "$demo"
say "Generate hold events"
"$BINARY" generate --events 50000 --holders 2000 --tokens 8 --seed 7 --output "$demo/holds.jsonl"

say "A script inside the process: main_holdmetrics run examples/leaderboard.py holds.jsonl"
"$BINARY" run examples/leaderboard.py "$demo/holds.jsonl"

say "The same from the command line: main_holdmetrics score holds.jsonl --closed-only --top 5"
"$BINARY" score "$demo/holds.jsonl" --closed-only --top 5

say "The service: main_holdmetrics serve --data-dir target/demo/data"
scripts/serve_demo.sh
