"""`Pipeline`: the object on which an operator's file registers its functions.

    pipeline = Pipeline("tiers")

    @pipeline.on_batch(token="punk/*")
    def follow(batch: Batch, ctx: Context) -> None: ...

Each decorator checks its options, stores a `Handler` and returns the function unchanged; nothing runs and
nothing is registered anywhere else. `runtime` drives the handlers, `testing` tries them without a service.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from poh_holdmetrics.durations import Duration, seconds_from_duration
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.pipeline.handlers import (
    EVENTS,
    FilterOptions,
    GateOptions,
    Handler,
    Isolation,
    JobOptions,
    Kind,
    OnError,
    OnTimeout,
    Options,
    Overlap,
    SinkOptions,
    SourceOptions,
    checked_count,
    checked_name,
    checked_pattern,
    checked_word,
    with_defaults,
)
from poh_holdmetrics.pipeline.port import Start
from poh_holdmetrics.pipeline.running.run_once import OnFault, Report, run_once

if TYPE_CHECKING:
    from poh_holdmetrics.data_models import HoldEvent
    from poh_holdmetrics.pipeline.context import Context
    from poh_holdmetrics.pipeline.port import Batch
    from poh_holdmetrics.policies.segments import Segments
    from poh_holdmetrics.policies.values import Score
    from poh_holdmetrics.tracker import AsyncTracker

_BatchFunction = TypeVar("_BatchFunction", bound="Callable[[Batch, Context], object]")
_EventFunction = TypeVar("_EventFunction", bound="Callable[[HoldEvent, Context], object]")
_JobFunction = TypeVar("_JobFunction", bound="Callable[[Context], object]")
#: The second argument is the position of the last run, None in the first one.
_SourceFunction = TypeVar(
    "_SourceFunction", bound="Callable[[Context, Any], AsyncIterable[Any] | Iterable[Any]]"
)
_TransformFunction = TypeVar("_TransformFunction", bound=Callable[[Any], object])
_PolicyFunction = TypeVar("_PolicyFunction", bound="Callable[[Segments], Mapping[str, Score]]")


class Pipeline:
    """The functions of one pipeline, in the order of their registration."""

    def __init__(
        self,
        name: str,
        *,
        isolation: Isolation = "none",
        start: Start = "now",
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """`start` says where `on_batch` and `on_event` begin when the pipeline runs for the first time.

        `isolation="process"` runs the whole pipeline in a process of its own. `arguments` declares the
        arguments that an operator may give, each with its default; handlers read them in `ctx.arguments`.
        """
        self._name = checked_name("name", name)
        self._isolation: Isolation = checked_word("isolation", isolation, Isolation)
        self._start: Start = checked_word("start", start, Start)
        self._arguments = dict(arguments or {})
        self._handlers: dict[str, Handler] = {}

    def __repr__(self) -> str:
        return f"Pipeline({self._name!r})"

    @property
    def name(self) -> str:
        """The name by which operators know it, and under which its cursors and state are stored."""
        return self._name

    @property
    def isolation(self) -> Isolation:
        """`none`, or `process` if it runs in a process of its own."""
        return self._isolation

    @property
    def start(self) -> Start:
        """Where `on_batch` and `on_event` begin without a cursor."""
        return self._start

    @property
    def arguments(self) -> Mapping[str, str]:
        """The declared arguments, with the values that were given."""
        return MappingProxyType(self._arguments)

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """All handlers, in the order of their registration."""
        return tuple(self._handlers.values())

    def set_arguments(self, given: Mapping[str, str]) -> None:
        """Replace defaults; raises `InputError` naming an argument that the pipeline does not declare."""
        self._arguments = with_defaults(self, given)

    def on_batch(
        self,
        name: str | None = None,
        *,
        token: str | None = None,
        holder: str | None = None,
        on_error: OnError = "log",
        retries: int = 3,
        timeout: Duration | None = None,
        blocking: bool = False,
    ) -> Callable[[_BatchFunction], _BatchFunction]:
        """Call a function with each batch of acknowledged events, as columns: `(batch, ctx)`.

        `token` and `holder` are patterns with `*` and `?`; the function is not called for a batch of which
        nothing is left.
        """
        return self._registering(
            "on_batch",
            name,
            _filtered(token, holder, on_error, retries, timeout, blocking=blocking),
        )

    def on_event(
        self,
        name: str | None = None,
        *,
        token: str | None = None,
        holder: str | None = None,
        on_error: OnError = "log",
        retries: int = 3,
        timeout: Duration | None = None,
        blocking: bool = False,
    ) -> Callable[[_EventFunction], _EventFunction]:
        """The same, one event at a time: `(event, ctx)`, `def` or `async def`."""
        return self._registering(
            "on_event",
            name,
            _filtered(token, holder, on_error, retries, timeout, blocking=blocking),
        )

    def every(
        self,
        interval: Duration,
        *,
        name: str | None = None,
        jitter: float = 0.0,
        overlap: Overlap = "skip",
        on_error: OnError = "log",
        retries: int = 3,
        timeout: Duration | None = None,
        blocking: bool = False,
    ) -> Callable[[_JobFunction], _JobFunction]:
        """Call a function at an interval: `(ctx)`.

        `jitter` is the part of the interval, from 0 to 1, by which runs are moved at random. If the last run
        has not ended, `overlap` skips the run, queues one, or allows several at once.
        """
        if not 0 <= jitter <= 1:
            raise InputError("jitter", f"expected a part of the interval from 0 to 1, not {excerpt(jitter)}")
        options = JobOptions(
            interval_seconds=seconds_from_duration("every", interval),
            jitter=float(jitter),
            overlap=checked_word("overlap", overlap, Overlap),
            on_error=checked_word("on_error", on_error, OnError),
            retries=checked_count("retries", retries, 0),
            timeout_seconds=_limit(timeout),
            blocking=blocking,
        )
        return self._registering("every", name, options)

    def sink(
        self,
        name: str | None = None,
        *,
        batch: int = 1000,
        flush: Duration = 1,
        start: Start = "beginning",
        token: str | None = None,
        holder: str | None = None,
        on_error: OnError = "retry",
        retries: int = 3,
        timeout: Duration | None = None,
        blocking: bool = False,
    ) -> Callable[[_BatchFunction], _BatchFunction]:
        """Deliver every event to a function of its own pace, at least once: `(batch, ctx)`.

        The sink has a durable cursor. It is called with up to `batch` events, or with fewer when the oldest
        has waited for `flush`. `start` says where it begins when it runs for the first time. After `retries`
        further calls the events are parked in a dead-letter file.
        """
        options = SinkOptions(
            batch=checked_count("batch", batch, 1),
            flush_seconds=seconds_from_duration("flush", flush, least_us=0),
            start=checked_word("start", start, Start),
            token=checked_pattern("token", token),
            holder=checked_pattern("holder", holder),
            on_error=checked_word("on_error", on_error, OnError),
            retries=checked_count("retries", retries, 0),
            timeout_seconds=_limit(timeout),
            blocking=blocking,
        )
        return self._registering("sink", name, options)

    def source(
        self,
        name: str | None = None,
        *,
        every: Duration | None = None,
        on_error: OnError = "log",
        retries: int = 3,
        timeout: Duration | None = None,
        blocking: bool = False,
    ) -> Callable[[_SourceFunction], _SourceFunction]:
        """Bring items in: a generator `(ctx, position)`, asynchronous or not, once or at an interval.

        It yields items, or pairs `(item, position)`. The items pass the transforms and are recorded; then the
        position, which is any JSON value, is stored, and the next run is given the last one.
        """
        options = SourceOptions(
            interval_seconds=None if every is None else seconds_from_duration("every", every),
            on_error=checked_word("on_error", on_error, OnError),
            retries=checked_count("retries", retries, 0),
            timeout_seconds=_limit(timeout),
            blocking=blocking,
        )
        return self._registering("source", name, options)

    def transform(self, name: str | None = None) -> Callable[[_TransformFunction], _TransformFunction]:
        """Change the items of the sources: from one item to another, to a list of items, or to None.

        None drops the item. The last transform returns `HoldEvent` or `Transfer`.
        """
        return self._registering("transform", name, Options())

    def before_accept(
        self,
        name: str | None = None,
        *,
        budget: Duration = "2ms",
        on_timeout: OnTimeout = "accept",
        token: str | None = None,
        holder: str | None = None,
    ) -> Callable[[_BatchFunction], _BatchFunction]:
        """Refuse or change events before they are recorded: `(batch, ctx)`.

        It returns None to accept all rows, or by row a reason, or a `HoldEvent` that takes its place: as a
        list, or as a mapping from numbers of rows. A transfer is two rows and is refused if one of them is.
        When `budget` has passed, or the function has failed, `on_timeout` accepts the events as they are, or
        refuses them. Events that the pipeline itself emits are not checked.
        """
        options = GateOptions(
            budget_seconds=seconds_from_duration("budget", budget),
            on_timeout=checked_word("on_timeout", on_timeout, OnTimeout),
            token=checked_pattern("token", token),
            holder=checked_pattern("holder", holder),
        )
        return self._registering("before_accept", name, options)

    def policy(self, name: str | None = None) -> Callable[[_PolicyFunction], _PolicyFunction]:
        """Publish scores of another kind: a pure function of `(segments)` that returns holder -> score.

        A score is an int, a `Fraction` or a `Decimal`.
        """
        return self._registering("policy", name, Options())

    async def run(self, tracker: AsyncTracker, *, on_error: OnFault = "fail") -> Report:
        """Run everything once over a tracker: sources to their ends, then every handler that is left.

        What is recorded in the tracker meanwhile is delivered as well. With `on_error="fail"` the run ends at
        the first handler that raises or, when the sources have been read, with the first refused item, and
        raises `PipelineFailed`; `skip` goes on as the service does, and the report has the counts.
        """
        checked_word("on_error", on_error, OnFault)
        return await run_once(self, tracker, on_error=on_error)

    def _registering(self, kind: Kind, name: str | None, options: Options) -> Callable[[Any], Any]:
        if name is not None:
            checked_name(kind, name)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            if not callable(function):
                raise InputError(kind, f"expected a function, not {excerpt(function)}")
            own = checked_name(kind, getattr(function, "__name__", "") if name is None else name)
            if own in self._handlers:
                known = self._handlers[own].kind
                raise InputError(kind, f"the name {own} is taken by the {known} handler; choose another")
            if own == EVENTS:
                raise InputError(kind, f"the name {own} is taken by the cursor of on_batch and on_event")
            self._handlers[own] = Handler(kind=kind, name=own, function=function, options=options)
            return function

        return register


def _filtered(
    token: str | None,
    holder: str | None,
    on_error: OnError,
    retries: int,
    timeout: Duration | None,
    *,
    blocking: bool,
) -> FilterOptions:
    return FilterOptions(
        token=checked_pattern("token", token),
        holder=checked_pattern("holder", holder),
        on_error=checked_word("on_error", on_error, OnError),
        retries=checked_count("retries", retries, 0),
        timeout_seconds=_limit(timeout),
        blocking=blocking,
    )


def _limit(timeout: Duration | None) -> float | None:
    return None if timeout is None else seconds_from_duration("timeout", timeout)
