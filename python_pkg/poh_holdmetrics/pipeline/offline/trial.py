"""`pipeline test`: one pipeline over the events of a file, on a clock that follows their times.

Everything that the pipeline would write is kept and reported, and nothing is written: the events that it
emits, its state, its metrics. Two runs over the same events give the same report. Built on `testing`; reports
are printed in `commands`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from poh_holdmetrics import instants
from poh_holdmetrics.data_models import HoldEvent
from poh_holdmetrics.pipeline.handlers import Handler, JobOptions, SourceOptions
from poh_holdmetrics.pipeline.loading.loader import text_of_traceback
from poh_holdmetrics.policies.published import published
from poh_holdmetrics.policy_files import policies_of
from poh_holdmetrics.testing import PipelineHarness
from poh_holdmetrics.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poh_holdmetrics import native
    from poh_holdmetrics.data_models import Transfer
    from poh_holdmetrics.pipeline.definition import Pipeline
    from poh_holdmetrics.pipeline.port import Start
    from poh_holdmetrics.policies.published import NamedPolicy
    from poh_holdmetrics.validation import Record

#: Leaderboard rows of a policy that a report has.
_ROWS_MAX = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class OfflineOptions:
    """How a pipeline is tried."""

    as_of_us: int | None = None
    """The end; later events are left out. None means the time of the last event."""
    step_us: int = instants.MICROS_PER_SECOND
    """Events that lie so close together are handed on in one batch."""
    runs_max: int = 1000
    """How often a job may run; one that would run more often gets a longer interval."""
    calls_sinks: bool = True
    """Whether sinks are called; if not, it is only shown what each would be given."""
    reads_sources: bool = False
    """Whether sources are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HandlerReport:
    """What one handler did."""

    name: str
    kind: str
    calls: int = 0
    events: int = 0
    failures: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """The words of `Counted`, such as `retried`."""
    delivered: Sequence[HoldEvent] | None = None
    """What a sink was given; None for other kinds."""
    note: str = ""
    traceback: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyReport:
    """What one policy publishes at the end."""

    name: str
    version: str
    holders: int = 0
    rows: Sequence[native.Row] = ()
    traceback: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OfflineReport:
    """What a pipeline did with the events."""

    pipeline: str
    began_us: int
    ended_us: int
    events: int
    left_out: int
    """Events after `as_of`."""
    refused: int
    """Events refused by `before_accept`."""
    handlers: Sequence[HandlerReport]
    policies: Sequence[PolicyReport]
    emitted: Sequence[HoldEvent | Transfer]
    """What would be written to the journal."""
    state: Mapping[str, Any]
    metrics: Mapping[str, float]
    log: Sequence[str]
    error: str = ""
    """The traceback of what ended the run."""

    @property
    def has_failed(self) -> bool:
        """Whether a handler or a policy raised."""
        raised = any(each.failures for each in self.handlers) or any(each.traceback for each in self.policies)
        return raised or bool(self.error)


def try_pipeline(
    pipeline: Pipeline, digest: str, records: Sequence[Record], options: OfflineOptions
) -> OfflineReport:
    """Run `pipeline` over `records` in the order of their times; `digest` is that of its sources."""
    arriving = _arriving(records)
    begins_us = arriving[0][0] if arriving else options.as_of_us or 0
    ends_us = options.as_of_us
    if ends_us is None:
        ends_us = arriving[-1][0] if arriving else begins_us
    kept = [each for each in arriving if each[0] <= ends_us]
    begins_us = min(begins_us, ends_us)
    tried = _Tried.of(pipeline, options, begins_us, ends_us)
    refused, error = 0, ""
    harness = PipelineHarness(
        tried,
        now=instants.datetime_from_us(begins_us),
        read_sources=options.reads_sources,
        raise_failures=False,
    )
    try:
        with _shown_in_the_report_alone(pipeline.name), harness:
            for until_us, group in _groups(kept, options.step_us):
                harness.advance((until_us - harness.now_us) / instants.MICROS_PER_SECOND)
                refused += len(harness.feed(*map(HoldEvent.from_record, group)))
            harness.advance(max(0, ends_us - harness.now_us) / instants.MICROS_PER_SECOND)
    except Exception as raised:  # noqa: BLE001 - whatever ends the run is its result
        error = text_of_traceback(raised)
    window = Window(ends_us, None, False)  # noqa: FBT003 - as of, from, closed only
    return OfflineReport(
        pipeline=pipeline.name,
        began_us=begins_us,
        ended_us=ends_us,
        events=len(kept),
        left_out=len(records) - len(kept),
        refused=refused,
        handlers=[_report(harness, each, tried.notes.get(each.name, "")) for each in pipeline.handlers],
        policies=[_published(harness, each, window) for each in policies_of(pipeline, digest).values()],
        emitted=tuple(harness.emitted),
        state=harness.state,
        metrics=harness.metrics,
        log=tuple(harness.log),
        error=error,
    )


@contextmanager
def _shown_in_the_report_alone(pipeline: str) -> Iterator[None]:
    """Keep what the pipeline logs from the handlers of the process."""
    logger = logging.getLogger(f"pipeline.{pipeline}")
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tried:
    """The pipeline with what the options change; a `Definition`."""

    name: str
    arguments: Mapping[str, str]
    handlers: tuple[Handler, ...]
    start: Start
    notes: dict[str, str]

    @classmethod
    def of(cls, pipeline: Pipeline, options: OfflineOptions, begins_us: int, ends_us: int) -> _Tried:
        notes: dict[str, str] = {}
        seconds = (ends_us - begins_us) / instants.MICROS_PER_SECOND
        return cls(
            name=pipeline.name,
            arguments=pipeline.arguments,
            handlers=tuple(_changed(each, options, seconds, notes) for each in pipeline.handlers),
            start=pipeline.start,
            notes=notes,
        )


def _changed(handler: Handler, options: OfflineOptions, seconds: float, notes: dict[str, str]) -> Handler:
    if handler.kind == "sink" and not options.calls_sinks:
        notes[handler.name] = "not called (dry run)"
        return replace(handler, function=_nothing)
    if handler.kind == "source" and not options.reads_sources:
        notes[handler.name] = "not read"
    given = handler.options
    if isinstance(given, JobOptions | SourceOptions) and given.interval_seconds is not None:
        times = math.ceil(seconds / given.interval_seconds / options.runs_max)
        if times > 1:
            interval = given.interval_seconds * times
            notes.setdefault(handler.name, f"run every {interval:g} s, as one of {times} times")
            return replace(handler, options=replace(given, interval_seconds=interval))
    return handler


def _nothing(batch: object, ctx: object) -> None:
    """Stands for a sink that is not called."""


def _arriving(records: Sequence[Record]) -> list[tuple[int, Record]]:
    """The events in the order in which they can have arrived, each with that time.

    An event arrives at its last time; a retraction without a time arrives with the event before it.
    """
    found = []
    at_us: int | None = None
    for record in records:
        times = [each for each in (record.start_us, record.end_us, record.at_us) if each is not None]
        at_us = max(times, default=at_us)
        found.append((at_us, record))
    first_us = next((time for time, _ in found if time is not None), 0)
    timed = [(first_us if time is None else time, record) for time, record in found]
    return sorted(timed, key=lambda each: each[0])


def _groups(arriving: Sequence[tuple[int, Record]], step_us: int) -> Iterator[tuple[int, list[Record]]]:
    """Events that lie within a step, each group with the time of its last event."""
    group: list[Record] = []
    first_us = last_us = 0
    for at_us, record in arriving:
        if group and at_us - first_us >= step_us:
            yield last_us, group
            group = []
        if not group:
            first_us = at_us
        group.append(record)
        last_us = at_us
    if group:
        yield last_us, group


def _report(harness: PipelineHarness, handler: Handler, note: str) -> HandlerReport:
    meter = harness.meters().get(handler.name)
    if meter is None:
        return HandlerReport(name=handler.name, kind=handler.kind, note=note)
    status = "" if meter.status in ("running", "stopped") else f"{meter.status} {meter.detail}".strip()
    return HandlerReport(
        name=handler.name,
        kind=handler.kind,
        calls=meter.calls,
        events=meter.events,
        failures=meter.failures,
        counts={name: count for name, count in sorted(meter.counts.items()) if count},
        delivered=tuple(harness.delivered(handler.name)) if handler.kind == "sink" else None,
        note=", ".join(each for each in (note, status) if each),
        traceback=meter.last_traceback,
    )


def _published(harness: PipelineHarness, policy: NamedPolicy, window: Window) -> PolicyReport:
    try:
        snapshot = published(policy.function, harness.tracker.engine, window)
    except Exception as raised:  # noqa: BLE001 - a policy may raise anything
        traceback = text_of_traceback(raised)
        return PolicyReport(name=policy.name, version=policy.version, traceback=traceback)
    return PolicyReport(
        name=policy.name, version=policy.version, holders=len(snapshot), rows=snapshot.rows(_ROWS_MAX)
    )
