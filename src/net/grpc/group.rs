//! Groups of messages that share an acknowledgement, and what it says of them.
//!
//! When one is sent is up to `intake`.

use super::columns::Rows;
use super::event::Judge;
use crate::core::EventBatch;
use crate::engine::{Durability, Receipt};
use crate::net::pb::{self, HoldAck, HoldBatch, HoldMsg, Refusal};

/// Refused events that one acknowledgement lists.
const REFUSED_LISTED_MAX: usize = 1_024;

/// A message that holds events.
pub(in crate::net) trait Carrier {
    /// Adds its events to `events`, and to `group` what is to be said of them.
    fn unload(
        &self,
        judge: &Judge<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut Group,
    );
}

impl Carrier for HoldMsg {
    fn unload(&self, judge: &Judge<'_>, _: usize, events: &mut EventBatch, group: &mut Group) {
        match judge.take(self, events) {
            Ok(()) => group.accepted += 1,
            Err(refusal) => group.refuse(judge, None, refusal.field(), &refusal),
        }
    }
}

impl Carrier for HoldBatch {
    fn unload(
        &self,
        judge: &Judge<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut Group,
    ) {
        let rows = match Rows::new(self, rows_max) {
            Ok(rows) => rows,
            Err(refusal) => return group.refuse(judge, None, refusal.field(), &refusal),
        };
        for row in 0..rows.count() {
            match rows.take(row, judge, events) {
                Ok(()) => group.accepted += 1,
                Err(refusal) => {
                    group.refuse(judge, Some(row as u64), refusal.field(), &refusal);
                }
            }
        }
    }
}

/// What one acknowledgement covers.
#[derive(Debug, Default)]
pub(in crate::net) struct Group {
    /// Place of its last message in the stream.
    pub(super) index: u64,
    pub(super) messages: u32,
    pub(super) accepted: u64,
    pub(super) refused_total: u64,
    refused: Vec<Refusal>,
}

impl Group {
    fn refuse(
        &mut self,
        judge: &Judge<'_>,
        row: Option<u64>,
        field: &'static str,
        reason: &dyn std::fmt::Display,
    ) {
        judge.count_refused(field);
        self.refused_total += 1;
        if self.refused.len() < REFUSED_LISTED_MAX {
            self.refused.push(Refusal {
                index: self.index,
                row,
                field: field.to_owned(),
                reason: reason.to_string(),
            });
        }
    }

    pub(super) fn is_full(&self, messages_max: u32) -> bool {
        self.messages >= messages_max || self.refused.len() >= REFUSED_LISTED_MAX
    }
}

/// Acknowledgements of a flight that has landed.
#[derive(Default)]
pub(super) struct Landed {
    groups: std::vec::IntoIter<Group>,
    /// Number of the last event that was acknowledged.
    sequence: u64,
    durability: Option<Durability>,
}

impl Landed {
    pub(super) fn new(groups: Vec<Group>, receipt: Option<Receipt>) -> Self {
        Self {
            groups: groups.into_iter(),
            sequence: receipt.map_or(0, |receipt| receipt.first - 1),
            durability: receipt.map(|receipt| receipt.durability),
        }
    }

    pub(super) fn next(&mut self) -> Option<HoldAck> {
        let group = self.groups.next()?;
        self.sequence += group.accepted;
        let durability = self.durability.filter(|_| group.accepted > 0);
        Some(HoldAck {
            sequence: durability.map_or(0, |_| self.sequence),
            durability: wire_from_durability(durability).into(),
            index: group.index,
            accepted: group.accepted,
            refused: group.refused,
            refused_total: group.refused_total,
        })
    }
}

/// What is said of how an event is kept.
pub(in crate::net) const fn wire_from_durability(durability: Option<Durability>) -> pb::Durability {
    match durability {
        None => pb::Durability::Unspecified,
        Some(Durability::Durable) => pb::Durability::Durable,
        Some(Durability::Buffered) => pb::Durability::Buffered,
    }
}
