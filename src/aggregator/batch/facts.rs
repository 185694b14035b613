//! The facts of one key that are in force, if it has more than closed holds, and their totals.
//!
//! Of the events that share an id one is in force; [`super::claims`] has chosen it, except among changes, which are in
//! other places. Between two of its marks a curve is off, or on at one weight, so
//! it is a sequence of closed holds, and so is a balance; the last stretch ends with the window. The effective
//! weight is the maximum either way, and [`super::sweep`] finds that.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::balance::{self, Change, Repeats, Shortfall, Step};
use super::id_hash::IdHash;
use super::key_changes::KeyChanges;
use super::lane::OtherClaim;
use super::sweep::{Span, Sweep};
use crate::core::window::length;
use crate::core::{Fact, Mark, Micros, Quantity, Standing, Totals, Window};

/// The totals of one key after another; its buffers are reused.
pub(super) struct FactScorer {
    window: Window,
    repeats: Repeats,
    claims: HashMap<IdHash, Standing, RandomState>,
    changes: Vec<Change>,
    steps: Vec<Step>,
    marks: Vec<(Micros, Mark)>,
    holds: Vec<Span>,
    levels: Vec<Span<Quantity>>,
    hold_sweep: Sweep,
    level_sweep: Sweep<Quantity>,
}

impl FactScorer {
    pub(super) fn new(window: &Window) -> Self {
        Self {
            window: *window,
            repeats: Repeats::default(),
            claims: HashMap::default(),
            changes: Vec::new(),
            steps: Vec::new(),
            marks: Vec::new(),
            holds: Vec::new(),
            levels: Vec::new(),
            hold_sweep: Sweep::default(),
            level_sweep: Sweep::default(),
        }
    }

    /// The totals of a key with `closed` holds inside the window and these `changes` at revision 0, and its first
    /// shortfall.
    pub(super) fn score(
        &mut self,
        closed: &[Span],
        changes: KeyChanges<'_>,
        others: impl ExactSizeIterator<Item = OtherClaim>,
    ) -> (Totals, Option<Shortfall>) {
        self.holds.clear();
        self.holds.extend_from_slice(closed);
        self.steps.clear();
        if others.len() > 0 || self.repeats.are_possible(changes.ids) {
            self.settle(changes, others);
            let in_force = self.changes.iter().copied();
            self.steps.extend(in_force.map(Step::from));
            self.add_curve();
        } else {
            self.steps.extend_from_slice(changes.steps);
        }
        if self.steps.is_empty() {
            return (self.hold_sweep.totals(&mut self.holds), None);
        }
        if self.holds.is_empty() {
            let mut totals = Totals::ZERO;
            let shortfall = balance::stretches(&mut self.steps, &self.window, |span| {
                totals += Totals::of_quantity(span.weight, length(span.start, span.end));
            });
            return (totals, shortfall);
        }
        let levels = self.holds.iter().map(|hold| Span {
            start: hold.start,
            end: hold.end,
            weight: hold.weight.into(),
        });
        self.levels.clear();
        self.levels.extend(levels);
        let shortfall = balance::stretches(&mut self.steps, &self.window, |span| {
            self.levels.push(span);
        });
        (self.level_sweep.totals(&mut self.levels), shortfall)
    }

    /// The changes in force of a key.
    pub(super) fn changes_in_force(
        &mut self,
        changes: KeyChanges<'_>,
        others: impl Iterator<Item = OtherClaim>,
    ) -> &[Change] {
        self.settle(changes, others);
        &self.changes
    }

    /// Finds what is in force: the changes, and among `others` the holds and marks. No two of these share an id.
    fn settle(&mut self, changes: KeyChanges<'_>, others: impl Iterator<Item = OtherClaim>) {
        self.changes.clear();
        self.changes.extend(changes.iter());
        balance::drop_repeats(&mut self.changes);
        self.marks.clear();
        self.claims.clear();
        for OtherClaim { id, standing } in others {
            match (id, standing.fact) {
                (Some(id), _) => {
                    self.claims.insert(id, standing);
                }
                (None, Some(fact)) => self.add_fact(None, fact),
                (None, None) => {}
            }
        }
        if self.claims.is_empty() {
            return;
        }
        self.settle_shared_ids();
        let claims = std::mem::take(&mut self.claims);
        for (id, standing) in &claims {
            if let Some(fact) = standing.fact {
                self.add_fact(Some(*id), fact);
            }
        }
        self.claims = claims;
    }

    /// Leaves each id that is among both the changes and the claims where it is in force.
    fn settle_shared_ids(&mut self) {
        self.changes.retain(|Change { id, at, delta }| {
            let Some(claim) = self.claims.get(id) else {
                return true;
            };
            let (at, delta) = (*at, *delta);
            let own = Standing {
                revision: 0,
                fact: Some(Fact::Change { at, delta }),
            };
            let prevails = own.prevails_over(claim);
            if prevails {
                self.claims.remove(id);
            }
            prevails
        });
    }

    fn add_fact(&mut self, id: Option<IdHash>, fact: Fact) {
        match fact {
            Fact::Closed { start, end, weight } => {
                let hold = Span { start, end, weight };
                self.holds.extend(hold.clip(&self.window));
            }
            Fact::Start { at, weight, seq } => self.marks.push((at, Mark::On { seq, weight })),
            Fact::Stop { at, seq } => self.marks.push((at, Mark::Off { seq })),
            Fact::Change { at, delta } => {
                let id = id.expect("a change has an id");
                self.changes.push(Change { id, at, delta });
            }
        }
    }

    fn add_curve(&mut self) {
        let window = &self.window;
        // By instant, the strongest mark of each instant first.
        self.marks
            .sort_unstable_by_key(|(at, mark)| (*at, Reverse(*mark)));
        self.marks.dedup_by_key(|(at, _)| *at);
        for (index, (at, mark)) in self.marks.iter().enumerate() {
            let end = match self.marks.get(index + 1) {
                Some((next, _)) => *next,
                None if window.closed_only => break,
                None => window.as_of,
            };
            let hold = mark.weight().map(|weight| Span {
                start: *at,
                end,
                weight,
            });
            self.holds.extend(hold.and_then(|hold| hold.clip(window)));
        }
    }
}
