"""The cases of the score's definition: those of the folder `shared`, and a few own ones.

Read from $POH_CONFORMANCE, else from the folder `shared` next to the repository. The own cases run the same
tests on a machine without that folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conftest import SHARED
from poh_holdmetrics.input_options import FIELDS
from poh_holdmetrics.row_reader import RowReader
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


def shared_cases() -> list[Any]:
    found: list[Any] = []
    for folder in FOLDERS:
        if folder.is_dir():
            cases = (case for case in sorted(folder.iterdir()) if case.is_dir())
            found += [pytest.param(case, id=f"{folder.name}/{case.name}") for case in cases]
        else:
            reason = f"no conformance cases at {folder}; set POH_CONFORMANCE to the folder of `cases`"
            found.append(pytest.param(None, id=folder.name, marks=pytest.mark.skip(reason=reason)))
    return found


#: What a fixture takes as its parameters; `case_of` makes the case of one.
PARAMS = [*(pytest.param(name, id=name) for name in OWN), *shared_cases()]


def case_of(param: str | Path) -> Case:
    if isinstance(param, str):
        return OWN[param]
    return Case(
        (param / "events.jsonl").read_bytes().split(b"\n"),
        json.loads((param / "query.json").read_text(encoding="utf-8")),
        json.loads((param / "expected.json").read_text(encoding="utf-8")),
    )


def accepted(case: Case) -> list[Record]:
    records: list[Record] = []
    reader = RowReader(records.append)
    reader.feed_jsonl(case.lines, "events.jsonl", 1)
    case.check_reading(reader)
    return records
