//! Readers of files: JSON lines, CSV, Parquet and Arrow, compressed or not, into checked events.
//!
//! [`read`] reads whole files on several threads and fills one [`EventSink`] per thread;
//! [`read_in_order`] passes on each row with its line, for a sender; `raw` passes rows on unchecked, for a
//! second implementation. Nothing is scored or printed here. Read in this order: `options` (how fields are
//! found and values read, for every format), `source` and `format`
//! (what is opened), `opened_source` (how), `blocks` (lines), `json_document`, `json_records` and `jsonl`, `csv`,
//! `parquet`, `arrow_ipc` (one format each), `column_mapping` and `batch_rows` (columns), `unknown_columns` (what
//! is not read), `feeds` (exports of chains that people have), `chunks` (all of them in order), `worker` and
//! [`read`] (threads).

mod arrow_ipc;
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
mod arrow_table;
mod batch_rows;
mod blocks;
mod chunk;
mod chunks;
mod column;
mod column_feed;
mod column_mapping;
mod compression;
mod csv;
mod decimal_column;
mod decode;
mod error;
mod feed_rows;
mod feeds;
mod file_bytes;
mod file_columns;
mod file_note;
mod foreign;
mod format;
mod hex;
mod hold_columns;
mod id_column;
mod json_document;
mod json_error;
mod json_records;
mod jsonl;
mod mapping_table;
pub(crate) mod mapping_text;
mod opened_source;
mod options;
mod ordered;
mod page_buffer;
mod parquet;
mod parquet_pages;
mod parsed;
mod progress;
#[cfg(feature = "py-embed")]
pub(crate) mod raw;
mod read;
mod refusal;
mod source;
mod text_column;
mod time_column;
mod token_column;
mod transfer_columns;
mod type_words;
mod unknown_columns;
mod worker;
pub(crate) mod written;

#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub(crate) use arrow_table::{ArrowTable, MappedBatch};
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub(crate) use column_feed::ColumnFeed;
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub(crate) use decimal_column::{Decimal, DecimalColumn};
pub use error::InputError;
pub use feeds::{BlockTimes, Feed, TokenDecimals, TokenKind};
pub use file_note::FileNote;
pub use format::InputFormat;
pub use json_error::JsonError;
pub(crate) use jsonl::{event_from_line, is_blank, refused_line};
pub(crate) use mapping_table::{BinaryIds, DECIMALS_MAX, MappingTable};
pub use options::{Delimiter, FieldSource, FieldSources, InputOptions, ValueOptions};
pub(crate) use ordered::{SourceRow, read_in_order};
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub(crate) use parsed::ParsedEvent;
pub use progress::{Progress, UnfinishedRow};
pub use read::{ReadOptions, ReadOutcome, ReadReport, read};
pub use refusal::{LineRefusal, OnError, RefusalReason};
pub use source::Source;
pub use unknown_columns::{IgnoredColumns, NearMiss, ignored_columns_line};

#[cfg(doc)]
use crate::core::EventSink;
