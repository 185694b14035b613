//! Readers of files: JSON lines, CSV, Parquet and Arrow, packed or not, into checked events.
//!
//! [`read`] deals whole files to threads and fills one [`EventSink`] a thread; [`read_in_order`] hands
//! rows on with their places, for a sender; [`raw`] hands them on unchecked, for a second
//! implementation to judge. Nothing is scored or
//! printed here. Read in this order: `source` and `format` (what is opened), `content` (how),
//! `text` (blocks of lines), `jsonl`, `csv`, `parquet`, `ipc` (one form each), `layout` and `rows`
//! (columns), [`read`] (threads).

mod column;
mod compression;
mod content;
mod csv;
mod deal;
mod decoder;
mod error;
mod file_bytes;
mod format;
mod holds;
mod ids;
mod intake;
mod ipc;
mod json_fault;
mod jsonl;
mod layout;
mod ordered;
mod parquet;
mod progress;
pub mod raw;
mod read;
mod reject;
mod rows;
mod source;
mod table;
mod text;
mod times;
mod weights;
mod written;

pub use error::InputError;
pub use format::InputFormat;
pub use json_fault::JsonFault;
pub use jsonl::{event_from_line, is_blank};
pub use ordered::{Row, read_in_order};
pub use progress::Progress;
pub use read::{Harvest, ReadOptions, Report, read};
pub use reject::{OnError, Reason, Rejected};
pub use source::Source;
pub use table::Table;
pub use written::WrittenEvent;

#[cfg(doc)]
use crate::core::EventSink;
