"""The shared cases of the score's definition, with every native source and every kind of input."""

from __future__ import annotations

import asyncio
import json
from array import array
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conformance_cases import PARAMS, Case, Row, accepted, case_of
from poh_holdmetrics import AsyncTracker, HoldEvent, Transfer, native
from poh_holdmetrics.cli import main
from poh_holdmetrics.pure.aggregator import Aggregator
from poh_holdmetrics.pure.columns import ABSENT_US
from poh_holdmetrics.pure.row_scorer import RowScorer
from poh_holdmetrics.row_reader import is_blank
from poh_holdmetrics.validation import Record


@pytest.fixture(params=PARAMS)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


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
    records = accepted(case)

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
    records = accepted(case)
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
    records = accepted(case)
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
    records = accepted(case)
    scorer = RowScorer()
    for number, record in enumerate(records, start=1):
        weight = None if record.at_us is not None else f"{record.wad}e-18"
        delta = None if record.delta is None else f"{record.delta}e-18"
        values = (*record[:4], weight, *record[5:8], record.at_us, delta, record.seq)
        scorer.feed_values([values if record.at_us is not None or record.seq else values[:8]], "f", number)
    assert not scorer.rejected
    assert scorer.rows(*case.window) == case.rows
