//! The events of a batch that a gate checks: those that its patterns match.
//!
//! The gate counts them from 0; here is which events of the batch they are.

use std::sync::Arc;

use super::{GateOptions, NoAnswer, Verdict, Verdicts};
use crate::core::{EventBatch, Glob, encoding};

/// Some events of a batch.
pub(super) struct Chosen {
    pub(super) events: Arc<EventBatch>,
    /// The index of each in the batch; `None` if these are all.
    indices: Option<Vec<u32>>,
}

impl Chosen {
    /// The events that `gate` checks.
    pub(super) fn new(batch: &EventBatch, gate: &GateOptions) -> Self {
        if gate.token.is_none() && gate.holder.is_none() {
            return Self {
                events: Arc::new(batch.clone()),
                indices: None,
            };
        }
        let matches =
            |pattern: &Option<Glob>, id| pattern.as_ref().is_none_or(|glob| glob.matches(id));
        let mut events = EventBatch::default();
        let mut indices = Vec::new();
        for (index, event) in (0..).zip(encoding::events(batch.bytes())) {
            let event = event.expect("events of a batch can be decoded");
            if matches(&gate.token, event.token_id) && matches(&gate.holder, event.holder_id) {
                events.push(&event);
                indices.push(index);
            }
        }
        Self {
            events: Arc::new(events),
            indices: Some(indices),
        }
    }

    /// The verdicts of the gate as verdicts on the batch; no answer if one is for no event.
    pub(super) fn in_batch(&self, mut verdicts: Verdicts) -> Result<Verdicts, NoAnswer> {
        if let Some(indices) = &self.indices {
            for (event, _) in &mut verdicts {
                *event = *indices.get(*event as usize).ok_or(NoAnswer)?;
            }
        }
        Ok(verdicts)
    }

    /// Verdicts on the batch that refuse all of these events.
    pub(super) fn refused(&self, reason: &str) -> Verdicts {
        let refuse = |event| (event, Verdict::Refuse(reason.to_owned()));
        match &self.indices {
            Some(indices) => indices.iter().copied().map(refuse).collect(),
            None => (0..self.events.count()).map(refuse).collect(),
        }
    }
}
