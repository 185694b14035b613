//! The shortest decimal that reads back as a given double, in steps of 1e-18: the decimal that Python's
//! `repr` and JSON print, rounded half to even at the 18th place.
//!
//! Exact integer arithmetic without text, for doubles from about 1e-18 to 2^52. Not covered are powers of
//! two, whose neighbours are at unequal distances, and doubles out of range: the result is then `None`, and
//! the caller parses the decimal text instead.

use std::hint::select_unpredictable;

/// Powers of ten, as far as they are needed: 10^35 is less than 2^117.
const POWERS: [u128; 36] = {
    let mut powers = [1; 36];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Decimal places of a step.
const STEP_PLACES: usize = 18;
const FRACTION_BITS: u32 = 52;
/// The biased exponent of a double minus the power of two of its last bit.
const BIAS: u64 = 1075;
/// Smaller doubles, which are below 1e-18, would overflow the arithmetic.
const SCALE_MAX: u64 = 113;

/// The weight in steps; `None` if the value is not covered or rounds to zero.
///
/// The double is `significand / 2^scale`. Its last bit is worth between 1 and 10 units of `1 / power`, so
/// the decimals that read back as it are within half of that on either side. At most one of them is a
/// multiple of ten units, and that one is the shortest; otherwise the shortest is the nearest whole number of
/// units, the even one in a tie. This is the algorithm Schubfach (Raffaello Giulietti), with exact powers.
#[inline]
pub(super) fn shortest_steps(value: f64) -> Option<u128> {
    let bits = value.to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    // The sign is the topmost bit, so a negative value has no scale in range.
    let scale = BIAS.checked_sub(bits >> FRACTION_BITS)?;
    if !(1..=SCALE_MAX).contains(&scale) || fraction == 0 {
        return None;
    }
    let significand = fraction | 1 << FRACTION_BITS;
    // The logarithm of two in 22 bits: the smallest number of places with `power >= 2^scale`.
    let places = usize::try_from((scale * 1_262_611) >> 22).ok()? + 1;
    let power = POWERS[places];
    let (units, rest) = product_parts(significand, power, scale);
    let one = 1_u128 << scale;
    let last_digit = units % 10;
    let above_ten = u128::from(last_digit) * one + rest;
    let below_ten = 10 * one - above_ten;
    // Neither equals half of the last bit: ten to the `places` has too few factors of two.
    let is_ten_below = above_ten < power / 2;
    let is_ten_above = below_ten < power / 2;
    let ten = units - last_digit + 10 * u64::from(is_ten_above);
    let is_up = rest + u128::from(units % 2) > one / 2;
    let nearest = units + u64::from(is_up);
    // Which of the two is taken depends on the digits, so a branch would be mispredicted often.
    let units = select_unpredictable(is_ten_below | is_ten_above, ten, nearest);
    if places <= STEP_PLACES {
        return Some(u128::from(units) * POWERS[STEP_PLACES - places]);
    }
    let steps = rounded_quotient(units, u64::try_from(POWERS[places - STEP_PLACES]).ok()?);
    (steps > 0).then_some(steps.into())
}

/// `significand * power / 2^scale` as a whole number, and the remainder in units of `1 / 2^scale`.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the product is taken apart in halves, and a quotient is below 10 * 2^53"
)]
fn product_parts(significand: u64, power: u128, scale: u64) -> (u64, u128) {
    let significand = u128::from(significand);
    let low = significand * u128::from(power as u64);
    let high = significand * (power >> 64) + (low >> 64);
    let low = low as u64;
    if scale < 64 {
        let units = (high << (64 - scale)) as u64 | low >> scale;
        (units, (low & ((1 << scale) - 1)).into())
    } else {
        let rest = high & ((1 << (scale - 64)) - 1);
        ((high >> (scale - 64)) as u64, rest << 64 | u128::from(low))
    }
}

/// Rounds half to even; the divisor is even.
#[inline]
fn rounded_quotient(dividend: u64, divisor: u64) -> u64 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    quotient + u64::from(rest + quotient % 2 > divisor / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::core::{Wad, WeightError};

    /// The slow way: format, round half to even to that many digits, and parse.
    fn by_text(value: f64) -> Result<Wad, WeightError> {
        let shortest = format!("{value:e}");
        let digits = shortest.bytes().take_while(|byte| *byte != b'e');
        let digits = digits.filter(u8::is_ascii_digit).count();
        // If two shortest decimals are equally near, the formatter of the standard library takes the larger
        // one; `repr` and JSON take the even one.
        let rounded = format!("{value:.*e}", digits.saturating_sub(1));
        let prints_back = rounded.parse() == Ok(value);
        Wad::parse(if prints_back { &rounded } else { &shortest })
    }

    #[track_caller]
    fn agrees(value: f64) {
        assert_eq!(Wad::from_double(value), by_text(value), "{value:e}");
    }

    #[test]
    fn powers_of_two_and_their_neighbours_agree_with_the_text() {
        for exponent in -1_074..1_024 {
            let power = 2_f64.powi(exponent);
            for value in [power.next_down(), power, power.next_up(), 1.5 * power] {
                agrees(value);
            }
        }
        for value in [0.0, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, -1.0] {
            agrees(value);
        }
        assert_eq!(Wad::from_double(f64::NAN), Err(WeightError::NotFinite));
    }

    #[test]
    fn decimals_that_end_in_half_a_step_are_rounded_to_even() {
        for digits in 1..2_000_u32 {
            agrees(format!("{digits}5e-19").parse().unwrap());
            agrees(format!("{digits}e-19").parse().unwrap());
            agrees(format!("1.{digits:04}5e-14").parse().unwrap());
        }
    }

    #[test]
    fn of_two_equally_near_decimals_the_even_one_is_taken() {
        let value = "1166563246683183.25".parse().unwrap();
        let weight = Wad::from_double(value).unwrap();
        assert_eq!(weight.to_string(), "1166563246683183.2");
        agrees(value);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_double_agrees_with_its_text(bits: u64) {
            agrees(f64::from_bits(bits).abs());
        }

        #[test]
        fn doubles_of_all_lengths_within_range_agree_with_their_text(
            fraction in 0_u64..1 << 52, exponent in 950_u64..1_100, zeros in 0_u32..52,
        ) {
            agrees(f64::from_bits(exponent << 52 | fraction >> zeros << zeros));
        }

        #[test]
        fn computed_weights_agree_with_their_text(value in 0.0..1_000.0_f64) {
            agrees(value);
            agrees(value / 3e9);
        }
    }
}
