"""`await pipeline.run(tracker)`: everything that a pipeline does, once, and what came of it.

The sources are read to their ends, the handlers and sinks get every event, each `every` handler runs at the
end and at its interval meanwhile. Nothing is durable; for work that goes on for ever there is the service.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from poh_holdmetrics.clock import LoopClock
from poh_holdmetrics.errors import PipelineFailed
from poh_holdmetrics.pipeline.calling.guard import Guard
from poh_holdmetrics.pipeline.offline.local import LocalHost, LocalMeter
from poh_holdmetrics.pipeline.running.runtime import Runtime
from poh_holdmetrics.scheduler import AsyncScheduler

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.handlers import Definition
    from poh_holdmetrics.tracker import AsyncTracker

OnFault = Literal["fail", "skip"]


@dataclass(kw_only=True, slots=True)
class Report:
    """What came of a run."""

    items: int = 0
    """Items that the sources produced."""
    events: int = 0
    """Events recorded during the run, each transfer as its changes."""
    refused: int = 0
    """Items that a transform refused, or that are not valid events."""
    reasons: list[str] = field(default_factory=list)
    """The first refusals, such as `sales: item 3: weight: negative`."""
    failures: int = 0
    """Calls of handlers that raised."""
    handlers: dict[str, LocalMeter] = field(default_factory=dict)
    """The calls, events and failures of each handler, with the last traceback."""
    state: dict[str, object] = field(default_factory=dict)
    """The state of the pipeline at the end."""


async def run_once(pipeline: Definition, tracker: AsyncTracker, *, on_error: OnFault = "fail") -> Report:
    """Run the pipeline over a tracker; see `Pipeline.run`."""
    host = LocalHost(tracker)
    guard = Guard()
    clock = LoopClock()
    scheduler = AsyncScheduler(clock=clock, handle_signals=False)
    runtime = Runtime(pipeline, host, clock=clock, scheduler=scheduler, guard=guard)
    scheduling = asyncio.create_task(scheduler.run_forever())
    try:
        await runtime.start(read_sources=False)
        work = asyncio.create_task(_work(runtime, host))
        failed = asyncio.create_task(host.failed.wait())
        if on_error == "fail":
            await asyncio.wait({work, failed}, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.wait({work})
        failed.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        elif work.exception() is not None:
            work.result()
        await runtime.stop()
    finally:
        await runtime.abandon()
        scheduler.stop()
        await scheduling
        guard.close()
        host.close()
    report = _report(pipeline, runtime, host)
    if on_error == "fail":
        _raise_first_fault(pipeline.name, report)
    return report


async def _work(runtime: Runtime, host: LocalHost) -> None:
    await runtime.read_sources()
    runtime.flush()
    await _caught_up(runtime, host)
    for runner in runtime.jobs.values():
        await runner.run()
    await _caught_up(runtime, host)


async def _caught_up(runtime: Runtime, host: LocalHost) -> None:
    """Until no handler emits any more."""
    last = -1
    while host.last_sequence > last:
        last = host.last_sequence
        await runtime.caught_up(last)


def _report(pipeline: Definition, runtime: Runtime, host: LocalHost) -> Report:
    meters = {handler: meter for (_, handler), meter in host.meters.items()}
    readers = runtime.readers.values()
    return Report(
        items=sum(reader.items for reader in readers),
        events=host.last_sequence,
        refused=sum(reader.refused for reader in readers),
        reasons=[reason for reader in readers for reason in reader.reasons],
        failures=sum(meter.failures for meter in meters.values()),
        handlers={each.name: meters[each.name] for each in pipeline.handlers if each.name in meters},
        state=runtime.shared.values(),
    )


def _raise_first_fault(name: str, report: Report) -> None:
    for handler, meter in report.handlers.items():
        if meter.failures:
            raise PipelineFailed(name, f"handler {handler} raised", meter.last_traceback)
    if report.reasons:
        raise PipelineFailed(name, report.reasons[0])
