//! The conversions of the wire, opened to the fuzz targets alone.

use std::sync::Arc;

use super::columns::Rows;
use super::event::Judge;
use crate::core::EventBatch;
use crate::engine::{Engine, Options, SystemClock};
use crate::net::pb::{HoldBatch, HoldMsg};
use crate::telemetry::metrics::Metrics;

/// What converts needs an engine's gate and clock.
pub struct Conversion {
    engine: Engine,
    metrics: Arc<Metrics>,
}

impl Default for Conversion {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversion {
    /// With the gate of the service and the clock of the machine.
    ///
    /// # Panics
    /// Where the machine gives no thread.
    #[must_use]
    pub fn new() -> Self {
        let options = Options::in_memory();
        let metrics = Arc::clone(&options.metrics);
        let engine = Engine::open(options, Arc::new(SystemClock)).expect("threads for an engine");
        Self { engine, metrics }
    }

    /// The event of one message; none where it is refused.
    #[must_use]
    pub fn message(&self, message: &HoldMsg) -> EventBatch {
        let mut events = EventBatch::default();
        let judge = Judge::new(&self.engine, &self.metrics);
        if let Err(refusal) = judge.take(message, &mut events) {
            assert!(refusal.to_string().contains(refusal.field()), "{refusal}");
        }
        events
    }

    /// The events of a batch's rows, without those that are refused.
    #[must_use]
    pub fn batch(&self, batch: &HoldBatch) -> EventBatch {
        let mut events = EventBatch::default();
        let judge = Judge::new(&self.engine, &self.metrics);
        match Rows::new(batch, 10_000) {
            Ok(rows) => {
                for row in 0..rows.count() {
                    if let Err(refusal) = rows.take(row, &judge, &mut events) {
                        assert!(refusal.to_string().contains(refusal.field()), "{refusal}");
                    }
                }
            }
            Err(refusal) => assert!(refusal.to_string().contains(refusal.field()), "{refusal}"),
        }
        events
    }
}
