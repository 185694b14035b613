//! Transfers as they are sent: many in columns.
//!
//! A transfer is one row, so that a server stores the changes of both parties or refuses both.

use super::batch::extend;
use crate::core::columns::ABSENT;
use crate::core::{Draft, Event, Micros};
use crate::net::pb::TransferBatch;

/// Transfers in columns. A column with nothing but defaults is left out.
#[derive(Clone, Debug, Default)]
pub struct Transfers {
    columns: TransferBatch,
    rows: usize,
    bytes: usize,
}

impl Transfers {
    /// Adds the transfer that states these two events: the change of its sender, then that of its receiver.
    pub fn push(&mut self, [sender, receiver]: &[Event<'_>; 2]) {
        let draft = Draft::from(receiver);
        let rows = self.rows;
        let columns = &mut self.columns;
        let event_id = draft.event_id.unwrap_or_default();
        let at = draft.at.map_or(ABSENT, Micros::get);
        let amount = draft.delta.map(|delta| delta.size().to_string());
        columns.token_id.push(sender.token_id.to_owned());
        columns.from_id.push(sender.holder_id.to_owned());
        columns.to_id.push(receiver.holder_id.to_owned());
        columns.event_id.push(event_id.to_owned());
        extend(&mut columns.at_us, rows, ABSENT, at);
        extend(
            &mut columns.amount_text,
            rows,
            String::new(),
            amount.unwrap_or_default(),
        );
        extend(&mut columns.revision, rows, 0, draft.revision);
        extend(&mut columns.retract, rows, false, draft.retract);
        self.rows += 1;
        self.bytes += sender.token_id.len()
            + sender.holder_id.len()
            + receiver.holder_id.len()
            + event_id.len()
            + 48;
    }

    /// The number of transfers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes they take on the wire.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_wire(self) -> TransferBatch {
        self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    #[test]
    fn the_events_of_a_transfer_give_its_fields_back() {
        let transfer = Draft {
            token_id: "T",
            from_id: Some("a"),
            to_id: Some("b"),
            at: Micros::new(7).ok(),
            amount: Some(Wad::parse("2.5").unwrap()),
            event_id: Some("e"),
            ..Draft::default()
        };
        let retraction = Draft {
            at: None,
            amount: None,
            revision: 3,
            retract: true,
            ..transfer
        };
        let mut transfers = Transfers::default();
        for draft in [transfer, retraction] {
            let events = draft.events().unwrap();
            transfers.push(events.as_slice().try_into().unwrap());
        }
        assert_eq!(transfers.len(), 2);
        let expected = TransferBatch {
            token_id: vec!["T".to_owned(); 2],
            from_id: vec!["a".to_owned(); 2],
            to_id: vec!["b".to_owned(); 2],
            at_us: vec![7, ABSENT],
            amount_text: vec!["2.5".to_owned(), String::new()],
            event_id: vec!["e".to_owned(); 2],
            revision: vec![0, 3],
            retract: vec![false, true],
            ..TransferBatch::default()
        };
        assert_eq!(transfers.into_wire(), expected);
    }
}
