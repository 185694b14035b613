//! Amounts as text, exact: `1.5` at 18 decimals is 1,500,000,000,000,000,000 base units.
//!
//! Nothing is rounded: an amount that has no whole number of base units is refused.

use ruint::aliases::U256;

use crate::excerpt::quoted;

/// The most decimal places of a token: 10^77 base units, one token, are below 2^256.
pub const PLACES_MAX: u8 = 77;

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitsError {
    /// Something other than digits with at most one point.
    #[error("{} is not a decimal number (write digits, like 1000000 or 0.5)", quoted(.0))]
    NotANumber(Box<str>),
    /// A fraction of a base unit.
    #[error("{} has more than {places} decimal places (the smallest unit)", quoted(.text))]
    TooManyPlaces {
        /// The text.
        text: Box<str>,
        /// The places of a base unit.
        places: u8,
    },
    /// 2^256 base units or more.
    #[error("{} is too large (the most is 2^256 - 1 base units)", quoted(.0))]
    TooLarge(Box<str>),
}

/// Reads `digits[.digits]` in base units of 10^-`places`.
///
/// ```
/// use poh_holdmetrics_rust::airdrop::parse_units;
///
/// assert_eq!(parse_units("1.5", 3)?.to_string(), "1500");
/// assert!(parse_units("1.5", 0).is_err(), "nothing is rounded");
/// # Ok::<(), poh_holdmetrics_rust::airdrop::UnitsError>(())
/// ```
pub fn parse_units(text: &str, places: u8) -> Result<U256, UnitsError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = whole.len() + fraction.len() > 0
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(UnitsError::NotANumber(text.into()));
    }
    let kept = fraction.trim_end_matches('0');
    let Some(missing) = usize::from(places).checked_sub(kept.len()) else {
        return Err(UnitsError::TooManyPlaces {
            text: text.into(),
            places,
        });
    };
    let digits = whole.bytes().chain(kept.bytes()).map(|byte| byte - b'0');
    value_of(digits.chain(std::iter::repeat_n(0, missing)))
        .ok_or_else(|| UnitsError::TooLarge(text.into()))
}

/// Writes base units of 10^-`places` without trailing zeros.
///
/// ```
/// use poh_holdmetrics_rust::airdrop::format_units;
/// use ruint::aliases::U256;
///
/// assert_eq!(format_units(U256::from(1500), 3), "1.5");
/// assert_eq!(format_units(U256::from(7), 3), "0.007");
/// ```
#[must_use]
pub fn format_units(amount: U256, places: u8) -> String {
    let digits = amount.to_string();
    let places = usize::from(places);
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

/// The number that these digits write; `None` from 2^256 on.
fn value_of(digits: impl Iterator<Item = u8>) -> Option<U256> {
    // Nineteen digits at a time: a product of 256 bits for each digit would be most of the time.
    let (mut value, mut group, mut scale) = (U256::ZERO, 0_u64, 1_u64);
    for digit in digits {
        group = group * 10 + u64::from(digit);
        scale *= 10;
        if scale == 10_000_000_000_000_000_000 {
            value = append(value, group, scale)?;
            (group, scale) = (0, 1);
        }
    }
    append(value, group, scale)
}

/// `value` with the digits of `group` behind it.
fn append(value: U256, group: u64, scale: u64) -> Option<U256> {
    value
        .checked_mul(U256::from(scale))?
        .checked_add(U256::from(group))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        let read = |text, places| parse_units(text, places).map(|amount| amount.to_string());
        assert_eq!(read("1000000", 18), Ok("1000000000000000000000000".into()));
        assert_eq!(read("0.000", 2), Ok("0".into()));
        assert_eq!(read(".5", 1), Ok("5".into()));
        assert_eq!(read("5.", 0), Ok("5".into()));
        for text in ["", ".", "-1", "+1", "1e6", "1,5", "1.2.3", "٣", "0x10"] {
            assert_eq!(read(text, 18), Err(UnitsError::NotANumber(text.into())));
        }
        assert!(matches!(
            read("0.01", 1),
            Err(UnitsError::TooManyPlaces { .. })
        ));
        let most = U256::MAX.to_string();
        assert_eq!(read(&most, 0), Ok(most.clone()));
        assert!(matches!(read(&most, 1), Err(UnitsError::TooLarge(_))));
        let more = most.replace("39935", "39936");
        assert!(matches!(read(&more, 0), Err(UnitsError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn every_written_number_reads_back(limbs: [u64; 4], shift in 0_usize..256, places in 0_u8..80) {
            let amount = U256::from_limbs(limbs) >> shift;
            prop_assert_eq!(parse_units(&amount.to_string(), 0), Ok(amount));
            prop_assert_eq!(parse_units(&format_units(amount, places), places), Ok(amount));
        }
    }
}
