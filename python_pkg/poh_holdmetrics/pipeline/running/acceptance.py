"""Lets gates check events before they are recorded, in plain Python, as the service does it in Rust.

Gates are asked one after the other, each within its budget, about what those before it have left. A function
that never waits cannot be interrupted here; the service answers in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poh_holdmetrics.data_models import HoldEvent, Transfer
from poh_holdmetrics.durations import text_from_duration_us
from poh_holdmetrics.instants import MICROS_PER_SECOND
from poh_holdmetrics.pipeline.batch import ColumnBatch

if TYPE_CHECKING:
    from poh_holdmetrics.clock import Clock
    from poh_holdmetrics.pipeline.port import Gate
    from poh_holdmetrics.pipeline.verdicts import Verdicts

_FIELD = "before_accept"
_LATER = "send the event again later"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that a gate has refused."""

    index: int
    """Its number among those that were sent, from 0."""
    reason: str
    """One line that names the pipeline and the handler."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the gates have left of some events."""

    accepted: list[HoldEvent | Transfer]
    refusals: list[Refusal]
    """In the order of the events."""


async def checked(
    events: Sequence[HoldEvent | Transfer], gates: Iterable[tuple[str, Gate]], clock: Clock
) -> Checked:
    """Ask each gate, given with the name of its pipeline."""
    left = list(enumerate(events))
    refusals: list[Refusal] = []
    for pipeline, gate in gates:
        if left:
            left, refused = await _ask(left, pipeline, gate, clock)
            refusals += refused
    refusals.sort(key=lambda refusal: refusal.index)
    return Checked([event for _, event in left], refusals)


_Numbered = list[tuple[int, HoldEvent | Transfer]]


async def _ask(events: _Numbered, pipeline: str, gate: Gate, clock: Clock) -> tuple[_Numbered, list[Refusal]]:
    records = [event.records() for _, event in events]
    batch = ColumnBatch([record for own in records for record in own], 0, sum(map(len, records)) - 1)
    batch = batch.filter(gate.token, gate.holder)
    if not len(batch):
        return events, []
    name = f"{_FIELD}: {pipeline}/{gate.name}"
    verdicts = await _within_budget(gate, batch, clock)
    if isinstance(verdicts, str):
        if gate.on_timeout == "accept":
            return events, []
        verdicts = dict.fromkeys(batch.sequence, f"{verdicts}; {_LATER}")
    left: _Numbered = []
    refusals: list[Refusal] = []
    begin = 0
    for (index, event), own in zip(events, records, strict=True):
        rows = range(begin, begin + len(own))
        begin = rows.stop
        found = [verdicts[row] for row in rows if row in verdicts]
        reason = next((verdict for verdict in found if isinstance(verdict, str)), None)
        if reason is None and found and len(own) > 1:
            reason = "changed a transfer, which can only be accepted or refused"
        if reason is not None:
            refusals.append(Refusal(index, f"{name}: {reason}"))
        else:
            left.append((index, next((each for each in found if isinstance(each, HoldEvent)), event)))
    return left, refusals


async def _within_budget(gate: Gate, batch: ColumnBatch, clock: Clock) -> Verdicts | str:
    """The verdicts, or why there are none."""
    seconds = gate.budget_seconds
    check = asyncio.ensure_future(gate.check(batch))
    limit = asyncio.ensure_future(clock.sleep_until(clock.now() + seconds))
    try:
        await asyncio.wait({check, limit}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        limit.cancel()
        is_done = check.done()
        check.cancel()
    if not is_done:
        return f"no answer within {text_from_duration_us(round(seconds * MICROS_PER_SECOND))}"
    verdicts = check.result()
    return "failed" if verdicts is None else verdicts
