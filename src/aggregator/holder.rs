//! All keys of one holder, with their sum kept up to date.

use super::ceiling::Ceiling;
use super::deficits::HolderDeficits;
use super::ids::IdNumber;
use super::keys::{HeldKey, HeldKeys};
use crate::core::key::Recorded;
use crate::core::window::length;
use crate::core::{Claim, KeyFacts, Micros, Totals, Window};

/// The keys of one holder. For a window that contains all facts, it answers from the sums.
#[derive(Clone)]
pub(super) struct HolderState {
    keys: HeldKeys,
    /// Sum over the keys of what each earns before `horizon`, open ones included.
    totals: Totals,
    /// What each microsecond past `horizon` adds; its held time counts the open keys.
    rate: Totals,
    /// Not after the first fact of any key; after a correction it may be too early, never too late.
    beginning: Micros,
    /// Not before the last change of any key; after a correction it may be too late, never too early.
    horizon: Micros,
    /// Whether some key is marked as changed.
    pub(super) is_changed: bool,
}

/// The result of changing a holder.
#[derive(Clone, Copy)]
pub(super) struct HolderChange {
    /// A new key is a change too. If it is not lowered, [`HolderState::lower`] must be called before the next
    /// event; if it is not done, [`HolderState::proceed`] must be called.
    pub(super) recorded: Recorded,
    /// Whether the sums may have changed: also after a step of an earlier change.
    pub(super) is_summed: bool,
    pub(super) new_keys: usize,
}

impl Default for HolderState {
    fn default() -> Self {
        Self {
            keys: HeldKeys::default(),
            totals: Totals::ZERO,
            rate: Totals::ZERO,
            beginning: Micros::MAX,
            horizon: Micros::MIN,
            is_changed: false,
        }
    }
}

impl HolderState {
    /// Adds a claim.
    pub(super) fn record(
        &mut self,
        token: IdNumber,
        claim: Claim<'_>,
        deficits: &mut HolderDeficits<'_>,
    ) -> HolderChange {
        self.change(token, deficits, |key| key.record(claim))
    }

    /// Continues a change of a key that is not done; see [`KeyFacts::record`].
    pub(super) fn proceed(
        &mut self,
        token: IdNumber,
        deficits: &mut HolderDeficits<'_>,
    ) -> HolderChange {
        self.change(token, deficits, |key| Recorded {
            is_change: true,
            is_lowered: true,
            is_done: key.proceed(),
        })
    }

    /// Completes the withdrawals of the last event of a key; returns whether all are. See [`KeyFacts::lower`].
    pub(super) fn lower(&mut self, token: IdNumber) -> bool {
        let key = self.keys.get_mut(token);
        key.is_none_or(|key| key.facts.lower())
    }

    /// Adds all `facts` of one key.
    pub(super) fn merge(
        &mut self,
        token: IdNumber,
        facts: &KeyFacts,
        deficits: &mut HolderDeficits<'_>,
    ) -> HolderChange {
        self.change(token, deficits, |key| Recorded {
            is_change: key.merge(facts),
            is_lowered: true,
            is_done: true,
        })
    }

    /// Restores stored keys, without marking them as changed.
    pub(super) fn restore(
        &mut self,
        keys: impl ExactSizeIterator<Item = (IdNumber, KeyFacts)>,
        deficits: &mut HolderDeficits<'_>,
    ) -> HolderChange {
        let was_changed = self.is_changed;
        self.keys.make_room(keys.len());
        let mut all = HolderChange {
            recorded: Recorded {
                is_change: false,
                is_lowered: true,
                is_done: true,
            },
            is_summed: false,
            new_keys: 0,
        };
        for (token, facts) in keys {
            let done = self.change(token, deficits, |key| {
                // It was built outside of the lock; recording it again would only take time.
                let is_change = if key.is_empty() {
                    *key = facts;
                    true
                } else {
                    key.merge(&facts)
                };
                Recorded {
                    is_change,
                    is_lowered: true,
                    is_done: true,
                }
            });
            if !was_changed {
                self.mark(token, false);
            }
            all.recorded.is_change |= done.recorded.is_change;
            all.is_summed |= done.is_summed;
            all.new_keys += done.new_keys;
        }
        self.is_changed = was_changed;
        all
    }

    /// The sums over `window`.
    pub(super) fn score(&self, window: &Window) -> Totals {
        let holds_all = self.horizon <= window.as_of && window.start() <= self.beginning;
        if holds_all && self.rate == Totals::ZERO {
            return self.totals;
        }
        if holds_all && !window.closed_only {
            let mut totals = self.totals;
            totals += self.rate.times(length(self.horizon, window.as_of));
            return totals;
        }
        self.keys
            .iter()
            .map(|(_, key)| key.facts.score(window))
            .sum()
    }

    /// An instant from which on the end of a window no longer changes what is held within it; `None` if it always
    /// does.
    pub(super) fn settled_from(&self, closed_only: bool) -> Option<Micros> {
        (closed_only || self.rate == Totals::ZERO).then_some(self.horizon)
    }

    /// The sums of one key over `window`; `None` if there is no such key.
    pub(super) fn score_of(&self, token: IdNumber, window: &Window) -> Option<Totals> {
        Some(self.keys.get(token)?.facts.score(window))
    }

    /// An upper bound of the score over any window.
    pub(super) fn ceiling(&self) -> Ceiling {
        Ceiling {
            score: self.totals.score.ceiling(),
            rate: self.rate.score.ceiling(),
            horizon: self.horizon,
        }
    }

    /// Reads what a change of a key will read of its holder, including the lookup of the key.
    pub(super) fn touch(&self, token: IdNumber) -> Option<&HeldKey> {
        std::hint::black_box((self.totals.held_us, self.rate.held_us, self.horizon));
        self.keys.get(token)
    }

    /// The number of keys with an open hold.
    pub(super) fn open(&self) -> u128 {
        self.rate.held_us
    }

    pub(super) const fn keys(&self) -> &HeldKeys {
        &self.keys
    }

    /// Yields all keys, each with whether it changed, and marks them as stored.
    pub(super) fn take_changed(&mut self, mut visit: impl FnMut(IdNumber, &KeyFacts, bool)) {
        self.is_changed = false;
        for (token, key) in self.keys.iter_mut() {
            let was_changed = std::mem::take(&mut key.is_changed);
            visit(token, &key.facts, was_changed);
        }
    }

    /// Marks an existing key as changed or as stored.
    pub(super) fn mark(&mut self, token: IdNumber, is_changed: bool) {
        if let Some(key) = self.keys.get_mut(token) {
            key.is_changed = is_changed;
            self.is_changed |= is_changed;
        }
    }

    fn change(
        &mut self,
        token: IdNumber,
        deficits: &mut HolderDeficits<'_>,
        change: impl FnOnce(&mut KeyFacts) -> Recorded,
    ) -> HolderChange {
        let (key, is_new_key) = self.keys.entry(token);
        let before = Sums::of(&key.facts);
        // A repeated event may come while a change of the key is under way, and complete it.
        let was_under_way = key.facts.is_under_way();
        let recorded = change(&mut key.facts);
        // An event that earns nothing still creates its key.
        let is_change = recorded.is_change || is_new_key;
        key.is_changed |= is_change;
        self.is_changed |= is_change;
        // A key whose change is not done still answers as before, so its sums stay.
        let is_summed = is_change || was_under_way;
        if is_summed {
            let after = Sums::of(&key.facts);
            self.take_away(&before);
            self.add(&after);
            deficits.change(token, before.deficit, after.deficit);
        }
        HolderChange {
            recorded: Recorded {
                is_change,
                ..recorded
            },
            is_summed,
            new_keys: usize::from(is_new_key),
        }
    }

    fn add(&mut self, sums: &Sums) {
        self.beginning = self.beginning.min(sums.beginning);
        if self.horizon < sums.horizon {
            if self.rate != Totals::ZERO {
                self.totals += self.rate.times(length(self.horizon, sums.horizon));
            }
            self.horizon = sums.horizon;
        }
        self.totals += sums.until(self.horizon);
        self.rate += sums.rate;
    }

    fn take_away(&mut self, sums: &Sums) {
        self.totals -= sums.until(self.horizon);
        self.rate -= sums.rate;
    }
}

/// What one key adds to its holder.
struct Sums {
    totals: Totals,
    rate: Totals,
    beginning: Micros,
    horizon: Micros,
    /// The first instant at which the balance is below 0.
    deficit: Option<Micros>,
}

impl Sums {
    fn of(key: &KeyFacts) -> Self {
        Self {
            totals: key.totals(),
            rate: key.rate(),
            beginning: key.beginning().unwrap_or(Micros::MAX),
            horizon: key.horizon().unwrap_or(Micros::MIN),
            deficit: key.deficit().map(|(at, _)| at),
        }
    }

    fn until(&self, horizon: Micros) -> Totals {
        if self.rate == Totals::ZERO {
            return self.totals;
        }
        let mut totals = self.totals;
        totals += self.rate.times(length(self.horizon, horizon));
        totals
    }
}
