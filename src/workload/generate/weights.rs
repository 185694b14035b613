//! The weights of synthetic holds: in which form they are written, and a draw in each.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use crate::core::Wad;

/// A weight of 1.
pub(super) const UNIT_MILLIONTHS: u64 = 1_000_000;

/// The weights of a file, if each event has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeightForm {
    /// No column of weights: each event weighs 1.
    None,
    /// From 1 to 1,000.
    Integer,
    /// Doubles with two decimals.
    Short,
    /// Doubles with all their digits.
    Double,
    /// Text with 18 decimals.
    Exact,
}

/// A weight as its form has it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Weight {
    Integer(u32),
    Double(f64),
    Exact(Wad),
}

impl WeightForm {
    /// A weight of an event's own, if files of this form have weights.
    pub(super) fn draw(self, rng: &mut Pcg64Mcg) -> Option<Weight> {
        match self {
            Self::None => None,
            Self::Integer => Some(Weight::Integer(rng.random_range(1..=1_000))),
            Self::Short => Some(Weight::from_millionths(
                rng.random_range(100..100_000) * (UNIT_MILLIONTHS / 100),
            )),
            Self::Double => Some(Weight::Double(rng.random_range(1.0..1_000.0))),
            Self::Exact => {
                let steps = rng.random_range(Wad::ONE.steps()..1_000 * Wad::ONE.steps());
                Some(Weight::Exact(Wad::from_steps(steps)))
            }
        }
    }
}

impl Weight {
    /// The double nearest to a decimal of six places, which prints as that decimal again.
    #[expect(
        clippy::cast_precision_loss,
        reason = "weights stay below 2^53 millionths"
    )]
    pub(super) fn from_millionths(millionths: u64) -> Self {
        Self::Double(millionths as f64 / 1e6)
    }
}
