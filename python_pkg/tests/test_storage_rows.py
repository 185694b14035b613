"""Rows that storages keep: native code makes the same as Python, and their ids never change."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naive import Raw
from poh_holdmetrics.storage.rows import row_with_id, rows_with_ids
from poh_holdmetrics.validation import Record
from strategies import EVENTS, record

#: With every field, with none that may be absent, and what a text could be confused with.
RECORDS = [
    Record("T", "h", -1, 2**58, 2**128 - 1, "e", 2**63 - 1, retract=True, at_us=0, delta=1 - 2**128, seq=7),
    Record("T", "h", None, 0, 10**18, None, 0, retract=False),
    Record("T1:h", "\0\N{SNOWMAN}\U0001f600", 5, None, 0, None, 0, retract=False),
    Record("T", "h", None, None, 10**18, "", 1, retract=True, at_us=-5, delta=0),
]


def test_the_ids_of_files_that_were_written_before_are_found_again(source: str) -> None:
    assert [row[0].hex() for row in rows_with_ids(RECORDS)] == [
        "3662aabeff4dd57329d9c2fce75af44991cccb92",
        "74886005ce29c4cb6193fee0a6dcce9673571af4",
        "e84e65ed32ebce27ad54289c4328cb8e522e9a0f",
        "ba847ff6bf05f1beb77915efc9facda8a00dc3b6",
    ], source


def test_rows_hold_the_values_of_the_records(source: str) -> None:
    assert rows_with_ids(RECORDS) == [row_with_id(each) for each in RECORDS], source
    assert rows_with_ids([]) == []


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raws=EVENTS, text=st.text(max_size=5))
def test_native_rows_are_those_of_python(source: str, raws: list[Raw], text: str) -> None:
    records = [record(raw)._replace(holder_id=text) for raw in raws]
    assert rows_with_ids(records) == list(map(row_with_id, records)), source


def test_a_text_that_is_not_unicode_raises(source: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        rows_with_ids([RECORDS[0]._replace(holder_id="\ud800")])
    assert source
