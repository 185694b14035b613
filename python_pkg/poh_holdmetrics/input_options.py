"""How rows are read that are not written as ours are: names of columns, constants, forms of values.

The options of `main_holdmetrics score`, under the same names, from arguments and from a mapping file. Native
code gets them as JSON; the pure-Python readers apply them in `value_forms`.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, get_args

from poh_holdmetrics.errors import InputError, excerpt

Feed = Literal[
    "ethereum-etl",
    "bigquery",
    "cryo",
    "hypersync",
    "dune",
    "allium",
    "etherscan",
    "alchemy",
    "spice",
    "staking",
    "transfers",
]
InputFormat = Literal["auto", "jsonl", "csv", "parquet"] | Feed
TokenKind = Literal["erc20", "erc721", "erc1155"]
TimeUnit = Literal["s", "ms", "us", "ns"]
BinaryIds = Literal["text", "hex"]

#: The columns of a CSV file and the fields of a JSON line, in the order of `records_from_fields`.
FIELDS = (
    *("token_id", "holder_id", "start", "end", "weight", "event_id", "revision", "retract"),
    *("at", "delta", "seq", "from_id", "to_id", "amount"),
)
_CONSTANTS = ("token_id", "holder_id", "from_id", "to_id", "weight", "delta", "amount")
_DELIMITERS = {",": ",", ";": ";", "\t": "\t", "\\t": "\t", "tab": "\t", "|": "|"}
_FLAGS = ("assume_utc", "fold_hex_ids", "long")
_DECIMALS_MAX = 77
_QUOTED_MIN = 2


class GivenOptions(TypedDict, total=False):
    """The arguments of a call that say how rows are read; None means as in the mapping file."""

    mapping: str | os.PathLike[str] | None
    input_format: InputFormat | None
    columns: Mapping[str, str] | None
    token: str | None
    time_unit: TimeUnit | None
    assume_utc: bool
    decimals: int | None
    null: Collection[str]
    token_kind: TokenKind | None
    blocks: str | os.PathLike[str] | None
    decimals_file: str | os.PathLike[str] | None
    delimiter: str | None
    fold_hex_ids: bool
    binary_ids: BinaryIds | None


@dataclass(frozen=True, kw_only=True, slots=True)
class InputOptions:
    """How rows are read; the default reads our own columns in our own forms."""

    input_format: InputFormat = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    """The column or JSON key of each field that has another name."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """The text that a field has in every row."""
    time_unit: TimeUnit = "ms"
    """The unit of times that are numbers or digits."""
    assume_utc: bool = False
    """Whether text without an offset is UTC, and a date alone its midnight."""
    decimals: int = 0
    """Weights, deltas and amounts are counts of 10^-decimals."""
    null: tuple[str, ...] = ()
    """Texts that mean an absent value."""
    delimiter: str | None = None
    """What separates the cells of CSV; None means that it is found from the header."""
    fold_hex_ids: bool = False
    """Whether ids of `0x` and hexadecimal digits are brought to lower case."""
    long: bool = False
    """Whether native code takes up to 2 GiB of memory for zstd data with long windows."""
    binary_ids: BinaryIds = "text"
    """How binary columns of ids are read."""
    token_kind: TokenKind | None = None
    """What the tokens of a feed are."""
    blocks: str | None = None
    """A file with the times of blocks, which the times of rows then are."""
    decimals_file: str | None = None
    """A file with the decimals of tokens."""

    @classmethod
    def of(cls, given: GivenOptions) -> Self:
        """The options of a call; its arguments replace what its mapping file says, and each `null` is added.

        Raises `InputError` that names the argument or the file.
        """
        arguments: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        mapping = arguments.pop("mapping", None)
        for name in ("blocks", "decimals_file"):
            if name in arguments:
                arguments[name] = os.fspath(arguments[name])
        options = cls() if mapping is None else cls().updated(_table(Path(mapping)), f"{mapping}: ")
        return options.updated(arguments)

    def json(self) -> str:
        """The options as native code takes them: a table `[input]` of a mapping file."""
        table = {each.name: getattr(self, each.name) for each in fields(self)}
        constants = {name: f'"{text}"' for name, text in table.pop("constants").items()}
        table["columns"] = {**table["columns"], **constants}
        return json.dumps({name: value for name, value in table.items() if value is not None})

    @property
    def is_of_feeds(self) -> bool:
        """Whether an option is for files that known feeds export."""
        names = ("token_kind", "blocks", "decimals_file")
        return self.input_format in get_args(Feed) or any(getattr(self, name) is not None for name in names)

    def source(self, name: str) -> str | None:
        """The column that a field is read from.

        None if it has the same text in every row, or if the column of its own name is that of another field.
        """
        if name in self.constants:
            return None
        own = None if name in self.columns.values() else name
        return self.columns.get(name, own)

    def updated(self, given: Mapping[str, Any], origin: str = "") -> Self:
        """These options with what a table or a call gives besides; messages begin with `origin`."""
        columns, constants = dict(self.columns), dict(self.constants)
        sources = dict(given.get("columns", {}))
        if "token" in given:
            if "token_id" in sources:
                raise InputError(f"{origin}token", "columns gives a token_id, too; keep one of them")
            sources["token_id"] = f'"{given["token"]}"'
        for name, source in sources.items():
            _check_source(f"{origin}columns", name, source)
            columns.pop(name, None)
            constants.pop(name, None)
            if (text := _constant(source)) is None:
                columns[name] = source
            else:
                constants[name] = text
        for name, source in columns.items():
            other = next(each for each, known in columns.items() if known == source)
            if other != name:
                raise InputError(
                    f"{origin}columns", f"{other} and {name} are read from one column; name one for each"
                )
        values = {name: value for name, value in given.items() if name not in ("columns", "token")}
        _check_values(origin, values)
        if "delimiter" in values:
            values["delimiter"] = _DELIMITERS[values["delimiter"]]
        values["null"] = (*self.null, *values.get("null", ()))
        for flag in _FLAGS:
            values[flag] = getattr(self, flag) or values.get(flag, False)
        return replace(self, columns=columns, constants=constants, **values)


#: Our own columns in our own forms.
OWN = InputOptions()


def nearest(name: str, known: Collection[str]) -> str:
    """The end of a refusal of an unknown name: one that was probably meant, else all."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def _table(path: Path) -> dict[str, Any]:
    """The table `[input]` of a mapping file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(str(path), f"not a mapping file ({error})") from error
    table = document.pop("input", None)
    if document or not isinstance(table, dict):
        raise InputError(str(path), "a mapping file has one table, [input]")
    # The files that it names lie beside it.
    beside = {name: str(path.parent / table[name]) for name in ("blocks", "decimals_file") if name in table}
    return {**table, **beside}


def _constant(source: str) -> str | None:
    """The text of a source in quotes, which is that of every row; None for the name of a column."""
    is_quoted = len(source) >= _QUOTED_MIN and source[0] == source[-1] == '"'
    return source[1:-1] if is_quoted else None


def _check_source(where: str, name: str, source: object) -> None:
    if name not in FIELDS:
        raise InputError(where, f"unknown field {excerpt(name)}{nearest(name, FIELDS)}")
    if not isinstance(source, str) or not source:
        raise InputError(where, f"{name}: expected the name of a column, not {excerpt(source)}")
    text = _constant(source)
    if text is None:
        return
    if name not in _CONSTANTS:
        raise InputError(
            where, f"{name} cannot be one text for all rows; that can be {', '.join(_CONSTANTS)}"
        )
    if not text:
        raise InputError(where, f"{name} is an empty text; write '\"text\"'")
    if any(character in '"\\' or not character.isprintable() for character in text):
        raise InputError(where, f"{name}: {excerpt(text)} has a quote, a backslash or a control character")


def _check_values(origin: str, values: Mapping[str, Any]) -> None:
    known = [*(each.name for each in fields(InputOptions) if each.name != "constants"), "token"]
    words: dict[str, tuple[Any, ...]] = {
        "input_format": (*get_args(get_args(InputFormat)[0]), *get_args(Feed)),
        "token_kind": get_args(TokenKind),
        "time_unit": get_args(TimeUnit),
        "binary_ids": get_args(BinaryIds),
    }
    for name, value in values.items():
        where = f"{origin}{name}"
        if name not in known:
            raise InputError(where, f"unknown option{nearest(name, known)}")
        if name in words and value not in words[name]:
            what = "unit" if name == "time_unit" else "word"
            raise InputError(where, f"unknown {what} {excerpt(value)}; known are {', '.join(words[name])}")
        if name == "delimiter" and value not in _DELIMITERS:
            raise InputError(where, f"unknown delimiter {excerpt(value)}; write , ; | or tab")
        if name == "decimals" and not (type(value) is int and 0 <= value <= _DECIMALS_MAX):
            raise InputError(where, f"expected an integer from 0 to {_DECIMALS_MAX}, not {excerpt(value)}")
        if name == "null" and (isinstance(value, str) or not all(isinstance(text, str) for text in value)):
            raise InputError(where, f"expected a list of texts, not {excerpt(value)}; write [{value!r}]")
        if name in _FLAGS and not isinstance(value, bool):
            raise InputError(where, f"expected true or false, not {excerpt(value)}")
