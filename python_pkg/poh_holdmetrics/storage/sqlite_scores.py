"""Scores summed by SQLite itself, for processes without native code, which sums faster than this does.

SQLite measures how long each key is held at each weight: the holds of a key cut each other off in a window
function, so a sum is at most the length of the window and fits into 64 bits. Python multiplies by the
weights, exactly. Keys with marks, changes or an `event_id`, and keys whose holds overlap at different
weights, are computed from their facts. Knows nothing of the file but its table; see `sqlite`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from poh_holdmetrics import instants
from poh_holdmetrics.pure.aggregator import Aggregator, Snapshot
from poh_holdmetrics.pure.ranking import Total
from poh_holdmetrics.tracker import HoldSnapshot

if TYPE_CHECKING:
    from poh_holdmetrics.storage.rows import Row
    from poh_holdmetrics.validation import Record
    from poh_holdmetrics.windows import Window

_IS_PLAIN = "event_id IS NULL AND start_us IS NOT NULL AND end_us IS NOT NULL"
_SHARE = f"SELECT count(*), sum({_IS_PLAIN}) FROM events"  # noqa: S608 - no value in it
#: `before_us` is the end of what the key held before; a hold counts from there on.
_HELD = f"""
WITH spans AS (
    SELECT holder_id, token_id, weight_wads, {_IS_PLAIN} AS is_plain,
        max(min(start_us, :as_of_us), :from_us) AS since_us, max(min(end_us, :as_of_us), :from_us) AS until_us
    FROM events
), holds AS (
    SELECT *, max(until_us) OVER (
        PARTITION BY holder_id, token_id ORDER BY since_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS before_us FROM spans
)
SELECT holder_id, token_id, weight_wads, min(is_plain),
    sum(max(0, until_us - max(since_us, coalesce(before_us, since_us)))),
    max(before_us > since_us AND until_us > since_us)
FROM holds GROUP BY holder_id, token_id, weight_wads ORDER BY holder_id, token_id
"""  # noqa: S608 - no value in it
_FACTS = "WHERE (token_id, holder_id) IN (SELECT token_id, holder_id FROM temp.keys_from_facts)"

#: holder_id, token_id, weight_wads, whether all are plain, microseconds, whether some overlap an earlier one.
_Group = tuple[str, str, str, int, int | None, int | None]


def snapshot_by_sql(
    connection: sqlite3.Connection, window: Window, all_events: str, record: Callable[[Row], Record]
) -> HoldSnapshot:
    """The scores over the window; `all_events` selects the rows of which `record` makes records."""
    connection.execute("BEGIN")
    try:
        totals, from_facts = _totals(connection, window)
        if from_facts:
            connection.execute("CREATE TEMP TABLE keys_from_facts (token_id, holder_id)")
            connection.executemany("INSERT INTO temp.keys_from_facts VALUES (?, ?)", from_facts)
            rows = connection.execute(f"{all_events} {_FACTS}")
        else:
            rows = connection.execute(f"{all_events} LIMIT 0")
        return _with_facts(totals, map(record, rows), window)
    finally:
        # The table of keys is gone with it.
        connection.execute("ROLLBACK")


def mostly_plain(connection: sqlite3.Connection) -> bool:
    """Whether at least half of the events are closed holds without an `event_id`; else reading is faster."""
    events, plain = connection.execute(_SHARE).fetchone()
    return bool(2 * (plain or 0) >= events)


def _totals(connection: sqlite3.Connection, window: Window) -> tuple[dict[str, Total], list[tuple[str, str]]]:
    """The sums of the holders without the keys that are returned."""
    from_us = instants.MIN_US if window.from_us is None else window.from_us
    groups = connection.execute(_HELD, {"as_of_us": max(window.as_of_us, from_us), "from_us": from_us})
    totals: dict[str, Total] = {}
    from_facts: list[tuple[str, str]] = []
    for (holder_id, token_id), found in groupby(groups, lambda group: (group[0], group[1])):
        weights: list[_Group] = list(found)
        held_us, wad_us, _ = totals.get(holder_id, (0, 0, 0))
        if all(group[3] for group in weights) and (len(weights) == 1 or not any(g[5] for g in weights)):
            for _, _, weight_wads, _, us, _ in weights:
                if us:
                    held_us += us
                    wad_us += us * int(weight_wads)
        else:
            from_facts.append((token_id, holder_id))
        totals[holder_id] = Total(held_us, wad_us)
    return totals, from_facts


def _with_facts(totals: dict[str, Total], records: Iterable[Record], window: Window) -> HoldSnapshot:
    engine = Aggregator()
    for record in records:
        engine.add(record)
    others = engine.snapshot(*window)
    for holder_id, other in others.totals.items():
        held_us, wad_us, deficits = totals[holder_id]
        totals[holder_id] = Total(held_us + other.held_us, wad_us + other.wad_us, deficits + other.deficits)
    as_of_us, from_us, closed_only = window
    return HoldSnapshot(
        Snapshot(totals, as_of_us, from_us, closed_only=closed_only, deficits=others.deficits)
    )
