//! The scores of all holders under one rule, kept between questions.
//!
//! A holder is scored again if it has changed since, or if another end of the window changes what it held. So
//! the first answer costs as much as all holders, a later one as much as those that changed. The rule is a
//! [`ScoreRule`]; what it computes is not known here.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use smallvec::SmallVec;

use super::hold_aggregator::HoldAggregator;
use super::holder::HolderState;
use super::ids::{IdNumber, Names};
use super::order;
use super::questions::{Counted, Question, Ranking, Tokens};
use super::shard::{Holder, Shard};
use crate::core::key::{PARTS, part_of};
use crate::core::window::length;
use crate::core::{
    Group, HeldBy, HeldKey, HeldSegment, HolderScore, Micros, Score, ScoreRule, Snapshot, Totals,
    Window,
};

/// The scores under one rule for one question; only the end of its window may move.
pub struct PublishedScores {
    question: Question,
    parts: Vec<PartScores>,
    groups: Vec<GroupScore>,
    /// The number of holders and groups that the last refreshment scored.
    scored: usize,
}

/// The scores of the holders of one part, by their number.
#[derive(Default)]
struct PartScores {
    /// The number of changes of the part that are included.
    changes: u64,
    entries: Vec<Entry>,
}

/// One holder, or one group.
#[derive(Clone, Copy)]
struct Entry {
    /// `None` if it is not published under its own name.
    score: Option<Score>,
    held_us: u128,
    /// From this instant on, the end of the window does not matter; `Micros::MAX` if it always does.
    settled_from: Micros,
}

struct GroupScore {
    entry: Entry,
    /// Whether a member has changed since.
    is_changed: AtomicBool,
}

impl PublishedScores {
    /// Nothing scored yet.
    #[must_use]
    pub fn new(question: Question) -> Self {
        Self {
            question,
            parts: (0..PARTS).map(|_| PartScores::default()).collect(),
            groups: Vec::new(),
            scored: 0,
        }
    }

    /// The question that is answered.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// The number of holders and groups that the last refreshment scored.
    #[must_use]
    pub const fn scored(&self) -> usize {
        self.scored
    }

    /// Includes all changes of `aggregator` up to now, and moves the end of the window to `as_of`.
    pub fn refresh(&mut self, aggregator: &HoldAggregator, rule: &dyn ScoreRule, as_of: Micros) {
        let previous = std::mem::replace(&mut self.question.window.as_of, as_of);
        // What is settled at both ends is the same at both.
        let settled = (previous != as_of).then(|| previous.min(as_of));
        let Some(tokens) = aggregator.tokens_of(&self.question) else {
            return;
        };
        let is_first = self.groups.is_empty();
        if is_first {
            self.groups = rule.groups().iter().map(|_| GroupScore::new()).collect();
        }
        let scoring = Scoring {
            rule,
            window: self.question.window,
            tokens,
        };
        let groups = &self.groups;
        self.scored = self
            .parts
            .par_iter_mut()
            .enumerate()
            .map(|(part, known)| {
                let shard = aggregator.shard(part);
                known.refresh(
                    &shard,
                    &aggregator.tokens.names(),
                    &scoring,
                    settled,
                    groups,
                )
            })
            .sum();
        for (group, known) in rule.groups().iter().zip(&mut self.groups) {
            let is_settled = settled.is_none_or(|end| known.entry.settled_from <= end);
            if std::mem::take(known.is_changed.get_mut()) || !is_settled {
                known.entry = scoring.group(aggregator, group);
                self.scored += 1;
            }
        }
    }

    /// The first `count` published holders in leaderboard order, or those behind `after`.
    #[must_use]
    pub fn ranking(
        &self,
        aggregator: &HoldAggregator,
        rule: &dyn ScoreRule,
        after: Option<&HolderScore>,
        count: usize,
    ) -> Ranking {
        let Some(tokens) = aggregator.tokens_of(&self.question) else {
            return Counted::new(count).into_ranking(after);
        };
        let as_of = self.question.window.as_of;
        let mut counted = self
            .parts
            .par_iter()
            .enumerate()
            .fold(
                || Counted::new(count),
                |mut counted, (part, scores)| {
                    let shard = aggregator.shard(part);
                    counted.deficits += shard.deficits().count(tokens, as_of);
                    for (holder, entry) in shard.holders().iter().zip(&scores.entries) {
                        if let Some(totals) = entry.totals() {
                            counted.add(totals, &holder.id, after);
                        }
                    }
                    counted
                },
            )
            .reduce(|| Counted::new(count), Counted::merge);
        for (group, score) in rule.groups().iter().zip(&self.groups) {
            if let Some(totals) = score.entry.totals() {
                counted.add(totals, &group.holder_id, after);
            }
        }
        counted.into_ranking(after)
    }

    /// All published holders.
    #[must_use]
    pub fn snapshot(&self, aggregator: &HoldAggregator, rule: &dyn ScoreRule) -> Snapshot {
        let window = self.question.window;
        let tokens = aggregator.tokens_of(&self.question);
        let (mut holders, mut deficits) = (Vec::new(), 0);
        for (part, scores) in self.parts.iter().enumerate() {
            let shard = aggregator.shard(part);
            deficits += tokens.map_or(0, |tokens| shard.deficits().count(tokens, window.as_of));
            let published = shard.holders().iter().zip(&scores.entries);
            holders.extend(published.filter_map(|(holder, entry)| {
                let totals = entry.totals()?;
                let holder_id = holder.id.clone();
                Some(HolderScore { holder_id, totals })
            }));
        }
        for (group, score) in rule.groups().iter().zip(&self.groups) {
            holders.extend(score.entry.totals().map(|totals| HolderScore {
                holder_id: group.holder_id.clone(),
                totals,
            }));
        }
        order::snapshot(&window, holders, deficits)
    }
}

impl Entry {
    const NOTHING: Self = Self {
        score: None,
        held_us: 0,
        settled_from: Micros::MIN,
    };

    fn totals(&self) -> Option<Totals> {
        Some(Totals {
            held_us: self.held_us,
            score: self.score?,
        })
    }
}

impl GroupScore {
    fn new() -> Self {
        Self {
            entry: Entry::NOTHING,
            is_changed: AtomicBool::new(true),
        }
    }
}

impl PartScores {
    /// Scores the holders that changed, and those of which `settled` says that the end of the window matters;
    /// returns how many.
    fn refresh(
        &mut self,
        shard: &Shard,
        names: &Names<'_>,
        scoring: &Scoring<'_>,
        settled: Option<Micros>,
        groups: &[GroupScore],
    ) -> usize {
        if shard.changes() == self.changes && settled.is_none() {
            return 0;
        }
        let mut held = Held::default();
        let mut count = 0;
        for (number, (holder, last_change)) in
            shard.holders().iter().zip(shard.last_changes()).enumerate()
        {
            let known = self.entries.get_mut(number);
            let is_current = known.as_ref().is_some_and(|entry| {
                *last_change <= self.changes && settled.is_none_or(|end| entry.settled_from <= end)
            });
            if is_current {
                continue;
            }
            count += 1;
            let entry = scoring.holder(holder, names, &mut held, groups);
            match known {
                Some(known) => *known = entry,
                None => self.entries.push(entry),
            }
        }
        self.changes = shard.changes();
        count
    }
}

/// How holders are scored.
struct Scoring<'a> {
    rule: &'a dyn ScoreRule,
    window: Window,
    tokens: Tokens,
}

impl Scoring<'_> {
    /// A holder under its own name; if it has a group, that one is marked as changed.
    fn holder(
        &self,
        holder: &Holder,
        names: &Names<'_>,
        held: &mut Held,
        groups: &[GroupScore],
    ) -> Entry {
        if let Some(group) = self.rule.group_of(&holder.id) {
            groups[group].is_changed.store(true, Ordering::Relaxed);
            return Entry::NOTHING;
        }
        held.clear();
        let has_key = held.read(&holder.state, &self.window, self.tokens);
        let keys = held.keys(names);
        let score = has_key.then(|| {
            let holders = [HeldBy {
                holder_id: &holder.id,
                keys: &keys,
            }];
            self.rule.score(&holders, &self.window)
        });
        Entry {
            score: score.flatten(),
            held_us: held.held_us(),
            settled_from: self.settled_from(&holder.state),
        }
    }

    /// All members of a group together.
    fn group(&self, aggregator: &HoldAggregator, group: &Group) -> Entry {
        let mut entry = Entry::NOTHING;
        let mut read = Vec::new();
        for member in &group.members {
            let shard = aggregator.shard(part_of(member));
            let Some(holder) = shard.get(member) else {
                continue;
            };
            let mut held = Held::default();
            held.read(&holder.state, &self.window, self.tokens);
            if *member == group.holder_id {
                entry.held_us = held.held_us();
            }
            entry.settled_from = entry.settled_from.max(self.settled_from(&holder.state));
            read.push((member, held));
        }
        // After the last lock of a part, since others take that one first.
        let names = aggregator.tokens.names();
        let keys: Vec<_> = read
            .iter()
            .map(|(member, held)| (member, held.keys(&names)))
            .collect();
        let holders: Vec<_> = keys
            .iter()
            .map(|(holder_id, keys)| HeldBy { holder_id, keys })
            .collect();
        entry.score = self.rule.score(&holders, &self.window);
        entry
    }

    fn settled_from(&self, state: &HolderState) -> Micros {
        if self.rule.depends_on_age() {
            return Micros::MAX;
        }
        state
            .settled_from(self.window.closed_only)
            .unwrap_or(Micros::MAX)
    }
}

/// What one holder held; its memory is used again for the next one.
#[derive(Default)]
struct Held {
    segments: Vec<HeldSegment>,
    /// Each key with the end of its segments.
    ends: Vec<(IdNumber, usize)>,
}

impl Held {
    fn clear(&mut self) {
        self.segments.clear();
        self.ends.clear();
    }

    /// Reads the keys of a holder; returns whether it has any.
    fn read(&mut self, state: &HolderState, window: &Window, tokens: Tokens) -> bool {
        let keys = state.keys().iter();
        for (token, key) in keys.filter(|(token, _)| tokens.include(*token)) {
            key.facts.held_within(window, &mut self.segments);
            self.ends.push((token, self.segments.len()));
        }
        !self.ends.is_empty()
    }

    fn keys<'a>(&'a self, names: &'a Names<'_>) -> SmallVec<[HeldKey<'a>; 4]> {
        let mut begin = 0;
        let each = |(token, end): &(IdNumber, usize)| {
            let segments = &self.segments[std::mem::replace(&mut begin, *end)..*end];
            HeldKey {
                token_id: names.get(*token),
                segments,
            }
        };
        self.ends.iter().map(each).collect()
    }

    fn held_us(&self) -> u128 {
        let each = |held: &HeldSegment| u128::from(length(held.start, held.end));
        self.segments.iter().map(each).sum()
    }
}
