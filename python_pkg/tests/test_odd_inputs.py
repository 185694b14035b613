"""Inputs of many kinds, each with the leaderboard or the sentence that both implementations give for it.

The binary is held to the same list. Columns are here alone: writing them needs pyarrow.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from poh_holdmetrics import score
from poh_holdmetrics.api.intake import records_from_line
from poh_holdmetrics.errors import InputError, Refused
from poh_holdmetrics.libraries import library, pyarrow

pa = pyarrow()
pq = library("pyarrow.parquet", "a Parquet file", "frames")

AS_OF = "2024-01-01T00:00:00Z"
CASES = json.loads(
    (Path(__file__).parents[2] / "tests" / "golden" / "odd_inputs.json").read_text(encoding="utf-8")
)
START, END = "2023-01-01T00:00:00Z", "2023-01-02T00:00:00Z"
#: 2023-01-01.
MICROS = 1_672_531_200_000_000
pytestmark = pytest.mark.filterwarnings("ignore::poh_holdmetrics.DataWarning")


def _arguments(options: list[str]) -> dict[str, Any]:
    """The options of the command line as those of the function."""
    found: dict[str, Any] = {}
    words = iter(options)
    for word in words:
        name = word.removeprefix("--").replace("-", "_")
        if name in ("assume_utc", "fold_hex_ids"):
            found[name] = True
        else:
            value = next(words)
            if name == "columns":
                assigned = dict(each.split("=", 1) for each in value.split(","))
                found[name] = {**found.get(name, {}), **assigned}
            elif name == "null":
                found[name] = [*found.get(name, []), value]
            else:
                found[name] = int(value) if name == "decimals" else value
    return found


def _answer(file: Path, **options: Any) -> str:
    try:
        result = score(file, AS_OF, **options)
    except InputError as error:
        return str(error).replace(f"{file.parent}/", "")
    holders = "".join(f"{row[1]} {row[3]}; " for row in result.rows())
    return f"{holders}{' '.join(warning.code for warning in result.warnings)}".rstrip()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_text_of_this_kind_is_read_or_refused(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / case["name"]
    file.write_bytes(case["text"].encode())
    assert _answer(file, **_arguments(case.get("options", []))) == case["expected"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            {"start": MICROS},
            "start: out of range (years 0001 to 9999, UTC; if it counts microseconds, give milliseconds)",
        ),
        (
            {"start": "2023-01-01"},
            "start: not a time (a date alone; add the time and the offset, like T00:00:00Z)",
        ),
        ({"start": "2023-01-01 00:00"}, "start: no UTC offset (end it with Z or an offset like +02:00)"),
        ({"start": "NaT"}, "start: not a time (a word for an absent value; leave the value out)"),
        (
            {"start": 0, "weight": "NULL"},
            "weight: not a number (a word for an absent value; leave the value out)",
        ),
        ({"start": 0, "End": 1}, 'key "End": did you mean end? rename it'),
        (
            {"start": 0, "amount": 1},
            "amount: given without from_id and to_id (did you mean weight? rename it)",
        ),
    ],
)
def test_a_service_names_no_option_of_the_command_line(line: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        records_from_line(json.dumps({"token_id": "T", "holder_id": "a", **line}).encode(), 0)
    assert refused.value.sentence == reason


def _columns(**changed: Any) -> Any:
    columns: dict[str, Any] = {"token_id": ["T"], "holder_id": ["a"], "start": [START], "end": [END]}
    columns.update(changed)
    return pa.table({name: values for name, values in columns.items() if values is not None})


DAY = "a 86400;"
UNIT = "out of range (years 0001 to 9999, UTC; if it counts {}, read the file with --time-unit {}); found {}"
LARGE = (
    "too large (the largest is 340282366920938463463.374607431768211455; if it counts base units, such as "
    "wei, read the file with --decimals 18)"
)


@pytest.mark.parametrize(
    ("table", "options", "expected"),
    [
        (_columns(start=[MICROS]), {}, f"start: {UNIT.format('microseconds', 'us', MICROS)}"),
        (_columns(start=[MICROS * 1000]), {}, f"start: {UNIT.format('nanoseconds', 'ns', MICROS * 1000)}"),
        (_columns(start=[MICROS], end=[MICROS + 86_400_000_000]), {"time_unit": "us"}, DAY),
        (_columns(start=[float(MICROS)]), {}, f"start: {UNIT.format('microseconds', 'us', f'{MICROS}.0')}"),
        (
            _columns(start=None, start_us=[MICROS * 1000]),
            {},
            f"start: out of range (years 0001 to 9999, UTC); found {MICROS * 1000} microseconds",
        ),
        (
            _columns(start=pa.array([MICROS * 1000], pa.timestamp("us"))),
            {},
            f"start: out of range (years 0001 to 9999, UTC); found {MICROS * 1000} microseconds",
        ),
        (
            _columns(start=pa.array([2**64 - 1], pa.uint64())),
            {},
            f"start: {UNIT.format('nanoseconds', 'ns', 2**64 - 1)}",
        ),
        (
            _columns(start=[1_672_531_200_000.5]),
            {},
            "start: not a time (a count of milliseconds has no fraction); found 1672531200000.5",
        ),
        (
            _columns(start=[float("nan")]),
            {},
            "start: not a time (write 2025-07-21T00:00:00Z, or milliseconds since 1970); found NaN",
        ),
        (_columns(start=pa.array([date(2023, 1, 1)], pa.date64())), {"assume_utc": True}, DAY),
        (_columns(start=pa.array([date(2023, 1, 1)])), {"assume_utc": True}, DAY),
        (_columns(start=pa.array([MICROS], pa.timestamp("us", "America/New_York"))), {}, DAY),
        (
            _columns(start=pa.array([MICROS * 1000 + 999], pa.timestamp("ns"))),
            {},
            DAY,
        ),
        (_columns(weight=[-1.5]), {}, "weight: negative (write 0 or more); found -1.5"),
        (_columns(weight=[float("nan")]), {}, "weight: not finite (write a decimal like 1.5); found NaN"),
        (_columns(weight=[1e30]), {}, f"weight: {LARGE}; found 1e+30"),
        (_columns(weight=pa.array([1e30], pa.float32())), {}, f"weight: {LARGE}; found 1e+30"),
        (
            _columns(weight=pa.array([Decimal("-1.50")], pa.decimal128(10, 2))),
            {},
            "weight: negative (write 0 or more); found -1.50",
        ),
        (
            _columns(weight=pa.array([Decimal("1e-20")], pa.decimal256(60, 30))),
            {},
            "weight: under 1e-18 (the smallest step); found 0.000000000000000000010000000000",
        ),
        (_columns(weight=["-1"]), {}, 'weight: negative (write 0 or more); found "-1"'),
        (_columns(weight=pa.array([2**64 - 1], pa.uint64())), {}, "a 1593798687968505259536000;"),
        (_columns(weight=pa.array(["2.5"]).dictionary_encode()), {}, "a 216000;"),
        (_columns(weight=pa.nulls(1), end=pa.nulls(1)), {}, "a 31536000;"),
        (
            _columns(amount=[5]),
            {},
            "amount: given without from_id and to_id (did you mean weight? rename it)",
        ),
        (_columns(holder_id=pa.array([b"\xff"])), {}, "holder_id: not text"),
        (
            _columns(holder_id=pa.array([UUID(int=5).bytes], pa.binary(16))),
            {},
            "00000000-0000-0000-0000-000000000005 86400;",
        ),
        (
            _columns(holder_id=pa.array([b"\xab" * 20], pa.binary(20))),
            {"binary_ids": "hex"},
            f"0x{'ab' * 20} 86400;",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_column_of_this_kind_is_read_or_refused(
    table: Any, options: dict[str, Any], expected: str, suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        pq.write_table(table, file)
    else:
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    answer = _answer(file, **options)
    _, separator, reason = answer.partition("1: ")
    found = reason if separator and answer.startswith(file.name) else answer
    assert found.partition(" (start is column")[0] == expected
