//! The feed: what was acknowledged, in the order of the journal, for any number of named consumers.
//!
//! Acknowledgements never wait for a consumer. Read in this order: `batch` (what a consumer gets), `recent`
//! (frames in memory), `hold_feed` (the public face), `consumer` (one reader), `reader` and `facts` (what
//! consumers get that are not current), `ledger` (cursors and the states of pipelines), `committer` and
//! `cursor_file` (how they become durable).

mod batch;
mod committer;
mod consumer;
mod cursor_file;
mod error;
mod facts;
mod hold_feed;
mod ledger;
mod reader;
mod recent;
mod report;

pub use batch::{FeedBatch, Origin, Place};
pub use committer::CommitFuture;
pub use consumer::Consumer;
pub use error::FeedError;
pub use hold_feed::Feed;
pub use report::ConsumerReport;

pub(super) use batch::Frame;
pub(crate) use cursor_file::{CURSOR_FILE, CURSOR_FILE_SALVAGED, CursorFile};
pub(super) use hold_feed::StoredFeed;
pub(super) use recent::Recent;

/// Where a consumer without a stored cursor begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// After the last event acknowledged so far.
    Now,
    /// With the event of this number.
    Sequence(u64),
    /// With the facts of the state, then with the events after them.
    Beginning,
}

/// What becomes of events that left memory before a consumer read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// They stay in the journal, within its bound, and the consumer has a durable cursor.
    Lag,
    /// The consumer skips them and counts them; it has no stored cursor.
    Shed,
}
