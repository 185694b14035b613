//! The conversions of messages, public for the fuzz targets only.

use std::sync::Arc;

use super::columns::{BatchBounds, Columns, Rows};
use super::event::{WireRefusal, draft_from_wire, transfer_from_wire};
use crate::core::{Draft, EventBatch};
use crate::engine::{Engine, Options, Rejection, SystemClock};
use crate::net::pb::{HoldBatch, HoldMsg, TransferBatch, TransferMsg};

/// Converts messages with the validator of an engine.
pub struct Conversion {
    engine: Engine,
}

impl Default for Conversion {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversion {
    /// With the default bounds and the system's clock.
    ///
    /// # Panics
    /// If no thread can be started.
    #[must_use]
    pub fn new() -> Self {
        let options = Options::in_memory();
        let engine = Engine::open(options, Arc::new(SystemClock)).expect("threads for an engine");
        Self { engine }
    }

    /// The event of one message; empty if it is refused.
    #[must_use]
    pub fn message(&self, message: &HoldMsg) -> EventBatch {
        self.one(draft_from_wire(message))
    }

    /// The events of one transfer; empty if it is refused.
    #[must_use]
    pub fn transfer(&self, message: &TransferMsg) -> EventBatch {
        self.one(transfer_from_wire(message))
    }

    /// The valid events of a batch.
    #[must_use]
    pub fn batch(&self, batch: &HoldBatch) -> EventBatch {
        self.rows(batch)
    }

    /// The events of the valid transfers of a batch.
    #[must_use]
    pub fn transfers(&self, batch: &TransferBatch) -> EventBatch {
        self.rows(batch)
    }

    fn one(&self, draft: Result<Draft<'_>, WireRefusal>) -> EventBatch {
        let mut events = EventBatch::default();
        let validator = self.engine.validator();
        let accepted = draft.and_then(|draft| Ok(validator.accept(draft, &mut events)?));
        if let Err(refusal) = accepted {
            assert!(refusal.to_string().contains(refusal.field()), "{refusal}");
        }
        events
    }

    fn rows(&self, batch: &impl Columns) -> EventBatch {
        let mut events = EventBatch::default();
        let validator = self.engine.validator();
        let bounds = BatchBounds {
            rows_max: 10_000,
            bytes_max: 16 << 20,
        };
        match Rows::new(batch, bounds) {
            Ok(rows) => {
                let bytes_max = rows.event_bytes_max();
                for row in 0..rows.count() {
                    let draft = rows.draft(row).map_err(Rejection::from);
                    if let Err(refusal) =
                        draft.and_then(|draft| validator.accept(draft, &mut events))
                    {
                        assert!(refusal.to_string().contains(refusal.field()), "{refusal}");
                    }
                }
                assert!(
                    events.bytes().len() <= bytes_max,
                    "more than {bytes_max} bytes"
                );
            }
            Err(refusal) => assert!(refusal.to_string().contains(refusal.field()), "{refusal}"),
        }
        events
    }
}
