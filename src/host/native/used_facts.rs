//! The facts of an aggregator, and how many calls use them: a forked child must not touch facts that a thread of
//! its parent was using.
//!
//! The child has the memory of its parent and none of its other threads. A lock that one of these held is never
//! released there, and what it was changing stays half changed. Calls are counted rather than locks tried,
//! because the child's own threads may hold locks too.

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use pyo3::PyResult;
use pyo3::exceptions::PyRuntimeError;

use crate::aggregator::HoldAggregator;

/// The facts of one aggregator.
#[derive(Default)]
pub(super) struct UsedFacts {
    facts: HoldAggregator,
    /// The process that uses them; 0 before their first use.
    process: AtomicU32,
    /// Calls of that process.
    calls: AtomicUsize,
}

/// One call that uses the facts, until it is dropped.
pub(super) struct Use<'a>(&'a UsedFacts);

impl From<HoldAggregator> for UsedFacts {
    fn from(facts: HoldAggregator) -> Self {
        Self {
            facts,
            ..Self::default()
        }
    }
}

impl UsedFacts {
    /// The facts for one call; `RuntimeError` in a child that was forked while a call of its parent used them.
    pub(super) fn enter(&self) -> PyResult<Use<'_>> {
        if !self.is_usable_in(std::process::id()) {
            return Err(PyRuntimeError::new_err(
                "this aggregator was in use by another thread when the process was forked, so this child cannot \
                 use it: make a new one here, or start processes with the method spawn or forkserver",
            ));
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(Use(self))
    }

    fn is_usable_in(&self, process: u32) -> bool {
        let known = self.process.load(Ordering::SeqCst);
        if known == process {
            return true;
        }
        if self.calls.load(Ordering::SeqCst) == 0 {
            self.process.store(process, Ordering::SeqCst);
            return true;
        }
        // Another thread of this process may have been the first: its call counts here too.
        self.process.load(Ordering::SeqCst) == process
    }
}

impl Deref for Use<'_> {
    type Target = HoldAggregator;

    fn deref(&self) -> &HoldAggregator {
        &self.0.facts
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_may_use_what_was_idle_at_the_fork_and_nothing_else() {
        let facts = UsedFacts::default();
        assert!(facts.is_usable_in(1));
        assert!(facts.is_usable_in(2), "idle: the child takes it over");
        facts.calls.fetch_add(1, Ordering::SeqCst);
        assert!(facts.is_usable_in(2), "two calls of one process");
        assert!(!facts.is_usable_in(3), "in use at the fork");
        assert!(!facts.is_usable_in(3), "and so for ever");
    }
}
