//! The answers of the live aggregator: leaderboards, their pages, one holder, all holders.
//!
//! Every answer visits each holder once, under the lock of its part, and computes exactly. Doubles, rounded
//! up, only decide which holders to skip, and [`super::floors`] where to start.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::hold_aggregator::HoldAggregator;
use super::holder::HolderState;
use super::ids::IdNumber;
use super::order::{self, Leaders};
use super::shard::{Holder, Shard};
use crate::core::key::{PARTS, part_of};
use crate::core::{HolderScore, RankedHolder, Segment, Snapshot, Totals, Window};

/// What an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The time that counts.
    pub window: Window,
    /// Only this token; `None` for all tokens.
    pub token_id: Option<Box<str>>,
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

/// One holder with its rank, sums and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderView {
    /// Rank and sums over the window.
    pub row: RankedHolder,
    /// Ordered by `token_id`; over all of time.
    pub keys: Vec<KeySegments>,
}

/// The tokens that count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tokens {
    All,
    One(IdNumber),
}

impl HoldAggregator {
    /// All holders over `window`.
    #[must_use]
    pub fn snapshot(&self, window: &Window) -> Snapshot {
        let scores: Vec<Vec<HolderScore>> = (0..PARTS)
            .into_par_iter()
            .map(|part| {
                let shard = self.shard(part);
                let score = |holder: &Holder| HolderScore {
                    holder_id: holder.id.clone(),
                    totals: holder.state.score(window),
                };
                shard.holders().iter().map(score).collect()
            })
            .collect();
        order::snapshot(window, scores.into_iter().flatten().collect())
    }

    /// The first `count` holders over `window`.
    #[must_use]
    pub fn leaderboard(&self, count: usize, window: &Window) -> Snapshot {
        let (leaders, known) = self.leaders(count, window);
        Snapshot::new(*window, leaders, known)
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
            };
        };
        if tokens == Tokens::All && after.is_none() {
            let (leaders, known) = self.leaders(count, &question.window);
            let snapshot = Snapshot::new(question.window, leaders, known);
            let rows: Vec<_> = snapshot
                .ranked()
                .map(|row| RankedHolder {
                    rank: row.rank,
                    holder: row.holder.clone(),
                })
                .collect();
            let behind = known - rows.len();
            return Ranking {
                rows,
                behind,
                known,
            };
        }
        let counted = (0..PARTS)
            .into_par_iter()
            .fold(
                || Counted::new(count),
                |mut counted, part| {
                    for holder in self.shard(part).holders() {
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

    /// One holder's rank, sums and keys; `None` if there is nothing about it.
    #[must_use]
    pub fn explain(&self, holder_id: &str, question: &Question) -> Option<HolderView> {
        let tokens = self.tokens_of(question)?;
        let (totals, keys) = {
            let shard = self.shard(part_of(holder_id));
            let holder = shard.get(holder_id)?;
            let state = &holder.state;
            let totals = score(state, tokens, &question.window)?;
            (totals, self.segments_of(holder_id, state, tokens))
        };
        Some(HolderView {
            row: RankedHolder {
                rank: 1 + self.ahead_of(holder_id, totals, tokens, &question.window),
                holder: HolderScore {
                    holder_id: holder_id.into(),
                    totals,
                },
            },
            keys,
        })
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
                keys.extend(self.segments_of(&holder.id, &holder.state, Tokens::All));
            }
        }
        keys.sort_unstable_by(|a, b| (&a.token_id, &a.holder_id).cmp(&(&b.token_id, &b.holder_id)));
        keys
    }

    /// The tokens of a question; `None` if its token was never seen.
    fn tokens_of(&self, question: &Question) -> Option<Tokens> {
        match &question.token_id {
            None => Some(Tokens::All),
            Some(token_id) => self.tokens.known(token_id).map(Tokens::One),
        }
    }

    /// The leaders over `window`, and the number of holders.
    fn leaders(&self, count: usize, window: &Window) -> (Vec<HolderScore>, usize) {
        let guess = self.floors.guess(count, window);
        let found = guess.and_then(|floor| self.leaders_from(floor, count, window));
        let (leaders, known) = found.unwrap_or_else(|| self.leaders_of_all(count, window));
        if let Some(floor) = leaders.entry_floor() {
            self.floors.remember(count, window, floor);
        }
        (leaders.into_ordered(), known)
    }

    /// The leaders, if `count` holders have `floor` or more; `None` if fewer have.
    ///
    /// On one thread: only a few holders are visited, and more threads would cost more than they save.
    fn leaders_from(&self, floor: f64, count: usize, window: &Window) -> Option<(Leaders, usize)> {
        let mut leaders = Leaders::new(count);
        let mut known = 0;
        let mut visit = |shard: &Shard| {
            shard.visit_from(floor, window.as_of, |holder| {
                let totals = holder.state.score(window);
                leaders.offer(totals, || Cow::Borrowed(&*holder.id));
                leaders
                    .entry_floor()
                    .map_or(floor, |needed| needed.max(floor))
            });
            known += shard.holders().len();
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
        (reached >= floor).then_some((leaders, known))
    }

    /// The leaders, found without a floor.
    fn leaders_of_all(&self, count: usize, window: &Window) -> (Leaders, usize) {
        // The highest required score of any thread, so that no thread starts from zero.
        let floor = AtomicU64::new(0);
        let found = (0..PARTS).into_par_iter().fold(
            || (Leaders::new(count), 0),
            |(mut leaders, known), part| {
                let shard = self.shard(part);
                let known_to_need = f64::from_bits(floor.load(Ordering::Relaxed));
                let needed = shard.visit_from(known_to_need, window.as_of, |holder| {
                    let totals = holder.state.score(window);
                    leaders.offer(totals, || Cow::Borrowed(&*holder.id));
                    let floor = leaders.entry_floor();
                    floor.map_or(known_to_need, |floor| floor.max(known_to_need))
                });
                // Doubles above zero have the order of their bits.
                floor.fetch_max(needed.to_bits(), Ordering::Relaxed);
                (leaders, known + shard.holders().len())
            },
        );
        found.reduce(
            || (Leaders::new(count), 0),
            |(ours, known), (theirs, also)| (ours.merge(theirs), known + also),
        )
    }

    /// The number of other holders with a strictly larger score.
    fn ahead_of(&self, holder_id: &str, totals: Totals, tokens: Tokens, window: &Window) -> u64 {
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

    fn segments_of(
        &self,
        holder_id: &str,
        state: &HolderState,
        tokens: Tokens,
    ) -> Vec<KeySegments> {
        let keys = state
            .keys()
            .iter()
            .filter(|(number, _)| matches!(tokens, Tokens::All) || tokens == Tokens::One(*number));
        let mut keys: Vec<_> = keys
            .map(|(number, key)| KeySegments {
                token_id: (&*self.tokens.name(number)).into(),
                holder_id: holder_id.into(),
                segments: key.facts.segments(),
            })
            .collect();
        keys.sort_unstable_by(|a, b| a.token_id.cmp(&b.token_id));
        keys
    }
}

/// The sums of a holder over one token or all; `None` if it never held that one.
fn score(state: &HolderState, tokens: Tokens, window: &Window) -> Option<Totals> {
    match tokens {
        Tokens::All => Some(state.score(window)),
        Tokens::One(token) => state.score_of(token, window),
    }
}

/// Holders around a position in leaderboard order.
struct Counted {
    /// The first ones behind the position.
    leaders: Leaders,
    /// Number of holders at the position or before it.
    passed: u64,
    /// Those of them with a strictly larger score than the position.
    above: u64,
    behind: usize,
}

impl Counted {
    fn new(count: usize) -> Self {
        Self {
            leaders: Leaders::new(count),
            passed: 0,
            above: 0,
            behind: 0,
        }
    }

    fn add(&mut self, totals: Totals, holder_id: &str, after: Option<&HolderScore>) {
        if let Some(place) = after {
            let is_above = totals.score > place.totals.score;
            let is_passed = is_above
                || totals.score == place.totals.score
                    && holder_id.as_bytes() <= place.holder_id.as_bytes();
            self.above += u64::from(is_above);
            if is_passed {
                self.passed += 1;
                return;
            }
        }
        self.behind += 1;
        self.leaders.offer(totals, || Cow::Borrowed(holder_id));
    }

    fn merge(self, other: Self) -> Self {
        Self {
            leaders: self.leaders.merge(other.leaders),
            passed: self.passed + other.passed,
            above: self.above + other.above,
            behind: self.behind + other.behind,
        }
    }

    fn into_ranking(self, after: Option<&HolderScore>) -> Ranking {
        let known = self.behind + usize::try_from(self.passed).expect("counted in memory");
        let mut tie = after.map(|place| (place.totals.score, self.above + 1));
        let mut rows = Vec::new();
        for (index, holder) in (0_u64..).zip(self.leaders.into_ordered()) {
            let rank = match tie {
                Some((score, rank)) if score == holder.totals.score => rank,
                _ => self.passed + index + 1,
            };
            tie = Some((holder.totals.score, rank));
            rows.push(RankedHolder { rank, holder });
        }
        Ranking {
            behind: self.behind - rows.len(),
            rows,
            known,
        }
    }
}
