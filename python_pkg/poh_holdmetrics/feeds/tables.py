"""The known feeds as data: which columns each of them has, and what they are.

Names are compared as they are written; of several names for one thing the first that a row has a value in is
used. Reads no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from poh_holdmetrics.input_options import TokenKind


class Role(Enum):
    """What a column of a feed is."""

    CONTRACT = auto()
    FROM = auto()
    TO = auto()
    AMOUNT = auto()
    NUMBER = auto()
    """The number of a token within its contract."""
    AMOUNT_OR_NUMBER = auto()
    """An amount or a number, as the kind of the tokens says."""
    KIND = auto()
    HASH = auto()
    LOG_INDEX = auto()
    TRACE = auto()
    """The position of a call within its transaction, if there is no log."""
    UNIQUE_ID = auto()
    CHAIN = auto()
    BLOCK = auto()
    TIME = auto()
    COUNT = auto()
    """How many of a numbered token, exactly, where an unnumbered one has a double."""
    DECIMALS = auto()
    REMOVED = auto()
    """Whether a reorganisation has withdrawn the log."""
    TOPIC0 = auto()
    TOPIC1 = auto()
    TOPIC2 = auto()
    TOPIC3 = auto()
    DATA = auto()
    """What a log says beside its topics."""
    BATCH = auto()
    """A JSON list of `tokenId` and `value`."""
    HOLDER = auto()
    ACTION = auto()
    """What happened: a deposit or a withdrawal."""


Names = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One feed."""

    name: str
    signs: tuple[Names, ...] = ()
    """A header with one name of each list is of this feed."""
    columns: Mapping[Role, Names]
    doubles: tuple[tuple[str, str], ...] = ()
    """Columns of doubles, and the exact ones beside them."""
    has_whole_tokens: bool = False
    """Whether amounts are whole tokens with commas between thousands, not base units."""


_HASHES = ("transaction_hash", "tx_hash")
_TIMES = ("block_timestamp", "timestamp")
_ETL_COLUMNS = {
    Role.CONTRACT: ("token_address",),
    Role.FROM: ("from_address",),
    Role.TO: ("to_address",),
    Role.AMOUNT_OR_NUMBER: ("value",),
    Role.HASH: _HASHES,
    Role.LOG_INDEX: ("log_index",),
    Role.BLOCK: ("block_number",),
    Role.TIME: ("block_timestamp",),
}
_ETL_SIGNS = (("token_address",), ("from_address",), ("to_address",), ("value",))
_EXPLORER_HASHES = ("Transaction Hash", "Txhash", "TxHash")
_EXPLORER_TIMES = ("UnixTimestamp", "DateTime (UTC)", "DateTime")
_EXPLORER_NUMBERS = ("TokenId", "Token ID", "TokenID")
_STAKING_HOLDERS = ("user", "staker", "account")
_STAKING_TIMES = ("timestamp", "Timestamp", "block_timestamp", "blockTimestamp")
_STAKING_HASHES = ("txHash", "TransactionHash", "transactionHash", "transaction_hash", "tx_hash")
_STAKING_ACTIONS = ("event", "Event", "eventName", "event_name")

_TABLES = (
    Table(
        name="bigquery",
        signs=(*_ETL_SIGNS, ("block_timestamp",), ("block_hash",)),
        columns=_ETL_COLUMNS,
    ),
    Table(name="spice", signs=(*_ETL_SIGNS, ("block_timestamp",)), columns=_ETL_COLUMNS),
    Table(name="ethereum-etl", signs=(*_ETL_SIGNS, _HASHES), columns=_ETL_COLUMNS),
    Table(
        name="cryo",
        signs=(("erc20",), ("from_address",), ("to_address",)),
        columns={
            Role.CONTRACT: ("erc20",),
            Role.FROM: ("from_address",),
            Role.TO: ("to_address",),
            Role.AMOUNT: ("value_string", "value_binary", "value"),
            Role.NUMBER: ("token_id_string", "token_id_binary", "token_id"),
            Role.HASH: _HASHES,
            Role.LOG_INDEX: ("log_index",),
            Role.CHAIN: ("chain_id",),
            Role.BLOCK: ("block_number",),
            Role.TIME: _TIMES,
        },
        doubles=(
            ("value_f64", "value_string or value_binary"),
            ("token_id_f64", "token_id_string or token_id_binary"),
        ),
    ),
    Table(
        name="hypersync",
        signs=(("topic0",), ("data",), ("address",), ("log_index",)),
        columns={
            Role.CONTRACT: ("address",),
            Role.TOPIC0: ("topic0",),
            Role.TOPIC1: ("topic1",),
            Role.TOPIC2: ("topic2",),
            Role.TOPIC3: ("topic3",),
            Role.DATA: ("data",),
            Role.REMOVED: ("removed",),
            Role.HASH: _HASHES,
            Role.LOG_INDEX: ("log_index",),
            Role.CHAIN: ("chain_id",),
            Role.BLOCK: ("block_number",),
            Role.TIME: _TIMES,
        },
    ),
    Table(
        name="dune",
        signs=(
            ("contract_address",),
            ("from",),
            ("to",),
            ("block_time",),
            ("tx_hash",),
            ("evt_index", "trace_address", "unique_key"),
        ),
        columns={
            Role.CONTRACT: ("contract_address",),
            Role.FROM: ("from",),
            Role.TO: ("to",),
            Role.AMOUNT: ("amount_raw",),
            Role.NUMBER: ("token_id",),
            Role.COUNT: ("amount",),
            Role.KIND: ("token_standard",),
            Role.HASH: _HASHES,
            Role.LOG_INDEX: ("evt_index",),
            Role.TRACE: ("trace_address",),
            Role.UNIQUE_ID: ("unique_key", "unique_transfer_id"),
            Role.CHAIN: ("blockchain",),
            Role.BLOCK: ("block_number",),
            Role.TIME: ("block_time",),
        },
        doubles=(("amount", "amount_raw"),),
    ),
    Table(
        name="allium",
        signs=(
            ("token_address",),
            ("from_address",),
            ("to_address",),
            ("raw_amount_str", "raw_amount", "unique_id"),
        ),
        columns={
            Role.CONTRACT: ("token_address",),
            Role.FROM: ("from_address",),
            Role.TO: ("to_address",),
            Role.AMOUNT: ("raw_amount_str",),
            Role.NUMBER: ("token_id",),
            Role.HASH: _HASHES,
            Role.LOG_INDEX: ("log_index",),
            Role.UNIQUE_ID: ("unique_id",),
            Role.BLOCK: ("block_number",),
            Role.TIME: ("block_timestamp",),
        },
        doubles=(("raw_amount", "raw_amount_str"), ("amount", "raw_amount_str")),
    ),
    Table(
        name="etherscan",
        signs=(
            _EXPLORER_HASHES,
            _EXPLORER_TIMES,
            ("From",),
            ("To",),
            ("Quantity", "TokenValue", *_EXPLORER_NUMBERS),
        ),
        columns={
            Role.CONTRACT: ("ContractAddress",),
            Role.FROM: ("From",),
            Role.TO: ("To",),
            Role.AMOUNT: ("Quantity", "TokenValue"),
            Role.NUMBER: _EXPLORER_NUMBERS,
            Role.HASH: _EXPLORER_HASHES,
            Role.TIME: _EXPLORER_TIMES,
        },
        has_whole_tokens=True,
    ),
    Table(
        name="alchemy",
        signs=(("uniqueId",), ("blockNum",), ("from",), ("to",)),
        columns={
            Role.CONTRACT: ("rawContract.address", "asset"),
            Role.FROM: ("from",),
            Role.TO: ("to",),
            Role.AMOUNT: ("rawContract.value",),
            Role.DECIMALS: ("rawContract.decimal",),
            Role.NUMBER: ("tokenId", "erc721TokenId"),
            Role.BATCH: ("erc1155Metadata",),
            Role.KIND: ("category",),
            Role.UNIQUE_ID: ("uniqueId",),
            Role.BLOCK: ("blockNum",),
            Role.TIME: ("metadata.blockTimestamp",),
        },
        doubles=(("value", "rawContract.value"),),
    ),
    Table(
        name="staking",
        signs=(_STAKING_HOLDERS, ("amount",), _STAKING_TIMES, _STAKING_HASHES, _STAKING_ACTIONS),
        columns={
            Role.CONTRACT: ("token", "pool", "poolId", "contract_address", "address"),
            Role.HOLDER: _STAKING_HOLDERS,
            Role.AMOUNT: ("amount",),
            Role.ACTION: _STAKING_ACTIONS,
            Role.HASH: _STAKING_HASHES,
            Role.LOG_INDEX: ("logIndex", "log_index", "LogIndex"),
            Role.BLOCK: ("blockNumber", "BlockNumber", "block_number"),
            Role.TIME: _STAKING_TIMES,
        },
    ),
    Table(
        name="transfers",
        columns={
            Role.CONTRACT: ("contract_address", "token_address", "contract", "token"),
            Role.FROM: ("from_address", "from", "sender"),
            Role.TO: ("to_address", "to", "recipient", "receiver"),
            Role.AMOUNT: ("amount_raw", "raw_amount", "amount"),
            Role.AMOUNT_OR_NUMBER: ("value",),
            Role.NUMBER: ("token_id", "tokenId"),
            Role.KIND: ("token_standard", "token_type"),
            Role.HASH: ("transaction_hash", "tx_hash", "transactionHash", "txHash", "hash"),
            Role.LOG_INDEX: ("log_index", "logIndex", "evt_index"),
            Role.CHAIN: ("blockchain", "chain_id", "chainId"),
            Role.BLOCK: ("block_number", "blockNumber", "block"),
            Role.TIME: ("block_timestamp", "block_time", "blockTimestamp", "timestamp", "time"),
        },
    ),
)
#: By name, the more special ones first: a header is that of the first one that it has the signs of.
FEEDS = {table.name: table for table in _TABLES}

#: The times of blocks.
BLOCKS = Table(
    name="times of blocks",
    columns={
        Role.BLOCK: ("number", "block_number", "blockNumber", "block", "Blockno"),
        Role.TIME: (
            *("timestamp", "block_timestamp", "blockTimestamp", "block_time", "time"),
            "UnixTimestamp",
        ),
    },
)
#: The decimals of tokens.
DECIMALS = Table(
    name="decimals of tokens",
    columns={
        Role.CONTRACT: (
            *("token_id", "token_address", "contract_address", "address", "contract"),
            "token",
        ),
        Role.DECIMALS: ("decimals", "decimal"),
    },
)


def table_of_columns(names: Collection[str]) -> Table | None:
    """The feed whose columns these are; None if there are columns of ours, or of no known feed."""
    if not {"holder_id", "from_id", "to_id"}.isdisjoint(names):
        return None
    fits = (
        table
        for table in _TABLES
        if table.signs and all(not set(sign).isdisjoint(names) for sign in table.signs)
    )
    return next(fits, None)


def kind_from_standard(text: str) -> TokenKind | None:
    """The kind that a column of standards or categories names; native coins are fungible."""
    lower = text.lower()
    if "1155" in lower:
        return "erc1155"
    if "721" in lower:
        return "erc721"
    is_fungible = lower in ("native", "external", "internal") or lower.endswith("20")
    return "erc20" if is_fungible else None
