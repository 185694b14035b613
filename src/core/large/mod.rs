//! A key with many facts: each fact costs about the logarithm of their number.
//!
//! Nothing is rebuilt as a whole. What holds and marks define is a [`Curve`] that a new fact lifts. After the
//! withdrawal of a named fact, only the stretches that it alone held up are visited, and each falls to the
//! level of the remaining facts. The balance is an [`Account`] beside the curve; the effective weight is the
//! larger of the two. Small keys use forms with less memory, see [`super::key`].

mod account;
mod answers;
mod claims;
mod cover;
mod curve;
mod level;
mod marks;
mod standings;
mod steps;
mod stretch;
mod tally;
#[cfg(test)]
mod tests;
mod tree;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use hashbrown::HashMap;

use self::account::{Account, Walk};
pub(super) use self::claims::ClaimPlace;
use self::cover::Cover;
use self::curve::Curve;
use self::level::Level;
use self::marks::{Marks, Turn};
use self::standings::DividedStandings;
use self::tally::Tally;
use super::changes::Outline;
use super::standings::Replaced;
use super::timeline::Mark;
use super::{Claim, Fact, Micros, Quantity, Standing, Totals, Wad};

/// All facts of a large key.
#[derive(Clone, Default)]
pub(super) struct LargeKey {
    /// The largest weight of the plain closed holds, which are never withdrawn.
    plain: Curve,
    marks: Marks,
    standings: DividedStandings,
    /// Named closed holds in force.
    cover: Cover,
    /// The number of claims for a hold of `cover`, minus one.
    repeats: HashMap<Hold, u32>,
    /// Plain and named closed holds together; `None` if there are no named ones.
    holds: Option<Box<Curve>>,
    /// Closed holds and marks together; `None` if there are no marks. It extends to the end of time if the
    /// last mark starts a hold.
    stated: Option<Box<Curve>>,
    /// The balance; `None` if there are no changes of it.
    account: Option<Box<Account>>,
    /// Totals of the effective weight, if there is a balance.
    tally: Tally,
    /// Whether the totals of the tally do not extend to the horizon.
    is_tally_behind: bool,
    /// Where a curve may still be too high after a withdrawal; see [`Self::proceed`].
    falls: VecDeque<Fall>,
    outline: Outline,
}

/// `[start, end)` of a curve, in which the fact that held it up at `level` may be gone.
#[derive(Clone, Copy)]
struct Fall {
    curve: FallingCurve,
    start: Micros,
    end: Micros,
    level: Level,
}

#[derive(Clone, Copy)]
enum FallingCurve {
    Holds,
    Stated,
}

type Hold = (Micros, Micros, Wad);

impl fmt::Debug for LargeKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("LargeKey");
        out.field("outline", &self.outline).finish_non_exhaustive()
    }
}

impl LargeKey {
    /// Adds a claim; returns whether that changed anything. [`Self::proceed`] must be called afterwards:
    /// until it has returned `true`, the key answers as before the change or as after it.
    pub(super) fn take(&mut self, claim: Claim<'_>) -> bool {
        match claim {
            Claim::Plain(fact) => self.add_plain(fact),
            Claim::Named { event_id, standing } => self.take_named(event_id, standing),
        }
    }

    /// Lowers curves after withdrawals and adds up totals, over up to `pieces_max` pieces; returns whether that
    /// was all. Facts may be added and withdrawn in between.
    pub(super) fn proceed(&mut self, mut pieces_max: usize) -> bool {
        if !self.lower_by(&mut pieces_max) {
            return false;
        }
        let edges = self.edges();
        let is_done = self.add_up(edges.horizon, pieces_max);
        if is_done {
            self.outline = self.outlined(edges);
        }
        is_done
    }

    /// Lowers curves after withdrawals, over up to `pieces_max` pieces, and adds nothing up; returns whether that
    /// was all. Call it after each claim: withdrawals that wait for each other may visit the same pieces again
    /// and again.
    pub(super) fn lower(&mut self, mut pieces_max: usize) -> bool {
        self.lower_by(&mut pieces_max)
    }

    fn lower_by(&mut self, pieces_max: &mut usize) -> bool {
        while let Some(fall) = self.falls.front_mut() {
            let plain = &self.plain;
            let is_done = match fall.curve {
                FallingCurve::Holds => self.holds.as_deref_mut().is_none_or(|holds| {
                    let cover = &self.cover;
                    fall.proceed(holds, pieces_max, |at, end| {
                        strongest(plain.at(at), cover.at(at, end))
                    })
                }),
                FallingCurve::Stated => self.stated.as_deref_mut().is_none_or(|stated| {
                    let (marks, holds) = (&self.marks, self.holds.as_deref().unwrap_or(plain));
                    fall.proceed(stated, pieces_max, |at, _| {
                        strongest(marks.at(at), holds.at(at))
                    })
                }),
            };
            if !is_done {
                return false;
            }
            self.falls.pop_front();
        }
        true
    }

    fn add_up(&mut self, horizon: Option<Micros>, pieces_max: usize) -> bool {
        if let (Some(account), Some(horizon)) = (&self.account, horizon) {
            self.tally.cut(horizon);
            let (from, mut totals) = self.tally.last();
            let mut walk = Walk::new(self.stated(), (from, horizon), pieces_max);
            let is_done = account.add_totals(&mut walk);
            totals += walk.totals;
            if !is_done {
                self.tally.pass(walk.reached, totals);
                return false;
            }
            self.tally.arrive(horizon, totals);
        }
        self.is_tally_behind = false;
        true
    }

    /// Whether [`Self::proceed`] has something left to do.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_tally_behind || !self.falls.is_empty()
    }

    /// This key, or a copy of it with all withdrawals completed.
    fn lowered(&self) -> Cow<'_, Self> {
        if self.falls.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut lowered = self.clone();
        lowered.lower(usize::MAX);
        Cow::Owned(lowered)
    }

    /// Everything but the totals, which are 0.
    fn edges(&self) -> Outline {
        let (holds, account) = (self.holds(), self.account.as_deref());
        let last_mark = self.marks.last();
        let beginnings = holds.first_held().into_iter().chain(self.marks.first());
        let horizon = holds.last_held().max(last_mark.map(|(at, _)| at));
        let open = last_mark.and_then(|(_, level)| level.weight());
        Outline {
            beginning: beginnings.chain(account.map(Account::first)).min(),
            horizon: horizon.max(account.map(Account::last)),
            open: open
                .map(Quantity::from)
                .max(account.and_then(Account::open)),
            totals: Totals::ZERO,
            deficit: account.and_then(Account::deficit),
        }
    }

    /// The outline with these edges and all totals.
    fn outlined(&self, edges: Outline) -> Outline {
        let totals = match edges.horizon {
            Some(_) if self.account.is_some() => self.tally.last().1,
            Some(horizon) if edges.open.is_some() => self.stated().totals(Micros::MIN, horizon),
            _ => self.stated().all(),
        };
        Outline { totals, ..edges }
    }

    /// What every event reads.
    pub(super) const fn outline(&self) -> &Outline {
        &self.outline
    }

    fn holds(&self) -> &Curve {
        self.holds.as_deref().unwrap_or(&self.plain)
    }

    /// What closed holds and marks define.
    fn stated(&self) -> &Curve {
        self.stated.as_deref().unwrap_or_else(|| self.holds())
    }

    /// Notes that the effective weight changes from `at` on.
    fn cut(&mut self, at: Micros) {
        self.tally.cut(at);
        self.is_tally_behind = self.account.is_some();
    }

    fn add_plain(&mut self, fact: Fact) -> bool {
        let turn = match fact {
            Fact::Closed { start, end, weight } => {
                return self.add_plain_hold(start, end, Level::held(weight));
            }
            Fact::Start { at, weight, seq } => self.marks.add_plain(at, Mark::On { seq, weight }),
            Fact::Stop { at, seq } => self.marks.add_plain(at, Mark::Off { seq }),
            Fact::Change { .. } => None,
        };
        if let Some(turn) = turn {
            self.follow(turn);
        }
        turn.is_some()
    }

    fn add_plain_hold(&mut self, start: Micros, end: Micros, level: Level) -> bool {
        let is_change = self.plain.raise(start, end, level);
        if is_change {
            for curve in [&mut self.holds, &mut self.stated].into_iter().flatten() {
                curve.raise(start, end, level);
            }
            self.cut(start);
        }
        is_change
    }

    fn take_named(&mut self, event_id: &str, standing: Standing) -> bool {
        let Some(Replaced(replaced)) = self.standings.replace(event_id, standing) else {
            return false;
        };
        if replaced != standing.fact {
            // The new fact goes first, so that the withdrawal falls no deeper than to it.
            if let Some(fact) = standing.fact {
                self.add_named(fact);
            }
            if let Some(fact) = replaced {
                self.withdraw(fact);
            }
        }
        true
    }

    fn add_named(&mut self, fact: Fact) {
        match fact {
            Fact::Closed { start, end, weight } if start < end => {
                self.add_named_hold(start, end, weight);
            }
            Fact::Closed { .. } => {}
            Fact::Start { at, weight, seq } => {
                let turn = self.marks.add_named(at, Mark::On { seq, weight });
                self.follow(turn);
            }
            Fact::Stop { at, seq } => {
                let turn = self.marks.add_named(at, Mark::Off { seq });
                self.follow(turn);
            }
            Fact::Change { at, delta } => {
                match &mut self.account {
                    Some(account) => account.add(at, delta),
                    None => self.account = Some(Box::new(Account::new(at, delta))),
                }
                self.cut(at);
            }
        }
    }

    fn add_named_hold(&mut self, start: Micros, end: Micros, weight: Wad) {
        if !self.cover.insert(start, end, weight) {
            *self.repeats.entry((start, end, weight)).or_default() += 1;
            return;
        }
        let holds = self
            .holds
            .get_or_insert_with(|| Box::new(self.plain.clone()));
        holds.raise(start, end, Level::held(weight));
        if let Some(stated) = &mut self.stated {
            stated.raise(start, end, Level::held(weight));
        }
        self.cut(start);
    }

    fn withdraw(&mut self, fact: Fact) {
        match fact {
            Fact::Closed { start, end, weight } if start < end => {
                self.withdraw_hold(start, end, weight);
            }
            Fact::Closed { .. } => {}
            Fact::Start { at, weight, seq } => {
                let turn = self.marks.withdraw(at, Mark::On { seq, weight });
                self.follow(turn);
            }
            Fact::Stop { at, seq } => {
                let turn = self.marks.withdraw(at, Mark::Off { seq });
                self.follow(turn);
            }
            Fact::Change { at, delta } => {
                if let Some(account) = &mut self.account
                    && account.withdraw(at, delta)
                {
                    self.account = None;
                }
                self.cut(at);
            }
        }
    }

    fn withdraw_hold(&mut self, start: Micros, end: Micros, weight: Wad) {
        if let Some(count) = self.repeats.get_mut(&(start, end, weight)) {
            *count -= 1;
            if *count == 0 {
                self.repeats.remove(&(start, end, weight));
            }
            return;
        }
        self.cover.remove(start, end, weight);
        self.cut(start);
        for curve in [FallingCurve::Holds, FallingCurve::Stated] {
            self.falls.push_back(Fall {
                curve,
                start,
                end,
                level: Level::held(weight),
            });
        }
    }

    /// Applies what a mark changed in its curve to what holds and marks define.
    fn follow(&mut self, turn: Turn) {
        self.cut(turn.start);
        let Turn {
            start,
            end,
            before,
            after,
        } = turn;
        let holds = self.holds.as_deref().unwrap_or(&self.plain);
        let stated = self.stated.get_or_insert_with(|| Box::new(holds.clone()));
        if after >= before {
            stated.raise(start, end, after);
        } else {
            self.falls.push_back(Fall {
                curve: FallingCurve::Stated,
                start,
                end,
                level: before,
            });
        }
    }
}

impl Fall {
    /// Lowers `curve` over up to `pieces_max` pieces, counting it down, to what `others` returns: the level
    /// from an instant on and the instant up to which it applies, given an end. Returns whether that was all.
    ///
    /// Whatever is above the level of the fall is held up by other facts.
    fn proceed(
        &mut self,
        curve: &mut Curve,
        pieces_max: &mut usize,
        others: impl Fn(Micros, Micros) -> (Level, Micros),
    ) -> bool {
        while let Some((from, until)) = curve.first_at_most(self.level, self.start, self.end) {
            if *pieces_max == 0 {
                return false;
            }
            *pieces_max -= 1;
            let (other, other_until) = others(from, until);
            self.start = other_until.min(until);
            if other < self.level {
                curve.assign(from, self.start, other);
            }
        }
        true
    }
}

/// The larger one of two levels, and the instant at which the first of them may change.
fn strongest(
    (level, until): (Level, Micros),
    (other, other_until): (Level, Micros),
) -> (Level, Micros) {
    (level.max(other), until.min(other_until))
}
