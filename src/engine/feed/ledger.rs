//! The cursors of all consumers and the states of all pipelines, in memory.
//!
//! A consumer has one cursor: the number of the last event that it has processed.

use std::collections::BTreeMap;

use super::WhenFull;

/// What is known of all consumers and pipelines.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) consumers: BTreeMap<String, Entry>,
    /// Values by key, by pipeline.
    states: BTreeMap<String, BTreeMap<String, String>>,
}

/// One consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Number of the last event that it has committed.
    pub(super) position: u64,
    pub(super) when_full: WhenFull,
    pub(super) is_open: bool,
    /// Events that it has skipped since it was opened.
    pub(super) shed: u64,
}

impl Ledger {
    /// The values of a pipeline.
    pub(super) fn state(&self, pipeline: &str) -> Vec<(String, String)> {
        let values = self.states.get(pipeline).into_iter().flatten();
        values
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Sets values of a pipeline; `None` removes one.
    pub(super) fn change_state(
        &mut self,
        pipeline: &str,
        changes: impl IntoIterator<Item = (String, Option<String>)>,
    ) {
        for (key, value) in changes {
            let Some(value) = value else {
                if let Some(values) = self.states.get_mut(pipeline) {
                    values.remove(&key);
                }
                continue;
            };
            if !self.states.contains_key(pipeline) {
                self.states.insert(pipeline.to_owned(), BTreeMap::new());
            }
            let values = self.states.get_mut(pipeline).expect("it was inserted");
            values.insert(key, value);
        }
    }
}
