//! The valid events of a batch of an upload, and, if there is a gate, the rows of the request that they came from.
//!
//! A row is an event, or a transfer, which states two events and is accepted or refused whole.

use crate::core::{Draft, Event, EventBatch};
use crate::engine::event_limits::Rejection;
use crate::engine::event_queue::Room;
use crate::engine::receipt::Pending;
use crate::engine::validator::Validator;

/// Which row of its request an event or a transfer is; the numbers are those that the protocol uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The message of a stream, the element of an array, or the line.
    pub message: u64,
    /// The row of a message that has several.
    pub row: Option<u64>,
}

/// A row that was valid and was refused by a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Which one.
    pub id: RowId,
    /// How many events it states.
    pub events: u32,
    /// One line that begins with [`super::BEFORE_ACCEPT`] and names the gate.
    pub reason: String,
    /// Whether the gate gave no answer, so that the same row may be accepted later.
    pub is_unchecked: bool,
}

/// What became of a submitted batch.
#[must_use = "a batch is accepted only once its receipt is there"]
pub struct SubmittedRows {
    /// `None` if no row is left.
    pub pending: Option<Pending>,
    /// In the order of the request.
    pub refused: Vec<RefusedRow>,
}

/// The valid events of a batch; made by [`crate::engine::Engine::row_batch`].
#[derive(Debug, Default)]
pub struct RowBatch {
    pub(super) events: EventBatch,
    /// `None` without a gate: then nobody asks where an event came from.
    pub(super) rows: Option<Vec<Row>>,
    /// Room in the queue that was kept for it before it was filled.
    pub(in crate::engine) room: Option<Room>,
}

/// A row of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) id: RowId,
    /// How many events the batch has after its own.
    pub(super) events_end: u32,
}

impl RowBatch {
    pub(in crate::engine) fn new(bytes: usize, has_gate: bool) -> Self {
        Self {
            events: EventBatch::with_capacity(bytes),
            rows: has_gate.then(Vec::new),
            room: None,
        }
    }

    /// Adds the event of `draft`, or both events of a transfer; how many, or why it is refused.
    #[inline]
    pub fn accept(
        &mut self,
        validator: &Validator<'_>,
        draft: Draft<'_>,
        id: RowId,
    ) -> Result<u32, Rejection> {
        let before = self.events.count();
        validator.accept(draft, &mut self.events)?;
        Ok(self.end_row(id) - before)
    }

    /// Adds the events of a row that are valid by themselves, or says why it is refused.
    pub fn accept_events(
        &mut self,
        validator: &Validator<'_>,
        row: &[Event<'_>],
        id: RowId,
    ) -> Result<(), Rejection> {
        validator.accept_events(row, &mut self.events)?;
        self.end_row(id);
        Ok(())
    }

    #[inline]
    fn end_row(&mut self, id: RowId) -> u32 {
        let events_end = self.events.count();
        if let Some(rows) = &mut self.rows {
            rows.push(Row { id, events_end });
        }
        events_end
    }

    /// The events.
    #[must_use]
    pub const fn events(&self) -> &EventBatch {
        &self.events
    }

    pub(in crate::engine) fn into_events(self) -> EventBatch {
        self.events
    }
}
