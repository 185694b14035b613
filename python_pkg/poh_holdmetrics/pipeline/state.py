"""`ctx.state`: a pipeline's small durable values, committed with the cursor of the call that changed them.

Values are JSON: text, numbers, booleans, None, lists and dictionaries of them. A call sees its own changes at
once and those of other handlers when they have ended well; the changes of a call that raised are dropped.
Storing is the host's part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from poh_holdmetrics.errors import InputError, excerpt

#: Keys of the runtime itself, such as the positions of sources, begin with this.
RESERVED = ":"

_KEY_CHARACTERS_MAX = 200
_VALUE_BYTES_MAX = 1 << 20


class _Text(str):
    """A list or dictionary as JSON text, so that a change of what was read changes nothing stored."""

    __slots__ = ()


_Stored = None | bool | int | float | str | _Text
#: Marks a removed key among changes.
_REMOVED = object()


class SharedState:
    """The values of one pipeline, as all its handlers see them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts` is what the host has stored, as JSON texts; reserved keys may be among them."""
        self._values: dict[str, object] = {key: _stored(key, json.loads(text)) for key, text in texts.items()}

    def values(self) -> dict[str, Any]:
        """All values but those of reserved keys."""
        return {key: _value(each) for key, each in self._values.items() if not key.startswith(RESERVED)}


class State(MutableMapping[str, Any]):
    """The state as the calls of one handler see it.

    A list or dictionary that was read is a copy: assign it again to keep a change of it. A key should be
    written by one handler only, because calls of several handlers may overlap.
    """

    __slots__ = ("_changes", "_shared")

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared._values  # noqa: SLF001 - two halves of one thing
        self._changes: dict[str, object] = {}

    def __getitem__(self, key: str) -> Any:
        found = self._changes[key] if key in self._changes else self._shared[key]
        if found is _REMOVED:
            raise KeyError(key)
        return _value(found)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str) or not 0 < len(key) <= _KEY_CHARACTERS_MAX or key.startswith(RESERVED):
            raise InputError(
                "state",
                f"not a key: {excerpt(key)}; use text of 1 to {_KEY_CHARACTERS_MAX} characters "
                f"that does not begin with {RESERVED!r}",
            )
        self._changes[key] = _stored(key, value)

    def __delitem__(self, key: str) -> None:
        self[key]  # raises KeyError for an absent key
        self._changes[key] = _REMOVED

    def __iter__(self) -> Iterator[str]:
        keys = dict.fromkeys([*self._shared, *self._changes])
        return iter([k for k in keys if not k.startswith(RESERVED) and self._changes.get(k) is not _REMOVED])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"State({dict(self)!r})"

    @property
    def is_changed(self) -> bool:
        """Whether the call has changed anything."""
        return bool(self._changes)

    def keep(self) -> dict[str, str | None]:
        """Let the other handlers see the changes of this call; returns them as the host stores them."""
        changes, self._changes = self._changes, {}
        texts: dict[str, str | None] = {}
        for key, stored in changes.items():
            if stored is _REMOVED:
                self._shared.pop(key, None)
                texts[key] = None
            else:
                self._shared[key] = stored
                texts[key] = stored if isinstance(stored, _Text) else json.dumps(stored)
        return texts

    def drop(self) -> None:
        """Forget the changes of this call, which raised."""
        self._changes = {}


def _stored(key: str, value: object) -> _Stored:
    kind = type(value)
    if value is None or kind is bool or kind is int:
        return value  # type: ignore[return-value]
    if kind is str and len(value) < _VALUE_BYTES_MAX // 4:  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    if kind is float and math.isfinite(value):  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    try:
        text = _Text(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"state[{excerpt(key)}]",
            f"not a JSON value: {excerpt(value)} ({error}); store text, numbers, lists or dictionaries",
        ) from None
    if len(text) > _VALUE_BYTES_MAX:
        raise InputError(
            f"state[{excerpt(key)}]",
            f"{len(text)} bytes as JSON, at most {_VALUE_BYTES_MAX} are kept; keep less, or use a sink",
        )
    return text


def _value(stored: object) -> Any:
    return json.loads(stored) if type(stored) is _Text else stored
