"""Scalars of NumPy and pandas in models and columns: read exactly, or refused by their field."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from poh_holdmetrics import AsyncTracker, HoldEvent, Transfer

pd: Any = pytest.importorskip("pandas")


def read(field: str, value: object) -> object:
    """The value that a model keeps of `value`."""
    base: dict[str, object] = {"token_id": "T", "holder_id": "h", "start": 1000, "event_id": "e"}
    return getattr(HoldEvent.model_validate({**base, field: value}), field)


def test_values_of_numpy_and_pandas_are_read_exactly() -> None:
    noon = datetime(2025, 1, 1, 12, tzinfo=UTC)
    for stamp in (pd.Timestamp("2025-01-01T12:00:00Z"), pd.Timestamp("2025-01-01T21:00", tz="Asia/Tokyo")):
        assert read("end", stamp) == noon
    milliseconds = 1_735_732_800_000
    for count in (np.int64(milliseconds), np.uint64(milliseconds), np.float64(milliseconds)):
        assert read("end", count) == noon
    for weight in (np.float16(0.1), np.float32(0.1), np.float64(0.1)):
        assert read("weight", weight) == Decimal("0.1")
    assert read("weight", np.uint8(3)) == 3
    assert read("holder_id", np.int64(-7)) == "-7"
    assert read("seq", np.int32(7)) == 7
    assert read("retract", np.bool_(True)) is True
    transfer = {"token_id": "T", "to_id": "h", "at": 0, "amount": np.float32(0.1), "event_id": "e"}
    assert Transfer.model_validate(transfer).amount == Decimal("0.1")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("end", pd.NaT, 'end: not a time (a missing value; write None, or leave the time out); found "NaT"'),
        ("end", np.datetime64("NaT", "s"), "end: not a time (a missing value"),
        ("end", pd.NA, "end: not a time (a missing value"),
        ("end", float("nan"), "end: not a time (a missing value"),
        (
            "end",
            np.datetime64("2025-01-01", "s"),
            "end: no UTC offset (a datetime64 has no zone; write pandas",
        ),
        ("end", pd.Timestamp("2025-01-01"), "end: no UTC offset"),
        ("end", date(2025, 1, 1), "end: not a time (a date alone"),
        ("end", np.array([1, 2]), "end: not a time"),
        ("end", np.bool_(True), "end: not a time"),
        ("weight", np.array([0.5, 1]), "weight: not a number"),
        ("weight", np.float32("nan"), "weight: not finite"),
        ("weight", pd.NA, "weight: not a number"),
        ("holder_id", pd.NA, "holder_id: not text"),
        ("event_id", pd.NaT, "event_id: empty or not text"),
        ("retract", np.array([True]), "retract: not true or false"),
        ("seq", np.float64(1), "seq: not an integer"),
    ],
)
def test_values_of_numpy_and_pandas_that_are_missing_are_refused_by_field(
    field: str, value: object, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        read(field, value)
    assert words in caught.value.errors()[0]["msg"]


def test_a_batch_of_floats_of_numpy_is_the_same_to_every_engine(source: str) -> None:
    del source
    tracker = AsyncTracker()
    weights: Any = [np.float32(0.1), np.float64(0.2), np.int64(1), Decimal("0.7"), "1"]
    asyncio.run(
        tracker.record_columns(
            ["T"] * 5, list("abcde"), np.zeros(5, np.int64), np.full(5, 1_000_000, np.int64), weights
        )
    )
    scores = {row[1]: row[3] for row in tracker.engine.leaderboard(5, 10**9)}
    assert scores == {"a": "0.1", "b": "0.2", "c": "1", "d": "0.7", "e": "1"}
