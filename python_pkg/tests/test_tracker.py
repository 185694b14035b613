"""The tracker with every native source: the same methods, the same answers."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from poh_holdmetrics import AsyncTracker, HoldEvent, HoldSnapshot, HoldStat, Refused, Transfer
from poh_holdmetrics.pure.columns import ABSENT_US
from poh_holdmetrics.validation import Record

NOW = datetime(2025, 7, 21, tzinfo=UTC)
NOW_MS = 1_753_056_000_000


def hold(holder_id: str, start: int, end: int, weight: object = 1) -> HoldEvent:
    return HoldEvent.model_validate(
        {"token_id": "T", "holder_id": holder_id, "start": start, "end": end, "weight": weight}
    )


def test_marks_and_holds_become_a_leaderboard(source: str) -> None:
    del source

    async def scenario() -> None:
        tracker = AsyncTracker()
        await tracker.record_start("T", "ada", NOW_MS, weight="0.5")
        stop = await tracker.record_stop("T", "ada", NOW_MS + 60_000)
        assert stop.start is None
        assert await tracker.record_batch([hold("bob", 0, 10_000), hold("bob", 5_000, 15_000, 3)]) == 2
        await tracker.record(hold("cyd", 0, 0))
        assert (tracker.events, tracker.holders) == (5, 3)
        snapshot = await tracker.snapshot(as_of=NOW_MS + 30_000)
        assert [(s.rank, s.holder_id, s.score, s.total_seconds) for s in snapshot] == [
            (1, "bob", "35", 15),
            (2, "ada", "15", 30),
            (3, "cyd", "0", 0),
        ]
        assert await tracker.leaderboard(1, NOW_MS + 30_000) == snapshot.top(1)
        assert await tracker.holder("ada", NOW_MS + 30_000) == list(snapshot)[1]
        assert await tracker.holder("nobody", NOW_MS) is None
        await tracker.record(hold("cyd", 0, 9_000_000))
        assert len(snapshot.rows()) == len(snapshot) == 3
        assert snapshot.rows(1) == [(1, "bob", 15_000_000, "35", 35.0)]
        assert (snapshot.from_, snapshot.closed_only) == (None, False)
        assert snapshot.as_of == datetime(2025, 7, 21, 0, 0, 30, tzinfo=UTC)

    asyncio.run(scenario())


def test_without_as_of_closed_holds_alone_count(source: str) -> None:
    del source

    async def scenario() -> list[HoldStat]:
        tracker = AsyncTracker()
        await tracker.record(hold("ada", 0, 10_000))
        await tracker.record_start("T", "ada", 20_000)
        return list(await tracker.snapshot())

    (stat,) = asyncio.run(scenario())
    assert (stat.score, stat.held_us, stat.weighted_score) == ("10", 10_000_000, 10.0)


def test_without_as_of_a_leaderboard_counts_an_open_hold_until_now(source: str) -> None:
    """Such a hold once counted 0 in `leaderboard` and its whole time on the command line."""
    del source

    async def scenario() -> None:
        tracker = AsyncTracker(clock=lambda: NOW)
        await tracker.record_start("T", "ada", NOW_MS - 28_000)
        await tracker.record(hold("bob", 0, 10_000))
        await tracker.record(hold("cyd", NOW_MS, NOW_MS + 9_000_000))
        board = [("ada", "28"), ("bob", "10"), ("cyd", "0")]
        for limit in (None, 3, 9):
            assert [(stat.holder_id, stat.score) for stat in await tracker.leaderboard(limit)] == board
        assert (await tracker.leaderboard(1, from_=NOW_MS - 8_000))[0].score == "8"
        assert (await tracker.leaderboard(1, closed_only=True))[0].holder_id == "bob"
        ada = await tracker.holder("ada")
        assert ada is not None
        assert (ada.rank, ada.score) == (1, "28")
        assert [stat.holder_id for stat in (await tracker.snapshot()).top()] == ["cyd", "bob", "ada"]

    asyncio.run(scenario())


def test_a_correction_and_a_retraction_take_effect(source: str) -> None:
    del source

    async def scenario() -> tuple[str, str]:
        tracker = AsyncTracker()
        await tracker.record_start("T", "ada", 10_000, event_id="log-1", revision=1)
        await tracker.record_start("T", "ada", 0, event_id="log-1")
        before = await tracker.holder("ada", as_of=15_000)
        await tracker.record(
            HoldEvent.model_validate(
                {"token_id": "T", "holder_id": "ada", "event_id": "log-1", "revision": 1, "retract": True}
            )
        )
        after = await tracker.holder("ada", as_of=15_000)
        assert before is not None
        assert after is not None
        return before.score, after.score

    assert asyncio.run(scenario()) == ("5", "0")


def test_a_mark_without_a_time_is_now(source: str) -> None:
    del source

    async def scenario() -> tuple[HoldEvent, HoldEvent]:
        tracker = AsyncTracker(clock=lambda: NOW)
        return await tracker.record_start("T", "ada"), await tracker.record_stop("T", "ada")

    start, stop = asyncio.run(scenario())
    assert (start.start, stop.end) == (NOW, NOW)


def test_many_tasks_record_and_query_at_once(source: str) -> None:
    del source

    async def scenario() -> tuple[int, HoldStat]:
        tracker = AsyncTracker()

        async def write(part: int) -> None:
            for step in range(50):
                start = (part * 50 + step) * 1000
                await tracker.record(hold("ada", start, start + 1000))
                if step % 10 == 0:
                    await tracker.leaderboard(1)

        async with asyncio.TaskGroup() as group:
            for part in range(20):
                group.create_task(write(part))
        (stat,) = await tracker.leaderboard(1)
        return tracker.events, stat

    events, stat = asyncio.run(scenario())
    assert events == 1000
    assert stat.score == "1000"


def test_columns_are_recorded_whole_or_not_at_all(source: str) -> None:
    del source

    async def scenario() -> None:
        tracker = AsyncTracker()
        starts, ends = array("q", [0, 5_000_000]), array("q", [10_000_000, ABSENT_US])
        taken = await tracker.record_columns(["T", "T"], ["ada", "bob"], starts, ends, array("d", [0.1, 2]))
        assert taken == 2
        assert [row[1:4] for row in (await tracker.snapshot(as_of=10_000)).rows()] == [
            ("bob", 5_000_000, "10"),
            ("ada", 10_000_000, "1"),
        ]
        with pytest.raises(ValueError, match=r"^row 1: weight: negative"):
            await tracker.record_columns(["T", "T"], ["ada", "eve"], starts, ends, array("d", [1, -1]))
        with pytest.raises(ValueError, match=r"^end(_us)?: "):
            await tracker.record_columns(["T", "T"], ["ada", "eve"], starts, array("d", [1, 2]))
        with pytest.raises(ValueError, match=r"^holder_id: "):
            await tracker.record_columns(["T", "T"], ["ada"], starts, ends)
        with pytest.raises(ValueError, match=r"^start(_us)?: "):
            await tracker.record_columns(["T"], ["ada"], memoryview(starts)[::2][:0], array("q", [1]))
        assert (tracker.events, tracker.holders) == (2, 2)

    asyncio.run(scenario())


def test_every_optional_column_is_read(source: str) -> None:
    del source

    async def scenario() -> str:
        tracker = AsyncTracker()
        await tracker.record_columns(
            token_id=["T"] * 3,
            holder_id=["ada"] * 3,
            start_us=array("q", [0, 0, ABSENT_US]),
            end_us=array("q", [1_000_000, 2_000_000, ABSENT_US]),
            weight=["1", "1e0", "1"],
            event_id=[None, "a", "a"],
            revision=array("q", [0, 0, 1]),
            retract=bytes([0, 0, 1]),
        )
        stat = await tracker.holder("ada")
        assert stat is not None
        return stat.score

    assert asyncio.run(scenario()) == "1"


def test_a_bad_call_is_refused_and_changes_nothing(source: str) -> None:
    del source

    async def scenario() -> AsyncTracker:
        tracker = AsyncTracker()
        with pytest.raises(ValidationError, match="weight: negative"):
            await tracker.record_start("T", "ada", 0, weight=-1)
        with pytest.raises(Refused, match=r"^limit: expected 0 or more, not -1"):
            await tracker.leaderboard(-1)
        with pytest.raises(Refused, match=r"^n: an alias of limit"):
            await tracker.leaderboard(1, n=2)
        with pytest.raises(Refused, match=r"^as_of: not a time"):
            await tracker.snapshot(as_of="noon")
        return tracker

    assert asyncio.run(scenario()).events == 0


TRANSFERS = [
    Transfer.model_validate({"token_id": "T", "to_id": "ada", "at": 0, "amount": 5, "event_id": "1"}),
    Transfer.model_validate(
        {"token_id": "T", "from_id": "ada", "to_id": "bob", "at": 10_000, "amount": 2, "event_id": "2"}
    ),
    Transfer.model_validate(
        {"token_id": "T", "from_id": "eve", "to_id": "bob", "at": 15_000, "amount": 1, "event_id": "3"}
    ),
]


def test_columns_of_transfers_become_balances(source: str) -> None:
    del source

    async def scenario() -> None:
        tracker = AsyncTracker()
        counted = await tracker.record_columns(
            ["T", "T", "T"],
            event_id=["1", "2", "3"],
            at_us=array("q", [0, 10_000_000, 15_000_000]),
            from_id=[None, "ada", "eve"],
            to_id=["ada", "bob", "bob"],
            amount=array("d", [5, 2, 1]),
        )
        assert counted == 5
        by_models = AsyncTracker()
        await by_models.record_batch(TRANSFERS)
        assert list(await tracker.snapshot(20_000)) == list(await by_models.snapshot(20_000))
        assert await tracker.deficits(20_000) == await by_models.deficits(20_000) != []

    asyncio.run(scenario())


def test_transfers_become_balances_and_deficits(source: str) -> None:
    del source

    async def scenario() -> None:
        tracker = AsyncTracker()
        assert await tracker.record_batch(TRANSFERS) == 5
        await tracker.record_start("T", "cyd", 0, weight=9, seq=1)
        await tracker.record_stop("T", "cyd", 0, seq=2)
        snapshot = await tracker.snapshot(as_of=20_000)
        assert [(s.holder_id, s.score) for s in snapshot] == [
            ("ada", "80"),
            ("bob", "25"),
            ("cyd", "0"),
            ("eve", "0"),
        ]
        assert snapshot.deficits == 1
        (deficit,) = await tracker.deficits(20_000)
        assert (deficit.holder_id, deficit.at_us, deficit.event_ids) == ("eve", 15_000_000, ["3"])
        assert await tracker.leaderboard(n=1, as_of=20_000) == snapshot.top(n=1) == snapshot.top(1)
        assert await tracker.leaderboard(as_of=20_000) == snapshot.top() == list(snapshot)
        assert snapshot.rows(n=1) == snapshot.rows(1)

    asyncio.run(scenario())


def test_a_follower_is_told_of_every_recording_as_records(source: str) -> None:
    del source
    told: list[Record] = []

    async def scenario() -> None:
        tracker = AsyncTracker()
        await tracker.record(hold("before", 0, 1))
        tracker.follow(told.extend)
        await tracker.record(hold("ada", 0, 1000))
        move = {"token_id": "T", "from_id": "a", "to_id": "b", "at": 0, "amount": 1, "event_id": "1"}
        await tracker.record_batch([Transfer.model_validate(move)])
        times = array("q", [5, 6])
        await tracker.record_columns(["T", "T"], ["x", "y"], times, array("q", [7, 8]))
        with pytest.raises(ValueError, match="row 1: end"):
            await tracker.record_columns(["T", "T"], ["x", "y"], times, array("q", [7, 1]))
        tracker.unfollow(told.extend)
        assert tracker.events == 6

    asyncio.run(scenario())
    assert [record.holder_id for record in told] == ["ada", "a", "b", "x", "y"]
    assert (told[0].end_us, told[1].delta, told[3].start_us) == (1_000_000, -(10**18), 5)


ARROW = {
    "token_id": ["T", "T", "T"],
    "holder_id": ["x", None, "y"],
    "start_us": [5, None, 6],
    "end_us": [7, None, None],
    "at_us": [None, 10, None],
    "event_id": [None, "1", None],
    "from_id": [None, "a", None],
    "to_id": [None, "b", None],
    "amount": [None, "0.1", None],
}


def arrow_forms() -> dict[str, dict[str, object]]:
    """The arguments of `record_columns` for the same rows, from each library, as columns and as one table."""
    pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'poh-holdmetrics[frames]'")
    polars = pytest.importorskip("polars", reason="no polars: pip install 'poh-holdmetrics[polars]'")
    table, frame = pyarrow.table(ARROW), polars.DataFrame(ARROW)
    times = {"start_us": "start", "end_us": "end", "at_us": "at"}
    timed = frame.with_columns(polars.from_epoch(name, "us").dt.replace_time_zone("UTC") for name in times)
    return {
        "pyarrow columns": {name: table.column(name) for name in ARROW},
        "pyarrow arrays": {name: table.column(name).combine_chunks() for name in ARROW},
        "polars columns": {name: frame[name] for name in ARROW},
        "a table of pyarrow": {"token_id": pyarrow.table(timed.rename(times))},
        "a frame of polars": {"token_id": timed.rename(times)},
        "a stream": {"token_id": pyarrow.table(timed.rename(times)).to_reader()},
    }


@pytest.mark.parametrize("is_followed", [True, False])
def test_arrow_of_any_library_is_recorded_also_with_a_follower(*, source: str, is_followed: bool) -> None:
    del source

    async def recorded(columns: Mapping[str, Any]) -> tuple[list[Record], int, list[HoldStat]]:
        told: list[Record] = []
        tracker = AsyncTracker()
        if is_followed:
            tracker.follow(told.extend)
        count = await tracker.record_columns(**columns)
        return told, count, list(await tracker.snapshot(1))

    for name, columns in arrow_forms().items():
        told, count, stats = asyncio.run(recorded(columns))
        assert count == 4, name
        held = {each.holder_id: each.held_us for each in stats}
        assert held == {"a": 0, "b": 990, "x": 2, "y": 994}, name
        facts = [(each.holder_id, each.start_us, each.end_us, each.at_us, each.delta) for each in told]
        assert (
            facts
            == [
                ("x", 5, 7, None, None),
                ("a", None, None, 10, -(10**17)),
                ("b", None, None, 10, 10**17),
                ("y", 6, None, None, None),
            ][: 4 * is_followed]
        ), name


@pytest.mark.parametrize("is_followed", [True, False])
def test_arrow_that_is_refused_is_named_and_nothing_is_recorded(*, source: str, is_followed: bool) -> None:
    del source
    pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'poh-holdmetrics[frames]'")

    async def scenario() -> None:
        tracker = AsyncTracker()
        if is_followed:
            tracker.follow(lambda records: pytest.fail(f"told of {records}"))
        ids, times = pyarrow.array(["x", "y"]), pyarrow.array([5, 6])
        with pytest.raises(ValueError, match="row 1: end: "):
            await tracker.record_columns(ids, ids, times, pyarrow.array([7, 1]))
        with pytest.raises(ValueError, match=r"^start(_us)?: expected .*int64"):
            await tracker.record_columns(ids, ids, pyarrow.array([1.5, 2.5]), times)
        with pytest.raises(ValueError, match=r"^holder_id: "):
            await tracker.record_columns(ids, pyarrow.array(["x"]), times)
        with pytest.raises(ValueError, match=r"^event_id: expected .*strings"):
            await tracker.record_columns(ids, ids, times, event_id=times)
        with pytest.raises(ValueError, match="holder_id"):
            await tracker.record_columns(pyarrow.table({"token_id": ids, "start": times}))
        with pytest.raises(ValueError, match="row 1: "):
            await tracker.record_columns(
                pyarrow.table({"token_id": ["T", ""], "holder_id": ["x", "y"], "start": [0, 0]})
            )
        assert tracker.events == 0

    asyncio.run(scenario())


def test_a_native_snapshot_alone_is_read_as_arrow(source: str) -> None:
    async def scenario() -> HoldSnapshot:
        tracker = AsyncTracker()
        await tracker.record(hold("ada", 0, 1000))
        return await tracker.snapshot()

    snapshot = asyncio.run(scenario())
    assert hasattr(snapshot, "__arrow_c_stream__") == (source != "none")
    if source != "none":
        pyarrow = pytest.importorskip("pyarrow")
        assert pyarrow.table(snapshot).column("holder_id").to_pylist() == ["ada"]
