//! Upper bounds of scores: per holder, and per block of neighbouring holders.
//!
//! Doubles, rounded up. They only decide which holders to skip; no score is computed from them.

use crate::core::Micros;
use crate::core::score::DOUBLE_SLACK;
use crate::core::window::length;

/// Holders per block.
const BLOCK: usize = 64;
/// Changes of a block after which its ceiling is recomputed; until then it only rises.
const CHANGES_MAX: u8 = 128;

/// An upper bound of a score over any window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    /// The bound up to the horizon.
    pub(super) score: f64,
    /// What each microsecond past the horizon adds.
    pub(super) rate: f64,
    pub(super) horizon: Micros,
}

impl Ceiling {
    const NOTHING: Self = Self {
        score: 0.0,
        rate: 0.0,
        horizon: Micros::MAX,
    };

    /// An upper bound of the score over every window that ends at `as_of`.
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "the slack makes up for it")]
    pub(super) fn until(self, as_of: Micros) -> f64 {
        let past = length(self.horizon, as_of) as f64;
        (self.score + self.rate * past) * (1.0 + DOUBLE_SLACK)
    }

    /// Raises the ceiling to cover `other` too.
    fn cover(&mut self, other: Self) {
        self.score = self.score.max(other.score);
        if other.rate > 0.0 {
            self.rate = self.rate.max(other.rate);
            self.horizon = self.horizon.min(other.horizon);
        }
    }
}

/// The ceilings of all holders of a part, by number.
#[derive(Default)]
pub(super) struct Ceilings {
    holders: Vec<Ceiling>,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy)]
struct Block {
    ceiling: Ceiling,
    /// The number of changes since the ceiling was recomputed.
    changes: u8,
}

impl Ceilings {
    /// Sets the ceiling of a holder; of a new one if `number` equals the number of holders.
    pub(super) fn set(&mut self, number: usize, ceiling: Ceiling) {
        match self.holders.get_mut(number) {
            Some(known) => *known = ceiling,
            None => self.holders.push(ceiling),
        }
        let place = number / BLOCK;
        if place == self.blocks.len() {
            self.blocks.push(Block {
                ceiling: Ceiling::NOTHING,
                changes: 0,
            });
        }
        let block = &mut self.blocks[place];
        block.changes += 1;
        if block.changes < CHANGES_MAX {
            block.ceiling.cover(ceiling);
            return;
        }
        *block = Block {
            ceiling: Ceiling::NOTHING,
            changes: 0,
        };
        let end = self.holders.len().min((place + 1) * BLOCK);
        for ceiling in &self.holders[place * BLOCK..end] {
            block.ceiling.cover(*ceiling);
        }
    }

    /// Calls `visit` with the number of each holder whose score until `as_of` may reach the required
    /// score; `visit` returns the required score from then on.
    pub(super) fn visit(
        &self,
        as_of: Micros,
        mut needed: f64,
        mut visit: impl FnMut(usize) -> f64,
    ) -> f64 {
        for (place, block) in self.blocks.iter().enumerate() {
            if block.ceiling.until(as_of) < needed {
                continue;
            }
            let holders = self.holders.iter().enumerate();
            for (number, ceiling) in holders.skip(place * BLOCK).take(BLOCK) {
                if ceiling.until(as_of) >= needed {
                    needed = visit(number);
                }
            }
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whoever_may_reach_what_is_needed_is_visited(
            changes in proptest::collection::vec((0_usize..200, 0_u32..1_000, 0_u32..3, 0_i64..1_000), 1..1_500),
            needed in 0.0..1_500_f64,
        ) {
            let mut ceilings = Ceilings::default();
            let mut known: Vec<Ceiling> = Vec::new();
            for (number, score, rate, horizon) in changes {
                let number = number.min(known.len());
                let horizon = Micros::new(horizon).expect("in range");
                let ceiling = Ceiling { score: score.into(), rate: rate.into(), horizon };
                ceilings.set(number, ceiling);
                match known.get_mut(number) {
                    Some(known) => *known = ceiling,
                    None => known.push(ceiling),
                }
            }
            let as_of = Micros::new(1_100).expect("in range");
            let mut visited = Vec::new();
            ceilings.visit(as_of, needed, |number| { visited.push(number); needed });
            let expected: Vec<_> = (0..known.len()).filter(|number| known[*number].until(as_of) >= needed).collect();
            prop_assert_eq!(visited, expected);
        }
    }
}
