//! A level for every instant, stored as stretches in order, with its integral over any window.
//!
//! Holds lift the curve, and withdrawals lower it; the caller decides which level applies. A lift over many
//! stretches does not visit each of them: a branch stores its lowest level, the next one above and how long
//! the lowest lasts, so a lift to a level between the two changes one number there (the segment tree beats of
//! Ji, "A simple introduction to segment tree beats", 2016). It goes deeper only if levels become equal, and
//! each of those was made by an earlier change. `docs/decisions/large-keys.md` states the bound.

use std::ops::ControlFlow;

use super::level::Level;
use super::stretch::{Stretch, Summary};
use super::tree::{Branch, Kind, Node};
use crate::core::window::length;
use crate::core::{Micros, Totals, Wad};

/// A level for every instant.
#[derive(Clone)]
pub(super) struct Curve {
    root: Branch<Stretches>,
}

struct Stretches;

impl Kind for Stretches {
    type Block = Vec<Stretch>;
    type Summary = Summary;

    fn of_items(items: &Vec<Stretch>, next: Option<&Vec<Stretch>>, whole: &Summary) -> Summary {
        let start = items.first().map_or(whole.start, Stretch::start);
        let next = next.and_then(|next| next.first());
        let end = next.map_or(whole.end, Stretch::start);
        let mut summary = Summary::empty(start, end);
        for (stretch, until) in with_ends(items, end) {
            summary.add(stretch.level(), length(stretch.start(), until));
        }
        summary
    }

    fn of_branches(branches: &[Branch<Self>]) -> Summary {
        let ends = |branch: &Branch<Self>| (branch.summary.start, branch.summary.end);
        let start = branches.first().map_or(Micros::MIN, |first| ends(first).0);
        let end = branches.last().map_or(Micros::MAX, |last| ends(last).1);
        let mut summary = Summary::empty(start, end);
        for branch in branches {
            summary.add_branch(&branch.summary);
        }
        summary
    }

    fn push_down(branch: &mut Branch<Self>) {
        if !std::mem::take(&mut branch.summary.is_lifted) {
            return;
        }
        let low = branch.summary.low;
        match &mut branch.node {
            Node::Block(items) => {
                for stretch in items.iter_mut().filter(|stretch| stretch.level() < low) {
                    *stretch = Stretch::new(stretch.start(), low);
                }
                items.dedup_by(|second, first| second.level() == first.level());
            }
            Node::Branches(branches) => {
                for summary in branches.iter_mut().map(|branch| &mut branch.summary) {
                    if summary.low < low {
                        summary.lift_lowest(low);
                    }
                }
            }
        }
    }
}

/// How a change sets the level of each instant.
#[derive(Clone, Copy)]
enum Change {
    AtLeast(Level),
    Exactly(Level),
}

impl Change {
    fn of(self, level: Level) -> Level {
        match self {
            Self::AtLeast(least) => level.max(least),
            Self::Exactly(level) => level,
        }
    }
}

impl Default for Curve {
    fn default() -> Self {
        Self {
            root: uniform(Micros::MIN, Micros::MAX, Level::NOTHING),
        }
    }
}

impl Curve {
    /// Lifts everything below `level` in `[start, end)` to it; returns whether that changed anything.
    pub(super) fn raise(&mut self, start: Micros, end: Micros, level: Level) -> bool {
        let before = self.root.summary.totals;
        self.change(start, end, Change::AtLeast(level));
        self.root.summary.totals != before
    }

    /// Sets the level in `[start, end)`.
    pub(super) fn assign(&mut self, start: Micros, end: Micros, level: Level) {
        self.change(start, end, Change::Exactly(level));
    }

    /// Totals over all of time.
    pub(super) const fn all(&self) -> Totals {
        self.root.summary.totals
    }

    /// Totals over `[start, end)`.
    pub(super) fn totals(&self, start: Micros, end: Micros) -> Totals {
        self.totals_of_at_least(start, end, Level::NOTHING)
    }

    /// Totals over `[start, end)`, if everything below `least` were lifted to it.
    pub(super) fn totals_of_at_least(&self, start: Micros, end: Micros, least: Level) -> Totals {
        let mut totals = Totals::ZERO;
        let floor = Level::NOTHING;
        add_totals(&self.root, (start, end), (floor, least), &mut totals);
        totals
    }

    /// The lowest and the highest level in `[start, end)`, which is not empty.
    pub(super) fn bounds(&self, start: Micros, end: Micros) -> (Level, Level) {
        let mut bounds = (Level::ABOVE, Level::NOTHING);
        add_bounds(&self.root, (start, end), Level::NOTHING, &mut bounds);
        bounds
    }

    /// The level at `at`, and an instant up to which it stays the same.
    pub(super) fn at(&self, at: Micros) -> (Level, Micros) {
        let (mut branch, mut floor) = (&self.root, Level::NOTHING);
        loop {
            step();
            floor = floor.max(branch.summary.low);
            match &branch.node {
                Node::Branches(branches) => {
                    let after = branches.partition_point(|branch| branch.summary.start <= at);
                    branch = &branches[after - 1];
                }
                Node::Block(items) => {
                    let after = items.partition_point(|stretch| stretch.start() <= at);
                    let level = items[after - 1].level().max(floor);
                    let rest = items[after..].iter();
                    let mut others = rest.skip_while(|stretch| stretch.level().max(floor) == level);
                    return (
                        level,
                        others.next().map_or(branch.summary.end, Stretch::start),
                    );
                }
            }
        }
    }

    /// The first stretch in `[start, end)`, or a part of it, that is not above `level`.
    pub(super) fn first_at_most(
        &self,
        level: Level,
        start: Micros,
        end: Micros,
    ) -> Option<(Micros, Micros)> {
        if start >= end {
            return None;
        }
        let (from, until) = first_at_most(&self.root, level, (start, end), Level::NOTHING)?;
        Some((from.max(start), until.min(end)))
    }

    /// Where the first held stretch begins.
    pub(super) fn first_held(&self) -> Option<Micros> {
        first_held(&self.root)
    }

    /// Where the last held stretch ends.
    pub(super) fn last_held(&self) -> Option<Micros> {
        last_held(&self.root)
    }

    /// Calls `visit` with the maximal held stretches in `[start, end)`, in order.
    pub(super) fn held(
        &self,
        start: Micros,
        end: Micros,
        mut visit: impl FnMut(Micros, Micros, Wad),
    ) {
        let mut last: Option<(Micros, Micros, Wad)> = None;
        let mut each_level = |from, until, level: Level| {
            match (level.weight(), &mut last) {
                (None, _) => {}
                (Some(weight), Some((_, end, of))) if *end == from && *of == weight => *end = until,
                (Some(weight), last) => {
                    if let Some((from, until, weight)) = last.replace((from, until, weight)) {
                        visit(from, until, weight);
                    }
                }
            }
            ControlFlow::<()>::Continue(())
        };
        let _ = each(&self.root, (start, end), Level::NOTHING, &mut each_level);
        if let Some((from, until, weight)) = last {
            visit(from, until, weight);
        }
    }

    /// Calls `visit` with held stretches from `start` on, in order, up to `stretches_max` of them; returns where
    /// the next one begins. Neighbours may have the same weight.
    pub(super) fn some_held(
        &self,
        start: Micros,
        stretches_max: usize,
        mut visit: impl FnMut(Micros, Micros, Wad),
    ) -> Option<Micros> {
        let mut left = stretches_max;
        let mut each_held = |from, until, level: Level| {
            let Some(weight) = level.weight() else {
                return ControlFlow::Continue(());
            };
            if left == 0 {
                return ControlFlow::Break(from);
            }
            left -= 1;
            visit(from, until, weight);
            ControlFlow::Continue(())
        };
        let range = (start, Micros::MAX);
        each(&self.root, range, Level::NOTHING, &mut each_held).break_value()
    }

    fn change(&mut self, start: Micros, end: Micros, change: Change) {
        if start < end {
            apply(&mut self.root, start, end, change);
            self.root.settle_root();
        }
    }
}

fn uniform(start: Micros, end: Micros, level: Level) -> Branch<Stretches> {
    let mut summary = Summary::empty(start, end);
    summary.add(level, length(start, end));
    Branch {
        summary,
        node: Node::Block(vec![Stretch::new(start, level)]),
    }
}

fn apply(branch: &mut Branch<Stretches>, start: Micros, end: Micros, change: Change) {
    step();
    let summary = &mut branch.summary;
    let is_whole = summary.is_within(start, end);
    match change {
        Change::AtLeast(least) if least <= summary.low => return,
        Change::AtLeast(least) if is_whole && least < summary.next && least < summary.high => {
            summary.lift_lowest(least);
            return;
        }
        Change::AtLeast(level) if is_whole && level >= summary.high => {
            *branch = uniform(summary.start, summary.end, level);
            return;
        }
        Change::Exactly(level) if is_whole => {
            *branch = uniform(summary.start, summary.end, level);
            return;
        }
        Change::AtLeast(_) | Change::Exactly(_) => {}
    }
    Stretches::push_down(branch);
    let whole = branch.summary;
    match &mut branch.node {
        Node::Block(items) => {
            #[cfg(test)]
            super::tree::steps::count(items.len());
            apply_to_block(
                items,
                (start.max(whole.start), end.min(whole.end)),
                whole.end,
                change,
            );
            branch.summary = Stretches::of_items(items, None, &whole);
        }
        Node::Branches(branches) => {
            let first = branches.partition_point(|branch| branch.summary.end <= start);
            let touched = branches[first..].iter_mut();
            for branch in touched.take_while(|branch| branch.summary.start < end) {
                apply(branch, start, end, change);
            }
            branch.settle_branches();
        }
    }
}

fn apply_to_block(
    items: &mut Vec<Stretch>,
    (start, end): (Micros, Micros),
    block_end: Micros,
    change: Change,
) {
    cut(items, start);
    if end < block_end {
        cut(items, end);
    }
    let first = items.partition_point(|stretch| stretch.start() < start);
    let touched = items[first..].iter_mut();
    for stretch in touched.take_while(|stretch| stretch.start() < end) {
        *stretch = Stretch::new(stretch.start(), change.of(stretch.level()));
    }
    items.dedup_by(|second, first| second.level() == first.level());
}

/// Makes a stretch begin at `at`, which is inside the block.
fn cut(items: &mut Vec<Stretch>, at: Micros) {
    let after = items.partition_point(|stretch| stretch.start() <= at);
    let covering = items[after - 1];
    if covering.start() < at {
        items.insert(after, Stretch::new(at, covering.level()));
    }
}

/// `floor` is the lift that branches above have recorded.
fn add_totals(
    branch: &Branch<Stretches>,
    (start, end): (Micros, Micros),
    (floor, least): (Level, Level),
    totals: &mut Totals,
) {
    step();
    let mut summary = branch.summary;
    if summary.is_apart_from(start, end) {
        return;
    }
    if floor > summary.low {
        summary.lift_lowest(floor);
    }
    if summary.is_within(start, end) {
        if least <= summary.low {
            *totals += summary.totals;
            return;
        }
        if least >= summary.high {
            *totals += least.totals(length(summary.start, summary.end));
            return;
        }
        if least < summary.next {
            summary.lift_lowest(least);
            *totals += summary.totals;
            return;
        }
    }
    match &branch.node {
        Node::Branches(branches) => {
            let first = branches.partition_point(|branch| branch.summary.end <= start);
            let touched = branches[first..].iter();
            for branch in touched.take_while(|branch| branch.summary.start < end) {
                add_totals(branch, (start, end), (summary.low, least), totals);
            }
        }
        Node::Block(items) => {
            for (stretch, until) in with_ends(items, summary.end) {
                let micros = length(stretch.start().max(start), until.min(end));
                *totals += stretch.level().max(summary.low).max(least).totals(micros);
            }
        }
    }
}

fn add_bounds(
    branch: &Branch<Stretches>,
    (start, end): (Micros, Micros),
    floor: Level,
    bounds: &mut (Level, Level),
) {
    step();
    let summary = &branch.summary;
    if summary.is_apart_from(start, end) {
        return;
    }
    let floor = floor.max(summary.low);
    if summary.is_within(start, end) {
        *bounds = (bounds.0.min(floor), bounds.1.max(summary.high).max(floor));
        return;
    }
    match &branch.node {
        Node::Branches(branches) => {
            let first = branches.partition_point(|branch| branch.summary.end <= start);
            let touched = branches[first..].iter();
            for branch in touched.take_while(|branch| branch.summary.start < end) {
                add_bounds(branch, (start, end), floor, bounds);
            }
        }
        Node::Block(items) => {
            let within = with_ends(items, summary.end)
                .filter(|(stretch, until)| stretch.start() < end && start < *until);
            for (stretch, _) in within {
                let level = stretch.level().max(floor);
                *bounds = (bounds.0.min(level), bounds.1.max(level));
            }
        }
    }
}

fn first_at_most(
    branch: &Branch<Stretches>,
    level: Level,
    (start, end): (Micros, Micros),
    floor: Level,
) -> Option<(Micros, Micros)> {
    step();
    let floor = floor.max(branch.summary.low);
    if floor > level || branch.summary.is_apart_from(start, end) {
        return None;
    }
    match &branch.node {
        Node::Branches(branches) => {
            let first = branches.partition_point(|branch| branch.summary.end <= start);
            let rest = branches[first..].iter();
            let mut touched = rest.take_while(|branch| branch.summary.start < end);
            touched.find_map(|branch| first_at_most(branch, level, (start, end), floor))
        }
        Node::Block(items) => {
            let is_low = |stretch: &Stretch| stretch.level().max(floor) <= level;
            let mut stretches = with_ends(items, branch.summary.end)
                .skip_while(|(_, until)| *until <= start)
                .skip_while(|(stretch, _)| !is_low(stretch));
            let (stretch, until) = stretches
                .next()
                .filter(|(stretch, _)| stretch.start() < end)?;
            let more = stretches.take_while(|(stretch, _)| is_low(stretch));
            Some((
                stretch.start(),
                more.last().map_or(until, |(_, until)| until),
            ))
        }
    }
}

fn first_held(branch: &Branch<Stretches>) -> Option<Micros> {
    if branch.summary.totals.held_us == 0 {
        return None;
    }
    if branch.summary.low > Level::NOTHING {
        return Some(branch.summary.start);
    }
    match &branch.node {
        Node::Branches(branches) => branches.iter().find_map(first_held),
        Node::Block(items) => {
            let mut held = items
                .iter()
                .filter(|stretch| stretch.level() > Level::NOTHING);
            held.next().map(Stretch::start)
        }
    }
}

fn last_held(branch: &Branch<Stretches>) -> Option<Micros> {
    if branch.summary.totals.held_us == 0 {
        return None;
    }
    if branch.summary.low > Level::NOTHING {
        return Some(branch.summary.end);
    }
    match &branch.node {
        Node::Branches(branches) => branches.iter().rev().find_map(last_held),
        Node::Block(items) => {
            let held = with_ends(items, branch.summary.end);
            let mut held = held.filter(|(stretch, _)| stretch.level() > Level::NOTHING);
            held.next_back().map(|(_, until)| until)
        }
    }
}

fn each<B>(
    branch: &Branch<Stretches>,
    (start, end): (Micros, Micros),
    floor: Level,
    visit: &mut impl FnMut(Micros, Micros, Level) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let floor = floor.max(branch.summary.low);
    match &branch.node {
        Node::Branches(branches) => {
            let first = branches.partition_point(|branch| branch.summary.end <= start);
            let touched = branches[first..].iter();
            for branch in touched.take_while(|branch| branch.summary.start < end) {
                each(branch, (start, end), floor, visit)?;
            }
        }
        Node::Block(items) => {
            for (stretch, until) in with_ends(items, branch.summary.end) {
                let (from, until) = (stretch.start().max(start), until.min(end));
                if from < until {
                    visit(from, until, stretch.level().max(floor))?;
                }
            }
        }
    }
    ControlFlow::Continue(())
}

/// Consecutive stretches, each with its end.
fn with_ends(
    items: &[Stretch],
    end: Micros,
) -> impl DoubleEndedIterator<Item = (&Stretch, Micros)> {
    let ends = (0..items.len()).map(move |place| items.get(place + 1).map_or(end, Stretch::start));
    items.iter().zip(ends)
}

fn step() {
    #[cfg(test)]
    super::tree::steps::count(1);
}
