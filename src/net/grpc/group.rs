//! Groups of messages that share an acknowledgement, and what it says of them.
//!
//! When one is sent is up to `intake`.

use std::collections::VecDeque;

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
            Err(refusal) => group.refuse(judge, None, refusal.field(), &refusal, 1),
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
            Err(refusal) => {
                let events = refusal.rows() as u64;
                return group.refuse(judge, None, refusal.field(), &refusal, events);
            }
        };
        for row in 0..rows.count() {
            match rows.take(row, judge, events) {
                Ok(()) => group.accepted += 1,
                Err(refusal) => {
                    group.refuse(judge, Some(row as u64), refusal.field(), &refusal, 1);
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
    /// Number of its last accepted event; 0 until it has landed, and where there is none.
    sequence: u64,
}

impl Group {
    /// Refuses `events` for one reason, those of a whole batch where there is no row.
    fn refuse(
        &mut self,
        judge: &Judge<'_>,
        row: Option<u64>,
        field: &'static str,
        reason: &dyn std::fmt::Display,
        events: u64,
    ) {
        judge.count_refused(field, events);
        self.refused_total += events;
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

    fn has_room_for(&self, next: &Self, messages_max: u32) -> bool {
        self.messages + next.messages <= messages_max
            && self.refused.len() + next.refused.len() <= REFUSED_LISTED_MAX
    }

    /// Covers `next` too, which is the one behind it.
    fn absorb(&mut self, next: Self) {
        self.index = next.index;
        self.messages += next.messages;
        self.accepted += next.accepted;
        self.refused_total += next.refused_total;
        self.refused.extend(next.refused);
        // Where all of the next one was refused, the last event is still that of before.
        self.sequence = self.sequence.max(next.sequence);
    }
}

/// Groups that have landed and were not yet acknowledged.
#[derive(Default)]
pub(super) struct Landed {
    groups: VecDeque<Group>,
    /// One for all events of an engine.
    durability: Option<Durability>,
}

impl Landed {
    /// Adds the groups of a flight; the first of them joins the last one before where both fit into one
    /// acknowledgement. The flight's own groups do not: the one before was full when the next was begun.
    pub(super) fn add(&mut self, groups: Vec<Group>, receipt: Option<Receipt>, messages_max: u32) {
        let mut groups = VecDeque::from(groups);
        if let Some(receipt) = receipt {
            self.durability = Some(receipt.durability);
            // Other streams may have had their numbers in between: each flight begins with its own.
            let mut sequence = receipt.first - 1;
            for group in groups.iter_mut().filter(|group| group.accepted > 0) {
                sequence += group.accepted;
                group.sequence = sequence;
            }
        }
        if let (Some(last), Some(next)) = (self.groups.back_mut(), groups.front())
            && last.has_room_for(next, messages_max)
        {
            last.absorb(groups.pop_front().expect("it was just looked at"));
        }
        if self.groups.is_empty() {
            self.groups = groups;
        } else {
            self.groups.append(&mut groups);
        }
    }

    /// Whether the next acknowledgement could not cover more.
    pub(super) fn is_due(&self, messages_max: u32) -> bool {
        self.groups.len() > 1
            || self
                .groups
                .front()
                .is_some_and(|group| group.is_full(messages_max))
    }

    pub(super) fn next(&mut self) -> Option<HoldAck> {
        let group = self.groups.pop_front()?;
        let durability = self.durability.filter(|_| group.accepted > 0);
        Some(HoldAck {
            sequence: group.sequence,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A group of one message each for `accepted` and `refused`.
    fn group(index: u64, accepted: u32, refused: u32) -> Group {
        Group {
            index,
            messages: accepted + refused,
            accepted: accepted.into(),
            refused_total: refused.into(),
            refused: vec![Refusal::default(); refused as usize],
            sequence: 0,
        }
    }

    fn receipt(first: u64, last: u64) -> Receipt {
        Receipt {
            first,
            last,
            durability: Durability::Durable,
        }
    }

    fn told(landed: &mut Landed) -> Vec<(u64, u64, u64, usize)> {
        std::iter::from_fn(|| landed.next())
            .map(|ack| (ack.index, ack.sequence, ack.accepted, ack.refused.len()))
            .collect()
    }

    #[test]
    fn flights_that_land_together_share_an_acknowledgement() {
        let mut landed = Landed::default();
        landed.add(vec![group(0, 1, 0)], Some(receipt(7, 7)), 5);
        // Another stream has 8 to 19.
        landed.add(vec![group(2, 2, 0)], Some(receipt(20, 21)), 5);
        landed.add(vec![group(3, 0, 1)], None, 5);
        assert!(!landed.is_due(5));
        landed.add(vec![group(5, 1, 1)], Some(receipt(30, 30)), 5);
        assert!(landed.is_due(5), "four and two are more than five");
        assert_eq!(told(&mut landed), [(3, 21, 3, 1), (5, 30, 1, 1)]);
    }

    #[test]
    fn groups_are_acknowledged_one_by_one_where_each_is_full() {
        let mut landed = Landed::default();
        landed.add(vec![group(0, 1, 0), group(1, 0, 1)], Some(receipt(1, 1)), 1);
        landed.add(vec![group(2, 1, 0)], Some(receipt(2, 2)), 1);
        assert!(landed.is_due(1));
        assert_eq!(
            told(&mut landed),
            [(0, 1, 1, 0), (1, 0, 0, 1), (2, 2, 1, 0)]
        );
    }

    #[test]
    fn refused_events_are_listed_within_bounds() {
        let mut landed = Landed::default();
        let half = u32::try_from(REFUSED_LISTED_MAX / 2).unwrap() + 1;
        landed.add(vec![group(1, 0, half)], None, 65_536);
        landed.add(vec![group(2, 0, half)], None, 65_536);
        let listed = half as usize;
        assert_eq!(told(&mut landed), [(1, 0, 0, listed), (2, 0, 0, listed)]);
    }
}
