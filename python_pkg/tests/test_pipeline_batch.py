"""Batches in pure Python: columns that nobody can change, filters, slices, and forms that read back."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naive import Raw
from poh_holdmetrics import AsyncTracker, HoldEvent
from poh_holdmetrics.file_scorer import score_files
from poh_holdmetrics.pipeline.batch import ColumnBatch, batch_from_bytes, records_from_batch
from poh_holdmetrics.pipeline.offline.local import LocalHost
from poh_holdmetrics.pipeline.port import ABSENT_US, Batch
from poh_holdmetrics.validation import Record
from poh_holdmetrics.windows import Window
from strategies import EVENTS, record


def batch_of(raws: list[Raw], first: int = 1) -> ColumnBatch:
    return ColumnBatch([record(raw) for raw in raws], first, first + len(raws) - 1)


ROWS = [
    Raw("punk/1", "0xa", 10, 20, 5 * 10**17),
    Raw("punk/2", "0xb", 10, None, event_id="x", revision=3),
    Raw("ape/1", "0xa", None, None, event_id="y", at=7, delta=-(10**18), seq=2),
    Raw("ape/1", "c", None, None, event_id="z", retract=True),
]


def test_columns_have_one_value_a_row() -> None:
    batch = batch_of(ROWS, first=5)
    assert len(batch) == 4
    assert (batch.first_sequence, batch.last_sequence, batch.is_from_facts) == (5, 8, False)
    assert batch.token_id == ("punk/1", "punk/2", "ape/1", "ape/1")
    assert batch.event_id == (None, "x", "y", "z")
    assert batch.sequence.tolist() == [5, 6, 7, 8]
    assert batch.start_us.tolist() == [10, 10, ABSENT_US, ABSENT_US]
    assert batch.end_us.tolist() == [20, ABSENT_US, ABSENT_US, ABSENT_US]
    assert batch.at_us.tolist() == [ABSENT_US, ABSENT_US, 7, ABSENT_US]
    assert batch.weight_wads == (5 * 10**17, 10**18, None, 10**18)
    assert batch.delta_wads == (None, None, -(10**18), None)
    assert batch.revision.tolist() == [0, 3, 0, 0]
    assert batch.seq.tolist() == [0, 0, 2, 0]
    assert batch.retract.tolist() == [0, 0, 0, 1]
    assert [event.holder_id for event in batch.events()] == ["0xa", "0xb", "0xa", "c"]


def test_nobody_can_change_what_another_handler_sees() -> None:
    batch: Batch = batch_of(ROWS)
    with pytest.raises(TypeError):
        batch.start_us[0] = 3
    with pytest.raises(TypeError):
        batch.retract[0] = 1
    with pytest.raises(AttributeError):
        batch.token_id = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        batch.mine = 1  # type: ignore[attr-defined]
    assert batch.start_us is batch.start_us


@given(EVENTS, st.sampled_from([None, "A", "?", "*", "B*", "a"]), st.sampled_from([None, "g", "?h", "*h*"]))
def test_a_filter_is_the_rows_that_match(raws: list[Raw], token: str | None, holder: str | None) -> None:
    batch = batch_of(raws, first=3)
    chosen = batch.filter(token, holder)
    tokens = {None: "AB", "A": "A", "?": "AB", "*": "AB", "B*": "B", "a": ""}[token]
    holders = {None: "gh", "g": "g", "?h": "", "*h*": "h"}[holder]
    wanted = [
        (number, each)
        for number, each in enumerate(batch.records(), start=3)
        if each.token_id in tokens and each.holder_id in holders
    ]
    assert list(zip(chosen.sequence, chosen.records(), strict=True)) == wanted
    assert (chosen.first_sequence, chosen.last_sequence) == (batch.first_sequence, batch.last_sequence)
    assert batch.filter(token, holder) is chosen


def test_a_pattern_knows_no_other_signs() -> None:
    batch = ColumnBatch(
        [Record(token, "h", 0, 1, 1, None, 0, False) for token in ("[ab]", "a", "x.y", "xzy")], 1, 4
    )
    assert batch.filter("[ab]").token_id == ("[ab]",)
    assert batch.filter("x.y").token_id == ("x.y",)


@given(EVENTS, st.lists(st.integers(0, 12), max_size=4), st.booleans())
def test_slices_cover_every_row_once_and_commit_nothing_too_early(
    raws: list[Raw], cuts: list[int], is_filtered: bool
) -> None:
    whole = batch_of(raws, first=100)
    batch = whole.filter("A") if is_filtered else whole
    places = sorted({0, len(batch), *(cut for cut in cuts if cut < len(batch))})
    slices = [batch.slice(start, stop) for start, stop in pairwise(places)]
    assert [each for part in slices for each in part.records()] == list(batch.records())
    left = batch.sequence.tolist()
    for part in slices:
        left = left[len(part) :]
        assert all(number > part.last_sequence for number in left)
        assert part.sequence[-1] <= part.last_sequence
    if slices:
        assert slices[-1].last_sequence == batch.last_sequence
        again = slices[0].joined(slices[1:])
        assert (again.records(), again.sequence.tolist()) == (batch.records(), batch.sequence.tolist())
        assert (again.first_sequence, again.last_sequence) == (batch.first_sequence, batch.last_sequence)


@given(EVENTS)
def test_bytes_read_back_and_are_json_lines(raws: list[Raw]) -> None:
    batch = batch_of(raws, first=9).filter("A")
    again = batch_from_bytes(batch.to_bytes())
    assert [HoldEvent.from_record(each) for each in again.records()] == list(batch.events())
    assert again.sequence.tolist() == batch.sequence.tolist()
    if len(batch):
        assert (again.first_sequence, again.last_sequence) == (batch.first_sequence, batch.last_sequence)


@given(EVENTS)
def test_the_columns_alone_are_the_records(raws: list[Raw]) -> None:
    batch = batch_of(raws)

    class OnlyColumns:
        def __getattr__(self, name: str) -> object:
            assert name not in ("records", "events")
            return getattr(batch, name)

    assert records_from_batch(OnlyColumns()) == batch.records()  # type: ignore[arg-type]


def test_a_file_of_lines_is_scored(tmp_path: Path) -> None:
    file = tmp_path / "dead.jsonl"
    file.write_bytes(batch_of(ROWS[:2]).to_bytes())
    assert json.loads(file.read_text("utf-8").splitlines()[0])["weight"] == "0.5"
    scored = score_files([str(file)], Window(30, None, closed_only=False), namespace=None)
    assert [(row[1], row[2]) for row in scored.rows] == [("0xb", 20), ("0xa", 10)]


def test_readers_of_arrow_take_a_batch() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(batch_of(ROWS))
    assert table.column("weight").to_pylist() == ["0.5", "1", None, "1"]
    assert table.column("delta").to_pylist() == [None, None, "-1", None]
    assert str(table.schema.field("start").type) == "timestamp[us, tz=UTC]"
    assert table.column("retract").to_pylist() == [False, False, False, True]
    assert not table.schema.field("token_id").nullable


def test_without_pyarrow_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pyarrow, which is not installed; run pip install pyarrow"):
        batch_of(ROWS).__arrow_c_stream__()


def test_consumers_at_one_place_share_the_columns() -> None:
    async def scenario() -> None:
        tracker = AsyncTracker()
        host = LocalHost(tracker)
        first = await host.consumer("a", "events", start="beginning", when_full="lag")
        second = await host.consumer("a", "sink", start="beginning", when_full="lag")
        await tracker.record_batch([HoldEvent.from_record(record(raw)) for raw in ROWS])
        batch, same = await first.next(), await second.next()
        assert batch is not None
        assert batch is same
        assert batch.records() == tuple(record(raw) for raw in ROWS)
        host.close()
        assert await first.next() is None

    asyncio.run(scenario())
