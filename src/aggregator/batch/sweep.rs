//! The integral of the upper envelope of holds sorted by their start.
//!
//! One pass that tracks the strongest running hold; weaker ones that outlast it wait in a heap, which is
//! reused for every key. O(n log n) for n holds of one key, O(n) if all have the same weight.

use std::collections::BinaryHeap;

use crate::core::window::length;
use crate::core::{Micros, Quantity, Totals, Wad, Window};

/// How much is held over a span: a weight, or a quantity where balances are among them.
pub(super) trait Level: Copy + Ord + Default {
    /// This much held for `micros` microseconds.
    fn totals(self, micros: u64) -> Totals;
}

impl Level for Wad {
    #[inline]
    fn totals(self, micros: u64) -> Totals {
        Totals::of(self, micros)
    }
}

impl Level for Quantity {
    #[inline]
    fn totals(self, micros: u64) -> Totals {
        Totals::of_quantity(self, micros)
    }
}

/// A closed hold inside the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span<L = Wad> {
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) weight: L,
}

impl<L> Span<L> {
    /// The part inside the window; `None` if that is empty.
    #[inline]
    pub(super) fn clip(self, window: &Window) -> Option<Self> {
        let (start, end) = (self.start.max(window.start()), self.end.min(window.as_of));
        (start < end).then_some(Self { start, end, ..self })
    }
}

/// A hold that is running. The strongest is the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Running<L> {
    weight: L,
    end: Micros,
}

/// Sweeps one key after another.
#[derive(Default)]
pub(super) struct Sweep<L: Level = Wad> {
    /// Weaker than the leading hold, but longer.
    waiting: BinaryHeap<Running<L>>,
}

impl<L: Level> Sweep<L> {
    /// Held time and integral of the largest weight at each instant; sorts `spans` by start.
    #[inline]
    pub(super) fn totals(&mut self, spans: &mut [Span<L>]) -> Totals {
        match spans {
            [] => Totals::ZERO,
            [one] => one.weight.totals(length(one.start, one.end)),
            many => {
                many.sort_unstable_by_key(|span| span.start);
                self.sweep(many)
            }
        }
    }

    fn sweep(&mut self, spans: &[Span<L>]) -> Totals {
        let mut sums = Sums::default();
        let mut leading: Option<Running<L>> = None;
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
        mut leading: Option<Running<L>>,
        mut cursor: Micros,
        until: Micros,
        sums: &mut Sums<L>,
    ) -> Option<Running<L>> {
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
struct Sums<L> {
    totals: Totals,
    weight: L,
    micros: u64,
}

impl<L: Level> Sums<L> {
    #[inline]
    fn accrue(&mut self, weight: L, micros: u64) {
        if weight != self.weight {
            self.totals += self.weight.totals(self.micros);
            (self.weight, self.micros) = (weight, 0);
        }
        self.micros += micros;
    }

    fn totals(mut self) -> Totals {
        self.totals += self.weight.totals(self.micros);
        self.totals
    }
}
