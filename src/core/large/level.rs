//! How much is held at an instant: nothing, or a weight, which may be 0.

use crate::core::{Score, Totals, Wad};

/// A weight, or nothing held, which is lower than holding at weight 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level {
    rank: Rank,
    steps: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nothing,
    Held,
    /// Above every level that can be held.
    Above,
}

impl Level {
    /// Nothing is held.
    pub(super) const NOTHING: Self = Self {
        rank: Rank::Nothing,
        steps: 0,
    };

    /// Above every weight.
    pub(super) const ABOVE: Self = Self {
        rank: Rank::Above,
        steps: 0,
    };

    /// Held at `weight`.
    pub(super) const fn held(weight: Wad) -> Self {
        Self {
            rank: Rank::Held,
            steps: weight.steps(),
        }
    }

    /// The weight, if anything is held.
    pub(super) fn weight(self) -> Option<Wad> {
        (self.rank == Rank::Held).then(|| Wad::from_steps(self.steps))
    }

    /// The totals of `micros` at this level.
    pub(super) fn totals(self, micros: u64) -> Totals {
        match self.rank {
            Rank::Held => Totals::of(Wad::from_steps(self.steps), micros),
            Rank::Nothing | Rank::Above => Totals::ZERO,
        }
    }

    /// What raising `micros` from the lower level `from` to this one adds to the totals.
    pub(super) fn gain(self, from: Self, micros: u64) -> Totals {
        let more = Wad::from_steps(self.steps - from.steps);
        Totals {
            held_us: if from.rank == Rank::Nothing {
                micros.into()
            } else {
                0
            },
            score: Score::product(more, micros),
        }
    }
}
