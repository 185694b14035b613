"""What can go wrong, one class per kind; each takes facts and writes its own sentence.

    HoldMetricsError
    ├── Refused (also ValueError)            an event, or one of its fields, is not what it must be
    ├── InputError (also ValueError)         a file or an argument as a whole cannot be used
    ├── ConfigError (also ValueError)        a setting is unknown or wrong
    ├── StoreFull                            a bounded store takes no more events
    └── NativeError (also ImportError)       native code is there, but not the one this package needs

Catches nothing and logs nothing; who raises each class is said where it is raised.
"""

from __future__ import annotations


class HoldMetricsError(Exception):
    """The root: catch it to catch all that this package raises on purpose."""


class Refused(HoldMetricsError, ValueError):  # noqa: N818 - the event is refused; nothing erred here
    """An event that is not accepted. `field` names the field, the text begins with it."""

    def __init__(self, field: str, reason: str) -> None:
        """`reason` is what is wrong with `field`; an empty `field` speaks of the event as a whole."""
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field


class InputError(HoldMetricsError, ValueError):
    """A file or an argument that cannot be used; `where` names it."""

    def __init__(self, where: str, problem: str) -> None:
        """`problem` says what is wrong at `where` and how to cure it."""
        super().__init__(f"{where}: {problem}")
        self.where = where


class ConfigError(HoldMetricsError, ValueError):
    """A setting that is unknown or has a wrong value; names the key and where it was written."""

    def __init__(self, key: str, place: str, problem: str) -> None:
        """`place` is a file name or `environment`."""
        super().__init__(f"{place}: {key}: {problem}" if key else f"{place}: {problem}")
        self.key = key
        self.place = place


class StoreFull(HoldMetricsError):  # noqa: N818 - a state of the store, named as such
    """A bounded store has no room for the events given; none of them was stored."""

    def __init__(self, events: int, given: int, events_max: int) -> None:
        """`events` are held, `given` were to be added, `events_max` is the bound."""
        super().__init__(f"store holds {events} of at most {events_max} events: no room for {given} more")
        self.events_max = events_max


class NativeError(HoldMetricsError, ImportError):
    """Native code was found and cannot be used."""

    def __init__(self, module: str, problem: str) -> None:
        """`module` is the name of the module that was found."""
        super().__init__(f"{module}: {problem}")
        self.module = module
