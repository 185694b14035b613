//! Validates events as they arrive and adds the valid ones to a batch, for every protocol.
//!
//! It reads the clock once, when it is made, so that a batch of events costs one reading. Knows no wire format:
//! gRPC and HTTP make the drafts, see `net`.

use super::event_limits::{EventLimits, Rejection};
use crate::core::{Draft, Event, EventBatch, Micros};
use crate::telemetry::metrics::Metrics;

/// The bounds of an engine at one moment, and where refused events are counted.
#[derive(Clone, Copy)]
pub struct Validator<'e> {
    limits: &'e EventLimits,
    now: Micros,
    metrics: &'e Metrics,
}

impl<'e> Validator<'e> {
    pub(super) const fn new(limits: &'e EventLimits, now: Micros, metrics: &'e Metrics) -> Self {
        Self {
            limits,
            now,
            metrics,
        }
    }

    /// Adds the event of `draft`, or both events of a transfer, to `events`, or says why it is refused.
    #[inline]
    pub fn accept(&self, draft: Draft<'_>, events: &mut EventBatch) -> Result<(), Rejection> {
        if draft.is_transfer() {
            return self.accept_transfer(draft, events);
        }
        events.push(&self.limits.check(draft, self.now)?);
        Ok(())
    }

    /// A batch is stored whole, so both parties change or none.
    fn accept_transfer(&self, draft: Draft<'_>, events: &mut EventBatch) -> Result<(), Rejection> {
        for event in self.limits.check_transfer(draft, self.now)? {
            events.push(&event);
        }
        Ok(())
    }

    /// Adds the events of a row that are valid by themselves, all or none.
    pub fn accept_events(
        &self,
        row: &[Event<'_>],
        events: &mut EventBatch,
    ) -> Result<(), Rejection> {
        for event in row {
            self.limits.check_event(event, self.now)?;
        }
        for event in row {
            events.push(event);
        }
        Ok(())
    }

    /// Counts refused events under the field to blame.
    pub fn count_refused(&self, field: &'static str, events: u64) {
        self.metrics.refused(field, events);
    }
}
