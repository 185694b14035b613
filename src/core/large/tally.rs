//! The totals of a key up to some instants, so that after a change only what follows it is added up again.
//!
//! Used by keys with a balance: each change shifts the balance of every later instant. What is added up is
//! decided in [`super::account`].

use crate::core::{Micros, Totals};

/// Totals of everything before an instant, for increasing instants.
#[derive(Clone, Default)]
pub(super) struct Tally {
    /// One after every few thousand pieces that were added up.
    checkpoints: Vec<(Micros, Totals)>,
    /// The horizon of the last change, and the totals before it.
    latest: Option<(Micros, Totals)>,
}

impl Tally {
    /// Forgets totals that include something from `at` on.
    pub(super) fn cut(&mut self, at: Micros) {
        self.latest = self.latest.filter(|(until, _)| *until <= at);
        while self.checkpoints.pop_if(|(until, _)| *until > at).is_some() {}
    }

    /// The last instant up to which totals are known, and the totals.
    pub(super) fn last(&self) -> (Micros, Totals) {
        let last = self.latest.or(self.checkpoints.last().copied());
        last.unwrap_or((Micros::MIN, Totals::ZERO))
    }

    /// Keeps the totals before `at`, an instant on the way.
    pub(super) fn pass(&mut self, at: Micros, totals: Totals) {
        self.latest = None;
        self.checkpoints.push((at, totals));
    }

    /// Keeps the totals before the horizon.
    pub(super) fn arrive(&mut self, horizon: Micros, totals: Totals) {
        self.latest = Some((horizon, totals));
    }
}
