//! Which keys have a balance below 0: counted from ordered sets, listed with the changes behind them.
//!
//! Each part of the holders keeps its own set, which contains only such keys, so counting them for every
//! leaderboard visits no holder. What a deficit is, is defined in [`crate::core::Deficit`].

use std::collections::{BTreeSet, BinaryHeap};
use std::ops::AddAssign;
use std::sync::Arc;

use rayon::prelude::*;

use super::hold_aggregator::HoldAggregator;
use super::ids::IdNumber;
use super::questions::{Question, Tokens};
use crate::core::key::{PARTS, part_of};
use crate::core::{Deficit, Micros};

/// The keys of one part whose balance is below 0 at some instant.
#[derive(Default)]
pub(super) struct DeficitIndex(BTreeSet<(Micros, IdNumber, u32)>);

/// The deficits of one holder, to be kept up to date while its keys change.
pub(super) struct HolderDeficits<'a> {
    pub(super) index: &'a mut DeficitIndex,
    /// The number of the holder within its part.
    pub(super) holder: u32,
}

/// A position in the order of deficits: behind this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeficitCursor {
    /// The token of the key.
    pub token_id: Box<str>,
    /// The holder of the key.
    pub holder_id: Box<str>,
}

impl DeficitCursor {
    fn is_before(&self, token_id: &str, holder_id: &str) -> bool {
        (&*self.token_id, &*self.holder_id) < (token_id, holder_id)
    }
}

/// Deficits in order, from a position on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeficitList {
    /// By `token_id`, then `holder_id`.
    pub rows: Vec<Deficit>,
    /// Where the next rows begin; `None` if there are no more.
    pub next: Option<DeficitCursor>,
    /// Number of deficits that the question is about.
    pub known: usize,
}

impl DeficitIndex {
    /// The number of keys whose balance is below 0 before `as_of`.
    pub(super) fn count(&self, tokens: Tokens, as_of: Micros) -> usize {
        match tokens {
            Tokens::All if self.0.last().is_none_or(|(at, ..)| *at < as_of) => self.0.len(),
            Tokens::All | Tokens::One(_) => self.keys(tokens, as_of).count(),
        }
    }

    /// Token and holder of each key whose balance is below 0 before `as_of`.
    fn keys(&self, tokens: Tokens, as_of: Micros) -> impl Iterator<Item = (IdNumber, u32)> {
        let before = self.0.range(..(as_of, IdNumber(0), 0));
        before
            .map(|(_, token, holder)| (*token, *holder))
            .filter(move |(token, _)| tokens.include(*token))
    }
}

impl HolderDeficits<'_> {
    /// Notes that the balance of a key is first below 0 at `after`, and no longer at `before`.
    pub(super) fn change(
        &mut self,
        token: IdNumber,
        before: Option<Micros>,
        after: Option<Micros>,
    ) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.index.0.remove(&(at, token, self.holder));
        }
        if let Some(at) = after {
            self.index.0.insert((at, token, self.holder));
        }
    }
}

/// How many holders an answer is about, and how many of their keys have a deficit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) holders: usize,
    pub(super) deficits: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.holders += other.holders;
        self.deficits += other.deficits;
    }
}

impl HoldAggregator {
    /// The keys whose balance is below 0 at some instant before the end of the window: the first `count`, or
    /// those behind `after`.
    #[must_use]
    pub fn deficits(
        &self,
        question: &Question,
        after: Option<&DeficitCursor>,
        count: usize,
    ) -> DeficitList {
        self.deficits_while(question, after, count, |_| true)
    }

    /// The same, which ends before the first one that `fits` refuses: a deficit has as many event ids as there are
    /// changes behind it.
    #[must_use]
    pub fn deficits_while(
        &self,
        question: &Question,
        after: Option<&DeficitCursor>,
        count: usize,
        mut fits: impl FnMut(&Deficit) -> bool,
    ) -> DeficitList {
        let Some(tokens) = self.tokens_of(question) else {
            return DeficitList::default();
        };
        let as_of = question.window.as_of;
        let found = (0..PARTS)
            .into_par_iter()
            .fold(
                || FirstKeys::new(count),
                |mut found, part| {
                    let shard = self.shard(part);
                    for (token, holder) in shard.deficits().keys(tokens, as_of) {
                        let holder_id = &*shard.holders()[holder as usize].id;
                        found.offer(self.tokens.name(token), holder_id, after);
                    }
                    found
                },
            )
            .reduce(|| FirstKeys::new(count), FirstKeys::merge);
        let keys = found.heap.into_sorted_vec();
        let mut rows = Vec::new();
        let mut passed = 0;
        for (token_id, holder_id) in &keys {
            // The key may have changed since it was found.
            let deficit = self.deficit(token_id, holder_id);
            if let Some(deficit) = deficit.filter(|deficit| deficit.at < as_of) {
                if !fits(&deficit) {
                    break;
                }
                rows.push(deficit);
            }
            passed += 1;
        }
        let has_more = found.known > found.passed + passed;
        let last = keys[..passed].last().filter(|_| has_more);
        DeficitList {
            rows,
            next: last.map(|(token_id, holder_id)| DeficitCursor {
                token_id: (&**token_id).into(),
                holder_id: holder_id.clone(),
            }),
            known: found.known,
        }
    }

    fn deficit(&self, token_id: &str, holder_id: &str) -> Option<Deficit> {
        let token = self.tokens.known(token_id)?;
        let shard = self.shard(part_of(holder_id));
        let key = shard.get(holder_id)?.state.keys().get(token)?;
        Deficit::of(token_id, holder_id, &key.facts)
    }
}

/// The first keys behind a position, found without copying the others.
struct FirstKeys {
    count: usize,
    /// The greatest is the first one to be displaced.
    heap: BinaryHeap<(Arc<str>, Box<str>)>,
    /// Number of keys at the position or before it.
    passed: usize,
    known: usize,
}

impl FirstKeys {
    fn new(count: usize) -> Self {
        Self {
            count,
            heap: BinaryHeap::new(),
            passed: 0,
            known: 0,
        }
    }

    fn offer(&mut self, token_id: Arc<str>, holder_id: &str, after: Option<&DeficitCursor>) {
        self.known += 1;
        if after.is_some_and(|after| !after.is_before(&token_id, holder_id)) {
            self.passed += 1;
            return;
        }
        if self.heap.len() < self.count {
            self.heap.push((token_id, holder_id.into()));
        } else if let Some(mut last) = self.heap.peek_mut()
            && (&*token_id, holder_id) < (&*last.0, &*last.1)
        {
            *last = (token_id, holder_id.into());
        }
    }

    /// The first keys of both together.
    fn merge(mut self, other: Self) -> Self {
        let known = self.known + other.known;
        self.passed += other.passed;
        for (token_id, holder_id) in other.heap {
            self.offer(token_id, &holder_id, None);
        }
        Self { known, ..self }
    }
}
