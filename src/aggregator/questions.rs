//! The answers of the live aggregator: leaderboards, their pages, the rank of one holder, all holders.
//!
//! Every answer visits each holder once, under the lock of its part, and computes exactly. Doubles, rounded
//! up, only decide which holders to skip, and [`super::floors`] where to start. See [`super::explanation`] for what is
//! behind a score.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};

use rayon::prelude::*;

use super::deficits::Counts;
use super::hold_aggregator::HoldAggregator;
use super::holder::HolderState;
use super::ids::IdNumber;
use super::order::{self, Leaders};
use super::shard::{Holder, Shard};
use crate::core::key::{PARTS, part_of};
use crate::core::{HolderScore, RankedHolder, Score, Segment, Snapshot, Totals, Window};

/// What an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The time that counts.
    pub window: Window,
    /// Only this token; `None` for all tokens.
    pub token_id: Option<Box<str>>,
}

impl Question {
    /// About all tokens.
    #[must_use]
    pub const fn of_all_tokens(window: Window) -> Self {
        Self {
            window,
            token_id: None,
        }
    }
}

/// Holders in leaderboard order, from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// In leaderboard order.
    pub rows: Vec<RankedHolder>,
    /// Number of holders behind the last row.
    pub behind: usize,
    /// Number of holders that the question is about.
    pub known: usize,
    /// Number of their keys, of the token of the question, whose balance is below 0 at some instant before the
    /// end of the window.
    pub deficits: usize,
}

/// The effective weight of one key over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySegments {
    /// The token.
    pub token_id: Box<str>,
    /// The holder.
    pub holder_id: Box<str>,
    /// Maximal stretches in order of time.
    pub segments: Vec<Segment>,
}

/// The tokens that count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    All,
    One(IdNumber),
}

impl Tokens {
    pub(super) fn include(self, token: IdNumber) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == token,
        }
    }
}

impl HoldAggregator {
    /// All holders over `window`.
    #[must_use]
    pub fn snapshot(&self, window: &Window) -> Snapshot {
        let scored: Vec<(Vec<HolderScore>, usize)> = (0..PARTS)
            .into_par_iter()
            .map(|part| {
                let shard = self.shard(part);
                let score = |holder: &Holder| HolderScore {
                    holder_id: holder.id.clone(),
                    totals: holder.state.score(window),
                };
                let deficits = shard.deficits().count(Tokens::All, window.as_of);
                (shard.holders().iter().map(score).collect(), deficits)
            })
            .collect();
        let deficits = scored.iter().map(|(_, deficits)| deficits).sum();
        let holders = scored.into_iter().flat_map(|(holders, _)| holders);
        order::snapshot(window, holders.collect(), deficits)
    }

    /// The first `count` holders over `window`.
    #[must_use]
    pub fn leaderboard(&self, count: usize, window: &Window) -> Snapshot {
        let (leaders, counts) = self.leaders(count, window);
        Snapshot::new(*window, leaders, counts.holders, counts.deficits)
    }

    /// The first `count` holders in leaderboard order, or those behind `after`.
    #[must_use]
    pub fn ranking(
        &self,
        question: &Question,
        after: Option<&HolderScore>,
        count: usize,
    ) -> Ranking {
        let Some(tokens) = self.tokens_of(question) else {
            return Ranking {
                rows: Vec::new(),
                behind: 0,
                known: 0,
                deficits: 0,
            };
        };
        if tokens == Tokens::All && after.is_none() {
            let (leaders, counts) = self.leaders(count, &question.window);
            return Ranking {
                behind: counts.holders - leaders.len(),
                rows: ranked(leaders, 0, None),
                known: counts.holders,
                deficits: counts.deficits,
            };
        }
        let counted = (0..PARTS)
            .into_par_iter()
            .fold(
                || Counted::new(count),
                |mut counted, part| {
                    let shard = self.shard(part);
                    counted.deficits += shard.deficits().count(tokens, question.window.as_of);
                    for holder in shard.holders() {
                        if let Some(totals) = score(&holder.state, tokens, &question.window) {
                            counted.add(totals, &holder.id, after);
                        }
                    }
                    counted
                },
            )
            .reduce(|| Counted::new(count), Counted::merge);
        counted.into_ranking(after)
    }

    /// One holder's rank and sums over `window`; `None` if the holder was never seen.
    #[must_use]
    pub fn holder(&self, holder_id: &str, window: &Window) -> Option<(u64, HolderScore)> {
        let totals = self
            .shard(part_of(holder_id))
            .get(holder_id)?
            .state
            .score(window);
        Some((
            1 + self.ahead_of(holder_id, totals, Tokens::All, window),
            HolderScore {
                holder_id: holder_id.into(),
                totals,
            },
        ))
    }

    /// The effective weight of every key over time, by `token_id`, then `holder_id`.
    #[must_use]
    pub fn segments(&self) -> Vec<KeySegments> {
        let mut keys = Vec::new();
        for part in 0..PARTS {
            for holder in self.shard(part).holders() {
                let held = holder.state.keys().iter().map(|(token, key)| KeySegments {
                    token_id: (&*self.tokens.name(token)).into(),
                    holder_id: holder.id.clone(),
                    segments: key.facts.segments(),
                });
                keys.extend(held);
            }
        }
        keys.sort_unstable_by(|a, b| (&a.token_id, &a.holder_id).cmp(&(&b.token_id, &b.holder_id)));
        keys
    }

    /// The tokens of a question; `None` if its token was never seen.
    pub(super) fn tokens_of(&self, question: &Question) -> Option<Tokens> {
        match &question.token_id {
            None => Some(Tokens::All),
            Some(token_id) => self.tokens.known(token_id).map(Tokens::One),
        }
    }

    /// The leaders over `window`, and how many holders and deficits there are.
    fn leaders(&self, count: usize, window: &Window) -> (Vec<HolderScore>, Counts) {
        let guess = self.floors.guess(count, window);
        let found = guess.and_then(|floor| self.leaders_from(floor, count, window));
        let (leaders, counts) = found.unwrap_or_else(|| self.leaders_of_all(count, window));
        if let Some(floor) = leaders.entry_floor() {
            self.floors.remember(count, window, floor);
        }
        (leaders.into_ordered(), counts)
    }

    /// The leaders, if `count` holders have `floor` or more; `None` if fewer have.
    ///
    /// On one thread: only a few holders are visited, and more threads would cost more than they save.
    fn leaders_from(&self, floor: f64, count: usize, window: &Window) -> Option<(Leaders, Counts)> {
        let mut leaders = Leaders::new(count);
        let mut counts = Counts::default();
        let mut visit = |shard: &Shard| {
            shard.visit_from(floor, window.as_of, |holder| {
                let totals = holder.state.score(window);
                leaders.offer(totals, || Cow::Borrowed(&*holder.id));
                leaders
                    .entry_floor()
                    .map_or(floor, |needed| needed.max(floor))
            });
            counts += shard.counts(window.as_of);
        };
        // Parts that a writer holds at this moment are visited last: it has likely finished by then.
        let mut busy = Vec::new();
        for part in 0..PARTS {
            match self.shard_if_free(part) {
                Some(shard) => visit(&shard),
                None => busy.push(part),
            }
        }
        for part in busy {
            visit(&self.shard(part));
        }
        let reached = leaders.entry_floor()?;
        (reached >= floor).then_some((leaders, counts))
    }

    /// The leaders, found without a floor.
    fn leaders_of_all(&self, count: usize, window: &Window) -> (Leaders, Counts) {
        // The highest required score of any thread, so that no thread starts from zero.
        let floor = AtomicU64::new(0);
        let found = (0..PARTS).into_par_iter().fold(
            || (Leaders::new(count), Counts::default()),
            |(mut leaders, mut counts), part| {
                let shard = self.shard(part);
                let known_to_need = f64::from_bits(floor.load(atomic::Ordering::Relaxed));
                let needed = shard.visit_from(known_to_need, window.as_of, |holder| {
                    let totals = holder.state.score(window);
                    leaders.offer(totals, || Cow::Borrowed(&*holder.id));
                    let floor = leaders.entry_floor();
                    floor.map_or(known_to_need, |floor| floor.max(known_to_need))
                });
                // Doubles above zero have the order of their bits.
                floor.fetch_max(needed.to_bits(), atomic::Ordering::Relaxed);
                counts += shard.counts(window.as_of);
                (leaders, counts)
            },
        );
        found.reduce(
            || (Leaders::new(count), Counts::default()),
            |(ours, mut counts), (theirs, also)| {
                counts += also;
                (ours.merge(theirs), counts)
            },
        )
    }

    /// The number of other holders with a strictly larger score.
    pub(super) fn ahead_of(
        &self,
        holder_id: &str,
        totals: Totals,
        tokens: Tokens,
        window: &Window,
    ) -> u64 {
        let needed = totals.score.floor();
        let is_ahead = |holder: &Holder| {
            *holder.id != *holder_id
                && score(&holder.state, tokens, window)
                    .is_some_and(|other| other.score > totals.score)
        };
        (0..PARTS)
            .into_par_iter()
            .map(|part| {
                let mut ahead = 0;
                self.shard(part).visit_from(needed, window.as_of, |holder| {
                    ahead += u64::from(is_ahead(holder));
                    needed
                });
                ahead
            })
            .sum()
    }
}

/// The sums of a holder over one token or all; `None` if it never held that one.
pub(super) fn score(state: &HolderState, tokens: Tokens, window: &Window) -> Option<Totals> {
    match tokens {
        Tokens::All => Some(state.score(window)),
        Tokens::One(token) => state.score_of(token, window),
    }
}

/// Where a holder is beside the one that a page begins behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// Before it, with a strictly larger score.
    Above,
    /// It, or before it with the same score.
    Tied,
    Behind,
}

impl Position {
    #[inline]
    pub(super) fn of(totals: Totals, holder_id: &str, after: Option<&HolderScore>) -> Self {
        let Some(last) = after else {
            return Self::Behind;
        };
        match totals.score.cmp(&last.totals.score) {
            Ordering::Greater => Self::Above,
            Ordering::Equal if holder_id.as_bytes() <= last.holder_id.as_bytes() => Self::Tied,
            Ordering::Equal | Ordering::Less => Self::Behind,
        }
    }
}

/// Holders around a position in leaderboard order.
pub(super) struct Counted {
    /// The first ones behind the position.
    leaders: Leaders,
    /// Number of holders at the position or before it.
    passed: u64,
    /// Those of them with a strictly larger score than the position.
    above: u64,
    behind: usize,
    pub(super) deficits: usize,
}

impl Counted {
    pub(super) fn new(count: usize) -> Self {
        Self {
            leaders: Leaders::new(count),
            passed: 0,
            above: 0,
            behind: 0,
            deficits: 0,
        }
    }

    pub(super) fn add(&mut self, totals: Totals, holder_id: &str, after: Option<&HolderScore>) {
        let position = Position::of(totals, holder_id, after);
        self.above += u64::from(position == Position::Above);
        if position == Position::Behind {
            self.behind += 1;
            self.leaders.offer(totals, || Cow::Borrowed(holder_id));
        } else {
            self.passed += 1;
        }
    }

    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            leaders: self.leaders.merge(other.leaders),
            passed: self.passed + other.passed,
            above: self.above + other.above,
            behind: self.behind + other.behind,
            deficits: self.deficits + other.deficits,
        }
    }

    pub(super) fn into_ranking(self, after: Option<&HolderScore>) -> Ranking {
        let known = self.behind + usize::try_from(self.passed).expect("counted in memory");
        let tie = after.map(|place| (place.totals.score, self.above + 1));
        let rows = ranked(self.leaders.into_ordered(), self.passed, tie);
        Ranking {
            behind: self.behind - rows.len(),
            rows,
            known,
            deficits: self.deficits,
        }
    }
}

/// The ranks of holders in order, behind `passed` others; `tie` is the score and the rank of the last of those.
fn ranked(
    holders: Vec<HolderScore>,
    passed: u64,
    mut tie: Option<(Score, u64)>,
) -> Vec<RankedHolder> {
    let rank = |(index, holder): (u64, HolderScore)| {
        let rank = match tie {
            Some((score, rank)) if score == holder.totals.score => rank,
            _ => passed + index + 1,
        };
        tie = Some((holder.totals.score, rank));
        RankedHolder { rank, holder }
    };
    (0_u64..).zip(holders).map(rank).collect()
}
