"""A row of a feed to records: transfers of tokens, deposits and withdrawals.

Which column is what is decided by then (`layout`); here values become ids, instants and amounts. A row may
state several transfers, or none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from poh_holdmetrics import field_parsers, instants, wads
from poh_holdmetrics.errors import Refused, excerpt
from poh_holdmetrics.feeds.layout import AMOUNT_OR_NUMBER, FeedLayout, FeedRow
from poh_holdmetrics.feeds.logs import logged_transfers
from poh_holdmetrics.feeds.quantities import DECIMALS_MAX, decimals, digits, small_number, without_commas
from poh_holdmetrics.feeds.tables import Role, kind_from_standard
from poh_holdmetrics.input_options import InputOptions
from poh_holdmetrics.validation import Record, check_together, checked_id, checked_party, transfer_records
from poh_holdmetrics.value_forms import ValueForms, folded_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poh_holdmetrics.input_options import TokenKind

#: How feeds write times: in UTC, numbers in seconds.
_TIME = ValueForms(InputOptions(time_unit="s", assume_utc=True), field_parsers.CSV).parsers.time
_PADDING = f"0x{'0' * 24}"
_ADDRESS_DIGITS = 40
_TAKES = ("withdraw", "unstake", "redeem")
_ADDS = ("stake", "deposit")
_NEITHER = ("claim", "reward")


@dataclass(frozen=True, slots=True)
class _Item:
    """What a row says."""

    token_id: str
    event_id: str
    at_us: int
    seq: int
    amount: int
    """Negative if it is taken from a holder."""
    from_id: str | None = None
    to_id: str | None = None
    holder_id: str | None = None

    def records(self) -> tuple[Record, ...]:
        if self.holder_id is None:
            return transfer_records(
                checked_id("token_id", self.token_id),
                checked_party("from_id", self.from_id),
                checked_party("to_id", self.to_id),
                self.event_id,
                0,
                False,  # noqa: FBT003 - a field among fields
                self.at_us,
                self.amount,
                self.seq,
            )
        change = Record(
            checked_id("token_id", self.token_id),
            checked_id("holder_id", self.holder_id),
            *(None, None, wads.WAD, self.event_id, 0, False, self.at_us, self.amount, self.seq),
        )
        check_together(change, False)  # noqa: FBT003 - as everywhere
        return (change,)


def items_of(layout: FeedLayout, row: FeedRow) -> Sequence[_Item]:
    """The transfers or changes that a row states; raises `Refused` if it states none that can be read."""
    return _Row(layout, row).items()


def time_of(value: str | int) -> int:
    """The instant that a value of a feed is; a text may be a count in hexadecimal digits."""
    if isinstance(value, int):
        return instants.us_in_range("at", value, field_parsers.Number(f"{value} microseconds"))
    text = value
    if value.startswith("0x"):
        count = digits(value)
        if count is None:
            raise Refused("at", instants.NOT_A_TIME, value)
        text = count
    try:
        return _TIME("at", text)
    except Refused as refused:
        # The unit is that of the feed.
        is_late = refused.reason.for_files.startswith(instants.OUT_OF_RANGE_WORDS)
        raise Refused("at", instants.OUT_OF_RANGE if is_late else refused.reason, value) from None


class _Row:
    """The values of one row."""

    def __init__(self, layout: FeedLayout, row: FeedRow) -> None:
        self._layout = layout
        self._row = row

    def _text(self, role: Role) -> str | None:
        return self._layout.text(self._row, role)

    def items(self) -> Sequence[_Item]:
        removed = self._text(Role.REMOVED)
        if removed is not None and (removed.lower() == "true" or removed == "1"):
            return ()
        if self._layout.has(Role.TOPIC0):
            return self._logged()
        if self._layout.has(Role.ACTION):
            return self._staked()
        return self._transferred()

    def _logged(self) -> Sequence[_Item]:
        """The transfers of a raw log."""
        topics = [self._text(role) for role in (Role.TOPIC0, Role.TOPIC1, Role.TOPIC2, Role.TOPIC3)]
        found = logged_transfers(topics, self._text(Role.DATA), self._layout.kind)
        if found is None:
            return ()
        contract, at_us, seq = self._contract(), self._at(), self._log_index()
        items = []
        for position, (number, amount) in enumerate(found.items):
            token_id = _token_id(contract, number)
            event_id = self._event_id(
                token_id, found.from_id, found.to_id, _given(found.kind, number, amount)
            )
            items.append(
                _Item(
                    token_id,
                    f"{event_id}:{position}" if found.is_batch else event_id,
                    at_us,
                    seq,
                    self._amount(amount, found.kind, contract),
                    found.from_id,
                    found.to_id,
                )
            )
        return items

    def _staked(self) -> Sequence[_Item]:
        """The deposit or withdrawal of a log of a staking contract; none if it is about something else."""
        action = self._text(Role.ACTION) or ""
        takes = is_withdrawal(action)
        if takes is None:
            return ()
        contract = self._contract()
        holder = self._party(Role.HOLDER)
        if holder is None:
            raise Refused("holder_id", "missing or empty")
        raw = self._text(Role.AMOUNT)
        if raw is None:
            raise Refused("delta", "missing")
        amount = self._amount(raw, "erc20", contract)
        event_id = self._event_id(contract, holder, action, raw)
        at_us, seq = self._at(), self._log_index()
        return (_Item(contract, event_id, at_us, seq, -amount if takes else amount, holder_id=holder),)

    def _transferred(self) -> Sequence[_Item]:
        number, both = self._text(Role.NUMBER), self._text(Role.AMOUNT_OR_NUMBER)
        batch, amount = self._text(Role.BATCH), self._text(Role.AMOUNT)
        standard = self._text(Role.KIND)
        stated = None if standard is None else kind_from_standard(standard)
        wanted = self._layout.kind
        if wanted is not None and stated is not None and wanted != stated:
            return ()
        kind = wanted or stated or _guessed(number, both, batch, amount)
        if batch is not None and kind == "erc1155":
            return self._batched(batch)
        contract = self._contract()
        if kind == "erc20":
            number, amount = None, _present("amount", both if amount is None else amount)
        elif kind == "erc721":
            number, amount = _present("token_id", both if number is None else number), "1"
        else:
            number = _present("token_id", number)
            amount = _present("amount", self._text(Role.COUNT) if amount is None else amount)
        if number is not None:
            number = digits(number) or number
        from_id, to_id = self._party(Role.FROM), self._party(Role.TO)
        token_id = _token_id(contract, number)
        unique = self._text(Role.UNIQUE_ID)
        event_id = (
            unique
            if unique is not None and kind == "erc1155"
            else self._event_id(token_id, from_id or "", to_id or "", _given(kind, number, amount))
        )
        at_us, seq = self._at(), self._log_index()
        wad = self._amount(amount, kind, contract)
        return (_Item(token_id, event_id, at_us, seq, wad, from_id, to_id),)

    def _batched(self, text: str) -> Sequence[_Item]:
        """The transfers of a JSON list of numbers and amounts."""
        entries = _entries(text)
        contract = self._contract()
        from_id, to_id = self._party(Role.FROM), self._party(Role.TO)
        items = []
        for position, (number, amount) in enumerate(entries):
            token_id = _token_id(contract, number)
            event_id = self._event_id(token_id, from_id or "", to_id or "", _given("erc1155", number, amount))
            if len(entries) > 1:
                event_id = f"{event_id}:{position}"
            wad = self._amount(amount, "erc1155", contract)
            items.append(_Item(token_id, event_id, self._at(), 0, wad, from_id, to_id))
        return items

    def _contract(self) -> str:
        token = self._layout.token
        if token is None:
            token = self._party(Role.CONTRACT)
        if token is None:
            raise Refused("token_id", "missing or empty")
        return token

    def _party(self, role: Role) -> str | None:
        """An address; one that is padded to a word of 32 bytes without its padding."""
        text = self._text(role)
        if text is None:
            return None
        address = text.removeprefix(_PADDING)
        if len(address) < len(text) and len(address) == _ADDRESS_DIGITS:
            text = f"0x{address}"
        return folded_id(text) if self._layout.options.fold_hex_ids else text

    def _at(self) -> int:
        value = self._layout.time(self._row, Role.TIME)
        if value is not None:
            return time_of(value)
        text = self._text(Role.BLOCK)
        if text is None:
            raise Refused("at", "missing (a transfer needs one)")
        blocks = self._layout.lookups.blocks
        if blocks is None:
            raise Refused("at", "a block, but no time; add --blocks FILE")
        block = small_number(text)
        if block is None:
            raise Refused("at", f"{excerpt(text)} is not the number of a block")
        at_us = blocks.times.get(block)
        if at_us is None:
            raise Refused(
                "at",
                f"block {block} is not in {blocks.file}; add it, or name a file with --blocks that has it",
            )
        return at_us

    def _log_index(self) -> int:
        text = self._text(Role.LOG_INDEX)
        if text is None:
            return 0
        index = small_number(text)
        if index is None:
            raise Refused("event_id", f"{excerpt(text)} is not the index of a log")
        return index

    def _event_id(self, token_id: str, *parts: str) -> str:
        """The identity of a row.

        The transaction and the log, the feed's own, or what the row says and a number for rows of the token
        that say the same.
        """
        chain = self._text(Role.CHAIN)
        prefix = "" if chain is None else f"{chain}:"
        hash_ = self._text(Role.HASH)
        unique = self._text(Role.UNIQUE_ID)
        if hash_ is None and unique is not None:
            return unique
        if hash_ is not None:
            if self._text(Role.LOG_INDEX) is not None:
                return f"{prefix}{hash_}:{self._log_index()}"
            if (trace := self._text(Role.TRACE)) is not None:
                return f"{prefix}{hash_}:trace:{trace}"
        what = instants.text_from_us(self._at()) if hash_ is None else hash_
        identity = f"{prefix}{what}:{':'.join(parts)}"
        return f"{identity}:{self._layout.next_ordinal(f'{identity} {token_id}')}"

    def _amount(self, text: str, kind: TokenKind, contract: str) -> int:
        if kind == "erc721":
            return wads.WAD
        if self._layout.table.has_whole_tokens:
            plain = without_commas(text)
            if plain is None:
                raise Refused("amount", wads.NOT_A_NUMBER, text)
            return wads.wad_from_text("amount", plain, found=text)
        units = digits(text)
        if units is None:
            raise Refused(
                "amount",
                f"{excerpt(text)} is not a whole number of base units; export it as text, an integer or "
                "hexadecimal digits",
            )
        return wads.wad_from_units("amount", units, self._decimals(kind, contract), found=text)

    def _decimals(self, kind: TokenKind, contract: str) -> int:
        """The decimals of a token: by its contract, as the row says, or as the user says for all."""
        listed, given = self._layout.lookups.decimals, self._layout.options.decimals
        known = None if listed is None else listed.of(contract)
        if known is not None:
            return known
        stated = self._text(Role.DECIMALS)
        if stated is not None:
            number = decimals(stated)
            if number is None:
                raise Refused("amount", f"its decimals are not from 0 to {DECIMALS_MAX}")
            return number
        if listed is not None and not given and kind == "erc20":
            cure = "add it, or give --decimals for tokens that are not listed"
            raise Refused("amount", f"token {excerpt(contract)} is not in {listed.file}; {cure}")
        return given


def is_withdrawal(action: str) -> bool | None:
    """Whether a staking contract's event takes from a balance; None if it neither adds nor takes."""
    lower = action.lower()
    if any(word in lower for word in _NEITHER):
        return None
    if any(word in lower for word in _TAKES):
        return True
    return False if any(word in lower for word in _ADDS) else None


def _guessed(number: str | None, both: str | None, batch: str | None, amount: str | None) -> TokenKind:
    """The kind of the token of a row that nothing states."""
    if batch is not None or (number is not None and amount is not None):
        return "erc1155"
    if number is not None:
        return "erc721"
    if both is not None and amount is None:
        raise Refused("amount", AMOUNT_OR_NUMBER)
    return "erc20"


def _present(field: str, value: str | None) -> str:
    if value is None:
        raise Refused(field, "missing")
    return value


def _entries(text: str) -> list[tuple[str, str]]:
    """The numbers and amounts of a batch."""
    damaged = Refused("amount", "not a list of objects with tokenId and value")
    try:
        listed = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(listed, list):
        raise damaged
    entries = []
    for entry in listed:
        pair = [entry.get(key) if isinstance(entry, dict) else None for key in ("tokenId", "value")]
        number, amount = (digits(each) if isinstance(each, str) else None for each in pair)
        if number is None or amount is None:
            raise damaged
        entries.append((number, amount))
    return entries


def _token_id(contract: str, number: str | None) -> str:
    """A token: its contract, and its number within that."""
    return contract if number is None else f"{contract}/{number}"


def _given(kind: TokenKind, number: str | None, amount: str) -> str:
    """What a transfer gives, as a part of its identity."""
    if number is None:
        return amount
    return number if kind == "erc721" else f"{number}:{amount}"
