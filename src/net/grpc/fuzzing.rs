//! The conversions of messages, public for the fuzz targets only.

use std::sync::Arc;

use super::columns::Rows;
use super::event::{WireRefusal, draft_from_wire};
use crate::core::EventBatch;
use crate::engine::{Engine, Options, Rejection, SystemClock};
use crate::net::pb::{HoldBatch, HoldMsg};

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
        let mut events = EventBatch::default();
        let validator = self.engine.validator();
        let accepted: Result<(), WireRefusal> =
            draft_from_wire(message).and_then(|draft| Ok(validator.accept(draft, &mut events)?));
        if let Err(refusal) = accepted {
            assert!(refusal.to_string().contains(refusal.field()), "{refusal}");
        }
        events
    }

    /// The valid events of a batch.
    #[must_use]
    pub fn batch(&self, batch: &HoldBatch) -> EventBatch {
        let mut events = EventBatch::default();
        let validator = self.engine.validator();
        match Rows::new(batch, 10_000) {
            Ok(rows) => {
                for row in 0..rows.count() {
                    let draft = rows.draft(row).map_err(Rejection::from);
                    if let Err(refusal) =
                        draft.and_then(|draft| validator.accept(draft, &mut events))
                    {
                        assert!(refusal.to_string().contains(refusal.field()), "{refusal}");
                    }
                }
            }
            Err(refusal) => assert!(refusal.to_string().contains(refusal.field()), "{refusal}"),
        }
        events
    }
}
