//! The events of a message: one, the two of a transfer, or a batch in columns. What was accepted and refused goes
//! into an `AckGroup`.
//!
//! The fields of an event are converted in `event` and `columns`.

use super::ack_group::AckGroup;
use super::columns::{BatchBounds, Columns, Rows};
use super::event::{WireRefusal, draft_from_wire, transfer_from_wire};
use crate::core::{Addressed, Audience, Draft, EVENT_BYTES_MAX};
use crate::engine::Validator;
use crate::engine::gate::{RowBatch, RowId};
use crate::net::pb::{HoldBatch, HoldMsg, TransferBatch, TransferMsg};

/// A message that holds events.
pub(in crate::net) trait BatchDecoder {
    /// The bytes of its events, at most; 0 if it is refused.
    fn event_bytes_max(&self, bounds: BatchBounds) -> usize;

    /// Adds its valid events to `events`, and counts in `group` how many messages or rows were accepted and
    /// refused.
    fn decode(
        &self,
        validator: &Validator<'_>,
        bounds: BatchBounds,
        events: &mut RowBatch,
        group: &mut AckGroup,
    );
}

impl BatchDecoder for HoldMsg {
    fn event_bytes_max(&self, _: BatchBounds) -> usize {
        let event_id = self.event_id.as_deref().map_or(0, str::len);
        self.token_id.len() + self.holder_id.len() + event_id + EVENT_BYTES_MAX
    }

    fn decode(
        &self,
        validator: &Validator<'_>,
        _: BatchBounds,
        events: &mut RowBatch,
        group: &mut AckGroup,
    ) {
        decode_one(draft_from_wire(self), validator, events, group);
    }
}

impl BatchDecoder for TransferMsg {
    fn event_bytes_max(&self, _: BatchBounds) -> usize {
        let shared = self.token_id.len() + self.event_id.len() + EVENT_BYTES_MAX;
        self.from_id.len() + self.to_id.len() + 2 * shared
    }

    fn decode(
        &self,
        validator: &Validator<'_>,
        _: BatchBounds,
        events: &mut RowBatch,
        group: &mut AckGroup,
    ) {
        decode_one(transfer_from_wire(self), validator, events, group);
    }
}

impl BatchDecoder for HoldBatch {
    fn event_bytes_max(&self, bounds: BatchBounds) -> usize {
        Rows::new(self, bounds).map_or(0, |rows| rows.event_bytes_max())
    }

    fn decode(
        &self,
        validator: &Validator<'_>,
        bounds: BatchBounds,
        events: &mut RowBatch,
        group: &mut AckGroup,
    ) {
        decode_rows(self, validator, bounds, events, group);
    }
}

impl BatchDecoder for TransferBatch {
    fn event_bytes_max(&self, bounds: BatchBounds) -> usize {
        Rows::new(self, bounds).map_or(0, |rows| rows.event_bytes_max())
    }

    fn decode(
        &self,
        validator: &Validator<'_>,
        bounds: BatchBounds,
        events: &mut RowBatch,
        group: &mut AckGroup,
    ) {
        decode_rows(self, validator, bounds, events, group);
    }
}

#[inline]
fn decode_one(
    draft: Result<Draft<'_>, WireRefusal>,
    validator: &Validator<'_>,
    events: &mut RowBatch,
    group: &mut AckGroup,
) {
    let id = RowId {
        message: group.index,
        row: None,
    };
    let accepted = draft.and_then(|draft| Ok(events.accept(validator, draft, id)?));
    match accepted {
        Ok(events) => group.accept(1, events),
        Err(refusal) => {
            let reason = refusal.to(Audience::Service);
            group.refuse(validator, None, refusal.field(), &reason, 1);
        }
    }
}

fn decode_rows(
    batch: &impl Columns,
    validator: &Validator<'_>,
    bounds: BatchBounds,
    events: &mut RowBatch,
    group: &mut AckGroup,
) {
    let rows = match Rows::new(batch, bounds) {
        Ok(rows) => rows,
        Err(refusal) => {
            let rows = refusal.rows() as u64;
            return group.refuse(validator, None, refusal.field(), &refusal, rows);
        }
    };
    let (mut accepted, mut stated) = (0, 0);
    for row in 0..rows.count() {
        let draft = rows.draft(row).map_err(Into::into);
        let id = RowId {
            message: group.index,
            row: Some(row as u64),
        };
        match draft.and_then(|draft| events.accept(validator, draft, id)) {
            Ok(events) => {
                accepted += 1;
                stated += events;
            }
            Err(refusal) => {
                let reason = refusal.to(Audience::Service);
                group.refuse(validator, id.row, refusal.field(), &reason, 1);
            }
        }
    }
    group.accept(accepted, stated);
}
