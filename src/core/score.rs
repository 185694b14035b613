//! The integral of weight over time, exact: 256-bit counts of 1e-18 weight x microseconds.
//!
//! A weight is under 2^128 and a time under 2^59, so 2^69 keys fit before a sum could overflow.
//! Nothing here rounds except [`Score::nearest_double`], which is for display.

use std::fmt;
use std::iter::Sum;
use std::ops::{AddAssign, SubAssign};

use ruint::aliases::U256;

use super::balance::write_decimal;
use super::{Quantity, Wad};

/// More than the relative error that a few roundings of a double can add up to.
pub(crate) const DOUBLE_SLACK: f64 = 16.0 * f64::EPSILON;

/// An exact score in steps of 1e-24 weight-seconds (1e-18 weight x 1 microsecond).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Score(U256);

impl Score {
    /// A score of zero.
    pub const ZERO: Self = Self(U256::ZERO);

    /// `weight` held for `micros` microseconds.
    #[must_use]
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "limbs of a product are cut on purpose"
    )]
    pub fn product(weight: Wad, micros: u64) -> Self {
        let (steps, time) = (weight.steps(), u128::from(micros));
        let low = u128::from(steps as u64) * time;
        let high = (steps >> 64) * time + (low >> 64);
        Self(U256::from_limbs([
            low as u64,
            high as u64,
            (high >> 64) as u64,
            0,
        ]))
    }

    /// The double nearest to the score in weight-seconds, ties to even.
    ///
    /// # Panics
    /// Never: the text of a score is always a valid number.
    #[must_use]
    pub fn nearest_double(self) -> f64 {
        // The decimal parser of the standard library rounds once, to nearest, ties to even.
        self.to_string()
            .parse()
            .expect("a score prints as a decimal number")
    }

    /// `times` this score.
    ///
    /// # Panics
    /// If the product does not fit into 256 bits: more than 2^69 keys would be needed.
    #[must_use]
    #[inline]
    pub fn times(self, times: u64) -> Self {
        Self(
            self.0
                .checked_mul(U256::from(times))
                .expect("2^69 keys fit into a 256-bit sum"),
        )
    }

    /// A double of steps, close to the score and not below it. Used to skip what cannot lead, never to
    /// compute a score.
    #[must_use]
    pub fn ceiling(self) -> f64 {
        self.about() * (1.0 + DOUBLE_SLACK)
    }

    /// A double of steps, close to the score and not above it; see [`Self::ceiling`].
    #[must_use]
    pub fn floor(self) -> f64 {
        self.about() * (1.0 - DOUBLE_SLACK)
    }

    /// Within seven roundings of the steps, each by at most 2^-53 of them.
    #[expect(clippy::cast_precision_loss, reason = "the slack makes up for it")]
    fn about(self) -> f64 {
        const LIMB: f64 = 18_446_744_073_709_551_616.0;
        let [lowest, low, high, highest] = self.0.into_limbs();
        if high | highest == 0 {
            return low as f64 * LIMB + lowest as f64;
        }
        ((highest as f64 * LIMB + high as f64) * LIMB + low as f64) * LIMB + lowest as f64
    }

    /// A score of so many steps of 1e-24 weight-seconds.
    #[must_use]
    pub const fn from_steps(steps: U256) -> Self {
        Self(steps)
    }

    /// The score in steps of 1e-24 weight-seconds.
    #[must_use]
    pub const fn steps(self) -> U256 {
        self.0
    }
}

impl AddAssign for Score {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.0 = self
            .0
            .checked_add(other.0)
            .expect("2^69 keys fit into a 256-bit sum");
    }
}

impl SubAssign for Score {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.0 = self
            .0
            .checked_sub(other.0)
            .expect("only what was added is taken away");
    }
}

impl fmt::Display for Score {
    /// Weight-seconds as an exact decimal without trailing zeros.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(out, self.0, 24)
    }
}

/// Held time and score: the totals of a key, a holder or a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Held time in microseconds.
    pub held_us: u128,
    /// Integral of the effective weight.
    pub score: Score,
}

impl Totals {
    /// Nothing held, no score.
    pub const ZERO: Self = Self {
        held_us: 0,
        score: Score::ZERO,
    };

    /// `weight` held for `micros` microseconds.
    #[must_use]
    #[inline]
    pub fn of(weight: Wad, micros: u64) -> Self {
        Self {
            held_us: micros.into(),
            score: Score::product(weight, micros),
        }
    }

    /// `quantity` held for `micros` microseconds.
    ///
    /// # Panics
    /// See [`Score::times`].
    #[must_use]
    #[inline]
    pub fn of_quantity(quantity: Quantity, micros: u64) -> Self {
        if let Some(weight) = quantity.weight() {
            return Self::of(weight, micros);
        }
        Self {
            held_us: micros.into(),
            score: Score::from_steps(quantity.steps()).times(micros),
        }
    }

    /// These totals `times` over.
    ///
    /// # Panics
    /// See [`Score::times`].
    #[must_use]
    #[inline]
    pub fn times(&self, times: u64) -> Self {
        Self {
            held_us: self.held_us * u128::from(times),
            score: self.score.times(times),
        }
    }

    /// Held time in whole seconds, floored.
    #[must_use]
    pub const fn total_seconds(&self) -> u128 {
        self.held_us / 1_000_000
    }
}

impl AddAssign for Totals {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.held_us += other.held_us;
        self.score += other.score;
    }
}

impl SubAssign for Totals {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.held_us -= other.held_us;
        self.score -= other.score;
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::ZERO, |mut sum, part| {
            sum += part;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::{Balance, Delta};

    #[test]
    fn text_is_exact_and_has_no_trailing_zeros() {
        assert_eq!(Score::ZERO.to_string(), "0");
        assert_eq!(Score::product(Wad::ONE, 10_000_000).to_string(), "10");
        assert_eq!(
            Score::product(Wad::from_steps(1), 1).to_string(),
            "0.000000000000000000000001"
        );
        assert_eq!(Score::product(Wad::ONE, 1_500_000).to_string(), "1.5");
    }

    #[test]
    fn the_double_is_the_nearest() {
        let score = Score::product(Wad::from_steps(u128::MAX), 1_735_689_600_000_000);
        assert_eq!(
            score.to_string(),
            "590624565328056913273359287023.402794233044368"
        );
        assert_eq!(
            score.nearest_double().to_bits(),
            5.906_245_653_280_569e29_f64.to_bits()
        );
    }

    #[test]
    fn a_quantity_counts_like_a_weight_and_beyond() {
        let most = Wad::from_steps(u128::MAX);
        let mut balance = Balance::from(Delta::new(most, false));
        assert_eq!(
            balance.held().map(|held| Totals::of_quantity(held, 7)),
            Some(Totals::of(most, 7))
        );
        balance += Delta::new(most, false).into();
        let twice = balance.held().map(|held| Totals::of_quantity(held, 7));
        let score = Score::product(most, 14);
        assert_eq!(twice, Some(Totals { held_us: 7, score }));
    }

    proptest! {
        #[test]
        fn the_floor_and_the_ceiling_enclose_a_score(limbs: [u64; 4], shift in 0_usize..256) {
            let score = Score(U256::from_limbs(limbs) >> shift);
            // A double of at least 2^53 is an integer; a smaller one may be cut.
            let exact = |double: f64| U256::from(double);
            prop_assert!(score.floor() <= score.ceiling());
            prop_assert!(exact(score.floor().floor()) <= score.steps());
            prop_assert!(score.ceiling() >= 2_f64.powi(256) || exact(score.ceiling().ceil()) >= score.steps());
            prop_assert!(score.ceiling() <= score.floor() * (1.0 + 4.0 * DOUBLE_SLACK));
        }

        #[test]
        fn the_product_agrees_with_256_bit_multiplication(steps: u128, micros in 0_u64..1 << 59) {
            let product = Score::product(Wad::from_steps(steps), micros);
            prop_assert_eq!(product.steps(), U256::from(steps) * U256::from(micros));
        }
    }
}
