"""How a call of a handler has ended: an outcome, with the value or the exception that it came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Outcome(Enum):
    """How a call ended."""

    DONE = "done"
    """The handler returned."""
    FAILED = "failed"
    """It raised; the failure is logged and counted."""
    DISABLED = "disabled"
    """The handler is disabled, by this call or before it; it needs the same arguments again later."""


@dataclass(frozen=True, slots=True)
class Called:
    """The outcome of a call with the value that the handler returned, or the exception that it raised."""

    outcome: Outcome
    value: Any = None
    error: BaseException | None = None
    reason: str = ""
    """The traceback of the exception."""


#: What most calls come to.
DONE = Called(Outcome.DONE)


class NonsenseReturned(TypeError):  # noqa: N818 - named by what happened
    """A handler returned something that means that its code never ran."""


class StillRunning(Exception):  # noqa: N818 - a state of the handler, named as such
    """The last call of a blocking handler has not ended, so that there is no next one."""

    def __str__(self) -> str:
        return "the last call has not ended; it is stuck in its thread"
