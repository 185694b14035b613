//! What operators see of a consumer.
//!
//! Values only; `hold_feed` makes them.

use super::WhenFull;

/// One consumer: open, or closed with a stored cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerReport {
    /// Its name.
    pub name: String,
    /// What becomes of events that it has not read in time.
    pub when_full: WhenFull,
    /// Number of the last event that it has committed; while it reads the facts, the number that they carry.
    pub position: u64,
    /// Acknowledged events that it has not processed: all, until the end of the facts is committed.
    pub lag_events: u64,
    /// Bytes of the events after `position`, in the journal if they have left memory.
    pub lag_bytes: u64,
    /// Time since the oldest event that it has not processed was acknowledged; counted from the start of the
    /// process for those of before it.
    pub lag_seconds: f64,
    /// Whether somebody reads.
    pub is_open: bool,
    /// Whether its lag exceeded the bound: it starts again from the facts.
    pub is_detached: bool,
    /// Whether it is reading the facts, and has not committed their end.
    pub is_reading_facts: bool,
    /// Events that it has skipped since it was opened.
    pub shed: u64,
}
