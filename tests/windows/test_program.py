"""What needs no service: doctor, cases with expected answers, the interpreter, paths, the one file."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import PATIENCE, REPOSITORY, Wine, unix_path, until, windows_path

SHARED = REPOSITORY.parent / "shared"
PUBLISHED = os.environ.get("POH_CONFORMANCE", "").split(os.pathsep)
OWN_CASES = REPOSITORY / "tests" / "cases"
PUBLISHED_CASES = [Path(name) for name in PUBLISHED if name] or [
    SHARED / "conformance" / name for name in ("cases", "cases-2")
]
#: Each start of Python takes seconds under Wine.
CASES = [("native", folder) for folder in (OWN_CASES, *PUBLISHED_CASES)] + [("python", OWN_CASES)]
SALES = Path(os.environ.get("POH_CRYPTOPUNKS", SHARED / "data" / "cryptopunks_sales_2017_2022.csv"))

IMPORTS = """
import asyncio, bz2, ctypes, decimal, hashlib, json, lzma, sqlite3, ssl, subprocess, sys, uuid, zlib, zoneinfo
import compression.zstd, concurrent.futures, multiprocessing, xml.etree.ElementTree
import pydantic, pydantic_settings, yaml, certifi, poh_holdmetrics
class Model(pydantic.BaseModel):
    amount: decimal.Decimal
assert Model(amount="1.5").amount == decimal.Decimal("1.5")
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
assert asyncio.run(asyncio.sleep(0, 7)) == 7
assert zoneinfo.ZoneInfo("Asia/Tokyo").key == "Asia/Tokyo"
child = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
assert child.stdout.split() == ["42"], child
print(sys.version)
"""


def test_doctor_finds_everything(wine: Wine, program: Path, odd_program: Path, tmp_path: Path) -> None:
    for each in (program, odd_program):
        said = wine.run(each, "doctor", cwd=tmp_path)
        assert said.code == 0, said
        assert "3.14" in said.out


def test_the_standard_library_and_the_packages_work(wine: Wine, odd_program: Path, tmp_path: Path) -> None:
    said = wine.run(odd_program, "python", "-c", IMPORTS, cwd=tmp_path)
    assert said.code == 0, said
    assert said.out.startswith("3.14")


@pytest.mark.parametrize(("engine", "folder"), CASES, ids=lambda value: getattr(value, "name", value))
def test_cases_have_the_expected_answers(
    wine: Wine, program: Path, tmp_path: Path, engine: str, folder: Path
) -> None:
    if not folder.is_dir():
        pytest.skip(f"there are none at {folder}")
    scorer = tmp_path / "scorer"
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in wine.environment.items())
    # A pipe: Python under Wine cannot write to a file that it has inherited.
    scorer.write_text(
        f'#!/bin/bash\nset -o pipefail\nenv {variables} wine {shlex.quote(str(program))} "$@" | cat\n'
    )
    scorer.chmod(0o755)
    command = [sys.executable, str(REPOSITORY / "scripts" / "check_cases.py"), str(scorer), str(folder)]
    done = subprocess.run(
        [*command, "--engine", engine], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_cryptopunks_are_exact(wine: Wine, program: Path, tmp_path: Path) -> None:
    if not SALES.is_file():
        pytest.skip(f"the sales are not at {SALES}")
    example = windows_path(REPOSITORY / "examples" / "cryptopunks.py")
    said = wine.run(program, "run", example, windows_path(SALES), "--json", cwd=tmp_path)
    assert said.code == 0, said
    check = [sys.executable, str(REPOSITORY / "scripts" / "check_cryptopunks.py")]
    done = subprocess.run(check, input=said.out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_paths_of_other_letters_and_of_more_than_260_characters(
    wine: Wine, odd_program: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "とても長い 道" / Path(*["a folder with a long name, 日本語"] * 9)
    assert len(windows_path(deep)) > 260
    deep.mkdir(parents=True)
    events = deep / "保有.jsonl"
    events.write_text('{"token_id":"猫","holder_id":"花子","start":0,"end":5000000}\n', encoding="utf-8")
    scores = deep / "結果.json"
    asked = [
        "score",
        windows_path(events),
        "--as-of",
        "9",
        "--format",
        "json",
        "--output",
        windows_path(scores),
    ]
    said = wine.run(odd_program, *asked, cwd=tmp_path)
    assert said.code == 0, said
    assert json.loads(scores.read_text(encoding="utf-8"))["holders"][0]["holder_id"] == "花子"
    script = deep / "読む.py"
    script.write_text(
        "import pathlib, sys\nprint(ascii(pathlib.Path(sys.argv[1]).read_text('utf-8')))\n", encoding="utf-8"
    )
    said = wine.run(odd_program, "run", windows_path(script), windows_path(events), cwd=tmp_path)
    assert said.code == 0, said
    assert "\\u82b1" in said.out


def test_every_byte_of_the_bundle_is_verified(wine: Wine, odd_program: Path, tmp_path: Path) -> None:
    said = wine.run(odd_program, "self", "verify", cwd=tmp_path)
    assert said.code == 0, said
    added = odd_program.parent / "embed_runtime" / "site" / "added.pth"
    added.write_text("\n")
    said = wine.run(odd_program, "self", "verify", cwd=tmp_path)
    added.unlink()
    assert said.code == 1
    assert "added.pth" in said.out


def test_ctrl_c_reaches_a_script(wine: Wine, program: Path, tmp_path: Path) -> None:
    waits = "import time\nprint('ready', flush=True)\ntime.sleep(600)"
    with wine.started(program, "python", "-c", waits, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) != 0
    assert "KeyboardInterrupt" in (tmp_path / "log.txt").read_text()


def test_the_one_file_is_the_program(wine: Wine, built: Path, tmp_path: Path) -> None:
    cache = tmp_path / "入れ物"
    variables = {"POH_BUNDLE_CACHE": windows_path(cache)}
    one = built / "one.exe"
    said = wine.run(one, "self", "info", "--json", cwd=tmp_path, env=variables)
    assert said.code == 0, said
    info = json.loads(said.out)
    assert unix_path(info["unpacked_from"]) == one
    folder = unix_path(info["folder"])
    assert folder.parent == cache
    # A damaged file is unpacked again, and the exit code is that of the program.
    (folder / "embed_runtime" / "site" / "certifi" / "cacert.pem").write_text("damaged")
    said = wine.run(one, "python", "-c", "raise SystemExit(7)", cwd=tmp_path, env=variables)
    assert said.code == 7, said
    assert (folder / "embed_runtime" / "site" / "certifi" / "cacert.pem").stat().st_size > 1000
    said = wine.run(one, "self", "remove", cwd=tmp_path, env=variables)
    assert said.code == 0, said
    assert not folder.exists()


#: A script that grows a file until it is ended.
BEATS = """
import sys, time
while True:
    with open(sys.argv[1], "a") as file:
        file.write("x")
    time.sleep(0.05)
"""


@contextmanager
def beating(wine: Wine, one: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The one file with a script in it that grows the file that is returned."""
    script, beats = folder / "beats.py", folder / "beats"
    script.write_text(BEATS)
    variables = {"POH_BUNDLE_CACHE": windows_path(folder / "cache")}
    words = ["run", windows_path(script), windows_path(beats)]
    with wine.started(one, *words, cwd=folder, env=variables) as process:
        until(beats.exists, "the script has not run")
        yield process, beats


def until_it_stands_still(beats: Path) -> None:
    sizes: list[int] = []

    def stands_still() -> bool:
        sizes.append(beats.stat().st_size)
        return len(sizes) > 20 and len(set(sizes[-20:])) == 1

    until(stands_still, "the script has not ended")


def test_ctrl_c_ends_the_script_in_the_one_file(wine: Wine, built: Path, tmp_path: Path) -> None:
    with beating(wine, built / "one.exe", tmp_path) as (process, beats):
        # As a terminal does it: under Wine, the launcher and the program are in one group.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        until_it_stands_still(beats)
    assert "KeyboardInterrupt" in (tmp_path / "log.txt").read_text()


def test_the_program_ends_when_the_one_file_is_killed(wine: Wine, built: Path, tmp_path: Path) -> None:
    with beating(wine, built / "one.exe", tmp_path) as (process, beats):
        process.kill()
        process.wait(PATIENCE)
        until_it_stands_still(beats)
