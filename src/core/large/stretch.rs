//! A stretch of a curve at one level, and the summary of the stretches below a branch.
//!
//! Plain values; how they lie in a tree and change is in [`super::curve`].

use super::level::Level;
use crate::core::weight::NarrowWad;
use crate::core::{Micros, Totals};

/// From `start` until the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Twice the instant, plus one if something is held.
    start_and_held: i64,
    weight: NarrowWad,
}

impl Stretch {
    pub(super) fn new(start: Micros, level: Level) -> Self {
        let weight = level.weight();
        Self {
            start_and_held: start.get() << 1 | i64::from(weight.is_some()),
            weight: weight.unwrap_or_default().into(),
        }
    }

    pub(super) fn start(&self) -> Micros {
        Micros::new(self.start_and_held >> 1).expect("it was an instant")
    }

    pub(super) fn level(&self) -> Level {
        if self.start_and_held & 1 == 0 {
            Level::NOTHING
        } else {
            Level::held(self.weight.into())
        }
    }
}

/// A summary of the stretches in `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) start: Micros,
    pub(super) end: Micros,
    /// The lowest level; any lower level below this branch is to be read as this one.
    pub(super) low: Level,
    /// Whether some level below the branch is lower than `low`.
    pub(super) is_lifted: bool,
    /// How long the curve is at the lowest level.
    pub(super) low_micros: u64,
    /// The second lowest level.
    pub(super) next: Level,
    pub(super) high: Level,
    pub(super) totals: Totals,
}

impl Summary {
    pub(super) fn empty(start: Micros, end: Micros) -> Self {
        Self {
            start,
            end,
            low: Level::ABOVE,
            is_lifted: false,
            low_micros: 0,
            next: Level::ABOVE,
            high: Level::NOTHING,
            totals: Totals::ZERO,
        }
    }

    pub(super) fn add(&mut self, level: Level, micros: u64) {
        self.add_low(level, micros);
        self.high = self.high.max(level);
        self.totals += level.totals(micros);
    }

    pub(super) fn add_branch(&mut self, other: &Self) {
        self.add_low(other.low, other.low_micros);
        if other.next < self.next {
            self.next = other.next;
        }
        self.high = self.high.max(other.high);
        self.totals += other.totals;
    }

    fn add_low(&mut self, level: Level, micros: u64) {
        if level < self.low {
            self.next = self.low;
            (self.low, self.low_micros) = (level, micros);
        } else if level == self.low {
            self.low_micros += micros;
        } else if level < self.next {
            self.next = level;
        }
    }

    /// Lifts the lowest level to `level`, which is below all others.
    pub(super) fn lift_lowest(&mut self, level: Level) {
        self.totals += level.gain(self.low, self.low_micros);
        if self.high == self.low {
            self.high = level;
        }
        self.low = level;
        self.is_lifted = true;
    }

    pub(super) fn is_within(&self, start: Micros, end: Micros) -> bool {
        start <= self.start && self.end <= end
    }

    pub(super) fn is_apart_from(&self, start: Micros, end: Micros) -> bool {
        self.end <= start || end <= self.start
    }
}
