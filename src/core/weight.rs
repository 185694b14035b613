//! A weight: a decimal >= 0 in steps of 1e-18, below 2^128 steps.
//!
//! Reads decimal text and binary doubles; both give the decimal that a person would read, so an event has
//! the same weight in every input format. The arithmetic is in [`super::score`].

use std::fmt;

use super::LikelyCause;
use super::audience::{Addressed, Audience};
use super::double::shortest_steps;
use super::likely_cause::weight_error;

/// A weight in integer steps of 1e-18 ("wad", after the token convention of 18 decimals).
///
/// ```
/// use poh_holdmetrics_rust::core::Wad;
///
/// let weight = Wad::parse("0.1")?;
/// assert_eq!(weight.steps(), 100_000_000_000_000_000);
/// assert_eq!(Wad::from_double(0.1)?, weight, "the decimal that prints back to the double");
/// assert!(Wad::parse("-1").is_err());
/// # Ok::<(), poh_holdmetrics_rust::core::WeightError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Wad(u128);

/// Why a value is not a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightError {
    /// The text is not a decimal number.
    NotANumber,
    /// Text of a kind that is known not to be a decimal.
    Recognized(LikelyCause),
    /// NaN or an infinity.
    NotFinite,
    /// Counts units of a token of which no decimals are known.
    UnknownDecimals,
    /// Below zero.
    Negative,
    /// Above zero, but rounds to zero.
    TooSmall,
    /// 2^128 steps or more.
    TooLarge,
}

impl Addressed for WeightError {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber => out.write_str("not a number (write a decimal like 1.5)"),
            Self::Recognized(cause) => write!(out, "not a number ({})", cause.to(audience)),
            Self::NotFinite => out.write_str("not finite (write a decimal like 1.5)"),
            Self::UnknownDecimals => out.write_str(
                "of a token without decimals (add it to the file of --decimals-file, or give --decimals for others)",
            ),
            Self::Negative => out.write_str("negative (write 0 or more)"),
            Self::TooSmall => out.write_str("under 1e-18 (the smallest step)"),
            Self::TooLarge => write!(
                out,
                "too large (the largest is 340282366920938463463.374607431768211455; if it counts base units, such \
                 as wei, {})",
                audience.choose("read the file with --decimals 18", "send whole tokens")
            ),
        }
    }
}

impl fmt::Display for WeightError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(Audience::Files, out)
    }
}

impl std::error::Error for WeightError {}

/// Decimal places that are kept.
const PLACES: i64 = 18;

impl Wad {
    /// The weight of an event that states no weight: 1.
    pub const ONE: Self = Self(1_000_000_000_000_000_000);
    /// Weight zero; the key may still be held.
    pub const ZERO: Self = Self(0);

    /// A weight of so many steps of 1e-18.
    #[must_use]
    pub const fn from_steps(steps: u128) -> Self {
        Self(steps)
    }

    /// The weight in steps of 1e-18.
    #[must_use]
    pub const fn steps(self) -> u128 {
        self.0
    }

    /// Reads `[+-]digits[.digits][e[+-]digits]`, rounded half to even at the 18th place.
    pub fn parse(text: &str) -> Result<Self, WeightError> {
        if let Some(weight) = Self::from_plain_digits(text.as_bytes()) {
            return Ok(weight);
        }
        match split_decimal(text)? {
            (true, size) if !size.is_zero() => Err(WeightError::Negative),
            (_, weight) => weight.to_wad(),
        }
    }

    /// Reads a count of units of 10^-`decimals`, as [`Self::parse`] reads a weight.
    pub fn parse_units(text: &str, decimals: u8) -> Result<Self, WeightError> {
        if decimals == 0 {
            return Self::parse(text);
        }
        match split_decimal(text)? {
            (true, size) if !size.is_zero() => Err(WeightError::Negative),
            (_, size) => size.shifted(decimals).to_wad(),
        }
    }

    /// The weight of `digits[.digits]`, at most 19 of them before the point and 18 after it: what nearly every
    /// text is, read without a product of 128 bits for each digit.
    fn from_plain_digits(text: &[u8]) -> Option<Self> {
        let point = memchr::memchr(b'.', text).unwrap_or(text.len());
        let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or_default());
        if whole.len() > 19 || fraction.len() > 18 || whole.len() + fraction.len() == 0 {
            return None;
        }
        let steps = u128::from(digits_value(whole)?) * Self::ONE.0;
        if fraction.is_empty() {
            return Some(Self(steps));
        }
        let missing_places = 18 - u32::try_from(fraction.len()).ok()?;
        let fraction = digits_value(fraction)? * 10_u64.pow(missing_places);
        Some(Self(steps + u128::from(fraction)))
    }

    /// Reads the shortest decimal that reads back as `value`.
    #[inline]
    pub fn from_double(value: f64) -> Result<Self, WeightError> {
        match Self::from_short_double(value) {
            Some(weight) => Ok(weight),
            None => Self::from_long_double(value),
        }
    }

    /// Apart from the short ones, so that those cost nothing but their own check.
    #[inline(never)]
    fn from_long_double(value: f64) -> Result<Self, WeightError> {
        match shortest_steps(value) {
            Some(steps) => Ok(Self(steps)),
            None => Self::from_rare_double(value),
        }
    }

    #[cold]
    fn from_rare_double(value: f64) -> Result<Self, WeightError> {
        if value.is_nan() || value.is_infinite() {
            return Err(WeightError::NotFinite);
        }
        if value == 0.0 {
            return Ok(Self::ZERO);
        }
        if value < 0.0 {
            return Err(WeightError::Negative);
        }
        Self::parse(zmij::Buffer::new().format_finite(value))
    }

    /// The weight of a double with at most 15 significant digits, at most six of them decimals.
    ///
    /// Two decimals of up to 15 digits never share a double, so a decimal of that length whose
    /// double is `value` is the shortest there is. `scaled / 1e6` rounds once, both operands being
    /// exact, so equality proves that `value` is the double nearest to that decimal.
    #[inline]
    fn from_short_double(value: f64) -> Option<Self> {
        const MILLIONTHS: f64 = 1e6;
        // The nearest integer, or a neighbour of it; the check then fails, and the general way is taken.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a value that does not fit is above the bound below"
        )]
        let scaled = (value * MILLIONTHS + 0.5) as i64;
        #[expect(
            clippy::float_cmp,
            clippy::cast_precision_loss,
            reason = "integers under 1e15 are exact, and bit equality is the proof"
        )]
        let is_short =
            (1..1_000_000_000_000_000).contains(&scaled) && scaled as f64 / MILLIONTHS == value;
        is_short.then(|| Self(u128::from(scaled.unsigned_abs()) * 1_000_000_000_000))
    }
}

/// The number of at most 19 digits; `None` if some byte is not a digit.
fn digits_value(text: &[u8]) -> Option<u64> {
    let (eights, rest) = text.as_chunks();
    let value = eights.iter().try_fold(0, |value, eight| {
        Some(value * 100_000_000 + eight_digits_value(u64::from_le_bytes(*eight))?)
    })?;
    if !eights.is_empty()
        && let Some(last) = text.last_chunk()
    {
        // The last eight bytes, with zeros in place of those that were read before.
        let left = u32::try_from(rest.len()).ok()?;
        let are_known = u64::MAX >> (8 * left);
        let word = (u64::from_le_bytes(*last) & !are_known) | (EIGHT_ZEROS & are_known);
        return Some(value * 10_u64.pow(left) + eight_digits_value(word)?);
    }
    rest.iter().try_fold(value, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

const ONES: u64 = 0x0101_0101_0101_0101;
/// The text of eight zeros.
const EIGHT_ZEROS: u64 = ONES * 0x30;

/// The number of eight digits, the first one in the lowest byte.
#[inline]
fn eight_digits_value(word: u64) -> Option<u64> {
    let digits = word ^ EIGHT_ZEROS;
    // A byte above 9 has one of its upper four bits set, or sets one if 6 is added; no byte carries into the next.
    if (digits | digits.wrapping_add(ONES * 6)) & (ONES * 0xf0) != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// Whether there is a minus sign, and the size, of `[+-]digits[.digits][e[+-]digits]`.
pub(super) fn split_decimal(text: &str) -> Result<(bool, Decimal<'_>), WeightError> {
    let (is_negative, unsigned) = split_sign(text.as_bytes());
    let Some(decimal) = Decimal::read(unsigned) else {
        return Err(match unsigned.to_ascii_lowercase().as_slice() {
            b"nan" | b"inf" | b"infinity" => WeightError::NotFinite,
            _ => weight_error(text),
        });
    };
    Ok((is_negative, decimal))
}

/// A weight that needs no 16-byte alignment, so that rows of stretches have no gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct NarrowWad([u64; 2]);

impl NarrowWad {
    pub(super) const ZERO: Self = Self([0; 2]);
}

impl From<Wad> for NarrowWad {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    fn from(weight: Wad) -> Self {
        Self([weight.0 as u64, (weight.0 >> 64) as u64])
    }
}

impl From<NarrowWad> for Wad {
    #[inline]
    fn from(NarrowWad([low, high]): NarrowWad) -> Self {
        Self(u128::from(high) << 64 | u128::from(low))
    }
}

/// A decimal as written: digits around a point, times a power of ten.
pub(super) struct Decimal<'a> {
    pub(super) whole: &'a [u8],
    pub(super) fraction: &'a [u8],
    /// Saturated far beyond the exponents that make a difference.
    pub(super) exponent: i64,
}

impl<'a> Decimal<'a> {
    pub(super) fn read(text: &'a [u8]) -> Option<Self> {
        let (whole, rest) = split_digits(text);
        let (fraction, rest) = match rest {
            [b'.', after @ ..] => split_digits(after),
            _ => (&[] as &[u8], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', after @ ..] => read_exponent(after)?,
            _ => return None,
        };
        Some(Self {
            whole,
            fraction,
            exponent,
        })
    }

    pub(super) fn digits(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.whole
            .iter()
            .chain(self.fraction)
            .map(|byte| byte - b'0')
    }

    /// The decimal divided by 10^`places`.
    pub(super) fn shifted(self, places: u8) -> Self {
        Self {
            exponent: self.exponent - i64::from(places),
            ..self
        }
    }

    fn is_zero(&self) -> bool {
        self.digits().all(|digit| digit == 0)
    }

    /// Steps of 1e-18, rounded half to even.
    pub(super) fn to_wad(&self) -> Result<Wad, WeightError> {
        if self.is_zero() {
            return Ok(Wad::ZERO);
        }
        // The value in steps is `digits * 10^shift`; a negative shift cuts that many digits off.
        let shift = self.exponent - i64::try_from(self.fraction.len()).unwrap_or(i64::MAX) + PLACES;
        let count = i64::try_from(self.whole.len() + self.fraction.len()).unwrap_or(i64::MAX);
        let kept = count.saturating_add(shift.min(0));
        let mut steps: u128 = 0;
        let mut rounding = Rounding::default();
        if kept < 0 {
            return Err(WeightError::TooSmall);
        }
        for (index, digit) in (0_i64..).zip(self.digits()) {
            if index < kept {
                let next = steps
                    .checked_mul(10)
                    .and_then(|steps| steps.checked_add(digit.into()));
                steps = next.ok_or(WeightError::TooLarge)?;
            } else {
                rounding.drop_digit(digit);
            }
        }
        for _ in 0..shift {
            steps = steps.checked_mul(10).ok_or(WeightError::TooLarge)?;
        }
        if rounding.is_up(steps % 2 == 1) {
            steps = steps.checked_add(1).ok_or(WeightError::TooLarge)?;
        }
        if steps == 0 {
            Err(WeightError::TooSmall)
        } else {
            Ok(Wad(steps))
        }
    }
}

/// The digits that were cut off, as far as rounding half to even needs them.
#[derive(Default)]
struct Rounding {
    first: Option<u8>,
    more: bool,
}

impl Rounding {
    fn drop_digit(&mut self, digit: u8) {
        if self.first.is_none() {
            self.first = Some(digit);
        } else {
            self.more |= digit != 0;
        }
    }

    fn is_up(&self, is_odd: bool) -> bool {
        match self.first {
            Some(5) => self.more || is_odd,
            Some(digit) => digit > 5,
            None => false,
        }
    }
}

/// Whether there is a minus sign, and the text after the sign.
pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [sign @ (b'-' | b'+'), rest @ ..] => (*sign == b'-', rest),
        _ => (false, text),
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// A power of ten. It saturates: beyond any weight's range, larger powers make no difference.
fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    let (digits, rest) = split_digits(digits);
    if digits.is_empty() || !rest.is_empty() {
        return None;
    }
    let size = digits.iter().fold(0_i64, |size, byte| {
        (size * 10 + i64::from(byte - b'0')).min(1_000_000_000_000)
    });
    Some(if negative { -size } else { size })
}

impl fmt::Display for Wad {
    /// As an exact decimal without trailing zeros.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        write!(out, "{whole}")?;
        if fraction != 0 {
            write!(out, ".{}", format!("{fraction:018}").trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(text: &str) -> Result<u128, WeightError> {
        let read = Wad::parse(text).map(Wad::steps);
        // What the text probably is, is tested in `likely_cause`.
        read.map_err(|error| match error {
            WeightError::Recognized(_) => WeightError::NotANumber,
            other => other,
        })
    }

    #[test]
    fn plain_digits_are_read_as_any_other_decimal() {
        for text in [
            "",
            ".",
            "7",
            "7.",
            ".7",
            "0.000000000000000001",
            "9999999999999999999",
            "9999999999999999999.999999999999999999",
            "1.0000000000000000001",
            "1.2.3",
            "1.-2",
            "12345678901234567890",
            "1a",
            "1:",
            "1/",
            "00000000000000000000",
            "1,5",
            "+1",
            "1e0",
        ] {
            let by_digits = Wad::from_plain_digits(text.as_bytes());
            let in_general = split_decimal(text).and_then(|(_, weight)| weight.to_wad());
            assert!(
                by_digits.is_none_or(|weight| in_general == Ok(weight)),
                "{text}"
            );
            let is_plain = in_general.is_ok()
                && !text.contains(['+', 'e'])
                && text.len() <= 38
                && text
                    .split('.')
                    .zip([19, 18])
                    .all(|(digits, most)| digits.len() <= most);
            assert_eq!(by_digits.is_some(), is_plain, "{text}");
        }
    }

    #[test]
    fn text_is_read_as_the_decimal_that_is_written() {
        assert_eq!(steps("1"), Ok(10_u128.pow(18)));
        assert_eq!(steps("+0.1e1"), Ok(10_u128.pow(18)));
        assert_eq!(steps(".5"), Ok(5 * 10_u128.pow(17)));
        assert_eq!(steps("5."), Ok(5 * 10_u128.pow(18)));
        assert_eq!(steps("-0.00"), Ok(0));
        assert_eq!(steps("0e999999999999999999999"), Ok(0));
        assert_eq!(steps("1E-18"), Ok(1));
        assert_eq!(
            steps("10000000000000000000000000000e-28"),
            Ok(10_u128.pow(18))
        );
        assert_eq!(
            steps("340282366920938463463.374607431768211455"),
            Ok(u128::MAX)
        );
    }

    #[test]
    fn the_nineteenth_place_rounds_half_to_even() {
        assert_eq!(steps("0.0000000000000000015"), Ok(2));
        assert_eq!(steps("0.0000000000000000025"), Ok(2));
        assert_eq!(steps("0.00000000000000000250000001"), Ok(3));
        assert_eq!(steps("0.0000000000000000005000001"), Ok(1));
        assert_eq!(steps("0.00000000000000000150e0"), Ok(2));
    }

    #[test]
    fn what_is_no_weight_is_refused_with_its_reason() {
        for text in [
            "", ".", "-", "abc", "1e", "1e+", "0x10", "1_000", " 1", "1 ", "1,5", "١",
        ] {
            assert_eq!(steps(text), Err(WeightError::NotANumber), "{text:?}");
        }
        for text in ["NaN", "-inf", "+Infinity"] {
            assert_eq!(steps(text), Err(WeightError::NotFinite), "{text:?}");
        }
        for text in ["-1", "-1e-30"] {
            assert_eq!(steps(text), Err(WeightError::Negative), "{text:?}");
        }
        for text in ["1e-19", "0.0000000000000000005", "1e-99999999999999999999"] {
            assert_eq!(steps(text), Err(WeightError::TooSmall), "{text:?}");
        }
        for text in [
            "340282366920938463463.374607431768211456",
            "340282366920938463463.3746074317682114555",
            "1e21",
            "1e400",
            "1e99999999999999999999",
        ] {
            assert_eq!(steps(text), Err(WeightError::TooLarge), "{text:?}");
        }
    }

    #[test]
    fn doubles_are_read_as_their_shortest_decimal() {
        assert_eq!(Wad::from_double(0.1).unwrap().to_string(), "0.1");
        assert_eq!(Wad::from_double(2.0).unwrap().to_string(), "2");
        assert_eq!(
            Wad::from_double(4.263_267_701_426_558_5e-8)
                .unwrap()
                .to_string(),
            "0.000000042632677014"
        );
        assert_eq!(Wad::from_double(-0.0), Ok(Wad::ZERO));
        assert_eq!(Wad::from_double(f64::NAN), Err(WeightError::NotFinite));
        assert_eq!(Wad::from_double(-1.0), Err(WeightError::Negative));
        assert_eq!(Wad::from_double(1e-19), Err(WeightError::TooSmall));
        assert_eq!(Wad::from_double(1e21), Err(WeightError::TooLarge));
    }

    proptest! {
        #[test]
        fn digits_are_read_eight_at_a_time_as_one_by_one(
            text in prop_oneof!["[0-9]{1,19}", "[0-9]{0,17}[ -~\\x00]{1}[0-9]{0,1}"]
        ) {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            let expected = is_number.then(|| text.parse().unwrap());
            prop_assert_eq!(digits_value(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn short_doubles_agree_with_their_text(digits in 0_u64..1_000_000_000_000, places in 0_u32..9) {
            let text = format!("{digits}e-{places}");
            prop_assert_eq!(Wad::from_double(text.parse().unwrap()), Wad::parse(&text));
        }

        #[test]
        fn every_printed_weight_reads_back(steps: u128) {
            let wad = Wad::from_steps(steps);
            prop_assert_eq!(Wad::parse(&wad.to_string()), Ok(wad));
        }
    }
}
