//! The facts of one key that are in force, if it has more than closed holds, their totals, and what is found among
//! them.
//!
//! Of the events that share an id one is in force; [`super::claims`] has chosen it, except among changes, which are in
//! other places. Between two of its marks a curve is off, or on at one weight, so it is a sequence of closed holds,
//! and so is a balance; the last stretch ends with the window. The effective weight is the maximum either way, and
//! [`super::sweep`] finds that.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::balance::{self, Change, Repeats, Shortfall, Step};
use super::id_hash::IdHash;
use super::key_changes::KeyChanges;
use super::sweep::{Span, Sweep};
use crate::core::findings::Stated;
use crate::core::window::length;
use crate::core::{Fact, Findings, Mark, Micros, Quantity, Standing, Totals, Window};

/// What a key has besides its changes at revision 0 and what is simply one of its closed holds.
#[derive(Clone, Copy)]
pub(super) struct Other {
    /// The number of the key.
    pub(super) key: u32,
    /// `None` for a plain fact.
    pub(super) id: Option<IdHash>,
    pub(super) stated: Stated,
}

/// The totals of one key after another; its buffers are reused.
pub(super) struct FactScorer {
    window: Window,
    repeats: Repeats,
    claims: HashMap<IdHash, Stated, RandomState>,
    changes: Vec<Change>,
    steps: Vec<Step>,
    marks: Vec<(Micros, Mark)>,
    holds: Vec<Span>,
    levels: Vec<Span<Quantity>>,
    hold_sweep: Sweep,
    level_sweep: Sweep<Quantity>,
    /// About all keys so far.
    findings: Findings,
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
            findings: Findings::default(),
        }
    }

    /// The totals of a key with `closed` holds inside the window and these `changes` at revision 0, and its first
    /// shortfall.
    pub(super) fn score(
        &mut self,
        closed: &[Span],
        changes: KeyChanges<'_>,
        others: &[Other],
    ) -> (Totals, Option<Shortfall>) {
        self.holds.clear();
        self.holds.extend_from_slice(closed);
        self.steps.clear();
        if !others.is_empty() || self.repeats.are_possible(changes.ids) {
            self.findings.conflicts += self.settle(changes, others);
            let in_force = self.changes.iter().copied();
            self.steps.extend(in_force.map(Step::from));
            self.add_curve();
        } else {
            self.steps.extend_from_slice(changes.steps);
        }
        if self.steps.is_empty() {
            return (self.hold_sweep.totals(&mut self.holds), None);
        }
        let sums = if self.holds.is_empty() {
            let mut totals = Totals::ZERO;
            let shortfall = balance::stretches(&mut self.steps, &self.window, |span| {
                totals += Totals::of_quantity(span.weight, length(span.start, span.end));
            });
            (totals, shortfall)
        } else {
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
        };
        // They are in order of time by now.
        if let [first, ..] = &self.steps[..]
            && let [.., last] = &self.steps[..]
        {
            self.findings.see_between(first.at(), last.at());
        }
        sums
    }

    /// What was found about the keys since the last call.
    pub(super) fn take_findings(&mut self) -> Findings {
        std::mem::take(&mut self.findings)
    }

    /// The changes in force of a key.
    pub(super) fn changes_in_force(
        &mut self,
        changes: KeyChanges<'_>,
        others: &[Other],
    ) -> &[Change] {
        self.settle(changes, others);
        &self.changes
    }

    /// Finds what is in force: the changes, and among `others` the holds and marks. No two of these share an id.
    /// Returns the number of ids under which different facts are stated at the revision in force.
    fn settle(&mut self, changes: KeyChanges<'_>, others: &[Other]) -> u64 {
        self.changes.clear();
        self.changes.extend(changes.iter());
        let contested = balance::drop_repeats(&mut self.changes);
        self.marks.clear();
        self.claims.clear();
        for Other { id, stated, .. } in others {
            match (*id, stated.standing.fact) {
                (Some(id), _) => {
                    self.claims.insert(id, *stated);
                }
                (None, Some(fact)) => self.add_fact(None, fact),
                (None, None) => {}
            }
        }
        if self.claims.is_empty() {
            return contested.len() as u64;
        }
        let mut conflicts = self.settle_shared_ids(&contested);
        let claims = std::mem::take(&mut self.claims);
        for (id, stated) in &claims {
            conflicts += u64::from(stated.is_conflict());
            if let Some(fact) = stated.standing.fact {
                self.add_fact(Some(*id), fact);
            }
        }
        self.claims = claims;
        conflicts
    }

    /// Leaves each id that is among both the changes and the claims where it is in force. Returns the number of
    /// changes that are left and are among several of their id; `contested` are the ids of different changes.
    fn settle_shared_ids(&mut self, contested: &[IdHash]) -> u64 {
        let mut conflicts = 0;
        self.changes.retain(|Change { id, at, delta }| {
            let is_contested = contested.binary_search(id).is_ok();
            let Some(claim) = self.claims.get_mut(id) else {
                conflicts += u64::from(is_contested);
                return true;
            };
            let (at, delta) = (*at, *delta);
            let own = Stated::new(Standing {
                revision: 0,
                fact: Some(Fact::Change { at, delta }),
            });
            let prevails = own.standing.prevails_over(&claim.standing);
            claim.meet(own.contested(is_contested));
            if prevails {
                conflicts += u64::from(claim.is_conflict());
                self.claims.remove(id);
            }
            prevails
        });
        conflicts
    }

    fn add_fact(&mut self, id: Option<IdHash>, fact: Fact) {
        self.findings.see(fact);
        match fact {
            Fact::Closed { start, end, weight } => {
                let hold = Span { start, end, weight };
                self.holds.extend(hold.clip(&self.window));
            }
            Fact::Start { .. } | Fact::Stop { .. } => self.marks.extend(Mark::of(fact)),
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
        for at_once in self.marks.chunk_by(|(one, _), (other, _)| one == other) {
            let (_, strongest) = at_once[0];
            let is_tie =
                |(_, mark): &(Micros, Mark)| mark.seq() == strongest.seq() && *mark != strongest;
            self.findings.ties += u64::from(at_once.iter().any(is_tie));
        }
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
