"""Request ids, which name a request in the logs of several programs: the caller's own, or a new one."""

from __future__ import annotations

import itertools
import secrets

REQUEST_ID = "x-request-id"
_LENGTH_MAX = 64
_BITS = 64


class RequestIds:
    """Makes ids from a random start, so that those of two processes differ."""

    def __init__(self) -> None:
        self._next = itertools.count(secrets.randbits(_BITS))

    def of(self, given: str | None) -> str:
        """The id that the caller has given if it is short and printable, or a new one."""
        if given and len(given) <= _LENGTH_MAX and all("!" <= letter <= "~" for letter in given):
            return given
        return f"{next(self._next) % 2**_BITS:016x}"
