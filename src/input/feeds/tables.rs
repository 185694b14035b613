//! The known feeds as data: which columns each of them has, and what they are.
//!
//! Names are compared as they are written; of several names for one thing the first that a row has a value in
//! is used. A new feed is one more table here and one more name in [`super::Feed`].

/// What a column of a feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::input) enum Role {
    /// The contract of the token.
    Contract,
    From,
    To,
    /// An amount.
    Amount,
    /// The number of a token within its contract.
    Number,
    /// An amount or a number, as the kind of the tokens says.
    AmountOrNumber,
    /// The standard of the token.
    Kind,
    /// The transaction.
    Hash,
    LogIndex,
    /// The position of a call within its transaction, if there is no log.
    Trace,
    /// The identity of a row, if it has one of its own.
    UniqueId,
    Chain,
    Block,
    Time,
    /// How many of a numbered token, exactly, where an unnumbered one has a double.
    Count,
    /// The decimals of the amount.
    Decimals,
    /// Whether a reorganisation has withdrawn the log.
    Removed,
    Topic0,
    Topic1,
    Topic2,
    Topic3,
    /// What a log says beside its topics.
    Data,
    /// A JSON list of `tokenId` and `value`.
    Batch,
    /// The holder whose balance changes.
    Holder,
    /// What happened: a deposit or a withdrawal.
    Action,
}

impl Role {
    pub(super) const COUNT: usize = Self::Action as usize + 1;
}

/// How a feed writes amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AmountForm {
    /// In base units, as the contract counts.
    Base,
    /// In whole tokens, with commas between thousands.
    Whole,
}

/// Names of columns, best first.
type Names = &'static [&'static str];

/// One feed.
#[derive(Debug)]
pub(in crate::input) struct Table {
    pub(in crate::input) name: &'static str,
    /// A header with one name of each list is of this feed.
    pub(super) signs: &'static [Names],
    pub(super) columns: &'static [(Role, Names)],
    /// Columns of doubles, and the exact ones beside them.
    pub(super) doubles: &'static [(&'static str, &'static str)],
    pub(super) amounts: AmountForm,
}

const HASHES: Names = &["transaction_hash", "tx_hash"];
const TIMES: Names = &["block_timestamp", "timestamp"];

const ETL_COLUMNS: &[(Role, Names)] = &[
    (Role::Contract, &["token_address"]),
    (Role::From, &["from_address"]),
    (Role::To, &["to_address"]),
    (Role::AmountOrNumber, &["value"]),
    (Role::Hash, HASHES),
    (Role::LogIndex, &["log_index"]),
    (Role::Block, &["block_number"]),
    (Role::Time, &["block_timestamp"]),
];

pub(super) static ETHEREUM_ETL: Table = Table {
    name: "ethereum-etl",
    signs: &[
        &["token_address"],
        &["from_address"],
        &["to_address"],
        &["value"],
        HASHES,
    ],
    columns: ETL_COLUMNS,
    doubles: &[],
    amounts: AmountForm::Base,
};

pub(super) static BIGQUERY: Table = Table {
    name: "bigquery",
    signs: &[
        &["token_address"],
        &["from_address"],
        &["to_address"],
        &["value"],
        &["block_timestamp"],
        &["block_hash"],
    ],
    ..ETHEREUM_ETL
};

pub(super) static SPICE: Table = Table {
    name: "spice",
    signs: &[
        &["token_address"],
        &["from_address"],
        &["to_address"],
        &["value"],
        &["block_timestamp"],
    ],
    ..ETHEREUM_ETL
};

pub(super) static CRYO: Table = Table {
    name: "cryo",
    signs: &[&["erc20"], &["from_address"], &["to_address"]],
    columns: &[
        (Role::Contract, &["erc20"]),
        (Role::From, &["from_address"]),
        (Role::To, &["to_address"]),
        (Role::Amount, &["value_string", "value_binary", "value"]),
        (
            Role::Number,
            &["token_id_string", "token_id_binary", "token_id"],
        ),
        (Role::Hash, HASHES),
        (Role::LogIndex, &["log_index"]),
        (Role::Chain, &["chain_id"]),
        (Role::Block, &["block_number"]),
        (Role::Time, TIMES),
    ],
    doubles: &[
        ("value_f64", "value_string or value_binary"),
        ("token_id_f64", "token_id_string or token_id_binary"),
    ],
    amounts: AmountForm::Base,
};

pub(super) static HYPERSYNC: Table = Table {
    name: "hypersync",
    signs: &[&["topic0"], &["data"], &["address"], &["log_index"]],
    columns: &[
        (Role::Contract, &["address"]),
        (Role::Topic0, &["topic0"]),
        (Role::Topic1, &["topic1"]),
        (Role::Topic2, &["topic2"]),
        (Role::Topic3, &["topic3"]),
        (Role::Data, &["data"]),
        (Role::Removed, &["removed"]),
        (Role::Hash, HASHES),
        (Role::LogIndex, &["log_index"]),
        (Role::Chain, &["chain_id"]),
        (Role::Block, &["block_number"]),
        (Role::Time, TIMES),
    ],
    doubles: &[],
    amounts: AmountForm::Base,
};

pub(super) static DUNE: Table = Table {
    name: "dune",
    signs: &[
        &["contract_address"],
        &["from"],
        &["to"],
        &["block_time"],
        &["tx_hash"],
        &["evt_index", "trace_address", "unique_key"],
    ],
    columns: &[
        (Role::Contract, &["contract_address"]),
        (Role::From, &["from"]),
        (Role::To, &["to"]),
        (Role::Amount, &["amount_raw"]),
        (Role::Number, &["token_id"]),
        (Role::Count, &["amount"]),
        (Role::Kind, &["token_standard"]),
        (Role::Hash, HASHES),
        (Role::LogIndex, &["evt_index"]),
        (Role::Trace, &["trace_address"]),
        (Role::UniqueId, &["unique_key", "unique_transfer_id"]),
        (Role::Chain, &["blockchain"]),
        (Role::Block, &["block_number"]),
        (Role::Time, &["block_time"]),
    ],
    doubles: &[("amount", "amount_raw")],
    amounts: AmountForm::Base,
};

pub(super) static ALLIUM: Table = Table {
    name: "allium",
    signs: &[
        &["token_address"],
        &["from_address"],
        &["to_address"],
        &["raw_amount_str", "raw_amount", "unique_id"],
    ],
    columns: &[
        (Role::Contract, &["token_address"]),
        (Role::From, &["from_address"]),
        (Role::To, &["to_address"]),
        (Role::Amount, &["raw_amount_str"]),
        (Role::Number, &["token_id"]),
        (Role::Hash, HASHES),
        (Role::LogIndex, &["log_index"]),
        (Role::UniqueId, &["unique_id"]),
        (Role::Block, &["block_number"]),
        (Role::Time, &["block_timestamp"]),
    ],
    doubles: &[
        ("raw_amount", "raw_amount_str"),
        ("amount", "raw_amount_str"),
    ],
    amounts: AmountForm::Base,
};

const EXPLORER_HASHES: Names = &["Transaction Hash", "Txhash", "TxHash"];
const EXPLORER_TIMES: Names = &["UnixTimestamp", "DateTime (UTC)", "DateTime"];
const EXPLORER_NUMBERS: Names = &["TokenId", "Token ID", "TokenID"];

pub(super) static ETHERSCAN: Table = Table {
    name: "etherscan",
    signs: &[
        EXPLORER_HASHES,
        EXPLORER_TIMES,
        &["From"],
        &["To"],
        &["Quantity", "TokenValue", "TokenId", "Token ID", "TokenID"],
    ],
    columns: &[
        (Role::Contract, &["ContractAddress"]),
        (Role::From, &["From"]),
        (Role::To, &["To"]),
        (Role::Amount, &["Quantity", "TokenValue"]),
        (Role::Number, EXPLORER_NUMBERS),
        (Role::Hash, EXPLORER_HASHES),
        (Role::Time, EXPLORER_TIMES),
    ],
    doubles: &[],
    amounts: AmountForm::Whole,
};

pub(super) static ALCHEMY: Table = Table {
    name: "alchemy",
    signs: &[&["uniqueId"], &["blockNum"], &["from"], &["to"]],
    columns: &[
        (Role::Contract, &["rawContract.address", "asset"]),
        (Role::From, &["from"]),
        (Role::To, &["to"]),
        (Role::Amount, &["rawContract.value"]),
        (Role::Decimals, &["rawContract.decimal"]),
        (Role::Number, &["tokenId", "erc721TokenId"]),
        (Role::Batch, &["erc1155Metadata"]),
        (Role::Kind, &["category"]),
        (Role::UniqueId, &["uniqueId"]),
        (Role::Block, &["blockNum"]),
        (Role::Time, &["metadata.blockTimestamp"]),
    ],
    doubles: &[("value", "rawContract.value")],
    amounts: AmountForm::Base,
};

const STAKING_HOLDERS: Names = &["user", "staker", "account"];
const STAKING_TIMES: Names = &[
    "timestamp",
    "Timestamp",
    "block_timestamp",
    "blockTimestamp",
];
const STAKING_HASHES: Names = &[
    "txHash",
    "TransactionHash",
    "transactionHash",
    "transaction_hash",
    "tx_hash",
];
const STAKING_ACTIONS: Names = &["event", "Event", "eventName", "event_name"];

pub(super) static STAKING: Table = Table {
    name: "staking",
    signs: &[
        STAKING_HOLDERS,
        &["amount"],
        STAKING_TIMES,
        STAKING_HASHES,
        STAKING_ACTIONS,
    ],
    columns: &[
        (
            Role::Contract,
            &["token", "pool", "poolId", "contract_address", "address"],
        ),
        (Role::Holder, STAKING_HOLDERS),
        (Role::Amount, &["amount"]),
        (Role::Action, STAKING_ACTIONS),
        (Role::Hash, STAKING_HASHES),
        (Role::LogIndex, &["logIndex", "log_index", "LogIndex"]),
        (Role::Block, &["blockNumber", "BlockNumber", "block_number"]),
        (Role::Time, STAKING_TIMES),
    ],
    doubles: &[],
    amounts: AmountForm::Base,
};

pub(super) static TRANSFERS: Table = Table {
    name: "transfers",
    signs: &[],
    columns: &[
        (
            Role::Contract,
            &["contract_address", "token_address", "contract", "token"],
        ),
        (Role::From, &["from_address", "from", "sender"]),
        (Role::To, &["to_address", "to", "recipient", "receiver"]),
        (Role::Amount, &["amount_raw", "raw_amount", "amount"]),
        (Role::AmountOrNumber, &["value"]),
        (Role::Number, &["token_id", "tokenId"]),
        (Role::Kind, &["token_standard", "token_type"]),
        (
            Role::Hash,
            &[
                "transaction_hash",
                "tx_hash",
                "transactionHash",
                "txHash",
                "hash",
            ],
        ),
        (Role::LogIndex, &["log_index", "logIndex", "evt_index"]),
        (Role::Chain, &["blockchain", "chain_id", "chainId"]),
        (Role::Block, &["block_number", "blockNumber", "block"]),
        (
            Role::Time,
            &[
                "block_timestamp",
                "block_time",
                "blockTimestamp",
                "timestamp",
                "time",
            ],
        ),
    ],
    doubles: &[],
    amounts: AmountForm::Base,
};

/// The times of blocks.
pub(super) static BLOCKS: Table = Table {
    name: "times of blocks",
    signs: &[],
    columns: &[
        (
            Role::Block,
            &["number", "block_number", "blockNumber", "block", "Blockno"],
        ),
        (
            Role::Time,
            &[
                "timestamp",
                "block_timestamp",
                "blockTimestamp",
                "block_time",
                "time",
                "UnixTimestamp",
            ],
        ),
    ],
    doubles: &[],
    amounts: AmountForm::Base,
};

/// The decimals of tokens.
pub(super) static DECIMALS: Table = Table {
    name: "decimals of tokens",
    signs: &[],
    columns: &[
        (
            Role::Contract,
            &[
                "token_id",
                "token_address",
                "contract_address",
                "address",
                "contract",
                "token",
            ],
        ),
        (Role::Decimals, &["decimals", "decimal"]),
    ],
    doubles: &[],
    amounts: AmountForm::Base,
};
