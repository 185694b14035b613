"""The columns of one file of a feed, found once before any row, and what the file as a whole lacks.

Reads no values; see `transfers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from poh_holdmetrics.errors import InputError, excerpt_without_quotes
from poh_holdmetrics.feeds.tables import BLOCKS, DECIMALS, FEEDS, Role, Table, table_of_columns

if TYPE_CHECKING:
    from poh_holdmetrics.feeds.lookups import Lookups
    from poh_holdmetrics.input_options import InputOptions, TokenKind

#: A row by its columns, without those that have no value: texts, and timestamps in microseconds.
FeedRow = Mapping[str, str | int]

#: Why a value of `Role.AMOUNT_OR_NUMBER` cannot be read if nothing says what the tokens are.
AMOUNT_OR_NUMBER = (
    "value is an amount of ERC-20 tokens or the number of an ERC-721 token; say which with --token-kind "
    "erc20 or --token-kind erc721"
)
#: What a file must have, by feed.
_NEEDED = {
    "hypersync": (Role.TOPIC0, Role.TOPIC1, Role.TOPIC2, Role.DATA),
    "staking": (Role.HOLDER, Role.AMOUNT, Role.ACTION),
    BLOCKS.name: (Role.BLOCK, Role.TIME),
    DECIMALS.name: (Role.CONTRACT, Role.DECIMALS),
}
_AMOUNTS = (Role.AMOUNT, Role.AMOUNT_OR_NUMBER, Role.NUMBER, Role.BATCH)
_NUMBERS = (Role.NUMBER, Role.AMOUNT_OR_NUMBER, Role.TOPIC3, Role.BATCH)


class FeedLayout:
    """Where one file of a feed has what.

    `names` are the columns of the file, None if they may differ from row to row. Raises `InputError` if the
    file lacks a column without which no row is an event, or if the options lack what the feed needs.
    """

    def __init__(
        self,
        file: str,
        table: Table,
        options: InputOptions,
        lookups: Lookups,
        names: Sequence[str] | None,
    ) -> None:
        self.file = file
        self.table = table
        self.options = options
        self.lookups = lookups
        self.left_out = 0
        """Rows without events: withdrawn logs, logs of other kinds."""
        counts = Counter(names or ())
        self._slots = {
            role: tuple(name for name in candidates if names is None or name in counts)
            for role, candidates in table.columns.items()
        }
        self.columns = frozenset(name for slots in self._slots.values() for name in slots)
        if twice := next((name for name in self.columns if counts[name] > 1), None):
            raise InputError(file, f"columns {twice} and {twice} are both there; keep one of them")
        self._ordinals: Counter[str] = Counter()
        if names is not None:
            self._check(names)
        if table is not DECIMALS:
            self._check_options()
            self._check_kind()

    @property
    def kind(self) -> TokenKind | None:
        """The kind of all tokens of the file, if the user or the feed says it."""
        return self.options.token_kind or ("erc20" if self.options.input_format == "spice" else None)

    @property
    def names_tokens_by_file(self) -> bool:
        """Whether the name of the file stands for its token."""
        return not self.has(Role.CONTRACT) and "token_id" not in self.options.constants

    @property
    def token(self) -> str | None:
        """The token of every row, if the user says it, or if the file names none: then the file's name."""
        return self.options.constants.get("token_id", self.file if self.names_tokens_by_file else None)

    @property
    def note(self) -> dict[str, object]:
        """What the file was read as."""
        return {
            "file": self.file,
            "feed": self.table.name,
            "token_kind": self.kind,
            "left_out": self.left_out,
        }

    @property
    def is_worth_saying(self) -> bool:
        """Whether the header gave the feed away, or rows were left out."""
        return self.options.input_format not in FEEDS or self.left_out > 0

    def sentence(self) -> str:
        """The same as one line."""
        said = f"{self.file}: read as {self.table.name}{f' ({self.kind})' if self.kind else ''}"
        if self.left_out == 1:
            said += "; 1 row is not an event of that kind and was left out"
        elif self.left_out:
            said += f"; {self.left_out} rows are not events of that kind and were left out"
        named = "; its token is the file's name, name it with --token"
        return said + (named if self.names_tokens_by_file else "")

    def has(self, role: Role) -> bool:
        """Whether the file has a column for `role`."""
        return bool(self._slots.get(role))

    def is_amount(self, name: str) -> bool:
        """Whether the values of a column are amounts, which doubles cannot hold."""
        roles = (Role.AMOUNT, Role.AMOUNT_OR_NUMBER, Role.NUMBER, Role.COUNT)
        return any(name in self._slots.get(role, ()) for role in roles)

    def ignored(self, names: Collection[str]) -> list[str]:
        """Of the columns or keys, also of those within an object, those that nothing is read from."""
        unread = [name for name in names if name not in self.columns]
        return [name for name in unread if not any(other.startswith(f"{name}.") for other in names)]

    def text(self, row: FeedRow, role: Role) -> str | None:
        """The value of `role` in a row."""
        for name in self._slots.get(role, ()):
            value = row.get(name)
            if value is not None and (text := str(value)) not in self.options.null:
                return text
        return None

    def time(self, row: FeedRow, role: Role) -> str | int | None:
        """The value of `role` that is an instant: microseconds, or text."""
        return next((row[name] for name in self._slots.get(role, ()) if name in row), None)

    def next_ordinal(self, identity: str) -> int:
        """The number, from 1, of one more row that says the same as others."""
        self._ordinals[identity] += 1
        return self._ordinals[identity]

    def _check(self, names: Sequence[str]) -> None:
        table, has = self.table, self.has
        if not has(Role.AMOUNT) and not has(Role.NUMBER):
            for double, exact in table.doubles:
                if double in names:
                    raise self._error(
                        f"column {double} has doubles, which do not hold all digits; export {exact} and use "
                        "that"
                    )
        needed = list(_NEEDED.get(table.name, ()))
        if table.name not in _NEEDED:
            needed += [] if has(Role.FROM) or has(Role.TO) else [Role.FROM]
            needed += [] if any(map(has, _AMOUNTS)) else [Role.AMOUNT]
        if table is not DECIMALS and not has(Role.TIME) and not has(Role.BLOCK):
            needed.append(Role.TIME)
        if missing := next((role for role in needed if not has(role)), None):
            known = " or ".join(table.columns[missing])
            listed = ", ".join(map(excerpt_without_quotes, names))
            raise InputError(self.file, f"no column {known}; the columns are {listed}")
        if table is not DECIMALS and not has(Role.TIME) and self.lookups.blocks is None:
            raise self._error(
                "it has the numbers of blocks, but no times; add --blocks FILE, with columns number and "
                "timestamp"
            )

    def _check_kind(self) -> None:
        has, kind = self.has, self.kind
        is_ambiguous = has(Role.AMOUNT_OR_NUMBER) and not has(Role.AMOUNT) and not has(Role.NUMBER)
        if kind is None and is_ambiguous and not has(Role.KIND):
            raise self._error(AMOUNT_OR_NUMBER)
        if kind == "erc1155" and is_ambiguous:
            raise self._error("it has no numbers of tokens beside the amounts, as ERC-1155 needs them")
        if kind == "erc721" and not any(map(has, _NUMBERS)):
            raise self._error("it has no numbers of tokens, as ERC-721 needs them")

    def _check_options(self) -> None:
        if self.options.columns or set(self.options.constants) - {"token_id"}:
            raise self._error(
                "its columns are known; leave out --columns, or leave out --input-format and map them "
                "yourself"
            )
        if self.table.has_whole_tokens and self.options.decimals:
            raise self._error("its amounts are whole tokens already; leave out --decimals")

    def _error(self, reason: str) -> InputError:
        return InputError(self.file, f"read as {self.table.name}: {reason}")


def feed_of(options: InputOptions, names: Collection[str]) -> Table | None:
    """The feed of a file with these columns: the one that is named, or the one that they give away."""
    if options.input_format in FEEDS:
        return FEEDS[options.input_format]
    is_mapped = options.columns or set(options.constants) - {"token_id"}
    return None if is_mapped or options.input_format == "parquet" else table_of_columns(names)
