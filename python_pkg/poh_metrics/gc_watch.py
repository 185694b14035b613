"""Counts the collections of the interpreter's garbage collector in `gc_events_total`.

A collection may begin while a metric is locked, and the same thread would then wait for itself. So the
callback only puts its type into a queue that may be used at any moment, and a thread counts.
"""

from __future__ import annotations

import gc
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, cast

from poh_metrics.registry import get_metric, get_registry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter

    from poh_metrics.types import GcType

_OLDEST = 2


class GcWatch:
    """A running count; also a context, at whose end it is closed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = cast("Counter", get_metric("gc_events_total", registry))
        self._types: SimpleQueue[GcType | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._count, name="gc events", daemon=True)
        self._thread.start()
        gc.callbacks.append(self._collected)

    def close(self) -> None:
        """Count no more; what was collected before is counted when this returns."""
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)
            self._types.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            self._types.put("major" if info["generation"] == _OLDEST else "minor")

    def _count(self) -> None:
        while (event_type := self._types.get()) is not None:
            self._counter.labels(event_type).inc()


def watch_gc(registry: CollectorRegistry | None = None) -> GcWatch:
    """Count every collection from now on, until `close`; call it in each process, after a fork.

    A collection of the oldest generation is `major`, the others are `minor`.
    """
    return GcWatch(get_registry() if registry is None else registry)
