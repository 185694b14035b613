//! One holder explained: the segments of time that make up its score, and the changes behind its balances.
//!
//! A key may have millions of changes. They are visited under the lock of the holder's part, without sorting or
//! copying more of them than the answer lists.

use std::collections::BinaryHeap;

use super::hold_aggregator::HoldAggregator;
use super::questions::{Question, Tokens, score};
use super::shard::Holder;
use crate::core::key::part_of;
use crate::core::{Balance, Deficit, Delta, HolderScore, KeyFacts, Micros, RankedHolder, Segment};

/// A change of balance in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceChange {
    /// The instant of the change.
    pub at: Micros,
    /// Unique within the key.
    pub event_id: Box<str>,
    /// By how much.
    pub delta: Delta,
    /// The balance at that instant, after all its changes.
    pub balance: Balance,
}

/// What is known of one key: a statement of account, over all of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The token.
    pub token_id: Box<str>,
    /// The effective weight: maximal stretches in order of time.
    pub segments: Vec<Segment>,
    /// The first changes of balance in force, in order of time.
    pub changes: Vec<BalanceChange>,
    /// Number of changes that are not in `changes`.
    pub changes_left_out: usize,
    /// If the balance is below 0 at some instant.
    pub deficit: Option<Deficit>,
}

/// One holder with its rank, sums and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderView {
    /// Rank and sums over the window.
    pub row: RankedHolder,
    /// Ordered by `token_id`.
    pub keys: Vec<KeyReport>,
    /// Number of these keys whose balance is below 0 at some instant before the end of the window.
    pub deficits: usize,
}

impl HoldAggregator {
    /// One holder's rank, sums and keys, with at most `changes_max` changes of balance; `None` if there is nothing
    /// about it.
    #[must_use]
    pub fn explain(
        &self,
        holder_id: &str,
        question: &Question,
        changes_max: usize,
    ) -> Option<HolderView> {
        let tokens = self.tokens_of(question)?;
        let (totals, keys) = {
            let shard = self.shard(part_of(holder_id));
            let holder = shard.get(holder_id)?;
            let state = &holder.state;
            let totals = score(state, tokens, &question.window)?;
            (totals, self.reports(holder, tokens, changes_max))
        };
        let as_of = question.window.as_of;
        let is_deficit = |key: &&KeyReport| {
            key.deficit
                .as_ref()
                .is_some_and(|deficit| deficit.at < as_of)
        };
        Some(HolderView {
            row: RankedHolder {
                rank: 1 + self.ahead_of(holder_id, totals, tokens, &question.window),
                holder: HolderScore {
                    holder_id: holder_id.into(),
                    totals,
                },
            },
            deficits: keys.iter().filter(is_deficit).count(),
            keys,
        })
    }

    /// The keys of `holder` by `token_id`, with at most `changes_max` changes of balance.
    fn reports(&self, holder: &Holder, tokens: Tokens, mut changes_max: usize) -> Vec<KeyReport> {
        let keys = holder.state.keys().iter();
        let mut keys: Vec<_> = keys
            .filter(|(token, _)| tokens.include(*token))
            .map(|(token, key)| (self.tokens.name(token), &key.facts))
            .collect();
        keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        keys.into_iter()
            .map(|(token_id, facts)| {
                let (changes, changes_left_out) = first_changes(facts, changes_max);
                changes_max -= changes.len();
                KeyReport {
                    token_id: (&*token_id).into(),
                    segments: facts.segments(),
                    changes,
                    changes_left_out,
                    deficit: Deficit::of(&token_id, &holder.id, facts),
                }
            })
            .collect()
    }
}

/// The first changes of balance of a key, at most `count`, and the number of the others.
fn first_changes(facts: &KeyFacts, count: usize) -> (Vec<BalanceChange>, usize) {
    let mut known = 0;
    // The greatest is the first one to be displaced.
    let mut first: BinaryHeap<(Micros, Box<str>, Delta)> = BinaryHeap::new();
    facts.changes(|at, event_id, delta| {
        known += 1;
        if first.len() < count {
            first.push((at, event_id.into(), delta));
        } else if let Some(mut last) = first.peek_mut()
            && (at, event_id) < (last.0, &*last.1)
        {
            *last = (at, event_id.into(), delta);
        }
    });
    let first = first.into_sorted_vec();
    let left_out = known - first.len();
    let balances = balances(facts, &first, left_out > 0);
    let changes = first.into_iter().zip(balances);
    let changes = changes.map(|((at, event_id, delta), balance)| BalanceChange {
        at,
        event_id,
        delta,
        balance,
    });
    (changes.collect(), left_out)
}

/// The balance at the instant of each of the `first` changes of a key.
fn balances(facts: &KeyFacts, first: &[(Micros, Box<str>, Delta)], has_more: bool) -> Vec<Balance> {
    let mut balances = Vec::with_capacity(first.len());
    let mut balance = Balance::ZERO;
    for instant in first.chunk_by(|(a, ..), (b, ..)| a == b) {
        let count = balances.len() + instant.len();
        if has_more && count == first.len() {
            // Some changes of the last instant may be among those that are left out.
            facts.changes(|at, _, delta| {
                if at == instant[0].0 {
                    balance += delta.into();
                }
            });
        } else {
            for (.., delta) in instant {
                balance += (*delta).into();
            }
        }
        balances.resize(count, balance);
    }
    balances
}
