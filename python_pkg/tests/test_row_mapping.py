"""Rows and files under names of their own, as a source or a transform of a pipeline reads them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from poh_holdmetrics import HoldEvent, RowMapping
from poh_holdmetrics.errors import InputError

MAPPING = """[input]
token = "APE"
time_unit = "s"
decimals = 6
columns = { holder_id = "user", start = "Timestamp" }
"""
EVENT = HoldEvent(token_id="APE", holder_id="ann", start="2021-05-01T00:00:00Z", weight="1.5")


@pytest.fixture
def mapping(tmp_path: Path) -> RowMapping:
    (tmp_path / "m.toml").write_text(MAPPING)
    return RowMapping(mapping=tmp_path / "m.toml")


@pytest.mark.parametrize("time", [1619827200, "1619827200", datetime(2021, 5, 1, tzinfo=UTC)])
def test_a_row_is_read_as_a_mapping_file_says(mapping: RowMapping, time: object) -> None:
    assert mapping.events({"user": "ann", "Timestamp": time, "weight": 1500000, "note": None}) == [EVENT]


def test_a_refused_row_changes_nothing_and_names_the_cure(mapping: RowMapping) -> None:
    with pytest.raises(InputError, match=r'row: start: not a time \(a word for an absent value.*found "NaT"'):
        mapping.events({"user": "ann", "Timestamp": "NaT"})
    assert mapping.events({"user": "ann", "Timestamp": 1619827200, "weight": "1500000"}) == [EVENT]


def test_a_file_is_read_under_the_same_options(mapping: RowMapping, tmp_path: Path) -> None:
    text = "user;Timestamp;weight\nann;1619827200;1500000\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert list(mapping.read(tmp_path / "a.csv.gz")) == [EVENT]
    (tmp_path / "b.csv").write_text(f"{text}bob;soon;1\n")
    with pytest.raises(InputError, match=r"b\.csv: line 3: start: not a time"):
        list(mapping.read(tmp_path / "b.csv"))


def test_the_messages_of_a_feed_are_transfers() -> None:
    rows = RowMapping(input_format="transfers", token_kind="erc20", token="T")
    message = {
        "from": "a",
        "to": "b",
        "value": "5",
        "timestamp": 1619827200,
        "tx_hash": "0x1",
        "log_index": 3,
    }
    events = rows.events(message)
    assert [(event.holder_id, str(event.delta), event.event_id) for event in events] == [
        ("a", "-5", "0x1:3"),
        ("b", "5", "0x1:3"),
    ]
    with pytest.raises(InputError, match=r'row: amount: "5\.5" is not a whole number of base units'):
        rows.events({**message, "value": "5.5"})
