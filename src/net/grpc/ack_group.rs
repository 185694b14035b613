//! Groups of messages that share an acknowledgement, and the acknowledgements that are built from them.
//!
//! `ack_stream` decides when one is sent.

use std::collections::VecDeque;

use crate::core::Findings;
use crate::engine::gate::{BEFORE_ACCEPT, RefusedRow};
use crate::engine::{Acked, Durability, Validator};
use crate::net::pb::{self, HoldAck, Refusal};
use crate::output::warning_names;

/// One acknowledgement lists at most so many refused events.
const REFUSED_LISTED_MAX: usize = 1_024;

/// The messages that one acknowledgement covers.
#[derive(Debug, Default)]
pub(in crate::net) struct AckGroup {
    /// Index of its last message in the stream.
    pub(super) index: u64,
    pub(super) messages: u32,
    /// Messages or rows.
    pub(super) accepted: u64,
    /// The events that they state: two for a transfer between two holders.
    events: u64,
    /// Messages or rows.
    pub(super) refused_total: u64,
    refused: Vec<Refusal>,
    /// Sequence number of its last accepted event; 0 before its batch is durable, and if there is none.
    sequence: u64,
    /// Each message by itself.
    findings: Findings,
}

impl AckGroup {
    /// Accepts so many messages or rows, which state `events` events.
    pub(super) fn accept(&mut self, accepted: u64, events: u32) {
        self.accepted += accepted;
        self.events += u64::from(events);
    }

    /// Adds what is probably not meant among the events of one message.
    pub(super) fn find(&mut self, findings: Findings) {
        self.findings.add(findings);
    }

    /// Refuses `rows` for one reason; without a `row`, all of a batch.
    pub(super) fn refuse(
        &mut self,
        validator: &Validator<'_>,
        row: Option<u64>,
        field: &'static str,
        reason: &dyn std::fmt::Display,
        rows: u64,
    ) {
        validator.count_refused(field, rows);
        self.refused_total += rows;
        if self.refused.len() < REFUSED_LISTED_MAX {
            self.refused.push(Refusal {
                index: self.index,
                row,
                field: field.to_owned(),
                reason: reason.to_string(),
            });
        }
    }

    /// Refuses a row that was accepted until a gate refused it.
    fn take_back(&mut self, row: RefusedRow) {
        self.accepted -= 1;
        self.events -= u64::from(row.events);
        self.refused_total += 1;
        self.refused.push(Refusal {
            index: row.id.message,
            row: row.id.row,
            field: BEFORE_ACCEPT.to_owned(),
            reason: row.reason,
        });
    }

    /// Lists the refused rows in the order of the stream, after some were taken back.
    fn sort_refused(&mut self) {
        self.refused
            .sort_by_key(|refusal| (refusal.index, refusal.row));
        self.refused.truncate(REFUSED_LISTED_MAX);
    }

    pub(super) fn is_full(&self, messages_max: u32) -> bool {
        self.messages >= messages_max || self.refused.len() >= REFUSED_LISTED_MAX
    }

    fn has_room_for(&self, next: &Self, messages_max: u32) -> bool {
        self.messages + next.messages <= messages_max
            && self.refused.len() + next.refused.len() <= REFUSED_LISTED_MAX
    }

    /// Covers also `next`, the group after it.
    fn merge(&mut self, next: Self) {
        self.index = next.index;
        self.messages += next.messages;
        self.accepted += next.accepted;
        self.events += next.events;
        self.refused_total += next.refused_total;
        self.refused.extend(next.refused);
        // If all events of the next group were refused, it has no sequence number.
        self.sequence = self.sequence.max(next.sequence);
        self.findings.add(next.findings);
    }
}

/// Groups whose events are durable or refused, and whose acknowledgement was not sent yet.
#[derive(Default)]
pub(super) struct AckQueue {
    groups: VecDeque<AckGroup>,
    /// The same for all events of an engine.
    durability: Option<Durability>,
}

impl AckQueue {
    /// Adds the groups of a batch. The first is merged with the last one in the queue if both fit into one
    /// acknowledgement. The groups of one batch are not: each was full when the next one was begun.
    pub(super) fn push(&mut self, batch: Acked<Vec<AckGroup>>, messages_max: u32) {
        let mut groups = VecDeque::from(batch.tag);
        take_back(&mut groups, batch.refused);
        if let Some(receipt) = batch.receipt {
            self.durability = Some(receipt.durability);
            // The numbers of two batches need not be adjacent: other streams send batches too.
            let mut sequence = receipt.first - 1;
            for group in groups.iter_mut().filter(|group| group.events > 0) {
                sequence += group.events;
                group.sequence = sequence;
            }
        }
        if let (Some(last), Some(next)) = (self.groups.back_mut(), groups.front())
            && last.has_room_for(next, messages_max)
        {
            last.merge(groups.pop_front().expect("it is the front"));
        }
        if self.groups.is_empty() {
            self.groups = groups;
        } else {
            self.groups.append(&mut groups);
        }
    }

    /// Whether the next acknowledgement cannot cover more messages.
    pub(super) fn is_due(&self, messages_max: u32) -> bool {
        self.groups.len() > 1
            || self
                .groups
                .front()
                .is_some_and(|group| group.is_full(messages_max))
    }

    /// The next acknowledgement.
    pub(super) fn pop(&mut self) -> Option<HoldAck> {
        let group = self.groups.pop_front()?;
        let durability = self.durability.filter(|_| group.accepted > 0);
        Some(HoldAck {
            sequence: group.sequence,
            durability: wire_from_durability(durability).into(),
            index: group.index,
            accepted: group.accepted,
            refused: group.refused,
            refused_total: group.refused_total,
            warnings: warning_names(&group.findings),
        })
    }
}

/// Takes the rows back that a gate refused; they are in the order of the stream, as the groups are.
fn take_back(groups: &mut VecDeque<AckGroup>, refused: Vec<RefusedRow>) {
    let mut refused = refused.into_iter().peekable();
    for group in groups {
        if refused.peek().is_none() {
            return;
        }
        while let Some(row) = refused.next_if(|row| row.id.message <= group.index) {
            group.take_back(row);
        }
        group.sort_refused();
    }
}

/// The durability of an acknowledgement; unspecified if no event was accepted.
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
    use crate::engine::Receipt;

    /// A group of one message each for `accepted` and `refused`.
    fn group(index: u64, accepted: u32, refused: u32) -> AckGroup {
        AckGroup {
            index,
            messages: accepted + refused,
            accepted: accepted.into(),
            events: accepted.into(),
            refused_total: refused.into(),
            refused: vec![Refusal::default(); refused as usize],
            sequence: 0,
            findings: Findings::default(),
        }
    }

    /// A batch of these groups; `numbers` are those of its first and last event.
    fn batch(groups: Vec<AckGroup>, numbers: Option<(u64, u64)>) -> Acked<Vec<AckGroup>> {
        let receipt = numbers.map(|(first, last)| Receipt {
            first,
            last,
            durability: Durability::Durable,
        });
        Acked {
            tag: groups,
            receipt,
            refused: Vec::new(),
        }
    }

    fn acks(queue: &mut AckQueue) -> Vec<(u64, u64, u64, usize)> {
        std::iter::from_fn(|| queue.pop())
            .map(|ack| (ack.index, ack.sequence, ack.accepted, ack.refused.len()))
            .collect()
    }

    #[test]
    fn batches_that_become_durable_together_share_an_acknowledgement() {
        let mut queue = AckQueue::default();
        queue.push(batch(vec![group(0, 1, 0)], Some((7, 7))), 5);
        // Another stream has the numbers 8 to 19.
        queue.push(batch(vec![group(2, 2, 0)], Some((20, 21))), 5);
        queue.push(batch(vec![group(3, 0, 1)], None), 5);
        assert!(!queue.is_due(5));
        queue.push(batch(vec![group(5, 1, 1)], Some((30, 30))), 5);
        assert!(queue.is_due(5), "four and two are more than five");
        assert_eq!(acks(&mut queue), [(3, 21, 3, 1), (5, 30, 1, 1)]);
    }

    #[test]
    fn a_transfer_counts_once_and_takes_two_numbers() {
        let mut queue = AckQueue::default();
        let mut transfers = group(1, 0, 0);
        transfers.accept(2, 4);
        queue.push(batch(vec![transfers, group(2, 1, 0)], Some((7, 11))), 2);
        assert_eq!(acks(&mut queue), [(1, 10, 2, 0), (2, 11, 1, 0)]);
    }

    #[test]
    fn full_groups_are_acknowledged_one_by_one() {
        let mut queue = AckQueue::default();
        let groups = vec![group(0, 1, 0), group(1, 0, 1)];
        queue.push(batch(groups, Some((1, 1))), 1);
        queue.push(batch(vec![group(2, 1, 0)], Some((2, 2))), 1);
        assert!(queue.is_due(1));
        assert_eq!(acks(&mut queue), [(0, 1, 1, 0), (1, 0, 0, 1), (2, 2, 1, 0)]);
    }

    #[test]
    fn an_acknowledgement_lists_a_bounded_number_of_refused_events() {
        let mut queue = AckQueue::default();
        let half = u32::try_from(REFUSED_LISTED_MAX / 2).unwrap() + 1;
        queue.push(batch(vec![group(1, 0, half)], None), 65_536);
        queue.push(batch(vec![group(2, 0, half)], None), 65_536);
        let listed = half as usize;
        assert_eq!(acks(&mut queue), [(1, 0, 0, listed), (2, 0, 0, listed)]);
    }
}
