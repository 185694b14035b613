"""What is valid and probably not meant: the codes and words of the binary, for files, frames and models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given

from conftest import REPOSITORY
from naive import Raw
from poh_holdmetrics import DataWarning, HoldEvent, hold_warnings, score
from poh_holdmetrics.cli import main
from poh_holdmetrics.errors import InputError
from poh_holdmetrics.pure.findings import Findings, findings_of
from poh_holdmetrics.validation import Record
from strategies import EVENTS, record

HEADER = "token_id,holder_id,start,end,weight,event_id\n"
DAY = 1_735_689_600_000
CASES = {
    "W01 epoch-seconds": (
        "T,a,1735689600,1735693200,,\n",
        (
            "every time is in January 1970, from 1970-01-21T02:08:09.6Z to 1970-01-21T02:08:13.2Z, as if "
            "seconds had been taken for milliseconds; numbers were read as milliseconds: if that is wrong, "
            "name their unit with --time-unit"
        ),
    ),
    "W02 ids-differ-by-case": (
        f"T,0xAB,{DAY},,,\nT,0xab,{DAY},,,\n",
        (
            '1 holder differs from another by case alone: "0xAB" and "0xab"; if they are one, write '
            "them alike, or read hexadecimal ids with --fold-hex-ids"
        ),
    ),
    "W03 ties": (
        f"T,a,{DAY},,3,\nT,a,{DAY},,4,\n",
        (
            "1 instant of a key has different levels without an order: a stop counts, else the largest; "
            "give the order with seq, such as a log index"
        ),
    ),
    "W04 conflicting-facts": (
        f"T,a,{DAY},,3,e\nT,a,{DAY},,4,e\n",
        (
            "1 event_id states different facts at its last revision: the largest counts; correct an event "
            "with a higher revision"
        ),
    ),
    "W06 as-of-before-events": (
        "T,a,1853056100000,,,\n",
        (
            "--as-of is 2026-01-01T00:00:00Z, and the first event is at 2028-09-20T09:48:20Z: nothing "
            "counts; give a later --as-of"
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_files_frames_and_the_command_line_say_it_in_the_same_words(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, sentence = CASES[name]
    file = tmp_path / "a.csv"
    file.write_text(HEADER + rows)
    said = f"{name}: {sentence}"
    with pytest.warns(DataWarning, match=re.escape(said)):
        scores = score(file, "2026-01-01T00:00:00Z")
    assert list(map(str, scores.warnings)) == [said]
    with pytest.raises(InputError, match=re.escape(f"--strict: {said}")):
        score(file, "2026-01-01T00:00:00Z", strict=True)
    arguments = ["score", str(file), "--as-of", "2026-01-01", "--format", "json"]
    assert main(arguments) == 0
    out, error = capsys.readouterr()
    assert error == f"warning: {said}\n"
    code, _, words = name.partition(" ")
    assert json.loads(out)["warnings"] == [{"code": code, "name": words, "text": sentence}]
    assert main([*arguments, "--strict"]) == 2
    assert f"--strict: {said}" in capsys.readouterr().err


def test_deficits_and_several_warnings_of_models() -> None:
    models = [
        HoldEvent(token_id=token, holder_id="a", at=DAY, delta=-1, event_id="e") for token in ("g", "G", "h")
    ]
    with pytest.warns(DataWarning) as caught:
        scores = score(models, "2026-01-01T00:00:00Z")
    assert [str(each.message) for each in caught] == list(map(str, scores.warnings))
    assert [each.code for each in scores.warnings] == ["W02", "W05"]
    assert scores.warnings[0].text.startswith('1 token differs from another by case alone: "G" and "g"; ')
    assert scores.warnings[1].text.startswith("3 keys have a balance below 0 at some time: ")


def test_a_frame_without_anything_unusual_passes_strict_checks() -> None:
    table = pl.DataFrame({"token_id": ["T"], "holder_id": ["A"], "start": [DAY]})
    scores = score(table, "2026-01-01T00:00:00Z", strict=True)
    assert scores.warnings == ()


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_conflict_is_of_different_facts_at_the_revision_in_force(*, is_reversed: bool) -> None:
    def conflicts(*events: tuple[int, int, bool]) -> int:
        found = [
            Record("T", "h", 1, end_us, 1, "e", revision, retract) for end_us, revision, retract in events
        ]
        return findings_of(found[::-1] if is_reversed else found).conflicts

    assert conflicts((3, 0, False), (4, 0, False), (5, 0, False)) == 1
    assert conflicts((3, 0, False), (3, 0, False)) == 0
    assert conflicts((3, 0, False), (4, 0, False), (4, 1, False)) == 0
    assert conflicts((3, 0, False), (4, 0, False), (3, 0, True)) == 0


def test_files_without_an_event_and_empty_windows_are_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(HEADER)
    with pytest.raises(InputError, match=r"no event in it; name a file that has rows \(W08 no-event\)"):
        score(file)
    file.write_text(HEADER + "T,,1,2,,\nT,a,1,x,,\n")
    assert main(["score", str(file), "--on-error", "skip"]) == 2
    assert capsys.readouterr().err.endswith(
        f"{file}: none of 2 lines is an event, the first refused is line 2: holder_id: missing or empty "
        "(W08 no-event)\n"
    )
    file.write_text(HEADER + f"T,a,{DAY},,,\n")
    sentence = (
        "--from: 2026-01-01T00:00:00Z is after --as-of, 2025-01-01T00:00:00Z; give an earlier --from "
        "(W07 from-after-as-of)"
    )
    with pytest.raises(InputError, match=re.escape(sentence)):
        score(file, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    assert main(["score", str(file), "--as-of", "2025-01-01", "--from", "2026-01-01"]) == 2
    assert sentence in capsys.readouterr().err


def test_the_page_has_a_section_for_each_code_and_no_others() -> None:
    page = (REPOSITORY / "docs" / "warnings.md").read_text(encoding="utf-8")
    codes = [value for value in vars(hold_warnings).values() if isinstance(value, tuple)]
    assert re.findall(r"^## (W\d+ .*)$", page, re.MULTILINE) == [" ".join(code) for code in codes]


@given(EVENTS)
def test_findings_do_not_depend_on_order_and_repetition(raws: list[Raw]) -> None:
    events = list(map(record, raws))
    found = findings_of(events)
    assert findings_of([*reversed(events), *events]) == found
    assert found.ties == _ties_by_definition(events)


def _ties_by_definition(events: Iterable[Record]) -> int:
    """Instants of a key whose marks in force, under the largest `seq`, are not all the same."""
    in_force: dict[tuple[str, str, object], Record] = {}
    for number, each in enumerate(events):
        key = each.token_id, each.holder_id, (number if each.event_id is None else each.event_id)
        held = in_force.get(key, each)
        in_force[key] = max(held, each, key=_precedence)
    marks: dict[tuple[str, str, int], set[tuple[int, int | None]]] = {}
    for each in in_force.values():
        times = each.start_us, each.end_us
        if not each.retract and times.count(None) == 1:
            at_us = next(time for time in times if time is not None)
            level = None if each.start_us is None else each.wad
            marks.setdefault((each.token_id, each.holder_id, at_us), set()).add((each.seq, level))
    return sum(
        len({level for seq, level in levels if seq == max(seq for seq, _ in levels)}) > 1
        for levels in marks.values()
    )


def _precedence(each: Record) -> tuple[object, ...]:
    def present(value: int | None) -> tuple[int, ...]:
        return () if value is None else (value,)

    times = present(each.start_us), present(each.end_us)
    weight = -1 if each.start_us is None else each.wad
    change = present(each.at_us), present(each.delta)
    return each.revision, each.retract, *times, weight, *change, each.seq


def test_nothing_is_found_in_nothing() -> None:
    assert findings_of([]) == Findings(None, 0, 0, (0, None), (0, None))
