"""Back-off that grows, and the circuit breaker of one handler.

Values only: the time is an argument and the jitter comes from a seeded source, so that a test knows every
delay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


@dataclass(kw_only=True, slots=True)
class Backoff:
    """Delays that double from the first to the longest, each moved at random by a part of itself."""

    random: Random
    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    jitter: float = 0.2

    def seconds(self, attempt: int) -> float:
        """The delay after the failed attempt of this number; the first is 1."""
        doublings = min(attempt - 1, 32)
        plain = min(self.longest_seconds, self.first_seconds * 2.0**doublings)
        return plain * (1 + self.jitter * (2 * self.random.random() - 1))


@dataclass(kw_only=True, slots=True)
class Breaker:
    """Opens after so many failures in a row; each later failure opens it again, for longer."""

    backoff: Backoff
    failures_max: int = 5
    failures: int = 0
    """Failures in a row."""
    open_until: float = field(default=0.0, init=False)
    """In the seconds of the clock that `failed` was given; no call may begin before it."""

    def failed(self, now: float) -> float | None:
        """Count a failure; returns for how many seconds the breaker is open, or None if it is not."""
        self.failures += 1
        if self.failures < self.failures_max:
            return None
        seconds = self.backoff.seconds(self.failures - self.failures_max + 1)
        self.open_until = now + seconds
        return seconds

    def succeeded(self) -> None:
        """Close it and forget the failures."""
        self.failures = 0
        self.open_until = 0.0
