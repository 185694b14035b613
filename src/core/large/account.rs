//! The balance of one key over time: changes by instant, under a tree of their sums.
//!
//! A change shifts the balance of every later instant, so no branch stores a balance: each has the sums within
//! itself as if it began at 0, and their lowest and highest. Where the balance at its beginning keeps all of
//! them above 0, or none, the time and the score of a branch follow from its area. Only branches that the
//! balance crosses 0 in, or a curve beside it, are looked into; see [`Account::add_totals`].

use hashbrown::HashMap;

use super::curve::Curve;
use super::level::Level;
use super::steps::{Step, StepBlock};
use super::tree::{Branch, Kind, Node};
use crate::core::balance::{Area, NarrowBalance};
use crate::core::window::length;
use crate::core::{Balance, Delta, Micros, Quantity, Totals};

/// Changes of balance by instant.
#[derive(Clone)]
pub(super) struct Account {
    root: Branch<Steps>,
    /// The number of changes at an instant, minus one.
    repeats: HashMap<Micros, u32>,
}

struct Steps;

/// The balance in `[first, last)` of a branch, counted from 0 before `first`.
#[derive(Clone, Copy)]
struct Summary {
    first: Micros,
    last: Micros,
    /// The balance from `last` on.
    sum: Balance,
    /// The lowest balance, and how long it lasts; above `high` if `first` is `last`.
    low: Balance,
    low_micros: u64,
    high: Balance,
    /// The integral of the balance.
    area: Balance,
}

/// A walk over the balance and a curve beside it, in order of time, which ends after so many pieces.
pub(super) struct Walk<'c> {
    curve: &'c Curve,
    /// Whether nothing is held by the curve at any time.
    is_bare: bool,
    end: Micros,
    pieces_left: usize,
    /// Totals from the beginning of the walk to `reached`.
    pub(super) totals: Totals,
    pub(super) reached: Micros,
}

impl Kind for Steps {
    type Block = StepBlock;
    type Summary = Summary;

    fn of_items(items: &StepBlock, _next: Option<&StepBlock>, whole: &Summary) -> Summary {
        if let Some(summary) = Summary::of_small(items.iter()) {
            return summary;
        }
        let mut steps = items.iter();
        let Some(first) = steps.next() else {
            return *whole;
        };
        let mut summary = Summary::of(&first);
        for step in steps {
            summary.stay_until(step.at);
            summary.sum += step.delta.into();
        }
        summary
    }

    fn of_branches(branches: &[Branch<Self>]) -> Summary {
        if let Some(summary) = Summary::of_small_branches(branches) {
            return summary;
        }
        let (first, rest) = branches.split_first().expect("at least one branch");
        let mut summary = first.summary;
        for branch in rest {
            summary.append(&branch.summary);
        }
        summary
    }
}

impl Summary {
    fn of(step: &Step) -> Self {
        Self {
            first: step.at,
            last: step.at,
            sum: step.delta.into(),
            low: Balance::MAX,
            low_micros: 0,
            high: Balance::MIN,
            area: Balance::ZERO,
        }
    }

    /// The summary of steps whose sums have 128 bits, as those of nearly all blocks; `None` if one has more, or if there
    /// is but one step. A change between others adds up their whole block, so this arithmetic is most of its cost.
    fn of_small(mut steps: impl Iterator<Item = Step>) -> Option<Self> {
        let first = steps.next()?;
        let mut sums = SmallSums::new(first.at);
        sums.add(first.delta)?;
        for step in steps {
            sums.stay_until(step.at);
            sums.add(step.delta)?;
        }
        sums.summary(first.at, Balance::ZERO)
    }

    /// The same for branches.
    fn of_small_branches(branches: &[Branch<Steps>]) -> Option<Self> {
        let first = branches.first()?.summary.first;
        let mut sums = SmallSums::new(first);
        let mut areas = Balance::ZERO;
        for Branch { summary, .. } in branches {
            if sums.last < summary.first {
                sums.stay_until(summary.first);
            }
            if summary.first < summary.last {
                sums.append(summary)?;
                areas += summary.area;
            }
            sums.add(summary.sum.into())?;
        }
        sums.summary(first, areas)
    }

    /// Becomes the summary of this one and a later one.
    fn append(&mut self, later: &Self) {
        self.stay_until(later.first);
        self.last = later.last;
        if later.first < later.last {
            self.include(self.sum + later.low, later.low_micros);
            self.high = self.high.max(self.sum + later.high);
            self.area += self.sum.times(length(later.first, later.last)) + later.area;
        }
        self.sum += later.sum;
    }

    /// Lasts until `at`, which is later, at its sum.
    #[inline]
    fn stay_until(&mut self, at: Micros) {
        let micros = length(self.last, at);
        self.last = at;
        self.include(self.sum, micros);
        self.high = self.high.max(self.sum);
        self.area += self.sum.times(micros);
    }

    fn include(&mut self, low: Balance, micros: u64) {
        if low < self.low {
            (self.low, self.low_micros) = (low, micros);
        } else if low == self.low {
            self.low_micros += micros;
        }
    }

    /// The totals, if the balance is `before` at the beginning and never below 0.
    fn totals(&self, before: Balance) -> Totals {
        let micros = length(self.first, self.last);
        let area = self.area + before.times(micros);
        let is_empty_at_low = before + self.low == Balance::ZERO;
        let held = if is_empty_at_low {
            micros - self.low_micros
        } else {
            micros
        };
        Totals {
            held_us: held.into(),
            score: area
                .held()
                .map_or(Totals::ZERO, |area| Totals::of_quantity(area, 1))
                .score,
        }
    }
}

/// What is added up to a [`Summary`], in 128 bits.
struct SmallSums {
    last: Micros,
    sum: i128,
    low: i128,
    low_micros: u64,
    high: i128,
    area: Area,
}

impl SmallSums {
    const fn new(first: Micros) -> Self {
        Self {
            last: first,
            sum: 0,
            low: i128::MAX,
            low_micros: 0,
            high: i128::MIN,
            area: Area::ZERO,
        }
    }

    #[inline]
    fn add(&mut self, delta: NarrowBalance) -> Option<()> {
        self.sum = self.sum.checked_add(delta.in_128_bits()?)?;
        Some(())
    }

    /// Lasts until `at`, which is later, at its sum.
    #[inline]
    fn stay_until(&mut self, at: Micros) {
        let micros = length(self.last, at);
        self.include(self.sum, micros);
        self.high = self.high.max(self.sum);
        self.pass(at);
    }

    /// Adds a branch that begins at `last` and lasts, but for its sum and its area, which is counted from 0.
    #[inline]
    fn append(&mut self, branch: &Summary) -> Option<()> {
        let small = |balance| NarrowBalance::from(balance).in_128_bits();
        let low = self.sum.checked_add(small(branch.low)?)?;
        self.include(low, branch.low_micros);
        self.high = self.high.max(self.sum.checked_add(small(branch.high)?)?);
        self.pass(branch.last);
        Some(())
    }

    #[inline]
    fn pass(&mut self, at: Micros) {
        self.area.add(self.sum, length(self.last, at));
        self.last = at;
    }

    #[inline]
    fn include(&mut self, low: i128, micros: u64) {
        if low < self.low {
            (self.low, self.low_micros) = (low, micros);
        } else if low == self.low {
            self.low_micros += micros;
        }
    }

    /// `None` if nothing lasts.
    fn summary(self, first: Micros, areas: Balance) -> Option<Summary> {
        (first < self.last).then(|| Summary {
            first,
            last: self.last,
            sum: self.sum.into(),
            low: self.low.into(),
            low_micros: self.low_micros,
            high: self.high.into(),
            area: areas + self.area.into(),
        })
    }
}

impl Account {
    /// An account with one change.
    pub(super) fn new(at: Micros, delta: Delta) -> Self {
        let step = Step {
            at,
            delta: Balance::from(delta).into(),
        };
        Self {
            root: Branch {
                summary: Summary::of(&step),
                node: Node::Block(StepBlock::of(step)),
            },
            repeats: HashMap::new(),
        }
    }

    /// Adds a change.
    pub(super) fn add(&mut self, at: Micros, delta: Delta) {
        let step = Step {
            at,
            delta: Balance::from(delta).into(),
        };
        if !insert(&mut self.root, step) {
            *self.repeats.entry(at).or_default() += 1;
        }
        self.root.settle_root();
    }

    /// Withdraws a change that was added; returns whether it was the last one of all.
    pub(super) fn withdraw(&mut self, at: Micros, delta: Delta) -> bool {
        if let Some(count) = self.repeats.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                self.repeats.remove(&at);
            }
            insert(
                &mut self.root,
                Step {
                    at,
                    delta: Balance::from(-delta).into(),
                },
            );
            return false;
        }
        remove(&mut self.root, at);
        self.root.node.is_empty()
    }

    /// The first instant with a change.
    pub(super) const fn first(&self) -> Micros {
        self.root.summary.first
    }

    /// The last instant with a change.
    pub(super) const fn last(&self) -> Micros {
        self.root.summary.last
    }

    /// What is held past the last change.
    pub(super) fn open(&self) -> Option<Quantity> {
        self.root.summary.sum.held()
    }

    /// The first instant with a balance below 0, and the balance there.
    pub(super) fn deficit(&self) -> Option<(Micros, Balance)> {
        let mut before = Balance::ZERO;
        first_below_zero(&self.root, &mut before)
    }

    /// The balance from each instant with a change on, in order of time.
    pub(super) fn levels(&self, mut visit: impl FnMut(Micros, Balance)) {
        let mut balance = Balance::ZERO;
        each(&self.root, &mut |step| {
            balance += step.delta.into();
            visit(step.at, balance);
        });
    }

    /// Adds to `walk` what is held from its `reached` on: at each instant the balance or the curve, whichever is
    /// larger. Returns whether the walk has reached its end.
    pub(super) fn add_totals(&self, walk: &mut Walk<'_>) -> bool {
        let mut before = Balance::ZERO;
        walk.to(self.first(), before);
        add_totals(&self.root, &mut before, walk);
        walk.to(walk.end, before);
        walk.reached == walk.end
    }
}

impl<'c> Walk<'c> {
    /// A walk over `[start, end)`.
    pub(super) fn new(curve: &'c Curve, (start, end): (Micros, Micros), pieces_max: usize) -> Self {
        Self {
            curve,
            is_bare: curve.first_held().is_none(),
            end: end.max(start),
            pieces_left: pieces_max,
            totals: Totals::ZERO,
            reached: start,
        }
    }

    fn is_over(&self) -> bool {
        self.reached == self.end || self.pieces_left == 0
    }

    /// Goes on to `until` at a balance that stays the same.
    fn to(&mut self, until: Micros, balance: Balance) {
        let until = until.min(self.end);
        if until <= self.reached || self.is_over() {
            return;
        }
        self.pieces_left -= 1;
        let from = std::mem::replace(&mut self.reached, until);
        self.totals += match balance.held() {
            None if self.is_bare => Totals::ZERO,
            None => self.curve.totals(from, until),
            Some(held) if self.is_bare => Totals::of_quantity(held, length(from, until)),
            Some(held) => match held.weight() {
                Some(weight) => self
                    .curve
                    .totals_of_at_least(from, until, Level::held(weight)),
                None => Totals::of_quantity(held, length(from, until)),
            },
        };
    }

    /// Goes on to the end of a branch without looking into it, if one of the two is never below the other;
    /// returns whether it did.
    fn skip(&mut self, summary: &Summary, before: Balance) -> bool {
        let Summary { first, last, .. } = *summary;
        if self.reached != first || self.end < last || first == last {
            return false;
        }
        let (low, high) = (before + summary.low, before + summary.high);
        let (lowest, highest) = if self.is_bare {
            (Level::NOTHING, Level::NOTHING)
        } else {
            self.curve.bounds(first, last)
        };
        if is_at_least(low, highest) {
            self.totals += summary.totals(before);
        } else if is_at_most(high, lowest) {
            if !self.is_bare {
                self.totals += self.curve.totals(first, last);
            }
        } else {
            return false;
        }
        self.reached = last;
        self.pieces_left -= 1;
        true
    }
}

/// Whether a balance holds at least as much as a curve.
fn is_at_least(balance: Balance, level: Level) -> bool {
    match level.weight() {
        // A curve at weight 0 holds the key, a balance of 0 does not.
        Some(weight) => balance.held().is_some_and(|held| held >= weight.into()),
        None => !balance.is_negative(),
    }
}

/// Whether a balance holds no more than a curve.
fn is_at_most(balance: Balance, level: Level) -> bool {
    balance
        .held()
        .is_none_or(|held| level.weight().is_some_and(|weight| held <= weight.into()))
}

/// `before` is the balance before the branch, and afterwards the one after it.
fn add_totals(branch: &Branch<Steps>, before: &mut Balance, walk: &mut Walk<'_>) {
    let summary = &branch.summary;
    if walk.is_over() || summary.last <= walk.reached || walk.end <= summary.first {
        *before += summary.sum;
        return;
    }
    step();
    if walk.skip(summary, *before) {
        *before += summary.sum;
        return;
    }
    match &branch.node {
        Node::Block(items) => {
            for item in items.iter() {
                walk.to(item.at, *before);
                *before += item.delta.into();
            }
        }
        Node::Branches(branches) => {
            for branch in branches {
                walk.to(branch.summary.first, *before);
                add_totals(branch, before, walk);
            }
        }
    }
}

/// Adds to the step at its instant; returns whether there was none.
fn insert(branch: &mut Branch<Steps>, new: Step) -> bool {
    step();
    match &mut branch.node {
        Node::Block(items) => {
            if branch.summary.last < new.at {
                items.push(new);
                branch.summary.append(&Summary::of(&new));
                return true;
            }
            let is_new = items.add(new);
            branch.summary = Steps::of_items(items, None, &branch.summary);
            is_new
        }
        Node::Branches(branches) => {
            let place = place(branches, new.at);
            let is_last = place + 1 == branches.len() && branches[place].summary.last < new.at;
            let is_new = insert(&mut branches[place], new);
            if is_last && !branches[place].is_full() {
                branch.summary.append(&Summary::of(&new));
            } else {
                branch.settle_branches();
            }
            is_new
        }
    }
}

fn remove(branch: &mut Branch<Steps>, at: Micros) {
    step();
    match &mut branch.node {
        Node::Block(items) => {
            items.remove(at);
            branch.summary = Steps::of_items(items, None, &branch.summary);
        }
        Node::Branches(branches) => {
            let place = place(branches, at);
            remove(&mut branches[place], at);
            branch.settle_branches();
        }
    }
}

/// The index of the branch that contains a step, or would contain it.
fn place(branches: &[Branch<Steps>], at: Micros) -> usize {
    branches
        .partition_point(|branch| branch.summary.first <= at)
        .saturating_sub(1)
}

/// `before` is the balance before the branch, and afterwards the one after it.
fn first_below_zero(branch: &Branch<Steps>, before: &mut Balance) -> Option<(Micros, Balance)> {
    let summary = &branch.summary;
    let lowest = summary.low.min(summary.sum);
    if !(*before + lowest).is_negative() {
        *before += summary.sum;
        return None;
    }
    match &branch.node {
        Node::Block(items) => items.iter().find_map(|item| {
            *before += item.delta.into();
            before.is_negative().then_some((item.at, *before))
        }),
        Node::Branches(branches) => branches
            .iter()
            .find_map(|branch| first_below_zero(branch, before)),
    }
}

fn each(branch: &Branch<Steps>, visit: &mut impl FnMut(Step)) {
    match &branch.node {
        Node::Block(items) => items.iter().for_each(visit),
        Node::Branches(branches) => branches.iter().for_each(|branch| each(branch, visit)),
    }
}

fn step() {
    #[cfg(test)]
    super::tree::steps::count(1);
}
