//! What a server says of events that were sent.

use crate::net::pb;

/// What is known of events up to a place in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Number of the last event that this covers; 0 where every one was refused.
    pub sequence: u64,
    /// Place in the stream of the last message that this covers, from 0.
    pub index: u64,
    /// Events accepted.
    pub accepted: u64,
    /// Whether they are on disk.
    pub is_durable: bool,
    /// Events refused.
    pub refused: Vec<RefusedRow>,
}

/// An event that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Row of its batch, from 0; `None` where the whole batch is refused.
    pub row: Option<usize>,
    /// One line that begins with the field.
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
