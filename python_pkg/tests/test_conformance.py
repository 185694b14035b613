"""The shared cases of the score's definition, through every native source and every way in.

Read from $POH_CONFORMANCE, else from the folder `shared` beside the repository. The few cases below are
carried here, so that a machine without that folder tests the same road.
"""

from __future__ import annotations

import asyncio
import json
import os
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import SHARED
from poh_holdmetrics import AsyncTracker, HoldEvent, native
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.columns import ABSENT_US
from poh_holdmetrics.pure.row_scorer import RowScorer
from poh_holdmetrics.row_reader import RowReader
from poh_holdmetrics.validation import Record

CASES = Path(os.environ.get("POH_CONFORMANCE", SHARED / "conformance" / "cases"))
Row = tuple[int, str, int, str, float]
FIELDS = ("token_id", "holder_id", "start", "end", "weight", "event_id", "revision", "retract")


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

    def check_reading(self, reader: RowReader) -> None:
        assert (reader.read, reader.accepted) == (self.expected["read"], self.expected["accepted"])
        found = [(line, reason) for _, line, reason in reader.rejected]
        assert [line for line, _ in found] == [each["line"] for each in self.expected["rejected"]]
        for (_, reason), wanted in zip(found, self.expected["rejected"], strict=True):
            field = wanted["reason"].split(":")[0].split()[0]
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
    if not CASES.is_dir():
        reason = f"no conformance cases at {CASES}; set POH_CONFORMANCE to their folder"
        return [pytest.param(None, id="shared cases", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(folder, id=folder.name) for folder in sorted(CASES.iterdir()) if folder.is_dir()]


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


def test_the_tracker_gives_the_expected_rows(source: str, case: Case) -> None:
    del source

    async def asked() -> list[Row]:
        tracker = AsyncTracker()
        await tracker.record_batch(HoldEvent.from_record(record) for record in _accepted(case))
        query = case.query
        found = await tracker.snapshot(query["as_of"], query["from"], closed_only=query["closed_only"])
        return found.rows()

    assert asyncio.run(asked()) == case.rows


def test_an_aggregator_fed_one_by_one_and_merged_gives_the_expected_rows(source: str, case: Case) -> None:
    namespace = native.namespace()
    assert (namespace is None) == (source == "none")
    make: Callable[[], native.Aggregator] = Aggregator if namespace is None else namespace.Aggregator
    parts = [make(), make(), make()]
    for number, record in enumerate(_accepted(case)):
        weight = HoldEvent.from_record(record).weight
        parts[number % 3].record(*record[:4], weight, *record[5:])
    for part in parts[1:]:
        parts[0].merge(part)
    assert parts[0].snapshot(*case.window).rows() == case.rows
    assert parts[0].leaderboard(3, *case.window) == case.rows[:3]
    for row in case.rows[:20]:
        assert parts[0].holder(row[1], *case.window) == row


def test_columns_give_the_expected_rows(source: str, case: Case) -> None:
    del source
    records = _accepted(case)
    namespace = native.namespace()
    columns = (
        [r.token_id for r in records],
        [r.holder_id for r in records],
        array("q", [ABSENT_US if r.start_us is None else r.start_us for r in records]),
        array("q", [ABSENT_US if r.end_us is None else r.end_us for r in records]),
        [HoldEvent.from_record(r).weight for r in records],
        [r.event_id for r in records],
        array("q", [r.revision for r in records]),
        bytes([r.retract for r in records]),
    )
    aggregator = Aggregator() if namespace is None else namespace.Aggregator()
    assert aggregator.record_batch(*columns) == len(records)
    assert aggregator.snapshot(*case.window).rows() == case.rows
    if namespace is not None:
        as_of_us, from_us, closed_only = case.window
        once = namespace.score_columns(*columns, as_of_us=as_of_us, from_us=from_us, closed_only=closed_only)
        assert once.rows() == case.rows
        models = [HoldEvent.from_record(record) for record in records]
        assert namespace.aggregate(models, *case.window).rows() == case.rows


def test_the_row_scorer_gives_the_expected_rows(case: Case) -> None:
    scorer = RowScorer()
    scorer.feed_jsonl(case.lines, "events.jsonl", 1)
    case.check_reading(scorer)
    assert scorer.rows(*case.window) == case.rows


def test_the_row_scorer_gives_the_same_from_values(case: Case) -> None:
    values = [
        (r.token_id, r.holder_id, r.start_us, r.end_us, f"{r.wad}e-18", r.event_id, r.revision, r.retract)
        for r in _accepted(case)
    ]
    scorer = RowScorer()
    scorer.feed_values(values, "events.parquet", range(1, len(values) + 1))
    assert not scorer.rejected
    assert scorer.rows(*case.window) == case.rows
