"""The window of a query, as the engines take it: as_of, from and closed_only.

Fills in the published defaults. An argument that Python cannot call `from` is named `from_` here and `from`
in messages, files and on the command line. Reads no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from poh_holdmetrics.errors import Refused
from poh_holdmetrics.instants import MAX_US, us_from_argument

if TYPE_CHECKING:
    from poh_holdmetrics.instants import Instant


class Window(NamedTuple):
    """[from_us, as_of_us), as the engines take it; `from_us` None means the beginning of time."""

    as_of_us: int
    from_us: int | None
    closed_only: bool

    @classmethod
    def of(cls, as_of: Instant | None, from_: Instant | None, *, closed_only: bool | None) -> Self:
        """The window of a call. Without `as_of`: closed holds only, up to the end of time, as published.

        Raises `Refused` that begins with `as_of`, `from` or `closed_only`.
        """
        from_us = None if from_ is None else us_from_argument("from", from_)
        if as_of is None:
            if closed_only is False:
                raise Refused("closed_only", "False needs an as_of, the time up to which open holds count")
            return cls(MAX_US, from_us, closed_only=True)
        return cls(us_from_argument("as_of", as_of), from_us, closed_only=bool(closed_only))
