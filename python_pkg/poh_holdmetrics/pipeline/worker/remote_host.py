"""The `Host` of a worker process: every call is a request to the parent.

Meters, metrics and log records are notes, collected for a moment when there are many. Answers about scores
are rows; they have no Arrow columns, because the native code is in the parent. The parent's side is
`host_server`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from poh_holdmetrics.pipeline.listed_rows import ListedRows
from poh_holdmetrics.pipeline.worker.batch_frames import FrameBatch
from poh_holdmetrics.pipeline.worker.functions import Functions

if TYPE_CHECKING:
    from poh_holdmetrics import native
    from poh_holdmetrics.data_models import HoldEvent, Transfer
    from poh_holdmetrics.pipeline.batch import ColumnBatch
    from poh_holdmetrics.pipeline.port import (
        Counted,
        Gate,
        HandlerState,
        MetricKind,
        PublishedPolicy,
        Start,
        WhenFull,
    )
    from poh_holdmetrics.pipeline.worker.link import BlockingLink, Link
    from poh_holdmetrics.pipeline.worker.page import WorkerPage

#: Notes are sent at once if none was sent for so long, else collected.
_COLLECT_SECONDS = 0.001
#: If the parent reads so slowly, notes are dropped.
_UNSENT_BYTES_MAX = 4 << 20


class Notes:
    """What the worker tells its parent, from any thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._collected: list[list[Any]] = []
        self._sent_at = 0.0

    def add(self, *note: object) -> None:
        """Tell the parent soon."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.add, *note)
            return
        self._collected.append(list(note))
        if time.monotonic() - self._sent_at >= _COLLECT_SECONDS:
            self.send()

    def send(self) -> None:
        """Send what is collected."""
        self._sent_at = time.monotonic()
        if not self._collected:
            return
        collected, self._collected = self._collected, []
        if self._link.unsent_bytes < _UNSENT_BYTES_MAX:
            self._link.note("notes", {"notes": collected})


class RemoteMeter:
    """The meter of one handler, by its number."""

    def __init__(self, number: int, notes: Notes, page: WorkerPage) -> None:
        self._number = number
        self._notes = notes
        self._page = page

    def begin(self) -> None:
        """A call has started."""
        self._page.handler = self._number
        self._notes.add("begin", self._number)

    def end(self, events: int) -> None:
        """The call has ended well."""
        self._left()
        self._notes.add("end", self._number, events)

    def failed(self, traceback: str) -> None:
        """The call has ended in an exception."""
        self._left()
        self._notes.add("failed", self._number, traceback)

    def count(self, what: Counted, by: int = 1) -> None:
        """Add to one of the counters."""
        self._notes.add("count", self._number, what, by)

    def state(self, state: HandlerState, detail: str = "") -> None:
        """The state of the handler from now on."""
        self._notes.add("state", self._number, state, detail)

    def _left(self) -> None:
        if self._page.handler == self._number:
            self._page.handler = 0


class RemoteConsumer:
    """A consumer that the parent has opened."""

    def __init__(self, link: Link, name: str, number: int, position: int) -> None:
        self.name = name
        self.position = position
        self._link = link
        self._number = number

    async def next(self, bytes_max: int = 1 << 20) -> ColumnBatch | None:
        """Wait for the next batch; None if the process is stopping."""
        about, body = await self._link.request("next", {"consumer": self._number, "bytes_max": bytes_max})
        return None if about is None else FrameBatch(about, body)

    async def commit(self, position: int, state: Mapping[str, str | None]) -> None:
        """Store the position and changes of the state, together."""
        arguments = {"consumer": self._number, "position": position, "state": dict(state)}
        await self._link.request("commit", arguments)
        self.position = max(self.position, position)

    async def close(self) -> None:
        """Give the name free."""
        await self._link.request("close", {"consumer": self._number})


class RemoteHost:
    """A `Host` over two links: one for what is awaited, one for what is not."""

    def __init__(self, link: Link, blocking: BlockingLink, notes: Notes, page: WorkerPage) -> None:
        self.functions = Functions()
        """What the parent may call."""
        self._notes = notes
        self._link = link
        self._blocking = blocking
        self._one_at_a_time = threading.Lock()
        self._page = page
        self._meters: dict[tuple[str, str], RemoteMeter] = {}

    def now_us(self) -> int:
        """The time of the system."""
        return time.time_ns() // 1000

    async def consumer(
        self, pipeline: str, handler: str, *, start: Start, when_full: WhenFull
    ) -> RemoteConsumer:
        """Open the consumer in the parent."""
        arguments = {"pipeline": pipeline, "handler": handler, "start": start, "when_full": when_full}
        opened, _ = await self._link.request("consumer", arguments)
        return RemoteConsumer(self._link, f"{pipeline}/{handler}", opened["number"], opened["position"])

    async def submit(self, pipeline: str, events: Sequence[HoldEvent | Transfer]) -> list[str]:
        """Record events of a pipeline's own."""
        lines = [event.model_dump_json(exclude_none=True) for event in events]
        kinds = [type(event).__name__ for event in events]
        arguments = {"pipeline": pipeline, "kinds": kinds, "events": lines}
        refusals, _ = await self._link.request("submit", arguments)
        return list(refusals)

    async def seal_round(self, pipeline: str, request: str) -> str:
        """Let the parent seal a round."""
        manifest, _ = await self._link.request("seal_round", {"pipeline": pipeline, "request": request})
        return str(manifest)

    def set_gates(self, pipeline: str, gates: Sequence[Gate]) -> None:
        """Let the parent ask these gates from now on."""
        self._notes.add("gates", pipeline, self.functions.set_gates(pipeline, gates))

    def set_policies(self, pipeline: str, policies: Sequence[PublishedPolicy]) -> None:
        """Let the parent publish scores under these policies from now on."""
        self._notes.add("policies", pipeline, self.functions.set_policies(pipeline, policies))

    async def state(self, pipeline: str) -> dict[str, str]:
        """The durable key-values of a pipeline."""
        stored, _ = await self._link.request("state", {"pipeline": pipeline})
        return dict(stored)

    async def commit_state(self, pipeline: str, changes: Mapping[str, str | None]) -> None:
        """Store changes of the key-values alone."""
        await self._link.request("commit_state", {"pipeline": pipeline, "changes": dict(changes)})

    def snapshot(self, as_of_us: int, from_us: int | None, closed_only: bool) -> native.Snapshot:  # noqa: FBT001
        """The scores of all holders."""
        return _listed(self._ask("snapshot", as_of_us=as_of_us, from_us=from_us, closed_only=closed_only))

    def leaderboard(
        self,
        n: int,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Snapshot:
        """The first `n` holders."""
        return _listed(
            self._ask("leaderboard", n=n, as_of_us=as_of_us, from_us=from_us, closed_only=closed_only)
        )

    def holder(
        self,
        holder_id: str,
        as_of_us: int,
        from_us: int | None,
        closed_only: bool,  # noqa: FBT001
    ) -> native.Row | None:
        """One holder with its rank among all."""
        window = {"as_of_us": as_of_us, "from_us": from_us, "closed_only": closed_only}
        row = self._ask("holder", holder_id=holder_id, **window)
        return None if row is None else tuple(row)

    def meter(self, pipeline: str, handler: str, kind: str) -> RemoteMeter:
        """The meter of one handler."""
        found = self._meters.get((pipeline, handler))
        if found is None:
            number = len(self._meters) + 1
            found = self._meters[pipeline, handler] = RemoteMeter(number, self._notes, self._page)
            self._notes.add("meter", number, pipeline, handler, kind)
        return found

    def pipeline_state(
        self,
        pipeline: str,
        state: str,
        *,
        generation: int,
        detail: str = "",
        file: str = "",
        digest: str = "",
    ) -> None:
        """The state of a pipeline, which the parent reports."""
        self._notes.add("pipeline_state", pipeline, state, generation, detail, file, digest)

    def metric(
        self, pipeline: str, kind: MetricKind, name: str, value: float, labels: Mapping[str, str]
    ) -> None:
        """A metric of the pipeline's own."""
        self._notes.add("metric", pipeline, kind, name, value, dict(labels))

    def _ask(self, method: str, **arguments: Any) -> Any:
        with self._one_at_a_time:
            return self._blocking.request(method, arguments)


def _listed(answer: dict[str, Any]) -> ListedRows:
    """A snapshot as the parent has sent it."""
    return ListedRows(
        listed=[tuple(row) for row in answer["rows"]],
        as_of_us=answer["as_of_us"],
        from_us=answer["from_us"],
        closed_only=answer["closed_only"],
        deficits=answer["deficits"],
    )


class NotesHandler(logging.Handler):
    """Passes log records on to the parent."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record's text."""
        try:
            self._notes.add("log", record.name, record.levelno, self.format(record))
        except Exception:  # noqa: BLE001 - as every handler of `logging` does
            self.handleError(record)
