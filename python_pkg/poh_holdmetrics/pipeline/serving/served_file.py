"""One pipeline file of a service, or a store: which generation of it runs, and how the next one replaces it.

A reload stages the new generation (loads and checks it), stops the old one when its calls have ended, and
starts the new one where the old one has committed. If the new one is broken the old one goes on, and
`problem` says why. Knows no handler; what runs a generation is a `Runner`, in this process or in one of its
own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from poh_holdmetrics.errors import HoldMetricsError, InputError
from poh_holdmetrics.pipeline.loading.loader import LoadError, text_of_traceback

if TYPE_CHECKING:
    from poh_holdmetrics.pipeline.loading.file_watch import Seen
    from poh_holdmetrics.pipeline.port import Host
    from poh_holdmetrics.pipeline.running.delivery import Replayed

_log = logging.getLogger(__name__)


class Jobs(Protocol):
    """The jobs of another process, as `AsyncScheduler` has those of this one."""

    async def report(self, now_us: int) -> list[dict[str, object]]:
        """The jobs as plain values."""

    async def pause(self, name: str) -> None:
        """Start no run of a job at its due times until it is resumed."""

    async def resume(self, name: str) -> None:
        """Run a paused job again."""

    async def run_now(self, name: str) -> bool:
        """Start a run of a job at once; False if its last one has not ended."""


class Served(Protocol):
    """What should run: a file, or a store, which is a pipeline without a file."""

    @property
    def label(self) -> str:
        """As operators see it."""

    @property
    def short_label(self) -> str:
        """As the log names it."""

    def declared(self) -> list[str]:
        """The names of its pipelines, as far as they can be read."""

    def seen(self) -> Seen:
        """What it is made of, as it is now."""


class Runner(Protocol):
    """One generation of a file: loaded and checked, and started later."""

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines of the file."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file and its helpers."""

    @property
    def jobs(self) -> Jobs | None:
        """The jobs of a process of its own; None if the service's scheduler has them."""

    async def start(self) -> None:
        """Run the pipelines from where they have committed; can be repeated after `stop`."""

    async def stop(self, drain_seconds: float) -> None:
        """Finish current calls, commit and close the consumers; does nothing if nothing runs."""

    async def drop(self) -> None:
        """Release what the generation holds, when it will not be started again."""

    async def replay(self, pipeline: str, handler: str | None) -> dict[str, Replayed]:
        """Deliver the dead letters of one sink of a pipeline again, or of all; by name of the sink."""

    async def enable(self, pipeline: str) -> None:
        """Call the disabled handlers of a pipeline again."""


_QUARANTINED = (
    "it blocked Python until the process was ended, and is not executed; "
    "repair the file and enable the pipeline"
)

#: Loads and checks one generation of a `Served` of the kind that it knows; raises `HoldMetricsError`.
Stage = Callable[[Any, int], Awaitable[Runner]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why the newest version of a file does not run."""

    sentence: str
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.sentence}\n{self.traceback}" if self.traceback else self.sentence


class ServedFile:
    """A pipeline file that should run, whether it does or not."""

    def __init__(
        self,
        spec: Served,
        *,
        host: Host,
        stage: Stage,
        names: dict[str, ServedFile],
        quarantined: Mapping[str, str],
        drain_seconds: float,
    ) -> None:
        """`names` says for all files of the service which pipelines each of them has.

        `quarantined` has names of pipelines that are not executed, each with its file.
        """
        self.spec = spec
        self.generation = 0
        self.runner: Runner | None = None
        self.problem: Problem | None = None
        self._host = host
        self._stage = stage
        self._names = names
        self._quarantined = quarantined
        self._is_released = False
        self._drain_seconds = drain_seconds
        self._seen: Seen | None = None
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._has_names = False

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines that run, or under which a file that does not run is reported."""
        return tuple(name for name, file in self._names.items() if file is self)

    async def reload(self) -> None:
        """Let the version that is on disk now, or a later one, take the place of the running one.

        Requests during a reload are answered together by one more reload. Afterwards `problem` says whether
        it is that version that runs. Raises nothing.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._reload_in_turn(), name=f"reload of {self.spec}")
        await asyncio.shield(self._next)

    def has_changed(self) -> bool:
        """Whether the text of the file or of a helper is another one than at the last reload."""
        if self._seen is None or self._next is not None or self._seen.has_stamps():
            return False
        now = self.spec.seen()
        is_same = now.digest is not None and now.digest == self._seen.digest
        if is_same:
            self._seen = now
        return not is_same

    @property
    def is_quarantined(self) -> bool:
        """Whether the file is not executed, because it has blocked the process before."""
        if self._is_released or not self._quarantined:
            return False
        is_named = any(name in self._quarantined for name in (*self.names, *self._declared()))
        return is_named or self.spec.label in self._quarantined.values()

    async def release(self) -> None:
        """Execute a quarantined file again."""
        self._is_released = True
        await self.reload()

    async def stop(self) -> None:
        """Stop the running generation and start no other one."""
        self._is_stopped = True
        async with self._turn:
            runner, self.runner = self.runner, None
            if runner is not None:
                await runner.stop(self._drain_seconds)
                self._report("stopped", runner.digest)
                await runner.drop()

    def forget(self) -> None:
        """Report the pipelines of a stopped file no longer."""
        for name in self.names:
            self._remove(name)

    async def _reload_in_turn(self) -> None:
        async with self._turn:
            self._next = None  # what is asked for from here on may need a later version
            if not self._is_stopped:
                await self._reload()

    async def _reload(self) -> None:
        self._seen = self.spec.seen()
        if self.is_quarantined:
            self._take_declared()
            self.problem = Problem(sentence=f"{self.spec.label}: {_QUARANTINED}")
            self._report("quarantined", "", _QUARANTINED)
            return
        if self.runner is None:
            self._take_declared()
        # A watchdog says which file is stuck by the state from before it is executed.
        self._report("loading" if self.runner is None else "reloading", "")
        try:
            new = await self._stage(self.spec, self.generation + 1)
        except Exception as error:  # noqa: BLE001 - a broken file must not end the service
            self._fail(error)
            return
        for name in new.names:
            owner = self._names.get(name, self)
            if owner is not self and owner._has_names:  # noqa: SLF001 - of the same class
                await new.drop()
                problem = f"the name {name} is that of a pipeline in {owner.spec.label}; choose another"
                self._fail(InputError(self.spec.label, problem))
                return
        self._claim(new.names)
        await self._swap(new)

    def _claim(self, names: Sequence[str]) -> None:
        """Take the names before anything is awaited, so that no other file takes them meanwhile."""
        self._has_names = True
        for name in names:
            if name not in self.names:
                self._names[name] = self

    async def _swap(self, new: Runner) -> None:
        old = self.runner
        try:
            if old is not None:
                await old.stop(self._drain_seconds)
            await new.start()
        except Exception as error:  # noqa: BLE001 - the old generation takes over again
            await new.stop(0)
            await new.drop()
            await self._start_again(old)
            self._fail(error)
            return
        self.runner, self.problem = new, None
        self.generation += 1
        for name in self.names:
            if name not in new.names:
                self._remove(name)
        self._report("running", new.digest)
        _log.info(
            "Runs %s of %s, generation %d.", ", ".join(new.names), self.spec.short_label, self.generation
        )
        if old is not None:
            await old.drop()

    async def _start_again(self, old: Runner | None) -> None:
        if old is None:
            return
        try:
            await old.start()
        except Exception:  # noqa: BLE001 - the service goes on without it
            self.runner = None
            await old.drop()
            _log.exception(
                "The generation of %s before the broken one does not start again.", self.spec.label
            )

    def _fail(self, error: Exception) -> None:
        self.problem = problem = problem_of(error)
        if self.runner is not None:
            for name in self.names:
                if name not in self.runner.names:
                    self._remove(name)
            self._report("running", self.runner.digest, str(problem))
            message = "The new version of %s is broken, generation %d goes on: %s"
            _log.error(message, self.spec.short_label, self.generation, problem)
            return
        self._has_names = False
        self._take_declared()
        self._report("failed", "", str(problem))
        _log.error("%s does not run: %s", self.spec.short_label, problem)

    def _take_declared(self) -> None:
        """Be reported under the names that the file declares now."""
        names = self._declared()
        for name in self.names:
            if name not in names:
                self._remove(name)
        for name in names:
            self._names.setdefault(name, self)

    def _declared(self) -> list[str]:
        """The names under which a file that does not run is reported: those that no other file has."""
        wanted = self.spec.declared() or list(self.names)
        for names in (wanted, [self.spec.short_label.removesuffix(".py")], [str(self.spec)]):
            free = [name for name in names if self._names.get(name, self) is self]
            if free:
                return free
        return []

    def _report(self, state: str, digest: str, detail: str = "") -> None:
        for name in self.names:
            self._host.pipeline_state(
                name,
                state,
                generation=self.generation,
                detail=detail,
                file=self.spec.label,
                digest=digest,
            )

    def _remove(self, name: str) -> None:
        del self._names[name]
        self._host.set_gates(name, ())
        self._host.set_policies(name, ())
        self._host.pipeline_state(name, "removed", generation=self.generation, file=self.spec.label)


def problem_of(error: BaseException) -> Problem:
    """An exception as one sentence and its traceback."""
    if isinstance(error, LoadError):
        return Problem(sentence=str(error), traceback=error.traceback)
    if isinstance(error, HoldMetricsError):
        return Problem(sentence=str(error), traceback=getattr(error, "traceback", ""))
    return Problem(sentence=f"{type(error).__name__}: {error}", traceback=text_of_traceback(error))
