//! Acknowledgements of events that were sent.

use crate::net::pb;

/// The outcome of the events up to a message of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Sequence number of the last event that this covers; 0 if all were refused.
    pub sequence: u64,
    /// Index in the stream of the last message that this covers, from 0.
    pub index: u64,
    /// How many events were accepted.
    pub accepted: u64,
    /// Whether they are on disk.
    pub is_durable: bool,
    /// The refused events.
    pub refused: Vec<RefusedRow>,
}

/// An event that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Row of its batch, from 0; `None` if the whole batch is refused.
    pub row: Option<usize>,
    /// Why, in one line that begins with the field.
    pub reason: String,
}

impl From<pb::HoldAck> for Ack {
    fn from(ack: pb::HoldAck) -> Self {
        Self {
            sequence: ack.sequence,
            index: ack.index,
            accepted: ack.accepted,
            is_durable: ack.durability() == pb::Durability::Durable,
            refused: ack
                .refused
                .into_iter()
                .map(|refused| RefusedRow {
                    row: refused
                        .row
                        .map(|row| usize::try_from(row).unwrap_or(usize::MAX)),
                    reason: refused.reason,
                })
                .collect(),
        }
    }
}
