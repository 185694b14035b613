//! The integral of the upper envelope of holds sorted by their start.
//!
//! One pass that tracks the strongest running hold; weaker ones that outlast it wait in a heap, which is
//! reused for every key. O(n log n) for n holds of one key, O(n) if all have the same weight.

use std::collections::BinaryHeap;

use crate::core::window::length;
use crate::core::{Micros, Totals, Wad};

/// A closed hold inside the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) weight: Wad,
}

/// A hold that is running. The strongest is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Running {
    weight: Wad,
    end: Micros,
}

/// Sweeps one key after another.
#[derive(Default)]
pub(super) struct Sweep {
    /// Weaker than the leading hold, but longer.
    waiting: BinaryHeap<Running>,
}

impl Sweep {
    /// Held time and integral of the largest weight at each instant; sorts `spans` by start.
    #[inline]
    pub(super) fn totals(&mut self, spans: &mut [Span]) -> Totals {
        match spans {
            [] => Totals::ZERO,
            [one] => Totals::of(one.weight, length(one.start, one.end)),
            many => {
                many.sort_unstable_by_key(|span| span.start);
                self.sweep(many)
            }
        }
    }

    fn sweep(&mut self, spans: &[Span]) -> Totals {
        let mut sums = Sums::default();
        let mut leading: Option<Running> = None;
        let mut cursor = Micros::MIN;
        for span in spans {
            let next = Running {
                weight: span.weight,
                end: span.end,
            };
            leading = self.advance(leading, cursor, span.start, &mut sums);
            cursor = span.start;
            leading = Some(match leading {
                None => next,
                Some(lead)
                    if next.weight > lead.weight
                        || next.weight == lead.weight && next.end >= lead.end =>
                {
                    if lead.end > next.end {
                        self.waiting.push(lead);
                    }
                    next
                }
                Some(lead) => {
                    if next.end > lead.end {
                        self.waiting.push(next);
                    }
                    lead
                }
            });
        }
        self.advance(leading, cursor, Micros::MAX, &mut sums);
        self.waiting.clear();
        sums.totals()
    }

    /// Accrues from `cursor` to `until` and returns the hold that leads at `until`.
    #[inline]
    fn advance(
        &mut self,
        mut leading: Option<Running>,
        mut cursor: Micros,
        until: Micros,
        sums: &mut Sums,
    ) -> Option<Running> {
        while let Some(lead) = leading {
            if lead.end > until {
                sums.accrue(lead.weight, length(cursor, until));
                return leading;
            }
            sums.accrue(lead.weight, length(cursor, lead.end));
            cursor = lead.end;
            leading = loop {
                match self.waiting.pop() {
                    Some(waiting) if waiting.end <= cursor => {}
                    next => break next,
                }
            };
        }
        None
    }
}

/// Sums time while the weight stays the same, so that a run of one weight is multiplied once.
#[derive(Default)]
struct Sums {
    totals: Totals,
    weight: Wad,
    micros: u64,
}

impl Sums {
    #[inline]
    fn accrue(&mut self, weight: Wad, micros: u64) {
        if weight != self.weight {
            self.totals += Totals::of(self.weight, self.micros);
            (self.weight, self.micros) = (weight, 0);
        }
        self.micros += micros;
    }

    fn totals(mut self) -> Totals {
        self.totals += Totals::of(self.weight, self.micros);
        self.totals
    }
}
