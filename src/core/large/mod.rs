//! A key with many facts: each fact costs about the logarithm of their number.
//!
//! Nothing is rebuilt as a whole. The effective weight is a [`Curve`] that a new fact lifts. After the
//! withdrawal of a named fact, only the stretches that it alone held up are visited, and each falls to the
//! level of the remaining facts. Small keys use a form with less memory, see [`super::key`].

mod cover;
mod curve;
mod level;
mod marks;
mod standings;
mod stretch;
#[cfg(test)]
mod tests;
mod tree;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use hashbrown::HashMap;

use self::cover::Cover;
use self::curve::Curve;
use self::level::Level;
use self::marks::{Marks, Turn};
use self::standings::{Replaced, Standings};
use super::timeline::{Mark, push_joined};
use super::{Claim, Fact, Micros, Segment, Standing, Totals, Wad, Window};

/// All facts of a large key.
#[derive(Clone, Default)]
pub(super) struct LargeKey {
    /// The largest weight of the plain closed holds, which are never withdrawn.
    plain: Curve,
    marks: Marks,
    standings: Standings,
    /// Named closed holds in force.
    cover: Cover,
    /// The number of claims for a hold of `cover`, minus one.
    repeats: HashMap<Hold, u32>,
    /// Plain and named closed holds together; `None` if there are no named ones.
    holds: Option<Box<Curve>>,
    /// Closed holds and marks together; `None` if there are no marks. It extends to the end of time if the
    /// last mark starts a hold.
    effective: Option<Box<Curve>>,
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
    Effective,
}

type Hold = (Micros, Micros, Wad);

/// What every event reads.
#[derive(Clone, Copy, Debug, Default)]
struct Outline {
    beginning: Option<Micros>,
    horizon: Option<Micros>,
    /// The weight still held past the horizon.
    open: Option<Wad>,
    totals: Totals,
}

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

    /// Lowers curves after withdrawals, over up to `pieces_max` pieces; returns whether that was all of
    /// them. Facts may be added and withdrawn in between.
    pub(super) fn proceed(&mut self, mut pieces_max: usize) -> bool {
        while let Some(fall) = self.falls.front_mut() {
            let plain = &self.plain;
            let is_done = match fall.curve {
                FallingCurve::Holds => self.holds.as_deref_mut().is_none_or(|holds| {
                    let cover = &self.cover;
                    fall.proceed(holds, &mut pieces_max, |at, end| {
                        strongest(plain.at(at), cover.at(at, end))
                    })
                }),
                FallingCurve::Effective => self.effective.as_deref_mut().is_none_or(|effective| {
                    let (marks, holds) = (&self.marks, self.holds.as_deref().unwrap_or(plain));
                    fall.proceed(effective, &mut pieces_max, |at, _| {
                        strongest(marks.at(at), holds.at(at))
                    })
                }),
            };
            if !is_done {
                return false;
            }
            self.falls.pop_front();
        }
        self.outline();
        true
    }

    /// Whether [`Self::proceed`] has something left to do.
    pub(super) fn is_under_way(&self) -> bool {
        !self.falls.is_empty()
    }

    /// This key, or a copy of it with all withdrawals completed.
    fn finished(&self) -> Cow<'_, Self> {
        if !self.is_under_way() {
            return Cow::Borrowed(self);
        }
        let mut finished = self.clone();
        finished.proceed(usize::MAX);
        Cow::Owned(finished)
    }

    /// Recomputes what every event reads.
    fn outline(&mut self) {
        let holds = self.holds();
        let last_mark = self.marks.last().map(|(at, _)| at);
        let beginnings = holds.first_held().into_iter().chain(self.marks.first());
        let horizon = holds.last_held().max(last_mark);
        let open = self.marks.last().and_then(|(_, level)| level.weight());
        let totals = match horizon.filter(|_| open.is_some()) {
            Some(horizon) => self.effective().totals(Micros::MIN, horizon),
            None => self.effective().all(),
        };
        self.outline = Outline {
            beginning: beginnings.min(),
            horizon,
            open,
            totals,
        };
    }

    /// The first instant of any fact.
    pub(super) fn beginning(&self) -> Option<Micros> {
        self.outline.beginning
    }

    /// The last instant at which the weight may change.
    pub(super) fn horizon(&self) -> Option<Micros> {
        self.outline.horizon
    }

    /// Totals of everything before the horizon.
    pub(super) fn totals(&self) -> Totals {
        self.outline.totals
    }

    /// The weight still held past the horizon.
    pub(super) fn open(&self) -> Option<Wad> {
        self.outline.open
    }

    /// Totals over `window`.
    pub(super) fn score(&self, window: &Window) -> Totals {
        let key = self.finished();
        let (start, end) = (window.start(), window.as_of);
        match key.marks.last() {
            Some((last, _)) if window.closed_only && last < end => {
                let mut totals = key.effective().totals(start, last);
                totals += key.holds().totals(start.max(last), end);
                totals
            }
            Some(_) | None => key.effective().totals(start, end),
        }
    }

    /// The effective weight as maximal stretches, in order of time.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let key = self.finished();
        let mut segments = Vec::new();
        let (Some(beginning), Some(horizon)) = (key.beginning(), key.horizon()) else {
            return segments;
        };
        key.effective()
            .held(beginning, horizon, |start, end, weight| {
                let (end, weight) = (Some(end), weight.into());
                push_joined(&mut segments, Segment { start, end, weight });
            });
        if let Some(weight) = key.open() {
            let (start, end, weight) = (horizon, None, weight.into());
            push_joined(&mut segments, Segment { start, end, weight });
        }
        segments
    }

    /// Yields the smallest set of claims that makes an equal key.
    pub(super) fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        self.plain
            .held(Micros::MIN, Micros::MAX, |start, end, weight| {
                visit(Claim::Plain(Fact::Closed { start, end, weight }));
            });
        for (at, mark) in self.marks.plain() {
            visit(Claim::Plain(mark.fact(at)));
        }
        for (event_id, standing) in self.standings.iter() {
            visit(Claim::Named { event_id, standing });
        }
    }

    /// The number of claims that [`Self::claims`] yields, or some number above `enough` if there are more.
    pub(super) fn claim_count(&self, enough: usize) -> usize {
        let mut count = self.standings.len() + self.marks.plain().len();
        if count <= enough {
            self.plain
                .held(Micros::MIN, Micros::MAX, |_, _, _| count += 1);
        }
        count
    }

    fn holds(&self) -> &Curve {
        self.holds.as_deref().unwrap_or(&self.plain)
    }

    fn effective(&self) -> &Curve {
        self.effective.as_deref().unwrap_or_else(|| self.holds())
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
            for curve in [&mut self.holds, &mut self.effective].into_iter().flatten() {
                curve.raise(start, end, level);
            }
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
            Fact::Change { .. } => {}
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
        if let Some(effective) = &mut self.effective {
            effective.raise(start, end, Level::held(weight));
        }
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
            Fact::Change { .. } => {}
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
        for curve in [FallingCurve::Holds, FallingCurve::Effective] {
            self.falls.push_back(Fall {
                curve,
                start,
                end,
                level: Level::held(weight),
            });
        }
    }

    /// Applies what a mark changed in its curve to the effective weight.
    fn follow(&mut self, turn: Turn) {
        let Turn {
            start,
            end,
            before,
            after,
        } = turn;
        let holds = self.holds.as_deref().unwrap_or(&self.plain);
        let effective = self
            .effective
            .get_or_insert_with(|| Box::new(holds.clone()));
        if after >= before {
            effective.raise(start, end, after);
        } else {
            self.falls.push_back(Fall {
                curve: FallingCurve::Effective,
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
