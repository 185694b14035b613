//! Closed holds that may be withdrawn, searchable by the instants that they cover.
//!
//! An interval tree (Edelsbrunner, 1980) whose shape is fixed by time itself: a hold belongs to the
//! smallest aligned power of two of microseconds that contains it. It then covers the middle of that range,
//! so whether it covers an instant of the first half depends on its start alone, and of the second half on
//! its end alone. For each power of two there is one tree ordered by start and one ordered by end, with the
//! strongest hold of every branch. Equal holds are stored once; [`super::LargeKey`] counts them.

use super::level::Level;
use super::tree::{Branch, Kind, Node};
use crate::core::weight::NarrowWad;
use crate::core::{Micros, Wad};

/// Closed holds, each once.
#[derive(Clone, Default)]
pub(super) struct Cover {
    /// By the power of two; grows on demand.
    sizes: Vec<Size>,
}

/// The holds of one power of two.
#[derive(Clone, Default)]
struct Size {
    by_start: Tree,
    by_last: Tree,
}

/// A closed hold that is not empty. `at` is the edge that it is ordered by: its first or its last
/// microsecond, counted from the beginning of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    at: u64,
    other: u64,
    weight: NarrowWad,
}

impl Entry {
    fn order(&self) -> (u64, u64, Wad) {
        (self.at, self.other, self.weight.into())
    }

    /// The stronger one is the greater one; of equally strong ones, the longer.
    fn strength(&self) -> Strength {
        Strength {
            level: Level::held(self.weight.into()),
            last: self.at.max(self.other),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Strength {
    level: Level,
    last: u64,
}

impl Strength {
    const NONE: Self = Self {
        level: Level::NOTHING,
        last: 0,
    };
}

struct Entries;

#[derive(Clone, Copy)]
struct Summary {
    /// No entry comes before this one.
    first: (u64, u64, Wad),
    /// No entry comes after this one.
    last_at: u64,
    strongest: Strength,
}

impl Summary {
    /// The summary with one entry more, which may be the only one.
    fn with(mut self, entry: &Entry, is_only: bool) -> Self {
        let order = entry.order();
        self.first = if is_only {
            order
        } else {
            self.first.min(order)
        };
        self.last_at = if is_only {
            entry.at
        } else {
            self.last_at.max(entry.at)
        };
        self.strongest = self.strongest.max(entry.strength());
        self
    }
}

impl Kind for Entries {
    type Block = Vec<Entry>;
    type Summary = Summary;

    fn of_items(items: &Vec<Entry>, _next: Option<&Vec<Entry>>, _whole: &Summary) -> Summary {
        Summary {
            first: items.first().map_or((0, 0, Wad::ZERO), Entry::order),
            last_at: items.last().map_or(0, |last| last.at),
            strongest: items
                .iter()
                .map(Entry::strength)
                .max()
                .unwrap_or(Strength::NONE),
        }
    }

    fn of_branches(branches: &[Branch<Self>]) -> Summary {
        let mut all = branches[0].summary;
        for Branch { summary, .. } in &branches[1..] {
            all.last_at = summary.last_at;
            all.strongest = all.strongest.max(summary.strongest);
        }
        all
    }
}

#[derive(Clone)]
struct Tree {
    root: Branch<Entries>,
}

impl Default for Tree {
    fn default() -> Self {
        let items = Vec::new();
        let nothing = Summary {
            first: (0, 0, Wad::ZERO),
            last_at: 0,
            strongest: Strength::NONE,
        };
        Self {
            root: Branch {
                summary: nothing,
                node: Node::Block(items),
            },
        }
    }
}

impl Cover {
    /// Adds a hold; returns whether it was absent.
    pub(super) fn insert(&mut self, start: Micros, end: Micros, weight: Wad) -> bool {
        let (size, by_start, by_last) = entries(start, end, weight);
        if self.sizes.len() <= size {
            self.sizes.resize_with(size + 1, Size::default);
        }
        let is_new = self.sizes[size].by_start.insert(by_start);
        if is_new {
            self.sizes[size].by_last.insert(by_last);
        }
        is_new
    }

    /// Removes a hold that is present.
    pub(super) fn remove(&mut self, start: Micros, end: Micros, weight: Wad) {
        let (size, by_start, by_last) = entries(start, end, weight);
        self.sizes[size].by_start.remove(by_start);
        self.sizes[size].by_last.remove(by_last);
    }

    /// The largest weight that covers `at`, and the first instant before `end` at which it may change.
    pub(super) fn at(&self, at: Micros, end: Micros) -> (Level, Micros) {
        let instant = offset(at);
        let mut strongest = Strength::NONE;
        for (size, holds) in self.sizes.iter().enumerate() {
            if holds.strongest() > strongest {
                strongest = strongest.max(holds.covering(size, instant));
            }
        }
        let mut until = end;
        if strongest.level > Level::NOTHING {
            until = until.min(Micros::MIN.after(strongest.last + 1));
        }
        for holds in &self.sizes {
            if holds.strongest().level > strongest.level {
                let (after, before) = (instant + 1, offset(until));
                if let Some(start) = holds.by_start.first_above(strongest.level, after, before) {
                    until = Micros::MIN.after(start);
                }
            }
        }
        (strongest.level, until)
    }
}

impl Size {
    fn strongest(&self) -> Strength {
        self.by_start.root.summary.strongest
    }

    /// The strongest of the holds that cover `instant`.
    fn covering(&self, size: usize, instant: u64) -> Strength {
        let begin = instant >> size << size;
        let length = 1 << size;
        if instant - begin < length / 2 || size == 0 {
            self.by_start.strongest_within(begin, instant)
        } else {
            self.by_last.strongest_within(instant, begin + (length - 1))
        }
    }
}

impl Tree {
    fn insert(&mut self, entry: Entry) -> bool {
        let is_new = insert(&mut self.root, entry);
        self.root.settle_root();
        is_new
    }

    fn remove(&mut self, entry: Entry) {
        remove(&mut self.root, entry);
    }

    /// The strongest of the entries from `first` to `last`.
    fn strongest_within(&self, first: u64, last: u64) -> Strength {
        let mut strongest = Strength::NONE;
        find_strongest(&self.root, (first, last), &mut strongest);
        strongest
    }

    /// The position of the first entry above `level`, from `first` on and before `end`.
    fn first_above(&self, level: Level, first: u64, end: u64) -> Option<u64> {
        find_above(&self.root, level, (first, end))
    }
}

/// The power of two that a hold belongs to, and its entries by start and by end.
fn entries(start: Micros, end: Micros, weight: Wad) -> (usize, Entry, Entry) {
    let (start, last) = (offset(start), offset(end) - 1);
    let size = (u64::BITS - (start ^ last).leading_zeros()) as usize;
    let weight = weight.into();
    let entry = |at, other| Entry { at, other, weight };
    (size, entry(start, last), entry(last, start))
}

fn offset(at: Micros) -> u64 {
    at.get().abs_diff(Micros::MIN.get())
}

/// The index of the branch that contains an entry, or would contain it.
fn place(branches: &[Branch<Entries>], entry: &Entry) -> usize {
    let after = branches.partition_point(|branch| branch.summary.first <= entry.order());
    after.saturating_sub(1)
}

/// Returns whether the entry was absent.
fn insert(branch: &mut Branch<Entries>, entry: Entry) -> bool {
    step();
    match &mut branch.node {
        Node::Block(items) => {
            let Err(place) = items.binary_search_by_key(&entry.order(), Entry::order) else {
                return false;
            };
            items.insert(place, entry);
            branch.summary = branch.summary.with(&entry, items.len() == 1);
            true
        }
        Node::Branches(branches) => {
            let place = place(branches, &entry);
            let is_new = insert(&mut branches[place], entry);
            if branches[place].is_full() {
                branch.settle_branches();
            } else if is_new {
                branch.summary = branch.summary.with(&entry, false);
            }
            is_new
        }
    }
}

fn remove(branch: &mut Branch<Entries>, entry: Entry) {
    step();
    match &mut branch.node {
        Node::Block(items) => {
            if let Ok(place) = items.binary_search_by_key(&entry.order(), Entry::order) {
                items.remove(place);
            }
            if entry.strength() == branch.summary.strongest {
                branch.summary = Entries::of_items(items, None, &branch.summary);
            }
        }
        Node::Branches(branches) => {
            let place = place(branches, &entry);
            remove(&mut branches[place], entry);
            if entry.strength() == branch.summary.strongest || branches[place].is_sparse() {
                branch.settle_branches();
            }
        }
    }
}

fn find_strongest(branch: &Branch<Entries>, (first, last): (u64, u64), strongest: &mut Strength) {
    step();
    let summary = &branch.summary;
    let is_apart = last < summary.first.0 || summary.last_at < first;
    if is_apart || summary.strongest <= *strongest {
        return;
    }
    if first <= summary.first.0 && summary.last_at <= last {
        *strongest = summary.strongest;
        return;
    }
    match &branch.node {
        Node::Block(items) => {
            for item in items
                .iter()
                .filter(|item| (first..=last).contains(&item.at))
            {
                *strongest = (*strongest).max(item.strength());
            }
        }
        Node::Branches(branches) => {
            let before = branches.partition_point(|branch| branch.summary.last_at < first);
            let rest = branches[before..].iter();
            for branch in rest.take_while(|branch| branch.summary.first.0 <= last) {
                find_strongest(branch, (first, last), strongest);
            }
        }
    }
}

fn find_above(branch: &Branch<Entries>, level: Level, (first, end): (u64, u64)) -> Option<u64> {
    step();
    let summary = &branch.summary;
    let is_apart = end <= summary.first.0 || summary.last_at < first;
    if is_apart || summary.strongest.level <= level {
        return None;
    }
    match &branch.node {
        Node::Block(items) => {
            let after = items.iter().skip_while(|item| item.at < first);
            let mut within = after.take_while(|item| item.at < end);
            let found = within.find(|item| item.strength().level > level);
            found.map(|item| item.at)
        }
        Node::Branches(branches) => {
            let before = branches.partition_point(|branch| branch.summary.last_at < first);
            let mut rest = branches[before..]
                .iter()
                .take_while(|branch| branch.summary.first.0 < end);
            rest.find_map(|branch| find_above(branch, level, (first, end)))
        }
    }
}

fn step() {
    #[cfg(test)]
    super::tree::steps::count(1);
}
