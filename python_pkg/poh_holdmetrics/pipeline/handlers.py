"""One handler of a pipeline as a value: its kind, name, function and checked options.

What a decorator of `definition` stores and `runtime` reads. Calls nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from poh_holdmetrics.errors import InputError, excerpt

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.port import Start

Kind = Literal["on_batch", "on_event", "every", "sink", "source", "transform", "before_accept", "policy"]
OnError = Literal["log", "retry", "disable"]
Isolation = Literal["none", "process"]
Overlap = Literal["skip", "queue", "allow"]
OnTimeout = Literal["accept", "refuse"]

#: The handler name under which all `on_batch` and `on_event` handlers of a pipeline share one consumer.
EVENTS = "events"

#: The attribute of a handler's function, a coroutine function, that is awaited when its pipeline has stopped.
CLOSE = "close"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What every handler can be told."""

    on_error: OnError = "log"
    """`log` goes on with the next events, `retry` calls again with back-off, `disable` stops the handler."""
    retries: int = 3
    """Further calls after a failed one, if failures are retried."""
    timeout_seconds: float | None = None
    """The soft limit of one call; None means the limit of the service."""
    blocking: bool = False
    """Whether the function blocks and is called in a worker thread."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterOptions(Options):
    """`on_batch` and `on_event`: which events, as patterns with `*` and `?`; None means all."""

    token: str | None = None
    holder: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SinkOptions(FilterOptions):
    """`sink`: how many events are delivered at once, and how long they may wait for more."""

    batch: int
    flush_seconds: float
    start: Start
    """Where a sink begins that has no cursor yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions(Options):
    """`every`: the interval, the part of it by which each run is moved at random, and what overlaps."""

    interval_seconds: float
    jitter: float
    overlap: Overlap


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions(Options):
    """`source`: the interval at which it is read again; None means once."""

    interval_seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOptions(FilterOptions):
    """`before_accept`: how long an event may wait, and what happens to it when that has passed."""

    budget_seconds: float
    on_timeout: OnTimeout


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """A function of a pipeline. The name is unique in its pipeline."""

    kind: Kind
    name: str
    function: Callable[..., Any]
    options: Options


class Definition(Protocol):
    """What runs a pipeline reads of it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def arguments(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def handlers(self) -> tuple[Handler, ...]: ...  # noqa: D102
    @property
    def start(self) -> Start: ...  # noqa: D102


def with_defaults(pipeline: Definition, given: Mapping[str, str]) -> dict[str, str]:
    """The arguments of a pipeline; raises `InputError` naming a given one that it does not declare."""
    declared = pipeline.arguments
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1) or sorted(declared)
            known = f"known are {', '.join(near)}" if near else "it declares none"
            raise InputError(f"{pipeline.name}.{name}", f"unknown argument of the pipeline; {known}")
    return {**declared, **given}


def checked_name(field: str, name: object) -> str:
    """A name of a pipeline or handler: it stands in addresses, file names and labels of metrics."""
    if callable(name):
        raise InputError(field, "used without parentheses; write a pair of them after it")
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise InputError(
        field,
        f"not a name: {excerpt(name)}; use up to 64 letters, digits, '_', '-' and '.', like tier_report",
    )


def checked_word(field: str, word: object, known: object) -> Any:
    """One of the words of a `Literal`."""
    words: tuple[object, ...] = get_args(known)
    if word in words:
        return word
    raise InputError(field, f"unknown word {excerpt(word)}; known are {', '.join(map(str, words))}")


def checked_count(field: str, number: object, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(number, int) and not isinstance(number, bool) and number >= least:
        return number
    raise InputError(field, f"expected a whole number of {least} or more, not {excerpt(number)}")


def checked_pattern(field: str, pattern: object) -> str | None:
    """A pattern of ids, or None for all."""
    if pattern is None or (isinstance(pattern, str) and pattern):
        return pattern
    raise InputError(field, f"expected a pattern like punk/*, not {excerpt(pattern)}")
