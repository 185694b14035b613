"""The columns and keys of a file that no field is read from: near misses are refused, the others are listed.

A column whose name differs from that of a field only by case, blanks and punctuation, or that is a usual name
of a field which the file lacks, would silently change every score. The binary says the same of each;
rows are read in `row_reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from poh_holdmetrics.errors import Reason, excerpt, excerpt_without_quotes
from poh_holdmetrics.input_options import FIELDS, OWN, InputOptions

#: Names that are listed; objects may have any number of keys.
_LISTED_MAX = 100
#: Keys that are remembered at once; more than these are looked up each time.
_KEYS_MAX = 1000

_ANY, _HOLD, _NO_PARTY, _NO_HOLDER = "any", "hold", "no party", "no holder"
#: Usual names of fields, in lower case and without punctuation, and what a file has if they are meant so: the
#: times of holds and no time of a change; neither a sender nor a receiver; no holder.
_ALIASES = tuple(
    (field, context, frozenset(names.split()))
    for field, context, names in (
        ("token_id", _ANY, "token asset assetid tokenaddress contractaddress"),
        (
            "holder_id",
            _NO_PARTY,
            "holder owner ownerid user userid wallet account accountid address customer customerid",
        ),
        (
            "start",
            _HOLD,
            (
                "starttime startat startdate startts starttimestamp started startedat startsat startus "
                "startms begin beginat begintime beginsat beganat validfrom heldfrom"
            ),
        ),
        (
            "end",
            _HOLD,
            (
                "endtime endat enddate endts endtimestamp ended endedat endsat endus endms finish "
                "finishtime finishedat stop stoptime stoppedat until validto validuntil helduntil"
            ),
        ),
        ("weight", _HOLD, "weights balance quantity qty shares units stake"),
        ("at", _ANY, "atus atms attime"),
        ("from_id", _NO_HOLDER, "from fromaddress sender"),
        ("to_id", _NO_HOLDER, "to toaddress receiver recipient"),
        ("amount", _NO_HOLDER, "amounts value quantity qty"),
    )
)
_SPELLINGS = {field.replace("_", ""): field for field in FIELDS}


class NearMiss(NamedTuple):
    """A name that is probably meant for a field."""

    field: str
    problem: Reason
    """The name, and what is wrong with it."""


class UnknownColumns:
    """Which names of a file stand for no field; `ignored` lists them."""

    def __init__(self, options: InputOptions = OWN) -> None:
        """A field that the options name has no near misses."""
        self._named = frozenset((*options.columns, *options.constants))
        self._constants = options.constants
        self._ignored: set[str] = set()

    def ignored(self) -> list[str]:
        """The names that were ignored, in order, at most a hundred."""
        return sorted(self._ignored, key=lambda name: name.encode("utf-8", "replace"))

    def ignore(self, names: Iterable[str]) -> None:
        """List these as ignored."""
        for name in names:
            if len(self._ignored) < _LISTED_MAX:
                self._ignored.add(name)

    def near_miss(self, names: Iterable[str], has: Callable[[str], bool]) -> NearMiss | None:
        """The first of `names` that is probably meant for a field, if one of them is.

        `has` says of each field whether the file has it. The other names are listed as ignored.
        """
        near = None
        for name in names:
            spelling, aliases = _likeness_of(name)
            spelling = None if spelling in self._named else spelling
            if spelling is None:
                self.ignore([name])
            meant = (field for field, context in aliases if self._is_meant(field, context, has))
            field = spelling or next(meant, None)
            if field and near is None:
                said = f"{excerpt(name)}: did you mean {field}? rename it"
                words = _assignment(field, name)
                option = f"say --columns {words}" if words else "map it in a file of --mapping"
                near = NearMiss(field, Reason(f"{said}, or {option}", said))
        return near

    def _is_meant(self, field: str, context: str, has: Callable[[str], bool]) -> bool:
        def has_any(*fields: str) -> bool:
            return any(each in self._constants or has(each) for each in fields)

        fits = {
            _ANY: True,
            _HOLD: not has_any("at", "delta", "from_id", "to_id"),
            _NO_PARTY: not has_any("from_id", "to_id"),
            _NO_HOLDER: not has_any("holder_id"),
        }
        return field not in self._named and fits[context] and not has(field)


def _assignment(field: str, name: str) -> str | None:
    """The argument of `--columns` as a shell takes it, unless the option cannot have this column."""
    if name.startswith('"') or "," in name or "'" in name or excerpt_without_quotes(name) != name:
        return None
    is_plain = all(letter.isalnum() or letter in "_-./" for letter in name)
    return f"{field}={name}" if is_plain else f"'{field}={name}'"


@lru_cache(maxsize=_KEYS_MAX)
def _likeness_of(name: str) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """The field that a name spells in another way, and the fields of which it is a usual name."""
    plain = "".join(letter for letter in name if letter.isalnum()).lower()
    aliases = tuple((field, context) for field, context, names in _ALIASES if plain in names)
    return _SPELLINGS.get(plain), aliases


def ignored_columns_line(names: list[str]) -> str | None:
    """One line about ignored columns; None if there are none of them."""
    if not names:
        return None
    shown = (
        excerpt_without_quotes(name) if name and name.strip() == name and "," not in name else excerpt(name)
        for name in names
    )
    return f"ignored columns: {', '.join(shown)} (--columns FIELD=COLUMN reads a field from a column)"
