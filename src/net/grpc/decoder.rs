//! The events of a message: one, the two of a transfer, or a batch in columns. What was accepted and refused goes
//! into an `AckGroup`.
//!
//! The fields of an event are converted in `event` and `columns`.

use super::ack_group::AckGroup;
use super::columns::{Columns, Rows};
use super::event::{WireRefusal, draft_from_wire, transfer_from_wire};
use crate::core::{Draft, EventBatch};
use crate::engine::Validator;
use crate::net::pb::{HoldBatch, HoldMsg, TransferBatch, TransferMsg};

/// A message that holds events.
pub(in crate::net) trait BatchDecoder {
    /// Adds its valid events to `events`, and counts in `group` how many messages or rows were accepted and
    /// refused.
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
        decode_one(draft_from_wire(self), validator, events, group);
    }
}

impl BatchDecoder for TransferMsg {
    fn decode(
        &self,
        validator: &Validator<'_>,
        _: usize,
        events: &mut EventBatch,
        group: &mut AckGroup,
    ) {
        decode_one(transfer_from_wire(self), validator, events, group);
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
        decode_rows(self, validator, rows_max, events, group);
    }
}

impl BatchDecoder for TransferBatch {
    fn decode(
        &self,
        validator: &Validator<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut AckGroup,
    ) {
        decode_rows(self, validator, rows_max, events, group);
    }
}

#[inline]
fn decode_one(
    draft: Result<Draft<'_>, WireRefusal>,
    validator: &Validator<'_>,
    events: &mut EventBatch,
    group: &mut AckGroup,
) {
    let before = events.count();
    let accepted = draft.and_then(|draft| validator.accept(draft, events).map_err(Into::into));
    match accepted {
        Ok(()) => group.accept(1, events.count() - before),
        Err(refusal) => group.refuse(validator, None, refusal.field(), &refusal, 1),
    }
}

fn decode_rows(
    batch: &impl Columns,
    validator: &Validator<'_>,
    rows_max: usize,
    events: &mut EventBatch,
    group: &mut AckGroup,
) {
    let rows = match Rows::new(batch, rows_max) {
        Ok(rows) => rows,
        Err(refusal) => {
            let rows = refusal.rows() as u64;
            return group.refuse(validator, None, refusal.field(), &refusal, rows);
        }
    };
    let before = events.count();
    let mut accepted = 0;
    for row in 0..rows.count() {
        let draft = rows.draft(row).map_err(Into::into);
        match draft.and_then(|draft| validator.accept(draft, events)) {
            Ok(()) => accepted += 1,
            Err(refusal) => {
                group.refuse(validator, Some(row as u64), refusal.field(), &refusal, 1);
            }
        }
    }
    group.accept(accepted, events.count() - before);
}
