//! The effective weight of one key over time, and its integral, updated with each fact.
//!
//! Closed holds are stored as their upper envelope (disjoint segments at the largest weight), marks
//! as the strongest mark of each instant. The semantics depend on nothing else, so a fact that changes
//! neither is not stored. A fact cannot be withdrawn here: see [`super::key`].

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::sorted::SortedMap;
use super::weight::NarrowWad;
use super::window::length;
use super::{Fact, Micros, Quantity, Score, Totals, Wad, Window};

/// How the marks of one instant set the curve. The larger one wins: of those with the largest `seq` a stop,
/// otherwise the start with the largest weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Held at this weight until the next mark.
    On {
        /// Its order among the marks of its instant.
        seq: u64,
        /// The weight from then on.
        weight: Wad,
    },
    /// Not held until the next mark.
    Off {
        /// Its order among the marks of its instant.
        seq: u64,
    },
}

impl Mark {
    /// Not below any mark.
    pub(super) const LAST: Self = Self::Off { seq: u64::MAX };

    /// The weight from the mark on, if anything is held.
    pub(crate) const fn weight(self) -> Option<Wad> {
        match self {
            Self::On { weight, .. } => Some(weight),
            Self::Off { .. } => None,
        }
    }

    /// The instant and the mark that a fact states, if it is one.
    pub(crate) const fn of(fact: Fact) -> Option<(Micros, Self)> {
        match fact {
            Fact::Start { at, weight, seq } => Some((at, Self::On { seq, weight })),
            Fact::Stop { at, seq } => Some((at, Self::Off { seq })),
            Fact::Closed { .. } | Fact::Change { .. } => None,
        }
    }

    /// Its order among the marks of its instant.
    pub(crate) const fn seq(self) -> u64 {
        self.order().0
    }

    /// The fact that states this mark at `at`.
    pub(super) const fn fact(self, at: Micros) -> Fact {
        match self {
            Self::On { seq, weight } => Fact::Start { at, weight, seq },
            Self::Off { seq } => Fact::Stop { at, seq },
        }
    }

    const fn order(self) -> (u64, bool, Wad) {
        match self {
            Self::On { seq, weight } => (seq, false, weight),
            Self::Off { seq } => (seq, true, Wad::ZERO),
        }
    }
}

impl Ord for Mark {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Mark {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A stretch of the envelope: held at `weight` until `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    end: Micros,
    weight: NarrowWad,
}

impl Held {
    fn new(end: Micros, weight: Wad) -> Self {
        Self {
            end,
            weight: weight.into(),
        }
    }

    fn weight(self) -> Wad {
        self.weight.into()
    }
}

/// A maximal stretch of constant effective weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First instant.
    pub start: Micros,
    /// First instant after it; `None` while the hold is still open.
    pub end: Option<Micros>,
    /// Effective weight.
    pub weight: Quantity,
}

/// A stretch of constant effective weight within a window; not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSegment {
    /// First instant.
    pub start: Micros,
    /// First instant after it.
    pub end: Micros,
    /// Effective weight.
    pub weight: Quantity,
}

/// The segments of one key, in order of time; neighbours of one weight are joined.
pub(super) struct HeldSegments<'v> {
    all: &'v mut Vec<HeldSegment>,
    /// Where those of the key begin.
    first: usize,
    window: Window,
}

impl<'v> HeldSegments<'v> {
    /// Appends to `all` what lies within `window`.
    pub(super) fn new(all: &'v mut Vec<HeldSegment>, window: &Window) -> Self {
        let first = all.len();
        Self {
            all,
            first,
            window: *window,
        }
    }

    /// Appends the part of `[start, end)` within the window.
    pub(super) fn push(&mut self, start: Micros, end: Micros, weight: Quantity) {
        let start = start.max(self.window.start());
        let end = end.min(self.window.as_of);
        if start >= end {
            return;
        }
        match self.all[self.first..].last_mut() {
            Some(last) if last.end == start && last.weight == weight => last.end = end,
            _ => self.all.push(HeldSegment { start, end, weight }),
        }
    }
}

/// Envelope, marks, and the totals of everything before [`Timeline::horizon`].
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    holds: SortedMap<Held>,
    marks: SortedMap<Mark>,
    totals: Totals,
}

impl Timeline {
    /// Adds a fact; returns whether that changed anything. A repeated or covered fact changes nothing.
    pub fn record(&mut self, fact: Fact) -> bool {
        match fact {
            Fact::Closed { start, end, weight } if start < end => {
                self.record_hold(start, end, weight)
            }
            Fact::Closed { .. } | Fact::Change { .. } => false,
            Fact::Start { at, weight, seq } => self.record_mark(at, Mark::On { seq, weight }),
            Fact::Stop { at, seq } => self.record_mark(at, Mark::Off { seq }),
        }
    }

    /// The start of the last stretch of the envelope.
    pub(super) fn last_stretch(&self) -> Option<Micros> {
        self.holds.last().map(|(start, _)| start)
    }

    /// The number of facts that [`Self::facts`] yields.
    #[must_use]
    pub fn fact_count(&self) -> usize {
        self.holds.len() + self.marks.len()
    }

    /// The fewest facts that make a timeline equal to this one.
    pub fn facts(&self) -> impl Iterator<Item = Fact> {
        let holds = self.holds.iter().map(|(start, held)| Fact::Closed {
            start,
            end: held.end,
            weight: held.weight(),
        });
        let marks = self.marks.iter().map(|(at, mark)| mark.fact(at));
        holds.chain(marks)
    }

    /// The first instant of any fact; `None` if there are no facts.
    #[must_use]
    pub fn beginning(&self) -> Option<Micros> {
        let hold = self.holds.first().map(|(start, _)| start);
        let mark = self.marks.first().map(|(at, _)| at);
        hold.into_iter().chain(mark).min()
    }

    /// The last instant at which the weight may change; `None` if there are no facts.
    #[must_use]
    pub fn horizon(&self) -> Option<Micros> {
        let hold = self.holds.last().map(|(_, held)| held.end);
        let mark = self.marks.last().map(|(at, _)| at);
        hold.max(mark)
    }

    /// The weight still held past the horizon, since its mark.
    #[must_use]
    pub fn open(&self) -> Option<(Micros, Wad)> {
        let (at, mark) = self.marks.last()?;
        Some((at, mark.weight()?))
    }

    /// Totals of everything before [`Self::horizon`].
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Totals over `window`: at once if it contains all facts, otherwise by a walk.
    #[must_use]
    pub fn score(&self, window: &Window) -> Totals {
        let (Some(beginning), Some(horizon)) = (self.beginning(), self.horizon()) else {
            return Totals::ZERO;
        };
        if beginning < window.start() || window.as_of < horizon {
            return self.integrate(window.start(), window.as_of, !window.closed_only);
        }
        let mut totals = self.totals;
        match self.open() {
            Some((_, weight)) if !window.closed_only => {
                totals += Totals::of(weight, length(horizon, window.as_of));
            }
            Some((last_mark, _)) if last_mark < horizon => {
                totals -= self.integrate(last_mark, horizon, true);
                totals += self.integrate(last_mark, horizon, false);
            }
            Some(_) | None => {}
        }
        totals
    }

    /// The effective weight as maximal stretches, in order of time.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        let mut segments = Vec::new();
        let (Some(beginning), Some(horizon)) = (self.beginning(), self.horizon()) else {
            return segments;
        };
        self.walk(beginning, horizon, true, |start, end, weight| {
            push_joined(
                &mut segments,
                Segment {
                    start,
                    end: Some(end),
                    weight: weight.into(),
                },
            );
        });
        if let Some((_, weight)) = self.open() {
            push_joined(
                &mut segments,
                Segment {
                    start: horizon,
                    end: None,
                    weight: weight.into(),
                },
            );
        }
        segments
    }

    /// Appends the segments within `window`.
    pub(super) fn held_within(&self, window: &Window, segments: &mut HeldSegments<'_>) {
        let open_counts = !window.closed_only;
        self.walk(
            window.start(),
            window.as_of,
            open_counts,
            |start, end, weight| segments.push(start, end, weight.into()),
        );
    }

    /// The number of stretches and marks; each takes 48 bytes or less.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.holds.len() + self.marks.len()
    }

    fn record_hold(&mut self, start: Micros, end: Micros, weight: Wad) -> bool {
        if self.marks.is_empty() {
            let gained = raise(&mut self.holds, start, end, weight);
            self.totals += gained;
            return gained != Totals::ZERO;
        }
        self.extend_horizon(end);
        self.totals -= self.integrate(start, end, true);
        // Whatever the marks hide of it, an envelope that changed has gained time or weight.
        let gained = raise(&mut self.holds, start, end, weight);
        self.totals += self.integrate(start, end, true);
        gained != Totals::ZERO
    }

    fn record_mark(&mut self, at: Micros, mark: Mark) -> bool {
        let known = self.marks.get(at);
        if known.is_some_and(|known| known >= mark) {
            return false;
        }
        self.extend_horizon(at);
        // A mark applies until the next one; past the last one, the totals end at the horizon.
        let next = self.marks.first_after(at).map(|(next, _)| next);
        let until = next.or(self.horizon()).unwrap_or(at);
        self.totals -= self.integrate(at, until, true);
        self.marks.insert(at, mark);
        self.totals += self.integrate(at, until, true);
        true
    }

    /// Counts what an open hold earns up to `horizon`, which is about to become the last change.
    fn extend_horizon(&mut self, horizon: Micros) {
        if let (Some(known), Some((_, weight))) = (self.horizon(), self.open()) {
            self.totals += match length(known, horizon) {
                0 => Totals::ZERO,
                micros => Totals::of(weight, micros),
            };
        }
    }

    fn integrate(&self, start: Micros, end: Micros, open_counts: bool) -> Totals {
        let mut totals = Totals::ZERO;
        self.walk(start, end, open_counts, |start, end, weight| {
            totals += Totals::of(weight, length(start, end));
        });
        totals
    }

    /// Calls `visit` with the stretches of effective weight within `[start, end)`, in order. Without
    /// `open_counts` the curve ends at the last mark. Neighbours may have the same weight.
    fn walk(
        &self,
        start: Micros,
        end: Micros,
        open_counts: bool,
        mut visit: impl FnMut(Micros, Micros, Wad),
    ) {
        if start >= end {
            return;
        }
        let last_mark = self.marks.last().map(|(at, _)| at);
        let curve = |at: Micros, mark: Mark| {
            let counts = open_counts || Some(at) != last_mark;
            mark.weight().filter(|_| counts)
        };
        let mut cursor = start;
        let mut level = self
            .marks
            .last_until(start)
            .and_then(|(at, mark)| curve(at, mark));
        for (at, mark) in self.marks.after(start) {
            if at >= end {
                break;
            }
            self.walk_piece(cursor, at, level, &mut visit);
            cursor = at;
            level = curve(at, mark);
        }
        self.walk_piece(cursor, end, level, &mut visit);
    }

    /// The part of [`Self::walk`] between two marks, where the curve stays at `level`.
    fn walk_piece(
        &self,
        start: Micros,
        end: Micros,
        level: Option<Wad>,
        visit: &mut impl FnMut(Micros, Micros, Wad),
    ) {
        let mut cursor = start;
        let covering = self.holds.last_until(start);
        for (from, held) in covering.into_iter().chain(self.holds.after(start)) {
            let (from, until) = (from.max(cursor), held.end.min(end));
            if from >= end {
                break;
            }
            if from >= until {
                continue;
            }
            if let Some(weight) = level.filter(|_| cursor < from) {
                visit(cursor, from, weight);
            }
            visit(
                from,
                until,
                level.map_or(held.weight(), |level| level.max(held.weight())),
            );
            cursor = until;
        }
        if let Some(weight) = level.filter(|_| cursor < end) {
            visit(cursor, end, weight);
        }
    }
}

pub(super) fn push_joined(segments: &mut Vec<Segment>, next: Segment) {
    match segments.last_mut() {
        Some(last) if last.end == Some(next.start) && last.weight == next.weight => {
            last.end = next.end;
        }
        _ => segments.push(next),
    }
}

/// Lifts the envelope to at least `weight` over `[start, end)` and returns what that adds to the totals.
///
/// Segments stay disjoint, and touching segments of one weight are joined, so the envelope does not
/// depend on the order of the holds.
fn raise(holds: &mut SortedMap<Held>, start: Micros, end: Micros, weight: Wad) -> Totals {
    let covering = holds.last_until(start);
    if covering.is_some_and(|(_, held)| held.end >= end && held.weight() >= weight) {
        return Totals::ZERO;
    }
    // A segment that ends at `start` is touched too, even if another one begins there.
    let before = holds.last_before(start);
    let before = before.filter(|(_, held)| held.end >= start);
    let after = holds
        .starting_at(start)
        .take_while(|(from, _)| *from <= end);
    let touched: Stretches = before.into_iter().chain(after).collect();
    if touched.is_empty() {
        holds.insert(start, Held::new(end, weight));
        return Totals::of(weight, length(start, end));
    }
    let mut gained = Totals::ZERO;
    let mut raised = Stretches::new();
    let mut push = |from: Micros, until: Micros, weight: Wad| match raised.last_mut() {
        _ if from >= until => {}
        Some((_, last)) if last.end == from && last.weight() == weight => last.end = until,
        _ => raised.push((from, Held::new(until, weight))),
    };
    let mut cursor = start;
    for (from, held) in &touched {
        push(*from, held.end.min(start), held.weight());
        let (inside, until) = ((*from).max(start), held.end.min(end));
        push(cursor, inside, weight);
        gained += Totals::of(weight, length(cursor, inside));
        push(inside, until, weight.max(held.weight()));
        if weight > held.weight() {
            let more = Wad::from_steps(weight.steps() - held.weight().steps());
            gained.score += Score::product(more, length(inside, until));
        }
        cursor = cursor.max(until);
        push((*from).max(end), held.end, held.weight());
    }
    if cursor < end {
        // Only if nothing extends past `end`: such a segment has moved the cursor there.
        push(cursor, end, weight);
        gained += Totals::of(weight, length(cursor, end));
    }
    replace(holds, &touched, &raised);
    gained
}

/// Stretches of the envelope by their start; most holds overlap few of them.
type Stretches = SmallVec<[(Micros, Held); 8]>;

/// Replaces `old` by `new`, both in order of time; entries in both are left alone.
fn replace(holds: &mut SortedMap<Held>, old: &[(Micros, Held)], new: &[(Micros, Held)]) {
    let mut kept = new.iter().copied().peekable();
    for (from, _) in old {
        while kept.next_if(|(start, _)| start < from).is_some() {}
        if kept.peek().is_none_or(|(start, _)| start != from) {
            holds.remove(*from);
        }
    }
    let mut known = old.iter().copied().peekable();
    for (from, held) in new {
        while known.next_if(|(start, _)| start < from).is_some() {}
        if known.peek() != Some(&(*from, *held)) {
            holds.insert(*from, *held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_stretches_of_one_weight_are_one_whichever_came_first() {
        let instant = |number| Micros::new(number).expect("in range");
        let hold = |start, end, weight| Fact::Closed {
            start: instant(start),
            end: instant(end),
            weight,
        };
        let holds = [
            hold(10, 20, Wad::ZERO),
            hold(11, 15, Wad::ONE),
            hold(15, 20, Wad::ONE),
        ];
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut timeline = Timeline::default();
            for place in order {
                timeline.record(holds[place]);
            }
            let facts: Vec<_> = timeline.facts().collect();
            let expected = [hold(10, 11, Wad::ZERO), hold(11, 20, Wad::ONE)];
            assert_eq!(facts, expected, "{order:?}");
        }
    }
}
