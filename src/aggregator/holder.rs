//! All keys of one holder, with their sum kept at hand.

use std::borrow::Cow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::ids::IdNumber;
use crate::core::key::Freshness;
use crate::core::{Claim, KeyFacts, Micros, Totals, Window};

/// The keys of one holder. Asked for a window that holds all it knows, it answers from the sums.
#[derive(Clone, Default)]
pub(super) struct HolderState {
    keys: HashMap<IdNumber, KeyFacts, FixedState>,
    /// Sum over the settled keys, each up to its horizon.
    totals: Totals,
    /// No key knows anything before; a correction may leave it too early, never too late.
    beginning: Option<Micros>,
    /// No key changes after; a correction may leave it too late, never too early.
    horizon: Option<Micros>,
    /// How many settled keys are open past their horizon.
    open: usize,
    /// Keys that a correction made stale, not in the sums.
    stale: Vec<IdNumber>,
}

impl HolderState {
    /// Adds a claim; returns whether [`Self::settle`] is now due.
    pub(super) fn record(&mut self, token: IdNumber, claim: Claim<'_>) -> bool {
        self.change(token, |key| key.record(claim))
    }

    /// Adds all that `facts` know of one key; returns whether [`Self::settle`] is now due.
    pub(super) fn merge(&mut self, token: IdNumber, facts: &KeyFacts) -> bool {
        self.change(token, |key| key.merge(facts))
    }

    /// Rebuilds what corrections made stale.
    pub(super) fn settle(&mut self) {
        for token in std::mem::take(&mut self.stale) {
            if let Some(key) = self.keys.get_mut(&token) {
                key.settle();
                self.totals += key.timeline().totals();
                self.open += usize::from(key.timeline().open().is_some());
                self.beginning = earlier(self.beginning, key.timeline().beginning());
                self.horizon = self.horizon.max(key.timeline().horizon());
            }
        }
    }

    /// This state, or a settled copy where a correction is half way in.
    pub(super) fn settled(&self) -> Cow<'_, Self> {
        if self.stale.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled)
    }

    /// The sums over `window`; the state must be settled.
    pub(super) fn score(&self, window: &Window) -> Totals {
        let holds_all = self.open == 0
            && self.horizon.is_none_or(|horizon| horizon <= window.as_of)
            && self
                .beginning
                .is_none_or(|beginning| window.start() <= beginning);
        if holds_all {
            return self.totals;
        }
        self.keys
            .values()
            .map(|key| key.timeline().score(window))
            .sum()
    }

    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = (IdNumber, &KeyFacts)> {
        self.keys.iter().map(|(token, key)| (*token, key))
    }

    fn change(&mut self, token: IdNumber, change: impl FnOnce(&mut KeyFacts) -> Freshness) -> bool {
        let key = self.keys.entry(token).or_default();
        if self.stale.contains(&token) {
            let _ = change(key);
            return true;
        }
        self.totals -= key.timeline().totals();
        self.open -= usize::from(key.timeline().open().is_some());
        if change(key) == Freshness::Stale {
            self.stale.push(token);
            return true;
        }
        self.totals += key.timeline().totals();
        self.open += usize::from(key.timeline().open().is_some());
        self.beginning = earlier(self.beginning, key.timeline().beginning());
        self.horizon = self.horizon.max(key.timeline().horizon());
        !self.stale.is_empty()
    }
}

fn earlier(known: Option<Micros>, other: Option<Micros>) -> Option<Micros> {
    known.into_iter().chain(other).min()
}
