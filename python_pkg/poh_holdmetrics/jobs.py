"""A job of the scheduler: what runs, how often, what happens at an overlap, and what became of its runs.

Values and counters alone, which only the scheduler changes; `scheduler` has the timers and the runs.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from poh_holdmetrics.durations import Duration, text_from_duration_us, us_from_duration
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.instants import MICROS_PER_SECOND, text_from_us

Work = Callable[[], Awaitable[object]]


class Overlap(Enum):
    """What happens at a due time while the last run of the job has not ended."""

    SKIP = "skip"
    """Skip this run and count it."""
    QUEUE = "queue"
    """Run once more when the last run ends; skip and count further due times until then."""
    ALLOW = "allow"
    """Run concurrently."""


@dataclass(eq=False, kw_only=True, slots=True)
class Job:
    """One job and its counters; times are seconds of the scheduler's clock."""

    name: str
    interval_us: int
    work: Work
    overlap: Overlap
    jitter: float
    """The part of the interval over which the due times are spread, half of it before and half after."""
    is_paused: bool = False
    """Whether due times pass without a run."""
    runs: int = 0
    """Runs started."""
    failures: int = 0
    """Runs that ended in an exception."""
    skipped: int = 0
    """Due times skipped because a run had not ended."""
    missed: int = 0
    """Due times that passed while the loop was blocked or the machine suspended."""
    running: int = 0
    """Runs in progress."""
    is_queued: bool = False
    """Whether one more run follows the current one."""
    last_due: float | None = None
    """The last due time that passed, whether a run was started then or not."""
    next_due: float | None = None
    """None while the scheduler does not run."""
    last_seconds: float | None = None
    """How long the last ended run took."""
    last_traceback: str | None = None
    """The traceback of the last failed run."""

    @classmethod
    def of(
        cls, interval: Duration, work: Work, *, name: str | None, jitter: float, overlap: Overlap | str
    ) -> Job:
        """A job with checked arguments; raises `InputError` that names the invalid one."""
        interval_us = us_from_duration("interval", interval)
        if not (math.isfinite(jitter) and 0 <= jitter <= 1):
            raise InputError("jitter", f"expected a part of the interval from 0 to 1, not {excerpt(jitter)}")
        try:
            policy = Overlap(overlap)
        except ValueError:
            known = ", ".join(each.value for each in Overlap)
            raise InputError("overlap", f"unknown policy {excerpt(overlap)}; known are {known}") from None
        label = name or str(getattr(work, "__name__", type(work).__name__))
        return cls(name=label, interval_us=interval_us, work=work, overlap=policy, jitter=jitter)

    @property
    def interval_seconds(self) -> float:
        """The interval in seconds."""
        return self.interval_us / MICROS_PER_SECOND

    def failed(self, cause: BaseException) -> None:
        """Count a failed run and keep its traceback, as text: the frames would keep their objects alive."""
        self.failures += 1
        self.last_traceback = "".join(traceback.format_exception(cause))

    def report(self, now: float, now_us: int) -> dict[str, object]:
        """The job as plain values; `now` of the scheduler's clock is the instant `now_us`."""

        def instant(at: float | None) -> str | None:
            return None if at is None else text_from_us(now_us + round((at - now) * MICROS_PER_SECOND))

        return {
            "name": self.name,
            "interval": text_from_duration_us(self.interval_us),
            "jitter": self.jitter,
            "overlap": self.overlap.value,
            "paused": self.is_paused,
            "running": self.running,
            "queued": self.is_queued,
            "runs": self.runs,
            "failures": self.failures,
            "skipped": self.skipped,
            "missed": self.missed,
            "last_due": instant(self.last_due),
            "next_due": instant(self.next_due),
            "last_seconds": self.last_seconds,
            "last_traceback": self.last_traceback,
        }
