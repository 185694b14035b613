//! The state: the sum of all events, stored by key in a redb file, so that a start does not have to
//! replay every event since the beginning.
//!
//! It is written in the background and covers all events up to a number; later events are in the
//! journal. Facts are sets, so an entry may already contain later events. It opens no files: the
//! caller provides the storage backend. Read `entry` (format and checksum of an entry), `metadata`,
//! then `store`; `salvage` copies what is readable of a damaged state. `cursor_store` is a file of its own: how
//! far the consumers of the feed have come.

mod cursor_error;
mod cursor_record;
mod cursor_store;
mod defect;
mod entry;
mod error;
mod metadata;
mod salvage;
mod store;

pub use cursor_error::CursorError;
pub use cursor_record::{Standing, StoredCursor};
pub use cursor_store::{CursorChanges, CursorContents, CursorStore};
pub use defect::Defect;
pub use entry::{Entry, EntryKeys};
pub use error::StateError;
pub use redb::StorageBackend;
pub(crate) use redb::backends::FileBackend;
pub use salvage::{Salvaged, salvage};
pub use store::{Contents, Store};
