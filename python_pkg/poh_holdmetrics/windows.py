"""The window a question is about, as the engines take it: as_of, from and closed_only.

Turns what a caller may leave out into the published defaults. Reads no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from poh_holdmetrics.errors import Refused
from poh_holdmetrics.instants import MAX_US, us_from_instant

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant


class Window(NamedTuple):
    """[from_us, as_of_us), in the order of the engines' arguments; `from_us` None is the first instant."""

    as_of_us: int
    from_us: int | None
    closed_only: bool

    @classmethod
    def of(cls, as_of: Instant | None, from_: Instant | None, *, closed_only: bool | None) -> Self:
        """The window of a call. Without `as_of`: closed holds only, up to the end of time, as published.

        Raises `Refused` that begins with `as_of`, `from` or `closed_only`.
        """
        from_us = None if from_ is None else us_from_instant("from", from_)
        if as_of is None:
            if closed_only is False:
                raise Refused("closed_only", "False needs an as_of, up to which open holds count")
            return cls(MAX_US, from_us, closed_only=True)
        return cls(us_from_instant("as_of", as_of), from_us, closed_only=bool(closed_only))
