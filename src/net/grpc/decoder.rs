//! The events of a message: one, or a batch in columns. What was accepted and refused goes into an `AckGroup`.
//!
//! The fields of an event are converted in `event` and `columns`.

use super::ack_group::AckGroup;
use super::columns::Rows;
use super::event::draft_from_wire;
use crate::core::EventBatch;
use crate::engine::Validator;
use crate::net::pb::{HoldBatch, HoldMsg};

/// A message that holds events.
pub(in crate::net) trait BatchDecoder {
    /// Adds its valid events to `events`, and counts in `group` how many were accepted and refused.
    fn decode(
        &self,
        validator: &Validator<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut AckGroup,
    );
}

impl BatchDecoder for HoldMsg {
    fn decode(
        &self,
        validator: &Validator<'_>,
        _: usize,
        events: &mut EventBatch,
        group: &mut AckGroup,
    ) {
        let accepted = draft_from_wire(self)
            .and_then(|draft| validator.accept(draft, events).map_err(Into::into));
        match accepted {
            Ok(()) => group.accepted += 1,
            Err(refusal) => group.refuse(validator, None, refusal.field(), &refusal, 1),
        }
    }
}

impl BatchDecoder for HoldBatch {
    fn decode(
        &self,
        validator: &Validator<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut AckGroup,
    ) {
        let rows = match Rows::new(self, rows_max) {
            Ok(rows) => rows,
            Err(refusal) => {
                let events = refusal.rows() as u64;
                return group.refuse(validator, None, refusal.field(), &refusal, events);
            }
        };
        for row in 0..rows.count() {
            let accepted = rows.draft(row).map_err(Into::into);
            match accepted.and_then(|draft| validator.accept(draft, events)) {
                Ok(()) => group.accepted += 1,
                Err(refusal) => {
                    group.refuse(validator, Some(row as u64), refusal.field(), &refusal, 1);
                }
            }
        }
    }
}
