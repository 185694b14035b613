//! What the events amounted to, on disk, key by key, so that a start need not replay a life.
//!
//! It is written behind and covers all events up to a number; what came later is in the journal.
//! Facts are sets, so an entry that already knows later events harms nothing. It knows no file
//! system: who opens it gives what stores the bytes. Read `entry` for what lies in it and what
//! guards it, then `store`; `salvage` is the way out of damage.

mod entry;
mod error;
mod meta;
mod salvage;
mod store;

pub use entry::{Entry, Keys};
pub use error::{Defect, StateError};
pub use redb::StorageBackend;
pub use salvage::{Salvaged, salvage};
pub use store::{Contents, Store};
