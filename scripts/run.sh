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

say "The same from the command line: main_holdmetrics score holds.jsonl --closed-only --limit 5"
"$BINARY" score "$demo/holds.jsonl" --closed-only --limit 5

say "The service: main_holdmetrics serve --data-dir target/demo/data"
folder=$(mktemp -d)
"$BINARY" serve --data-dir "$folder/data" --grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0 \
    >"$folder/out" 2>"$folder/log" &
service=$!
trap 'kill -9 $service 2>/dev/null || true; rm -rf "$folder"' EXIT

for _ in $(seq 200); do
    grep -q '^listening: ' "$folder/out" && break
    kill -0 "$service" 2>/dev/null || { cat "$folder/log" >&2; die "the service did not start"; }
    sleep 0.05
done
http=$(sed -n 's/^listening: .* http=//p' "$folder/out")
[ -n "$http" ] || die "the service did not say where it listens"
say "The service listens: $(cat "$folder/out")"

event='{"token_id":"punk/1","holder_id":"ann","start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z","weight":"2.5"}'
if command -v curl >/dev/null; then
    ask() { curl --silent --show-error --fail --max-time 10 "$@"; }
    say "POST /hold $event"
    ask -H 'content-type: application/json' --data "$event" "http://$http/hold"
    say "GET /leaderboard"
    ask "http://$http/leaderboard?limit=1"
    echo
else
    say "curl is not installed: sent with main_holdmetrics send instead"
    grpc=$(sed -n 's/^listening: grpc=\([^ ]*\) .*/\1/p' "$folder/out")
    printf '%s\n' "$event" | "$BINARY" send - --input-format jsonl --server "http://$grpc"
fi

say "SIGTERM: it stops accepting, acknowledges what it has read, writes its state and ends"
kill -TERM "$service"
wait "$service"
sed -n '$p' "$folder/log"
