//! A change of balance, the balance that changes add up to, and how much is held: decimals in steps of 1e-18.
//!
//! A delta is read like a weight and is below 2^128 steps in size. A balance is an exact sum of any number of
//! deltas, so it has 256 bits. Which changes count is decided in [`super::key`].

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Neg};

use ruint::aliases::U256;

use super::weight::{NarrowWad, split_decimal};
use super::{Wad, WeightError};

/// By how much a balance changes.
///
/// ```
/// use poh_holdmetrics_rust::core::Delta;
///
/// assert_eq!(Delta::parse("-0.5")?, Delta::from_double(-0.5)?);
/// assert!(Delta::parse("-1")? < Delta::parse("1e-18")?);
/// # Ok::<(), poh_holdmetrics_rust::core::WeightError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Delta {
    size: NarrowWad,
    /// Never true for a size of 0.
    is_negative: bool,
}

impl Delta {
    /// No change.
    pub const ZERO: Self = Self {
        size: NarrowWad::ZERO,
        is_negative: false,
    };

    /// A delta of this size.
    #[must_use]
    #[inline]
    pub fn new(size: Wad, is_negative: bool) -> Self {
        Self {
            size: size.into(),
            is_negative: is_negative && size != Wad::ZERO,
        }
    }

    /// The size, without the sign.
    #[must_use]
    #[inline]
    pub fn size(self) -> Wad {
        self.size.into()
    }

    /// Whether the balance falls.
    #[must_use]
    #[inline]
    pub const fn is_negative(self) -> bool {
        self.is_negative
    }

    /// Reads `[+-]digits[.digits][e[+-]digits]`, rounded half to even at the 18th place.
    pub fn parse(text: &str) -> Result<Self, WeightError> {
        let (is_negative, size) = split_decimal(text)?;
        Ok(Self::new(size.to_wad()?, is_negative))
    }

    /// Reads a count of units of 10^-`decimals`, as [`Self::parse`] reads a delta.
    pub fn parse_units(text: &str, decimals: u8) -> Result<Self, WeightError> {
        let (is_negative, size) = split_decimal(text)?;
        Ok(Self::new(size.shifted(decimals).to_wad()?, is_negative))
    }

    /// Reads the shortest decimal that reads back as `value`.
    pub fn from_double(value: f64) -> Result<Self, WeightError> {
        Ok(Self::new(Wad::from_double(value.abs())?, value < 0.0))
    }
}

impl Neg for Delta {
    type Output = Self;

    fn neg(self) -> Self {
        Self::new(self.size(), !self.is_negative)
    }
}

impl Ord for Delta {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, false) => self.size().cmp(&other.size()),
            (true, true) => other.size().cmp(&self.size()),
            (is_negative, _) if is_negative => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

impl PartialOrd for Delta {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        write!(out, "{sign}{}", self.size())
    }
}

/// A sum of deltas: 256 bits in two's complement, which no number of events of a process can exceed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Balance(U256);

impl Balance {
    /// Nothing.
    pub const ZERO: Self = Self(U256::ZERO);
    /// Above every sum of deltas.
    pub(super) const MAX: Self = Self(U256::from_limbs([
        u64::MAX,
        u64::MAX,
        u64::MAX,
        u64::MAX >> 1,
    ]));
    /// Below every sum of deltas.
    pub(super) const MIN: Self = Self(U256::from_limbs([0, 0, 0, 1 << 63]));

    /// Whether something is missing from the input.
    #[must_use]
    #[inline]
    pub const fn is_negative(self) -> bool {
        self.0.bit(255)
    }

    /// How much is held; `None` unless the balance is above 0.
    #[must_use]
    #[inline]
    pub fn held(self) -> Option<Quantity> {
        let is_held = !self.is_negative() && !self.0.is_zero();
        is_held.then_some(Quantity(self.0))
    }
}

impl Balance {
    /// The integral over so many microseconds.
    ///
    /// In two's complement the product modulo 2^256 is right for negative balances too. Four products of limbs are
    /// a quarter of what a product of two 256-bit numbers takes.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the upper half is carried")]
    pub(super) fn times(self, micros: u64) -> Self {
        let mut carry = 0_u128;
        Self(U256::from_limbs(self.0.into_limbs().map(|limb| {
            carry += u128::from(limb) * u128::from(micros);
            let low = carry as u64;
            carry >>= 64;
            low
        })))
    }
}

impl From<Delta> for Balance {
    #[inline]
    fn from(delta: Delta) -> Self {
        let size = U256::from(delta.size().steps());
        Self(if delta.is_negative {
            size.wrapping_neg()
        } else {
            size
        })
    }
}

impl AddAssign for Balance {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Add for Balance {
    type Output = Self;

    #[inline]
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Neg for Balance {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.wrapping_neg())
    }
}

impl Ord for Balance {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // In two's complement negative numbers are above the others.
        let by_sign = other.is_negative().cmp(&self.is_negative());
        by_sign.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Balance {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Balance {
    /// An exact decimal without trailing zeros.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative() {
            write!(out, "-{}", Quantity(self.0.wrapping_neg()))
        } else {
            Quantity(self.0).fmt(out)
        }
    }
}

/// A balance in 192 bits, which the deltas of 2^63 events cannot exceed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NarrowBalance([u64; 3]);

impl From<Balance> for NarrowBalance {
    #[inline]
    fn from(balance: Balance) -> Self {
        let [lowest, low, high, _] = balance.0.into_limbs();
        Self([lowest, low, high])
    }
}

impl From<NarrowBalance> for Balance {
    #[inline]
    fn from(NarrowBalance([lowest, low, high]): NarrowBalance) -> Self {
        let sign = (high.cast_signed() >> 63).cast_unsigned();
        Self(U256::from_limbs([lowest, low, high, sign]))
    }
}

impl Add for NarrowBalance {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        (Balance::from(self) + other.into()).into()
    }
}

impl From<i128> for NarrowBalance {
    #[inline]
    fn from(value: i128) -> Self {
        Balance::from(value).into()
    }
}

impl NarrowBalance {
    /// The number of bytes of [`Self::to_bytes`].
    pub(super) const BYTES: usize = 24;

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (limb, eight) in self.0.iter().zip(bytes.as_chunks_mut().0) {
            *eight = limb.to_le_bytes();
        }
        bytes
    }

    /// # Panics
    /// If they are not as many as those of [`Self::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let (eights, _) = bytes.as_chunks();
        Self([0, 1, 2].map(|limb| u64::from_le_bytes(eights[limb])))
    }

    /// `None` if it has more than 128 bits.
    #[inline]
    pub(super) const fn in_128_bits(self) -> Option<i128> {
        let Self([lowest, low, high]) = self;
        let value = ((low as u128) << 64 | lowest as u128).cast_signed();
        if high.cast_signed() == (value >> 127) as i64 {
            Some(value)
        } else {
            None
        }
    }
}

impl From<i128> for Balance {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    fn from(value: i128) -> Self {
        let bits = value.cast_unsigned();
        let sign = ((value >> 127) as i64).cast_unsigned();
        Self(U256::from_limbs([
            bits as u64,
            (bits >> 64) as u64,
            sign,
            sign,
        ]))
    }
}

/// The integral of a balance of 128 bits over stretches that do not overlap.
///
/// The lower and the upper halves of the balance are added up by themselves. All time is less than 2^63 microseconds,
/// so neither sum overflows.
#[derive(Clone, Copy)]
pub(super) struct Area {
    low: u128,
    high: i128,
}

impl Area {
    pub(super) const ZERO: Self = Self { low: 0, high: 0 };

    /// Adds a stretch.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    pub(super) fn add(&mut self, balance: i128, micros: u64) {
        let (low, high) = (balance.cast_unsigned() as u64, (balance >> 64) as i64);
        self.low += u128::from(low) * u128::from(micros);
        self.high += i128::from(high) * i128::from(micros);
    }
}

impl From<Area> for Balance {
    #[inline]
    fn from(Area { low, high }: Area) -> Self {
        Self((Self::from(high).0 << 64_usize).wrapping_add(U256::from(low)))
    }
}

/// How much is held at an instant: a weight, or a balance, which may be larger than any weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quantity(U256);

impl Quantity {
    /// A quantity of so many steps of 1e-18.
    #[must_use]
    pub const fn from_steps(steps: U256) -> Self {
        Self(steps)
    }

    /// In steps of 1e-18.
    #[must_use]
    pub const fn steps(self) -> U256 {
        self.0
    }

    /// The same as a weight, if it is not too large.
    pub(super) fn weight(self) -> Option<Wad> {
        u128::try_from(self.0).ok().map(Wad::from_steps)
    }
}

impl From<Wad> for Quantity {
    #[inline]
    fn from(weight: Wad) -> Self {
        Self(U256::from(weight.steps()))
    }
}

impl fmt::Display for Quantity {
    /// An exact decimal without trailing zeros.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(out, self.0, 18)
    }
}

/// Writes `steps` of 10^-`places` as a decimal without trailing zeros.
pub(super) fn write_decimal(
    out: &mut fmt::Formatter<'_>,
    steps: U256,
    places: usize,
) -> fmt::Result {
    let padded = format!("{:0>width$}", steps.to_string(), width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    out.write_str(whole)?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        Ok(())
    } else {
        write!(out, ".{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delta(text: &str) -> Delta {
        Delta::parse(text).unwrap()
    }

    #[test]
    fn deltas_and_balances_are_ordered_and_printed_by_value() {
        let largest = "340282366920938463463.374607431768211455";
        let least = format!("-{largest}");
        let ascending = [&least, "-2", "-1.5", "-1e-18", "0", "0.25", "1", largest].map(delta);
        assert!(ascending.is_sorted());
        assert!(ascending.map(Balance::from).is_sorted());
        for delta in ascending {
            assert_eq!(Balance::from(delta).to_string(), delta.to_string());
            assert_eq!(-(-delta), delta);
            assert_eq!(Delta::parse(&delta.to_string()), Ok(delta));
        }
        assert_eq!(delta("-0"), Delta::ZERO);
        assert_eq!(Delta::from_double(-0.0), Ok(Delta::ZERO));
        for text in ["--1", "+-1", "x"] {
            assert_eq!(Delta::parse(text), Err(WeightError::NotANumber), "{text:?}");
        }
        assert_eq!(Delta::parse("-inf"), Err(WeightError::NotFinite));
        assert_eq!(Delta::parse("-1e-19"), Err(WeightError::TooSmall));
        assert_eq!(Delta::from_double(-1e21), Err(WeightError::TooLarge));
    }

    #[test]
    fn a_product_with_a_time_has_the_sign_of_the_balance() {
        let micros = u64::MAX >> 5;
        for text in [
            "-340282366920938463463.374607431768211455",
            "-1e-18",
            "0",
            "7.5",
        ] {
            let balance = Balance::from(delta(text));
            let product = balance.0.wrapping_mul(U256::from(micros));
            assert_eq!(balance.times(micros), Balance(product), "{text}");
            assert_eq!(balance.times(3), balance + balance + balance, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_area_is_the_sum_of_its_products(
            stretches in proptest::collection::vec((any::<i128>(), 0_u64..1 << 56), 0..9),
        ) {
            let (mut area, mut expected) = (Area::ZERO, Balance::ZERO);
            for (balance, micros) in stretches {
                let wide = Balance::from(balance);
                prop_assert_eq!(NarrowBalance::from(wide).in_128_bits(), Some(balance));
                prop_assert_eq!(wide.is_negative(), balance < 0);
                area.add(balance, micros);
                expected += wide.times(micros);
            }
            prop_assert_eq!(Balance::from(area), expected);
        }
    }

    #[test]
    fn a_sum_of_more_bits_is_not_cut() {
        let most = Balance::from(i128::MAX);
        for (balance, bits) in [
            (most, Some(i128::MAX)),
            (most + delta("1e-18").into(), None),
            (-most + -Balance::from(delta("1e-18")), Some(i128::MIN)),
            (-most + -Balance::from(delta("2e-18")), None),
        ] {
            assert_eq!(
                NarrowBalance::from(balance).in_128_bits(),
                bits,
                "{balance}"
            );
        }
    }

    #[test]
    fn a_balance_may_be_larger_than_any_delta() {
        let mut balance = Balance::ZERO;
        for _ in 0..3 {
            balance += delta("3e20").into();
        }
        assert_eq!(balance.to_string(), "900000000000000000000");
        balance += -Balance::from(delta("3e20"));
        assert_eq!(balance.held().unwrap().to_string(), "600000000000000000000");
        for _ in 0..3 {
            balance += delta("-3e20").into();
        }
        assert_eq!(balance.to_string(), "-300000000000000000000");
        assert_eq!((balance.held(), balance.is_negative()), (None, true));
    }
}
