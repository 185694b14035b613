"""One registry for the process, in which each metric is made when it is first asked for, and only once.

Gives the metrics as text, also those of all processes in multiprocess mode, and pushes them to a Pushgateway
or writes them to a file. Serves nothing; see `exporter`. The metrics themselves are in `definitions`.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, push_to_gateway, pushadd_to_gateway, write_to_textfile
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from poh_metrics.definitions import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poh_metrics.definitions import Metric

#: Set it before `prometheus_client` is imported: processes then share their metrics in this folder.
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_lock = threading.Lock()
_made: WeakKeyDictionary[CollectorRegistry, dict[str, Metric]] = WeakKeyDictionary()
_registry = CollectorRegistry()


def get_registry() -> CollectorRegistry:
    """The registry that is used where none is given."""
    return _registry


def set_registry(registry: CollectorRegistry) -> None:
    """Use another one from now on, for example `prometheus_client.REGISTRY` or that of a test."""
    global _registry  # noqa: PLW0603 - the one registry of the process
    _registry = registry


def get_metric(name: str, registry: CollectorRegistry | None = None) -> Metric:
    """The metric of a name, registered if it is not yet.

    Raises `ValueError` for an unknown name, and if the registry has a metric of this name from elsewhere.
    """
    target = _registry if registry is None else registry
    metrics = _made.get(target)
    if metrics is not None and (metric := metrics.get(name)) is not None:
        return metric
    definition = DEFINITIONS.get(name)
    if definition is None:
        raise ValueError(f"name: unknown metric {name[:40]!r}; known are {', '.join(DEFINITIONS)}")
    with _lock:
        metrics = _made.setdefault(target, {})
        if name not in metrics:
            metrics[name] = definition.make(target)
        return metrics[name]


def exposition(accept: str = "", registry: CollectorRegistry | None = None) -> tuple[bytes, str]:
    """The metrics and their content type, in the best format that the header `accept` lists."""
    encode, content_type = choose_encoder(accept)
    return encode(_collected(registry)), content_type


def push_metrics(
    gateway: str,
    job: str,
    registry: CollectorRegistry | None = None,
    *,
    grouping_key: Mapping[str, str] | None = None,
    replace: bool = True,
    timeout_seconds: float = 10.0,
) -> None:
    """Push to a Pushgateway at `gateway` (HOST:PORT or an address) under `job`; raises `OSError` if it fails.

    With `replace` the gateway forgets other metrics of the same job and grouping key. Waits for the answer:
    in a coroutine call it by `asyncio.to_thread`.
    """
    push = push_to_gateway if replace else pushadd_to_gateway
    push(
        gateway,
        job,
        _collected(registry),
        grouping_key=None if grouping_key is None else dict(grouping_key),
        timeout=timeout_seconds,
    )


def write_metrics(path: str | os.PathLike[str], registry: CollectorRegistry | None = None) -> None:
    """Replace a file by the metrics, atomically; the node exporter reads files that end in `.prom`."""
    write_to_textfile(os.fspath(path), _collected(registry))


def _collected(registry: CollectorRegistry | None) -> CollectorRegistry:
    if MULTIPROCESS_VARIABLE not in os.environ:
        return _registry if registry is None else registry
    # The values of all processes are in files; a registry of this one would show its own part.
    everything = CollectorRegistry()
    MultiProcessCollector(everything)  # type: ignore[no-untyped-call]
    return everything
