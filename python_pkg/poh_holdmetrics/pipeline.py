"""Decorators that register an operator's functions on a pipeline: sources, transforms, sinks.

    pipeline = Pipeline()

    @pipeline.source
    def sales():
        yield from csv.DictReader(file)

    @pipeline.transform
    def marks(sale):
        return HoldEvent(token_id=sale["token"], holder_id=sale["buyer"], start=sale["time"])

    pipeline.sink(tracker.record_batch)
    report = await pipeline.run()

Items are handled one after another and delivered in batches of a bounded size, so nothing queues up. A run
reads each source once, in one task; for work that repeats, give `pipeline.run` to `scheduler`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from poh_holdmetrics.data_models import HoldEvent, Transfer, expanded
from poh_holdmetrics.errors import InputError, Refused

Source = Callable[[], Iterable[Any] | AsyncIterable[Any]]
Transform = Callable[[Any], Any]
Sink = Callable[[list[HoldEvent]], Awaitable[object]]

_SourceT = TypeVar("_SourceT", bound=Source)
_TransformT = TypeVar("_TransformT", bound=Transform)
_SinkT = TypeVar("_SinkT", bound=Sink)

#: Refusals listed in a report; more are only counted.
_REASONS_MAX = 100


@dataclass(kw_only=True, slots=True)
class Report:
    """The counts and refusals of a run."""

    items: int = 0
    """Items produced by the sources."""
    events: int = 0
    """Events delivered to the sinks, each transfer as its changes."""
    refused: int = 0
    """Items refused by a transform or by the checks of an event."""
    reasons: list[str] = field(default_factory=list)
    """The first refusals, such as `item 3: weight: negative`."""


class Pipeline:
    """Functions in the order of their registration; every item passes every transform."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._transforms: list[Transform] = []
        self._sinks: list[Sink] = []

    def source(self, produce: _SourceT) -> _SourceT:
        """Register a function that returns items, as an iterable or an asynchronous one."""
        self._sources.append(produce)
        return produce

    def transform(self, change: _TransformT) -> _TransformT:
        """Register a function from one item to another, to a list of items, or to None, which drops the item.

        The last transform returns `HoldEvent` or `Transfer`.
        """
        self._transforms.append(change)
        return change

    def sink(self, consume: _SinkT) -> _SinkT:
        """Register an asynchronous function of a list of events; every sink is called with every batch."""
        self._sinks.append(consume)
        return consume

    async def run(
        self, *, batch_events_max: int = 1000, on_error: Literal["fail", "skip"] = "fail"
    ) -> Report:
        """Deliver all items of the sources to the sinks.

        At a refused item, `fail` raises `InputError` naming it, when the whole batches before it have been
        delivered; `skip` counts it and continues. Any other exception of a function ends the run unchanged.
        """
        if not self._sources or not self._sinks:
            raise InputError("pipeline", "no source or no sink; register at least one of each")
        if batch_events_max < 1:
            raise InputError("batch_events_max", f"expected 1 or more, not {batch_events_max}")
        report = Report()
        batch: list[HoldEvent] = []
        async for item in self._items():
            report.items += 1
            try:
                batch += self._events(item)
            except (Refused, ValidationError) as refusal:
                where, reason = f"item {report.items}", _reason(refusal)
                if on_error == "fail":
                    raise InputError(where, reason) from refusal
                report.refused += 1
                if len(report.reasons) < _REASONS_MAX:
                    report.reasons.append(f"{where}: {reason}")
            while len(batch) >= batch_events_max:
                await self._deliver(batch[:batch_events_max], report)
                batch = batch[batch_events_max:]
        if batch:
            await self._deliver(batch, report)
        return report

    async def _items(self) -> AsyncIterator[Any]:
        for source in self._sources:
            produced = source()
            if isinstance(produced, AsyncIterable):
                async for item in produced:
                    yield item
            else:
                for item in produced:
                    yield item

    def _events(self, item: Any) -> list[HoldEvent]:
        items = [item]
        for transform in self._transforms:
            items = [changed for each in items for changed in _listed(transform(each))]
        for each in items:
            if not isinstance(each, HoldEvent | Transfer):
                raise TypeError(
                    f"the last transform returned {type(each).__name__}, expected HoldEvent or Transfer"
                )
        return expanded(items)

    async def _deliver(self, batch: list[HoldEvent], report: Report) -> None:
        for sink in self._sinks:
            await sink(batch)
        report.events += len(batch)


def _listed(result: Any) -> list[Any]:
    if result is None:
        return []
    return result if isinstance(result, list) else [result]


def _reason(refusal: Refused | ValidationError) -> str:
    if isinstance(refusal, Refused):
        return str(refusal)
    first = refusal.errors()[0]
    field_name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return message if not field_name or message.startswith(field_name) else f"{field_name}: {message.lower()}"
