//! The words by which the command line names the library's choices, and the help text of each.
//!
//! The library does not know `clap`; choices of the command line alone derive `ValueEnum` where they are.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::airdrop::{AddressKind, Curve, ExportFormat, Format};
use crate::input::{BinaryIds, Feed, InputFormat, OnError, TokenKind};
use crate::output::{EventFormat, OutputFormat};
use crate::workload::generate::{
    Codec, Export, FileFormat, HoldShape, IdForm, Shape, TimeForm, WeightForm,
};
use crate::workload::load::Protocol;

macro_rules! choices {
    ($choice:ident $(except $other:pat =>)? { $($variant:ident $(($inner:path))? = $word:expr, $help:literal;)+ }) => {
        impl ValueEnum for $choice {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant $(($inner))?),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$variant $(($inner))? => PossibleValue::new($word).help($help),)+
                    $($other => return None,)?
                })
            }
        }
    };
}

choices!(InputFormat except Self::Feed(Feed::Blocks | Feed::Decimals) => {
    Auto = Self::Auto.name(), "By the file's extension, else by its first bytes";
    Jsonl = Self::Jsonl.name(), "One JSON object per line";
    Csv = Self::Csv.name(), "A header line, then one event per row";
    Parquet = Self::Parquet.name(), "Parquet or Arrow IPC, told apart by their first bytes";
    Feed(Feed::EthereumEtl) = Feed::EthereumEtl.name(), "Known columns, in any of these formats: token_transfers of ethereum-etl";
    Feed(Feed::BigQuery) = Feed::BigQuery.name(), "token_transfers of crypto_ethereum on BigQuery";
    Feed(Feed::Cryo) = Feed::Cryo.name(), "erc20_transfers and erc721_transfers of cryo";
    Feed(Feed::Hypersync) = Feed::Hypersync.name(), "Logs of HyperSync, and other raw logs";
    Feed(Feed::Dune) = Feed::Dune.name(), "tokens.transfers and nft.transfers of Dune";
    Feed(Feed::Allium) = Feed::Allium.name(), "Token transfers of Allium";
    Feed(Feed::Etherscan) = Feed::Etherscan.name(), "CSV of a block explorer: the page of a token or of an account";
    Feed(Feed::Alchemy) = Feed::Alchemy.name(), "Transfers of Alchemy's getAssetTransfers";
    Feed(Feed::Spice) = Feed::Spice.name(), "eth.token_transfers_erc20 of Spice";
    Feed(Feed::Staking) = Feed::Staking.name(), "Deposits and withdrawals: user, amount, event, timestamp, txHash";
    Feed(Feed::Transfers) = Feed::Transfers.name(), "Other transfers under common names, such as from, to, value, block, tx_hash";
});

choices!(TokenKind {
    Erc20 = Self::Erc20.name(), "Amounts of a contract";
    Erc721 = Self::Erc721.name(), "Numbered tokens, each held by one holder: its token is contract/number";
    Erc1155 = Self::Erc1155.name(), "Numbered tokens, each held in amounts: its token is contract/number";
});

choices!(BinaryIds {
    Text = "text", "As UTF-8 text; 16 bytes of fixed length as a UUID";
    Hex = "hex", "As 0x and hexadecimal digits";
});

choices!(OnError {
    Fail = "fail", "The first refused line ends the run; nothing is written";
    Skip = "skip", "Refused lines are counted and listed; the others count";
});

choices!(EventFormat {
    Jsonl = "jsonl", "One JSON object per line";
    Csv = "csv", "A header line, then one event per row";
    Parquet = "parquet", "Timestamps in microseconds, decimals as text";
});

choices!(OutputFormat {
    Table = "table", "For people: aligned columns, readable durations";
    Json = "json", "One object with the question, the counts, the refused lines and the holders";
    Csv = "csv", "A header line, then one holder per row";
    Parquet = "parquet", "One row per holder; `held_us` as decimal, the question in the file's metadata";
});

choices!(FileFormat {
    Jsonl = "jsonl", "One JSON object per line";
    Csv = "csv", "A header line, then one event per row";
    Parquet = "parquet", "Timestamps in microseconds, weights as doubles, amounts as text, row groups of a million";
});

choices!(Shape {
    Holds(HoldShape::Equal) = "equal", "Closed holds, one weight per token; 30 % overlap another hold of their key";
    Holds(HoldShape::Mixed) = "mixed", "The same with a weight of its own for each event, a double with all its digits";
    Holds(HoldShape::Nested) = "nested", "Long holds nested up to hundreds deep, the inner ones heavier";
    Holds(HoldShape::Marks) = "marks", "Starts, stops, named events, revisions and retractions";
    Transfers = "transfers", "Transfers of fungible tokens as a chain lists them: mints, routes, burns";
    Export(Export::Erc20) = "erc20", "Transfers with the columns of BigQuery's export, in base units of 18 decimals";
    Export(Export::Erc721) = "erc721", "Transfers of numbered tokens with the columns of Dune's export";
    Export(Export::Staking) = "staking", "Deposits and withdrawals of a staking contract, in base units of 18 decimals";
    Export(Export::Billing) = "billing", "Subscriptions: customer, plan, seats, started_at, ended_at";
});

choices!(IdForm {
    Hex = "hex", "0x and 40 hexadecimal digits";
    MixedHex = "mixed-hex", "The same in upper and lower case";
    Hash = "hash", "0x and 64 hexadecimal digits";
    Uuid = "uuid", "UUIDs";
    Email = "email", "E-mail addresses";
    Short = "short", "16 hexadecimal digits";
});

choices!(WeightForm {
    None = "none", "No weights: each event weighs 1";
    Integer = "integer", "Integers from 1 to 1,000";
    Short = "short", "Doubles with two decimals";
    Double = "double", "Doubles with all their digits";
    Exact = "exact", "Text with up to 18 decimals";
});

choices!(TimeForm {
    Number = "number", "Milliseconds in JSONL and CSV, timestamps in Parquet";
    Text = "text", "RFC 3339";
});

choices!(Codec {
    None = "none", "Pages as they are";
    Snappy = "snappy", "Fast";
    Gzip = "gzip", "Small, slow to read";
    Zstd = "zstd", "Small";
});

choices!(Protocol {
    GrpcStream = Self::GrpcStream.name(), "One stream per connection, one event per message";
    GrpcBatch = Self::GrpcBatch.name(), "One stream per connection, a batch of events per message";
    GrpcUnary = Self::GrpcUnary.name(), "One call per event, each after the answer to the one before";
    Http = Self::Http.name(), "POST /hold with a batch as NDJSON, each after the answer to the one before";
});

choices!(AddressKind {
    Evm = "evm", "0x and 40 hexadecimal digits; a checksum is checked, and written";
    Solana = "solana", "32 bytes in base58";
    Text = "text", "Any text";
});

choices!(Curve {
    Linear = Self::Linear.name(), "In proportion to the score";
    SquareRoot = Self::SquareRoot.name(), "In proportion to the square root of the score";
});

choices!(Format {
    StandardV1 = Self::StandardV1.name(), "The dump of OpenZeppelin's StandardMerkleTree, over any --types";
    SimpleV1 = Self::SimpleV1.name(), "The dump of OpenZeppelin's SimpleMerkleTree, over ready leaves";
    Uniswap = Self::Uniswap.name(), "The claims of Uniswap's MerkleDistributor";
    EnsShards = Self::EnsShards.name(), "A folder of shards, as the ENS airdrop had it";
    ThirdwebShards = Self::ThirdwebShards.name(), "A folder of shards for thirdweb's airdrop contracts";
    SablierEvm = Self::SablierEvm.name(), "A campaign of Sablier on EVM chains";
    SablierSolana = Self::SablierSolana.name(), "A campaign of Sablier on Solana";
    Merkl = Self::Merkl.name(), "Cumulative amounts by user and token for Merkl's distributor";
});

choices!(ExportFormat {
    Csv = "csv", "address,amount in base units";
    SafeCsv = "safe-csv", "token_address,receiver,amount in tokens, for Safe's airdrop app";
    SablierCsv = "sablier-csv", "address,amount in tokens";
    ThirdwebJson = "thirdweb-json", "An array of recipient and amount in tokens";
});
