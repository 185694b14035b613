//! What changed since it was last stored, and how stored keys are restored.
//!
//! Where and when it is stored is decided elsewhere: see `engine::flusher`.

use super::hold_aggregator::HoldAggregator;
use super::holder::HolderState;
use super::ids::{IdIndex, IdNumber};
use crate::core::key::{ClaimPlace, part_of};
use crate::core::{Claim, KeyFacts};

impl HoldAggregator {
    /// Takes the change marks of up to `holders_max` changed holders of a part (see
    /// [`crate::core::key::part_of`]) and passes these holders to `visit`; returns whether that was all of the
    /// part. A lock is held meanwhile, so `visit` should copy and return.
    pub fn take_changed(
        &self,
        part: usize,
        holders_max: usize,
        mut visit: impl FnMut(ChangedHolder<'_>),
    ) -> bool {
        self.shard_mut(part).take_changed(holders_max, |holder| {
            visit(ChangedHolder {
                holder_id: &holder.id,
                state: &mut holder.state,
                tokens: &self.tokens,
            });
        })
    }

    /// Yields all claims of a key, a few thousand under each lock.
    ///
    /// Events may be added meanwhile. A claim that is in force from the first lock to the last is yielded; of
    /// the others some are, which does no harm: claims are a set.
    pub fn claims_of(&self, holder_id: &str, token_id: &str, mut visit: impl FnMut(Claim<'_>)) {
        let Some(token) = self.tokens.known(token_id) else {
            return;
        };
        let part = part_of(holder_id);
        let mut next = Some(ClaimPlace::default());
        while let Some(place) = next {
            let shard = self.shard(part);
            let key = shard
                .get(holder_id)
                .and_then(|holder| holder.state.keys().get(token));
            next = key.and_then(|key| key.facts.claims_from(place, &mut visit));
        }
    }

    /// Marks a key as changed again, because it could not be stored.
    pub fn mark_changed(&self, holder_id: &str, token_id: &str) {
        let token = self.tokens.number(token_id);
        self.shard_mut(part_of(holder_id))
            .mark_changed(holder_id, token);
    }

    /// Restores stored keys: this marks nothing as changed and counts no event.
    #[must_use]
    pub fn restoring(&self) -> Restoring<'_> {
        Restoring {
            aggregator: self,
            holder_id: String::new(),
            keys: Vec::new(),
        }
    }
}

/// A holder of whom something changed since it was last stored.
pub struct ChangedHolder<'a> {
    /// The id of the holder.
    pub holder_id: &'a str,
    state: &'a mut HolderState,
    tokens: &'a IdIndex,
}

impl ChangedHolder<'_> {
    /// Whether it has few keys. Once they are many they stay so, in another process as well, which counts
    /// them in the same way.
    #[must_use]
    pub const fn has_few_keys(&self) -> bool {
        self.state.keys().are_few()
    }

    /// Yields keys as `(token_id, facts, was_changed)`: all if they are few, otherwise those that changed.
    pub fn take(self, mut visit: impl FnMut(&str, &KeyFacts, bool)) {
        let takes_all = self.has_few_keys();
        self.state.take_changed(|token, facts, was_changed| {
            if takes_all || was_changed {
                visit(&self.tokens.name(token), facts, was_changed);
            }
        });
    }
}

/// Restores stored keys; all are there once this is dropped. The keys of one holder are best given one
/// after the other: they are then inserted together, with exactly the capacity that they need.
pub struct Restoring<'a> {
    aggregator: &'a HoldAggregator,
    holder_id: String,
    keys: Vec<(IdNumber, KeyFacts)>,
}

impl Restoring<'_> {
    /// Restores one key from its claims.
    pub fn add<'c>(
        &mut self,
        holder_id: &str,
        token_id: &str,
        claims: impl IntoIterator<Item = Claim<'c>>,
    ) {
        if self.holder_id != holder_id {
            self.place();
            self.holder_id.clear();
            self.holder_id.push_str(holder_id);
        }
        let mut facts = KeyFacts::default();
        facts.record_all(claims);
        self.keys
            .push((self.aggregator.tokens.number(token_id), facts));
    }

    fn place(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut shard = self.aggregator.shard_mut(part_of(&self.holder_id));
        let keys = self.keys.drain(..);
        shard.change(&self.holder_id, |holder, deficits| {
            holder.restore(keys, deficits)
        });
    }
}

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        self.place();
    }
}
