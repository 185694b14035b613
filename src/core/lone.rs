//! One closed hold in 24 bytes: all that most keys have, and the unit of keys with a few holds.
//!
//! Holds of 2,283 years or more, and weights of more than about 16 digits, do not fit; they are stored in
//! a timeline. Nothing is rounded. Two bytes have values that are never used, so an enum around it needs no
//! extra bytes.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::window::length;
use super::{Fact, Micros, Wad};

/// Most holds of one key that are stored in this form; more of them make a timeline.
pub(super) const FEW: usize = 8;

/// The number of bytes of a length and of a weight's digits.
const NARROW: usize = 7;
const NARROW_MAX: u64 = (1 << (8 * NARROW)) - 1;

/// The few holds and one more.
pub(super) type Apart = SmallVec<[Lone; FEW + 1]>;

/// One closed hold, not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lone {
    start: Micros,
    length: [u8; NARROW],
    digits: [u8; NARROW],
    unit: Unit,
}

/// The unit of a weight's digits, in steps of 1e-18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    E0,
    E3,
    E6,
    E9,
    E12,
    E15,
    E18,
}

impl Unit {
    /// The likeliest unit first: six decimal places.
    const ALL: [Self; 7] = [
        Self::E12,
        Self::E9,
        Self::E6,
        Self::E3,
        Self::E0,
        Self::E15,
        Self::E18,
    ];

    const fn steps(self) -> u64 {
        match self {
            Self::E0 => 1,
            Self::E3 => 1_000,
            Self::E6 => 1_000_000,
            Self::E9 => 1_000_000_000,
            Self::E12 => 1_000_000_000_000,
            Self::E15 => 1_000_000_000_000_000,
            Self::E18 => 1_000_000_000_000_000_000,
        }
    }

    /// `weight` in this unit; `None` if it is not a whole number of units, or too large.
    fn count(self, weight: Wad) -> Option<u64> {
        let (steps, unit) = (weight.steps(), self.steps());
        if let Ok(steps) = u64::try_from(steps) {
            return (steps % unit == 0 && steps / unit <= NARROW_MAX).then_some(steps / unit);
        }
        let fits = steps >> (8 * NARROW) < u128::from(unit);
        if !fits || steps % u128::from(unit) != 0 {
            return None;
        }
        u64::try_from(steps / u128::from(unit)).ok()
    }
}

impl Lone {
    /// The hold that `fact` states; `None` if it is another kind of fact, empty, or does not fit.
    pub(super) fn of(fact: Fact) -> Option<Self> {
        match fact {
            Fact::Closed { start, end, weight } if start < end => Self::new(start, end, weight),
            _ => None,
        }
    }

    fn new(start: Micros, end: Micros, weight: Wad) -> Option<Self> {
        let length = Some(length(start, end)).filter(|length| *length <= NARROW_MAX)?;
        let counted = |unit: Unit| Some((unit, unit.count(weight)?));
        let (unit, digits) = Unit::ALL.into_iter().find_map(counted)?;
        Some(Self {
            start,
            length: narrow(length),
            digits: narrow(digits),
            unit,
        })
    }

    pub(super) const fn start(&self) -> Micros {
        self.start
    }

    /// The length in microseconds.
    pub(super) fn length(&self) -> u64 {
        wide(self.length)
    }

    /// # Panics
    /// Never: the end was a valid instant.
    pub(super) fn end(&self) -> Micros {
        let length = i64::try_from(self.length()).expect("under 2^56");
        Micros::new(self.start.get() + length).expect("the end was an instant")
    }

    pub(super) fn weight(&self) -> Wad {
        Wad::from_steps(u128::from(wide(self.digits)) * u128::from(self.unit.steps()))
    }

    pub(super) fn fact(&self) -> Fact {
        Fact::Closed {
            start: self.start,
            end: self.end(),
            weight: self.weight(),
        }
    }

    /// Whether the two neither overlap nor can be joined into a single hold.
    fn is_apart(&self, other: &Self) -> bool {
        let is_first = self.start <= other.start;
        let (first, second) = if is_first {
            (self, other)
        } else {
            (other, self)
        };
        match first.end().cmp(&second.start) {
            Ordering::Less => true,
            Ordering::Equal => first.weight() != second.weight(),
            Ordering::Greater => false,
        }
    }

    /// The envelope of two holds that are not apart; `None` if it is more than one hold.
    fn join(self, other: Self) -> Option<Self> {
        if self.covers(&other) {
            return Some(self);
        }
        if other.covers(&self) {
            return Some(other);
        }
        let weight = self.weight();
        let (start, end) = (self.start.min(other.start), self.end().max(other.end()));
        (weight == other.weight()).then(|| Self::new(start, end, weight))?
    }

    fn covers(&self, other: &Self) -> bool {
        self.start <= other.start && other.end() <= self.end() && other.weight() <= self.weight()
    }
}

/// The envelope of `holds`, which are apart and in order of time, and of one more; apart and in order.
/// `None` if some overlap at different weights, or one would not fit.
pub(super) fn joined(holds: &[Lone], other: Lone) -> Option<Apart> {
    let mut joined = other;
    let mut apart = Apart::new();
    for hold in holds {
        if hold.is_apart(&joined) {
            apart.push(*hold);
        } else {
            // It may extend further now, but only to later holds: the earlier ones were apart from this one.
            joined = hold.join(joined)?;
        }
    }
    let place = apart.partition_point(|hold| hold.start < joined.start);
    apart.insert(place, joined);
    Some(apart)
}

fn narrow(value: u64) -> [u8; NARROW] {
    let [bytes @ .., _] = value.to_le_bytes();
    bytes
}

fn wide(bytes: [u8; NARROW]) -> u64 {
    let mut all = [0; 8];
    all[..NARROW].copy_from_slice(&bytes);
    u64::from_le_bytes(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_hold_that_fits_comes_back(
            start in Micros::MIN.get()..Micros::MAX.get(), length in 1_i64..i64::MAX, shift in 0_u32..60,
            digits: u128, zeros in 0_u32..30, cut in 0_u32..128,
        ) {
            let start = Micros::new(start).expect("in range");
            let end = start.get().saturating_add(length >> shift).clamp(start.get() + 1, Micros::MAX.get());
            let end = Micros::new(end).expect("in range");
            let weight = Wad::from_steps((digits >> cut).saturating_mul(10_u128.pow(zeros)));
            let fact = Fact::Closed { start, end, weight };
            if let Some(lone) = Lone::of(fact) {
                prop_assert_eq!(lone.fact(), fact);
            }
        }

        #[test]
        fn weights_of_sixteen_digits_fit(digits in 0_u64..10_u64.pow(16), thousands in 0_u32..7) {
            let steps = u128::from(digits) * 1_000_u128.pow(thousands);
            let (start, end) = (Micros::MIN, Micros::new(0).expect("in range"));
            prop_assert!(Lone::new(start, end, Wad::from_steps(steps)).is_some());
        }
    }
}
