//! The facts of one key that are in force, if it has more than closed holds, and their totals.
//!
//! Of the events that share an id one is in force. Between two of its marks a curve is off, or on at one weight, so
//! it is a sequence of closed holds, and so is a balance; the last stretch ends with the window. The effective
//! weight is the maximum either way, and [`super::sweep`] finds that.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::balance::{self, Change, Repeats, Shortfall};
use super::id_hash::IdHash;
use super::lane::LargeClaim;
use super::sweep::{Span, Sweep};
use crate::core::window::length;
use crate::core::{Fact, Mark, Micros, Quantity, Standing, Totals, Window};

/// The changes of one key, and room for more.
pub(super) struct Changes<'a> {
    /// A slot for every claim that may be a change.
    slots: &'a mut [Change],
    /// The number of changes, which are in the first slots.
    count: usize,
}

impl<'a> Changes<'a> {
    pub(super) fn new(slots: &'a mut [Change], count: usize) -> Self {
        Self { slots, count }
    }

    pub(super) fn all(&mut self) -> &mut [Change] {
        &mut self.slots[..self.count]
    }

    fn push(&mut self, change: Change) {
        self.slots[self.count] = change;
        self.count += 1;
    }

    fn remove(&mut self, index: usize) {
        self.count -= 1;
        self.slots[index] = self.slots[self.count];
    }
}

/// A fact or a claim of a key, other than a closed hold and a change at revision 0.
pub(super) enum Other<'a> {
    Plain(Fact),
    Large(&'a LargeClaim),
}

/// The totals of one key after another; its buffers are reused.
#[derive(Default)]
pub(super) struct FactScorer {
    repeats: Repeats,
    claims: HashMap<IdHash, Standing, RandomState>,
    marks: Vec<(Micros, Mark)>,
    holds: Vec<Span>,
    levels: Vec<Span<Quantity>>,
    hold_sweep: Sweep,
    level_sweep: Sweep<Quantity>,
}

impl FactScorer {
    /// The totals of a key, and its first shortfall; the `changes` in force are left sorted by time.
    pub(super) fn score<'o>(
        &mut self,
        closed: &[Span],
        changes: &mut Changes<'_>,
        others: impl Iterator<Item = Other<'o>>,
        window: &Window,
    ) -> (Totals, Option<Shortfall>) {
        self.holds.clear();
        self.holds.extend_from_slice(closed);
        self.marks.clear();
        changes.count = self.repeats.drop_from(changes.all());
        self.add_others(changes, others, window);
        self.add_curve(window);
        if changes.count == 0 {
            return (self.hold_sweep.totals(&mut self.holds), None);
        }
        if self.holds.is_empty() {
            let mut totals = Totals::ZERO;
            let shortfall = balance::stretches(changes.all(), window, |span| {
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
        let shortfall = balance::stretches(changes.all(), window, |span| self.levels.push(span));
        (self.level_sweep.totals(&mut self.levels), shortfall)
    }

    fn add_others<'o>(
        &mut self,
        changes: &mut Changes<'_>,
        others: impl Iterator<Item = Other<'o>>,
        window: &Window,
    ) {
        self.claims.clear();
        for other in others {
            match other {
                Other::Plain(fact) => self.add_fact(None, fact, changes, window),
                Other::Large(LargeClaim { id: None, standing }) => {
                    if let Some(fact) = standing.fact {
                        self.add_fact(None, fact, changes, window);
                    }
                }
                Other::Large(LargeClaim {
                    id: Some(id),
                    standing,
                }) => {
                    let known = self.claims.entry(*id).or_insert(*standing);
                    if standing.prevails_over(known) {
                        *known = *standing;
                    }
                }
            }
        }
        if self.claims.is_empty() {
            return;
        }
        self.settle(changes);
        let claims = std::mem::take(&mut self.claims);
        for (id, standing) in &claims {
            if let Some(fact) = standing.fact {
                self.add_fact(Some(*id), fact, changes, window);
            }
        }
        self.claims = claims;
    }

    /// Leaves each id that is among both the changes and the claims where it is in force.
    fn settle(&mut self, changes: &mut Changes<'_>) {
        let mut index = 0;
        while let Some(Change { id, at, delta }) = changes.all().get(index).copied() {
            let own = Standing {
                revision: 0,
                fact: Some(Fact::Change { at, delta }),
            };
            match self.claims.get(&id) {
                Some(standing) if own.prevails_over(standing) => {
                    self.claims.remove(&id);
                    index += 1;
                }
                Some(_) => changes.remove(index),
                None => index += 1,
            }
        }
    }

    fn add_fact(
        &mut self,
        id: Option<IdHash>,
        fact: Fact,
        changes: &mut Changes<'_>,
        window: &Window,
    ) {
        match fact {
            Fact::Closed { start, end, weight } => {
                let hold = Span { start, end, weight };
                self.holds.extend(hold.clip(window));
            }
            Fact::Start { at, weight, seq } => self.marks.push((at, Mark::On { seq, weight })),
            Fact::Stop { at, seq } => self.marks.push((at, Mark::Off { seq })),
            Fact::Change { at, delta } => {
                let id = id.expect("a change has an id");
                changes.push(Change { id, at, delta });
            }
        }
    }

    fn add_curve(&mut self, window: &Window) {
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
