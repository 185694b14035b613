"""The command: as published, refused lines, Ctrl-C, kill -9, and reading back."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from batch_support import acks, json_lines, lines
from click.testing import CliRunner, Result

from poh_batcher.cli import main
from poh_batcher.compression import decompress
from poh_batcher.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def invoke(*arguments: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(main, arguments, input=given, catch_exceptions=False)


def started(python: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [python, "-c", "from poh_batcher.cli import main; main()", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.fspath(ROOT)},
    )


def test_the_published_command_makes_arrays_of_acknowledgements(tmp_path: Path) -> None:
    out = tmp_path / "batches"
    arguments = ("--batch-size", "2", "--batch-timeout", "0.1", "--output-dir", f"file://{out}")
    result = invoke(*arguments, given=lines(5))
    assert result.exit_code == 0, result.output
    found = []
    for path in sorted(out.rglob("ack_batch_*")):
        raw = path.read_bytes()
        codec = {".gz": "gzip", ".zst": "zstd"}[path.suffix]
        found.append(json.loads(decompress(codec, raw)))
    assert [len(each) for each in found] == [2, 2, 1]
    assert [each for batch in found for each in batch] == [each.model_dump() for each in acks(5)]


def test_refused_lines_are_kept_as_they_were_and_the_rest_is_stored(tmp_path: Path) -> None:
    rejects = tmp_path / "bad.jsonl"
    bad = ["not json", '{"id": 1}', '{"id":"a","timestamp":"t","signature":"s","pubkey":"p","more":1}']
    given = lines(2) + bad[0] + "\n\n" + bad[1] + "\n" + lines(1, first=2) + bad[2]
    out = f"{tmp_path}/batches"
    result = invoke("-n", "2", "-o", out, "--codec", "gzip", "--rejects", str(rejects), "--json", given=given)
    assert result.exit_code == 3
    assert rejects.read_text("utf-8").splitlines() == bad
    assert "line 3: line: Invalid JSON" in result.stderr
    assert "line 7: more: Extra inputs are not permitted" in result.stderr
    *batches, end = json_lines(result.stdout)
    assert [(each["count"], each["line"]) for each in batches] == [(2, 5), (1, 7)]
    assert end == {"stored": 3, "batches": 2, "refused": 3, "line": 7, "error": None}
    assert invoke("cat", out).stdout == lines(3)


def test_any_object_and_any_model_may_be_lines(tmp_path: Path) -> None:
    out = f"{tmp_path}/b"
    assert invoke("--model", "json", "-o", out, given='{"é":[1]}\n').exit_code == 0
    assert invoke("--model", "poh_batcher.types:AckRequest", "-o", out, given=lines(1)).exit_code == 0
    assert invoke("cat", out).stdout == '{"é":[1]}\n' + lines(1)
    assert invoke("cat", out, "--first", "1").stdout == lines(1)
    assert invoke("cat", out, "--last", "0").stdout == '{"é":[1]}\n'


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-n", "0"), "x>=1"),
        (("-o", "ftp://x"), "unknown storage"),
        (("--codec", "gzip", "--level", "22"), "level: gzip takes 0 to 9; found 22"),
        (("--model", "nothing"), "expected ack, json or module:Class"),
        (("--model", "json:Missing"), "has no attribute 'Missing'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], says: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_verify_finds_what_is_damaged_and_what_is_missing(tmp_path: Path) -> None:
    invoke("-n", "1", "-o", str(tmp_path), "--codec", "gzip", given=lines(4))
    assert invoke("verify", str(tmp_path)).stdout == "4 batches are whole, 0 are missing, 0 are damaged\n"
    paths = sorted(tmp_path.rglob("ack_batch_*"))
    paths[0].unlink()
    assert invoke("verify", str(tmp_path)).exit_code == 0
    assert invoke("verify", str(tmp_path), "--strict").exit_code == 1
    paths[1].write_bytes(gzip.compress(b"[1]"))
    (tmp_path / "sequences/000/000/000000002.json").write_text('{"version":2}')
    result = invoke("verify", str(tmp_path), "--json")
    assert result.exit_code == 1
    *reports, sums = json_lines(result.stdout)
    assert [each["state"] for each in reports] == ["missing", "damaged", "damaged"]
    assert sums == {"whole": 1, "missing": 1, "damaged": 2, "items": 1}
    shown = invoke("cat", str(tmp_path))
    assert (shown.exit_code, shown.stdout) == (1, lines(1, first=3))
    assert "size: the header says" in shown.stderr


@pytest.mark.parametrize("arguments", [("verify",), ("cat",), ("cat", "--first", "4"), ("verify", "--json")])
def test_an_address_without_batches_is_named(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    invoke("-n", "1", "-o", str(tmp_path), given=lines(4))
    address = tmp_path if "--first" in arguments else tmp_path / "mistyped"
    result = invoke(arguments[0], str(address), *arguments[1:])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{address}/sequences: there is no such batch; check the address" in result.stderr


def test_the_package_is_a_command(python: str) -> None:
    command = [python, "-m", "poh_batcher", "--version"]
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert run.stdout == f"poh-batcher, version {__version__}\n"


def test_a_storage_that_cannot_be_written_ends_the_run_and_says_from_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    result = invoke("-o", f"{tmp_path}/file", "--attempts", "2", given=lines(3))
    assert result.exit_code == 1
    assert "3 items are not stored: the sink failed 2 times: file://" in result.stderr
    assert "everything through line 0 is stored or refused" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stores_what_was_read(tmp_path: Path, python: str, number: int) -> None:
    out = f"{tmp_path}/b"
    with started(python, "-n", "2", "-t", "60", "-o", out) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines(3).encode())
        process.stdin.flush()
        # The first batch is stored; the third line waits for its batch to be full.
        assert b"ack_batch_000000000" in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(30) == 130
        process.stdin.close()
    assert invoke("cat", out).stdout == lines(3)


def test_what_was_reported_is_there_after_kill_9(tmp_path: Path, python: str) -> None:
    reported = []
    out = f"{tmp_path}/b"
    for kill_after in (1, 5, 20):
        with started(python, "-n", "3", "-o", out, "--json") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(lines(300).encode())
            process.stdin.flush()
            reported += [json.loads(process.stdout.readline()) for _ in range(kill_after)]
            process.kill()
            reported += [json.loads(line) for line in process.stdout if line.endswith(b"\n")]
    sequences = [each["sequence"] for each in reported]
    assert sequences == sorted(set(sequences))
    for each in reported:
        assert Path(each["url"].removeprefix("file://")).is_file()
    sums = json_lines(invoke("verify", out, "--json").stdout)[-1]
    assert sums["damaged"] == 0
    assert isinstance(sums["whole"], int)
    assert sums["whole"] >= len(reported)
