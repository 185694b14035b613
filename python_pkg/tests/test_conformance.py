"""The shared cases of the score's definition, with every native source and every kind of input.

Read from $POH_CONFORMANCE, else from the folder `shared` next to the repository. The few cases in this file
run the same tests on a machine without that folder.
"""

from __future__ import annotations

import asyncio
import json
import os
from array import array
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conftest import SHARED
from poh_holdmetrics import AsyncTracker, HoldEvent, Transfer, native
from poh_holdmetrics.cli import main
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.columns import ABSENT_US
from poh_holdmetrics.pure.row_scorer import RowScorer
from poh_holdmetrics.row_reader import FIELDS, RowReader, is_blank
from poh_holdmetrics.validation import Record

CASES = Path(os.environ.get("POH_CONFORMANCE", SHARED / "conformance" / "cases"))
#: The cases of changes, transfers, `seq` and forms of values are in a folder beside them.
FOLDERS = (CASES, CASES.with_name("cases-2"))
Row = tuple[int, str, int, str, float]


@dataclass
class Case:
    lines: list[bytes]
    query: dict[str, Any]
    expected: dict[str, Any]

    @property
    def window(self) -> tuple[int, int | None, bool]:
        since = self.query["from"]
        return (
            self.query["as_of"] * 1000,
            None if since is None else since * 1000,
            self.query["closed_only"],
        )

    @property
    def rows(self) -> list[Row]:
        names = ("rank", "holder_id", "held_us", "score", "weighted_score")
        return [tuple(holder[name] for name in names) for holder in self.expected["holders"]]

    @property
    def deficits(self) -> int:
        return int(self.expected.get("deficits", 0))

    def check_reading(self, reader: RowReader) -> None:
        assert (reader.read, reader.accepted) == (self.expected["read"], self.expected["accepted"])
        found = [(line, reason) for _, line, reason in reader.rejected]
        assert [line for line, _ in found] == [each["line"] for each in self.expected["rejected"]]
        for (_, reason), wanted in zip(found, self.expected["rejected"], strict=True):
            field = wanted["reason"].split(":")[0].split()[0].rstrip(",")
            assert field not in FIELDS or field in reason


def _own(
    lines: list[str],
    as_of: int,
    holders: list[list[object]],
    from_: int | None = None,
    *,
    closed: bool = False,
) -> Case:
    names = ("rank", "holder_id", "held_us", "score", "weighted_score")
    expected = {
        "read": len(lines),
        "accepted": len(lines),
        "rejected": [],
        "holders": [dict(zip(names, holder, strict=True)) for holder in holders],
    }
    query = {"as_of": as_of, "from": from_, "closed_only": closed}
    return Case([line.encode() for line in lines], query, expected)


_H = '{"token_id":"T","holder_id":"h",'
OWN = {
    "a maximum, not a sum": _own(
        [_H + '"start":0,"end":10000,"weight":1}', _H + '"start":5000,"end":15000,"weight":"2.5"}'],
        20_000,
        [[1, "h", 15_000_000, "30", 30.0]],
    ),
    "a stop wins over a start at one instant": _own(
        [_H + '"start":1000}', _H + '"end":1000}'], 20_000, [[1, "h", 0, "0", 0.0]]
    ),
    "named marks of one instant are ordered by seq": _own(
        [
            _H + '"event_id":"a","start":0,"seq":2,"weight":1}',
            _H + '"event_id":"b","end":0,"seq":1}',
            _H + '"event_id":"c","start":0,"weight":9}',
        ],
        20_000,
        [[1, "h", 20_000_000, "20", 20.0]],
    ),
    "a transfer is a change of both balances": _own(
        [
            '{"token_id":"T","to_id":"h","at":0,"amount":3,"event_id":"a"}',
            '{"token_id":"T","from_id":"h","to_id":"g","at":10000,"amount":1,"event_id":"b"}',
        ],
        20_000,
        [[1, "h", 20_000_000, "50", 50.0], [2, "g", 10_000_000, "10", 10.0]],
    ),
    "a window cuts an open hold": _own(
        [_H + '"start":0,"weight":0.1}'], 20_000, [[1, "h", 5_000_000, "0.5", 0.5]], 15_000
    ),
    "closed_only ends at the last mark in force": _own(
        [_H + '"start":0}', _H + '"start":4000,"weight":9}', _H + '"start":5000,"end":6000,"weight":2}'],
        20_000,
        [[1, "h", 5_000_000, "6", 6.0]],
        closed=True,
    ),
    "at one revision a retraction wins": _own(
        [_H + '"event_id":"a","retract":true}', _H + '"event_id":"a","start":0,"end":1000}'],
        20_000,
        [[1, "h", 0, "0", 0.0]],
    ),
    "equal scores share a rank": _own(
        [_H.replace('"h"', f'"{h}"') + f'"start":0,"end":{e}}}' for h, e in (("b", 1), ("a", 1), ("c", 0))],
        20_000,
        [[1, "a", 1000, "0.001", 0.001], [1, "b", 1000, "0.001", 0.001], [3, "c", 0, "0", 0.0]],
    ),
}


def _shared() -> list[Any]:
    found: list[Any] = []
    for folder in FOLDERS:
        if folder.is_dir():
            cases = (case for case in sorted(folder.iterdir()) if case.is_dir())
            found += [pytest.param(case, id=f"{folder.name}/{case.name}") for case in cases]
        else:
            reason = f"no conformance cases at {folder}; set POH_CONFORMANCE to the folder of `cases`"
            found.append(pytest.param(None, id=folder.name, marks=pytest.mark.skip(reason=reason)))
    return found


@pytest.fixture(params=[*(pytest.param(name, id=name) for name in OWN), *_shared()])
def case(request: pytest.FixtureRequest) -> Case:
    if isinstance(request.param, str):
        return OWN[request.param]
    folder: Path = request.param
    return Case(
        (folder / "events.jsonl").read_bytes().split(b"\n"),
        json.loads((folder / "query.json").read_text(encoding="utf-8")),
        json.loads((folder / "expected.json").read_text(encoding="utf-8")),
    )


def _accepted(case: Case) -> list[Record]:
    records: list[Record] = []
    reader = RowReader(records.append)
    reader.feed_jsonl(case.lines, "events.jsonl", 1)
    case.check_reading(reader)
    return records


def _engine() -> native.Aggregator:
    namespace = native.namespace()
    return Aggregator() if namespace is None else namespace.Aggregator()


def _fields(record: Record) -> tuple[Any, ...]:
    """The arguments of `record`: a change has no weight."""
    event = HoldEvent.from_record(record)
    weight = None if event.is_change else event.weight
    return (*record[:4], weight, *record[5:9], event.delta, record.seq)


def test_the_tracker_gives_the_expected_rows(source: str, case: Case) -> None:
    del source
    records = _accepted(case)

    async def asked() -> tuple[list[Row], int, int]:
        tracker = AsyncTracker()
        await tracker.record_batch(HoldEvent.from_record(record) for record in records)
        query = case.query
        found = await tracker.snapshot(query["as_of"], query["from"], closed_only=query["closed_only"])
        return found.rows(), found.deficits, len(await tracker.deficits(query["as_of"]))

    assert asyncio.run(asked()) == (case.rows, case.deficits, case.deficits)


def _models(case: Case) -> list[HoldEvent | Transfer]:
    """The accepted lines as models, each transfer as one."""
    rejected = {each["line"] for each in case.expected["rejected"]}
    models: list[HoldEvent | Transfer] = []
    for number, line in enumerate(case.lines, start=1):
        if number in rejected or is_blank(line):
            continue
        fields = json.loads(line, parse_float=Decimal)
        for name in ("start", "end", "at"):
            if isinstance(fields.get(name), Decimal):
                fields[name] = float(fields[name])
        kind = Transfer if any(fields.get(name) is not None for name in ("from_id", "to_id")) else HoldEvent
        known = {name: value for name, value in fields.items() if name in kind.model_fields}
        # An explicit null is an absent field.
        models.append(kind.model_validate({name: v for name, v in known.items() if v is not None}))
    return models


def test_models_of_transfers_give_the_expected_rows(source: str, case: Case) -> None:
    del source
    models, window = _models(case), case.window
    engine = _engine()
    assert engine.record_events(models) == sum(len(model.records()) for model in models)
    snapshot = engine.snapshot(*window)
    assert (snapshot.rows(), snapshot.deficits) == (case.rows, case.deficits)
    assert len(engine.deficits(window[0])) == case.deficits
    namespace = native.namespace()
    if namespace is not None:
        once = namespace.aggregate(models, *window)
        assert (once.rows(), once.deficits) == (case.rows, case.deficits)


def test_an_aggregator_fed_one_by_one_and_merged_gives_the_expected_rows(source: str, case: Case) -> None:
    assert (native.namespace() is None) == (source == "none")
    records = _accepted(case)
    parts = [_engine(), _engine(), _engine()]
    for number, record in enumerate(records):
        parts[number % 3].record(*_fields(record))
    for part in parts[1:]:
        parts[0].merge(part)
    snapshot = parts[0].snapshot(*case.window)
    assert (snapshot.rows(), snapshot.deficits) == (case.rows, case.deficits)
    assert len(parts[0].deficits(case.window[0])) == case.deficits
    assert parts[0].leaderboard(3, *case.window) == case.rows[:3]
    for row in case.rows[:20]:
        assert parts[0].holder(row[1], *case.window) == row


def _times(times: list[int | None]) -> array[int]:
    return array("q", [ABSENT_US if us is None else us for us in times])


def test_columns_give_the_expected_rows(source: str, case: Case) -> None:
    del source
    records = _accepted(case)
    aggregator = _engine()
    columns: list[Any] = [
        [r.token_id for r in records],
        [r.holder_id for r in records],
        _times([r.start_us for r in records]),
        _times([r.end_us for r in records]),
        [_fields(r)[4] for r in records],
        [r.event_id for r in records],
        array("q", [r.revision for r in records]),
        bytes([r.retract for r in records]),
        _times([r.at_us for r in records]),
        [_fields(r)[9] for r in records],
        array("q", [r.seq for r in records]),
    ]
    assert aggregator.record_batch(*columns) == len(records)
    snapshot = aggregator.snapshot(*case.window)
    assert (snapshot.rows(), snapshot.deficits) == (case.rows, case.deficits)
    namespace = native.namespace()
    if namespace is not None:
        as_of_us, from_us, closed_only = case.window
        once = namespace.score_columns(*columns, as_of_us=as_of_us, from_us=from_us, closed_only=closed_only)
        assert (once.rows(), once.deficits) == (case.rows, case.deficits)
        models = [HoldEvent.from_record(record) for record in records]
        once = namespace.aggregate(models, *case.window)
        assert (once.rows(), once.deficits) == (case.rows, case.deficits)


def test_the_command_line_gives_the_expected_rows(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(case.lines))
    query = case.query
    arguments = ["score", str(file), "--as-of", str(query["as_of"]), "--format", "json"]
    arguments += ["--on-error", "skip", "--engine", "python"]
    if query["from"] is not None:
        arguments += [f"--from={query['from']}"]
    if query["closed_only"]:
        arguments += ["--closed-only"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    names = ("rank", "holder_id", "held_us", "score", "weighted_score")
    assert [tuple(holder[name] for name in names) for holder in found["holders"]] == case.rows
    assert found["deficits"] == case.deficits
    assert [each["line"] for each in found["rejected"]] == [
        each["line"] for each in case.expected["rejected"]
    ]


def test_the_row_scorer_gives_the_expected_rows(case: Case) -> None:
    scorer = RowScorer()
    scorer.feed_jsonl(case.lines, "events.jsonl", 1)
    case.check_reading(scorer)
    assert scorer.rows(*case.window) == case.rows
    assert len(scorer.deficits(case.window[0])) == case.deficits


def test_the_row_scorer_gives_the_same_from_values(case: Case) -> None:
    records = _accepted(case)
    scorer = RowScorer()
    for number, record in enumerate(records, start=1):
        weight = None if record.at_us is not None else f"{record.wad}e-18"
        delta = None if record.delta is None else f"{record.delta}e-18"
        values = (*record[:4], weight, *record[5:8], record.at_us, delta, record.seq)
        scorer.feed_values([values if record.at_us is not None or record.seq else values[:8]], "f", number)
    assert not scorer.rejected
    assert scorer.rows(*case.window) == case.rows
