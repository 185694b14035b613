//! The words by which the command line names the library's choices, and the help text of each.
//!
//! The library does not know `clap`; choices of the command line alone derive `ValueEnum` where they are.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::airdrop::{AddressKind, Curve};
use crate::input::{BinaryIds, InputFormat, OnError};
use crate::output::OutputFormat;
use crate::workload::generate::{FileFormat, HoldShape, Shape};
use crate::workload::load::Protocol;

macro_rules! choices {
    ($choice:ident { $($variant:ident $(($inner:path))? = $word:expr, $help:literal;)+ }) => {
        impl ValueEnum for $choice {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant $(($inner))?),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$variant $(($inner))? => PossibleValue::new($word).help($help),)+
                })
            }
        }
    };
}

choices!(InputFormat {
    Auto = Self::Auto.name(), "By the file's extension, else by its first bytes";
    Jsonl = Self::Jsonl.name(), "One JSON object per line";
    Csv = Self::Csv.name(), "A header line, then one event per row";
    Parquet = Self::Parquet.name(), "Parquet or Arrow IPC, told apart by their first bytes";
});

choices!(BinaryIds {
    Text = "text", "As UTF-8 text; 16 bytes of fixed length as a UUID";
    Hex = "hex", "As 0x and hexadecimal digits";
});

choices!(OnError {
    Fail = "fail", "The first refused line ends the run; nothing is written";
    Skip = "skip", "Refused lines are counted and listed; the others count";
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
    Linear = "linear", "In proportion to the score";
    SquareRoot = "square-root", "In proportion to the square root of the score";
});
