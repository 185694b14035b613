"""The exceptions of the package; each takes facts and builds its own text.

    HoldMetricsError
    ├── Refused (also ValueError)            an event, or one of its fields, is invalid
    ├── InputError (also ValueError)         a file or an argument cannot be used
    │   └── ColumnError                      a column of a table cannot be used
    ├── ConfigError (also ValueError)        a setting is unknown or has an invalid value
    ├── StoreFull                            a bounded store has reached its bound
    ├── StorageError                         a storage refuses, or was closed
    │   └── StorageUnavailable               its server or file cannot be reached now
    ├── ServiceError                         the service did not do what a pipeline asked for
    ├── ClientError                          a call of a client failed; see `client.errors`
    ├── PipelineFailed                       a run of a pipeline had a fault
    └── NativeError (also ImportError)       native code was found and cannot be used

Catches nothing and logs nothing; the functions that raise each class say so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

#: Characters of an offending value that a message shows.
_EXCERPT_CHARACTERS_MAX = 40
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
#: Halves of pairs: JSON can name one alone, and no text that is valid Unicode has one.
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Reason:
    """What is wrong, with the cure for files, which may be an option, and the one for a service."""

    for_files: str
    for_service: str

    @classmethod
    def of(cls, form: str, option: str, instead: str = "") -> Self:
        """A sentence in which `{}` is the cure: an option of the command line, or what stands for it."""
        return cls(form.format(option), form.format(instead))

    def within(self, form: str) -> Reason:
        """A sentence in which `{}` is this one."""
        return Reason(form.format(self.for_files), form.format(self.for_service))


class HoldMetricsError(Exception):
    """The base class of every exception that this package raises on purpose."""


class Refused(HoldMetricsError, ValueError):  # noqa: N818 - a refusal is an answer, not a failure
    """An event is refused. `field` names the invalid field, and the text begins with it.

    `blamed` is one field also if `field` lists several or is empty, `reason` is the text after the field, and
    `sentence` is the text without the offending value: what a service answers.
    """

    def __init__(self, field: str, reason: str | Reason, found: object = None, *, blamed: str = "") -> None:
        """`reason` says what is wrong with `field`, `found` is its value.

        An empty `field` means the event as a whole; `found` None means that there is no value to show.
        """
        self.field = field
        self.blamed = blamed or field
        self.reason = Reason(reason, reason) if isinstance(reason, str) else reason
        self._found = found
        said = self.reason.for_files
        self.sentence = f"{field}: {said}" if field else said
        super().__init__(self.sentence if found is None else f"{self.sentence}; found {excerpt(found)}")

    def for_service(self) -> Refused:
        """The same with the cure that a client of a service has."""
        return Refused(self.field, self.reason.for_service, self._found, blamed=self.blamed)


class InputError(HoldMetricsError, ValueError):
    """A file or an argument cannot be used; `where` names it."""

    def __init__(self, where: str, problem: str) -> None:
        """`problem` says what is wrong with `where` and names the cure."""
        super().__init__(f"{where}: {problem}")
        self.where = where


class ColumnError(InputError):
    """Columns cannot be used; the text begins with `where`, which names them, as a sentence."""

    def __init__(self, where: str, problem: str) -> None:
        """`problem` says what is wrong with the columns."""
        super().__init__(where, problem)
        self.args = (f"{where} {problem}",)


class ConfigError(HoldMetricsError, ValueError):
    """A setting is unknown or has an invalid value; names the key and its origin."""

    def __init__(self, key: str, origin: str, problem: str) -> None:
        """`origin` is a file name, `environment` or `arguments`."""
        super().__init__(f"{origin}: {key}: {problem}" if key else f"{origin}: {problem}")
        self.key = key
        self.origin = origin


class StoreFull(HoldMetricsError):  # noqa: N818 - a state of the store, named as such
    """A bounded store cannot hold the events to be added; none of them was stored."""

    def __init__(self, events: int, given: int, events_max: int) -> None:
        """`events` is how many are held, `given` how many were to be added, `events_max` the bound."""
        super().__init__(f"store holds {events} of at most {events_max} events; {given} more do not fit")
        self.events_max = events_max


class StorageError(HoldMetricsError):
    """A storage refuses what it was asked for, or was closed; `storage` names it."""

    def __init__(self, storage: str, problem: str) -> None:
        """`storage` is the kind or the address, without a password."""
        super().__init__(f"{storage}: {problem}")
        self.storage = storage


class StorageUnavailable(StorageError):  # noqa: N818 - a state of the storage, named as such
    """The server or the file of a storage cannot be reached now; the call can be repeated."""


class ServiceError(HoldMetricsError):
    """The service did not do what a pipeline asked for: its text says why."""


class PipelineFailed(HoldMetricsError):  # noqa: N818 - named by what happened
    """A run of a pipeline has ended because a handler raised or an item was refused."""

    def __init__(self, pipeline: str, problem: str, traceback: str = "") -> None:
        """`traceback` is that of the handler."""
        super().__init__(f"pipeline {pipeline}: {problem}" + (f"\n{traceback}" if traceback else ""))
        self.pipeline = pipeline
        self.traceback = traceback


class NativeError(HoldMetricsError, ImportError):
    """Native code was found and cannot be used."""

    def __init__(self, module: str, problem: str) -> None:
        """`module` is the name of the module that was found."""
        super().__init__(f"{module}: {problem}")
        self.module = module


def excerpt(value: object) -> str:
    """A value as messages show it: escaped, at most 40 characters, `...` for the rest; text is quoted."""
    # A number of a JSON document is a subclass of str, and shown as it was written.
    if type(value) is not str:
        return excerpt_without_quotes(_written(value))
    return _shortened(value, '"{}"', _escaped_in_quotes)


def excerpt_without_quotes(text: str) -> str:
    """A text in the same way, without quotes: a number as it was written, or the name of a column."""
    return _shortened(text, "{}", _escaped)


def _shortened(text: str, form: str, escape: Callable[[str], str]) -> str:
    shown = form.format("".join(map(escape, text[:_EXCERPT_CHARACTERS_MAX])))
    return shown if len(text) <= _EXCERPT_CHARACTERS_MAX else f"{shown}..."


def _written(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    try:
        return repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return hex(value) if isinstance(value, int) else type(value).__name__


def _escaped_in_quotes(character: str) -> str:
    return f"\\{character}" if character in '"\\' else _escaped(character)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    number = ord(character)
    return f"\\u{number:x}" if number in _SURROGATES else f"\\u{{{number:x}}}"
