"""`score` of frames of every library, files and lists: one answer, natively and in pure Python."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from poh_holdmetrics import HoldEvent, HoldScores, Transfer, calculate_score, score
from poh_holdmetrics.errors import InputError

pa: Any = pytest.importorskip("pyarrow")
parquet: Any = pytest.importorskip("pyarrow.parquet")
pd: Any = pytest.importorskip("pandas")
figures: Any = pytest.importorskip("matplotlib.figure")

AS_OF = "2026-03-10T00:00:00Z"
AS_OF_MS = 1_773_100_800_000
DAY_US = 86_400_000_000
ROWS = {
    "token": ["G", "G", "S", "G"],
    "user": ["ann", "bob", "ann", "ann"],
    "begin": [1_767_225_600, 1_769_904_000, 1_770_000_000, 1_767_916_800],
    "stop": [1_772_323_200, None, None, 1_768_003_200],
    "amount_held": [1.5, 2.0, 0.1, 3.0],
}
COLUMNS = {
    "token_id": "token",
    "holder_id": "user",
    "start": "begin",
    "end": "stop",
    "weight": "amount_held",
}
FRAME = pl.DataFrame(ROWS)


def scored(frame: object, **arguments: Any) -> HoldScores:
    return score(frame, **{"as_of": AS_OF, "columns": COLUMNS, "time_unit": "s", **arguments})


def models() -> list[HoldEvent]:
    keys = ("token_id", "holder_id", "start", "end", "weight")
    rows = zip(*ROWS.values(), strict=True)
    return [
        HoldEvent.model_validate(
            {
                key: value * 1000 if key in ("start", "end") and value else value
                for key, value in zip(keys, row, strict=True)
            }
        )
        for row in rows
    ]


FRAMES: dict[str, Callable[[], object]] = {
    "polars": lambda: FRAME,
    "polars lazy": FRAME.lazy,
    "polars categorical": lambda: FRAME.with_columns(pl.col("user").cast(pl.Categorical)),
    "pandas": lambda: pd.DataFrame(ROWS).astype({"stop": "Int64"}),
    "pyarrow table": FRAME.to_arrow,
    "pyarrow batch": lambda: pa.RecordBatch.from_pydict(ROWS),
    "pyarrow reader": lambda: pa.table(ROWS).to_reader(),
    "duckdb": lambda: duckdb.from_arrow(pa.table(ROWS)),
    "large_string": lambda: pa.table({**ROWS, "user": pa.array(ROWS["user"], pa.large_string())}),
    "decimals": lambda: FRAME.with_columns(pl.col("amount_held").cast(pl.Decimal(10, 2))),
    "timestamps": lambda: FRAME.with_columns(
        pl.from_epoch(name, "s").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
        for name in ("begin", "stop")
    ),
    "timestamps without a zone": lambda: FRAME.with_columns(
        pl.from_epoch(name, "s") for name in ("begin", "stop")
    ),
    "binary ids": lambda: FRAME.with_columns(pl.col("user").cast(pl.Binary)),
    "texts": lambda: FRAME.with_columns(
        pl.from_epoch(name, "s").dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("begin", "stop")
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_has_the_scores_of_the_models(source: str, name: str) -> None:
    del source
    expected = score(models(), as_of=AS_OF)
    found = scored(FRAMES[name]())
    assert found.rows() == expected.rows()
    assert [row[1] for row in found.rows()] == ["ann", "bob"]
    assert sum(row[4] for row in found.rows()) == pytest.approx(calculate_score(models(), AS_OF))


def test_files_are_one_set_with_lists(source: str, tmp_path: Path) -> None:
    del source
    events = models()
    lines = tmp_path / "a.jsonl"
    lines.write_text("".join(f"{event.model_dump_json(exclude_none=True)}\n" for event in events[:2]))
    table = FRAME.slice(2).rename({name: field for field, name in COLUMNS.items()}).to_arrow()
    times = {name: table.column(name).cast(pa.timestamp("s")) for name in ("start", "end")}
    for name, column in times.items():
        table = table.set_column(table.column_names.index(name), name, column)
    file = tmp_path / "b.parquet"
    parquet.write_table(table, file)
    assert score([lines, file], as_of=AS_OF).rows() == score(events, as_of=AS_OF).rows()
    with pytest.raises(InputError, match=r"none\.parquet: "):
        score(tmp_path / "none.parquet")


def test_files_that_have_changed_are_not_read_again(source: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    held = "token_id,holder_id,start,end\nG,ann,2025-07-21T00:00:00Z,2025-07-21T00:00:01Z\n"
    file.write_text(held)
    result = score(file, as_of=AS_OF)
    file.write_text(f"{held}G,bob,0,9000\n")
    if source == "none":  # the events are kept
        assert result.explain("ann").score == "1"
        return
    with pytest.raises(InputError, match=r"a\.csv: changed since it was scored; score it again"):
        result.explain("ann")


def test_the_result_is_frozen_and_runs_inside_a_loop(source: str) -> None:
    del source

    async def scenario() -> HoldScores:
        return scored(FRAME)

    result = asyncio.run(scenario())
    with pytest.raises(FrozenInstanceError):
        result.excluded = frozenset("x")  # type: ignore[misc]


def test_exact_columns_are_decimals_of_as_many_digits_as_needed(source: str) -> None:
    del source
    result = scored(FRAME)
    assert result.to_polars().schema["score"] == pl.Decimal(38, 24)
    assert result.to_pandas()["score"].tolist() == [Decimal(row[3]) for row in result.rows()]
    huge = "340282366920938463463.374607431768211455"
    fine = HoldEvent(token_id="G", holder_id="<b>", start=0, end="1970-01-01T00:00:00.000001Z", weight=huge)
    large = HoldEvent(token_id="G", holder_id="x", start=0, end=10**12, weight=huge)
    result = score([fine, large], as_of=AS_OF)
    table = result.to_arrow()
    assert pa.types.is_decimal256(table.schema.field("score").type)
    assert [f"{value:f}".rstrip("0").rstrip(".") for value in table.column("score").to_pylist()] == [
        row[3] for row in result.rows()
    ]
    assert result.to_polars()["score"].to_list() == [row[3] for row in result.rows()]
    assert "&lt;b&gt;" in result._repr_html_()
    whole = HoldEvent(token_id="G", holder_id="y", start=0, end=10**12, weight=10**9)
    assert score([whole], as_of=AS_OF).to_polars()["score"].to_list() == [Decimal(10**18)]
    assert score([], as_of=AS_OF).to_polars().height == 0


def test_excluded_holders_are_left_out_before_ranking(source: str) -> None:
    del source
    result = scored(FRAME, exclude=["ann", "nobody"])
    assert [row[:2] for row in result.rows()] == [(1, "bob")]
    with pytest.raises(InputError, match='exclude=\\["ann"\\]'):
        scored(FRAME, exclude="ann")
    with pytest.raises(InputError, match='explain: holder "ann" is excluded'):
        result.explain("ann")


@pytest.mark.parametrize("freq", ["day", "week", "month", "quarter", "year"])
def test_windows_add_up_to_the_whole(source: str, freq: Any) -> None:
    del source
    result = scored(FRAME)
    windows = result.windows(freq, time_zone="Europe/Paris")
    for holder_id in ("ann", "bob"):
        parts = [row for each in windows for row in each.rows() if row[1] == holder_id]
        (whole,) = [row for row in result.rows() if row[1] == holder_id]
        assert sum(Fraction(row[3]) for row in parts) == Fraction(whole[3])
        assert sum(row[2] for row in parts) == whole[2]
    assert windows[-1].window.as_of_us == result.window.as_of_us
    assert sum(windows.to_polars()["held_us"]) == sum(row[2] for row in result.rows())
    if freq == "month":
        starts = [each.from_.isoformat() for each in windows if each.from_ is not None]
        assert starts[1:] == ["2026-01-31T23:00:00+00:00", "2026-02-28T23:00:00+00:00"]


def test_an_explanation_adds_up_and_names_its_events(source: str) -> None:
    del source
    explained = scored(FRAME).explain("ann")
    total = sum(Fraction(segment.score) for segment in explained.segments)
    assert total == Fraction(explained.score)
    weights = [
        (each.token_id, each.weight, [event.weight for event in each.events]) for each in explained.segments
    ]
    small, middle, large = Decimal("0.1"), Decimal("1.5"), Decimal(3)
    assert weights == [
        ("G", middle, [middle]),
        ("G", large, [large]),
        ("G", middle, [middle]),
        ("S", small, [small]),
    ]
    assert explained.to_polars().height == 4
    with pytest.raises(InputError, match='unknown holder "eve"'):
        scored(FRAME).explain("eve")


def test_a_balance_is_explained_by_its_changes(source: str) -> None:
    del source
    mint = Transfer(token_id="G", to_id="ann", at=AS_OF_MS, amount=5, event_id="mint")
    sale = Transfer(token_id="G", from_id="ann", to_id="bob", at=AS_OF_MS + 1000, amount=2, event_id="sale")
    explained = score([mint, sale], as_of=AS_OF_MS + 3000).explain("ann")
    assert [(each.score, [event.event_id for event in each.events]) for each in explained.segments] == [
        ("5", ["mint"]),
        ("6", ["sale"]),
    ]


@pytest.mark.parametrize(
    ("frame", "arguments", "words"),
    [
        (FRAME.rename({"user": "who"}), {}, 'holder_id: no column "user"; the columns are token, who'),
        (FRAME, {"columns": {"holder": "user"}}, 'unknown field "holder"; did you mean holder_id\\?'),
        (FRAME, {"columns": None}, "no column token_id; the columns are"),
        (FRAME, {"time_unit": "min"}, 'time_unit: unknown unit "min"; known are s, ms, us, ns'),
        (
            FRAME.with_columns(pl.from_epoch("begin", "s").dt.date()),
            {},
            "column begin is of type date, but a timestamp, text or an integer",
        ),
        (
            FRAME.with_columns(begin=pl.lit("2026-01-01")),
            {},
            "row 0: start: not a time .a date alone.*start is column begin",
        ),
        (FRAME, {"delimiter": ";"}, "input_format, delimiter, .*: are for files"),
        (FRAME.with_columns(user=pl.lit(1.5)), {}, "column user is of type double, but text or an integer"),
        (
            FRAME.with_columns(amount_held=pl.Series([1.0, 1.0, -2.0, 1.0])),
            {},
            "row 2: weight: negative.*weight is column amount_held",
        ),
        (FRAME.with_columns(stop=pl.lit(0)), {}, "row 0: end: before start.*end is column stop"),
        ([{"token_id": "G"}], {"columns": None, "time_unit": None}, "row 0: expected a path.*model_validate"),
        (7, {}, "score: expected a path, a data frame of polars.*not int"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    source: str, frame: object, arguments: dict[str, Any], words: str
) -> None:
    del source
    with pytest.raises(InputError, match=words):
        scored(frame, **arguments)


def test_plots_draw_bars_and_steps(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del source
    monkeypatch.setenv("MPLBACKEND", "agg")
    figure = figures.Figure()
    left, right = figure.subplots(1, 2)
    result = scored(FRAME)
    assert len(result.plot(1, ax=left).patches) == 1
    assert {line.get_label() for line in result.explain("ann").plot(ax=right).lines} == {"G", "S"}


def test_the_sum_of_decimals_is_that_of_the_texts() -> None:
    result = scored(FRAME)
    wide = Context(prec=60)
    total = Decimal(0)
    for value in result.to_arrow().column("score").to_pylist():
        total = wide.add(total, value)
    assert Fraction(total) == sum(Fraction(row[3]) for row in result.rows())


def test_a_failing_stream_says_why_in_one_line() -> None:
    schema = pa.schema([("token_id", pa.string()), ("holder_id", pa.string()), ("end", pa.int64())])

    def batches() -> Any:
        yield pa.record_batch([["T"], ["a"], [1]], schema=schema)
        raise ValueError("the query behind it ended early")

    with pytest.raises(InputError, match="the query behind it ended early") as refused:
        score(pa.RecordBatchReader.from_batches(schema, batches()), as_of=AS_OF)
    assert "\n" not in str(refused.value)
