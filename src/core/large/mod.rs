//! A key that knows many facts: every fact costs about a logarithm of how many there are.
//!
//! Nothing is made anew as a whole. The effective weight is a [`Curve`] that a new fact lifts; where a
//! named fact is withdrawn, only the stretches are looked at that it alone held up, and each falls to what
//! the other facts say there. Small keys are kept in less memory, see [`super::key`].

mod cover;
mod curve;
mod level;
mod marks;
mod standings;
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

/// All that is known of a large key.
#[derive(Clone, Default)]
pub(super) struct LargeKey {
    /// The largest weight of the plain closed holds; they stay.
    plain: Curve,
    marks: Marks,
    standings: Standings,
    /// Named closed holds in force.
    cover: Cover,
    /// How often a hold of `cover` is in force beyond once.
    repeats: HashMap<Hold, u32>,
    /// Plain and named closed holds together; `None` while none has a name.
    holds: Option<Box<Curve>>,
    /// Closed holds and marks together; `None` while there are no marks. It is open to the end of time
    /// where the last mark is.
    effective: Option<Box<Curve>>,
    /// Where the curves may still be too high after something was withdrawn; see [`Self::proceed`].
    falls: VecDeque<Fall>,
    outline: Outline,
}

/// `[start, end)` of a curve, where what has held it up at `level` may be gone.
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

/// What is asked for with every event.
#[derive(Clone, Copy, Debug, Default)]
struct Outline {
    beginning: Option<Micros>,
    horizon: Option<Micros>,
    /// The weight that is still held past the horizon.
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
    /// Adds a claim; returns whether that is a change. [`Self::proceed`] is due after it: until that has
    /// said that it is done, the key answers as it did before, or as it will.
    pub(super) fn take(&mut self, claim: Claim<'_>) -> bool {
        match claim {
            Claim::Plain(fact) => self.add_plain(fact),
            Claim::Named { event_id, standing } => self.take_named(event_id, standing),
        }
    }

    /// Lets curves fall where something was withdrawn, over `pieces_max` pieces, and says whether that was
    /// all of them. More may be added and withdrawn meanwhile.
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

    /// This key, or a copy of it that is done with what was withdrawn.
    fn finished(&self) -> Cow<'_, Self> {
        if !self.is_under_way() {
            return Cow::Borrowed(self);
        }
        let mut finished = self.clone();
        finished.proceed(usize::MAX);
        Cow::Owned(finished)
    }

    /// Makes what is asked for with every event anew.
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

    /// The first instant at which anything is known.
    pub(super) fn beginning(&self) -> Option<Micros> {
        self.outline.beginning
    }

    /// The last instant at which anything changes.
    pub(super) fn horizon(&self) -> Option<Micros> {
        self.outline.horizon
    }

    /// Totals of everything before the horizon.
    pub(super) fn totals(&self) -> Totals {
        self.outline.totals
    }

    /// The weight that is still held past the horizon.
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
                let end = Some(end);
                push_joined(&mut segments, Segment { start, end, weight });
            });
        if let Some(weight) = key.open() {
            let (start, end) = (horizon, None);
            push_joined(&mut segments, Segment { start, end, weight });
        }
        segments
    }

    /// Hands out the fewest claims that make a key equal to this one.
    pub(super) fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        self.plain
            .held(Micros::MIN, Micros::MAX, |start, end, weight| {
                visit(Claim::Plain(Fact::Closed { start, end, weight }));
            });
        for (at, mark) in self.marks.plain() {
            visit(Claim::Plain(match mark {
                Mark::On(weight) => Fact::Start { at, weight },
                Mark::Off => Fact::Stop { at },
            }));
        }
        for (event_id, standing) in self.standings.iter() {
            visit(Claim::Named { event_id, standing });
        }
    }

    /// How many claims [`Self::claims`] hands out, or more than `enough` where they are more than that.
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
            Fact::Start { at, weight } => self.marks.add_plain(at, Mark::On(weight)),
            Fact::Stop { at } => self.marks.add_plain(at, Mark::Off),
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
            // First what is new: what is then withdrawn falls no deeper than that.
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
            Fact::Start { at, weight } => {
                let turn = self.marks.add_named(at, Mark::On(weight));
                self.follow(turn);
            }
            Fact::Stop { at } => {
                let turn = self.marks.add_named(at, Mark::Off);
                self.follow(turn);
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
            Fact::Start { at, weight } => {
                let turn = self.marks.withdraw(at, Mark::On(weight));
                self.follow(turn);
            }
            Fact::Stop { at } => {
                let turn = self.marks.withdraw(at, Mark::Off);
                self.follow(turn);
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
        for curve in [FallingCurve::Holds, FallingCurve::Effective] {
            self.falls.push_back(Fall {
                curve,
                start,
                end,
                level: Level::held(weight),
            });
        }
    }

    /// Takes what a mark made of its curve into the effective weight.
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
    /// Lets `curve` fall over up to `pieces_max` pieces, which is counted down, to what `others` say: what
    /// holds from an instant on, and up to which instant, given an end. Says whether that was all.
    ///
    /// Whatever is above the level of the fall is held up by others.
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

/// The larger one of two levels, and where the first of them may become another one.
fn strongest(
    (level, until): (Level, Micros),
    (other, other_until): (Level, Micros),
) -> (Level, Micros) {
    (level.max(other), until.min(other_until))
}
