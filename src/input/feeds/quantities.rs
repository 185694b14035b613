//! Whole numbers as chains write them: digits, or 256 bits in hexadecimal digits.
//!
//! A raw amount with a fraction or an exponent went through a double somewhere and has lost digits, so it is
//! refused here.

use std::borrow::Cow;

use ruint::aliases::U256;

use crate::input::DECIMALS_MAX;

/// The digits of a whole number that is written in digits or as `0x` and hexadecimal digits; `None` for any
/// other text.
pub(super) fn digits(text: &str) -> Option<Cow<'_, str>> {
    let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) else {
        let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        return is_whole.then_some(Cow::Borrowed(text));
    };
    hex_number(hex).map(|number| Cow::Owned(number.to_string()))
}

/// The number of hexadecimal digits; none of them stand for 0, as in the answers of nodes.
fn hex_number(digits: &str) -> Option<U256> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(U256::ZERO);
    }
    U256::from_str_radix(significant, 16).ok()
}

/// A small number, such as that of a block.
pub(super) fn small_number(text: &str) -> Option<u64> {
    digits(text)?.parse().ok()
}

/// How many decimals a token has; `None` if that is not from 0 to [`DECIMALS_MAX`].
pub(super) fn decimals(text: &str) -> Option<u8> {
    let decimals = u8::try_from(small_number(text)?).ok()?;
    (decimals <= DECIMALS_MAX).then_some(decimals)
}

/// Digits in groups of thousands without their commas; `None` if the commas stand elsewhere.
pub(super) fn without_commas(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(',') {
        return Some(Cow::Borrowed(text));
    }
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if !is_grouped || fraction.is_some_and(|fraction| fraction.contains(',')) {
        return None;
    }
    Some(Cow::Owned(text.replace(',', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_digits_or_256_bits() {
        let largest = format!("0x{}", "f".repeat(64));
        let padded = format!("0x{}2a", "0".repeat(70));
        for (text, expected) in [
            ("963019363229999955968", Some("963019363229999955968")),
            ("0x0bebc200", Some("200000000")),
            ("0x", Some("0")),
            (&padded, Some("42")),
            (
                &largest,
                Some(
                    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
                ),
            ),
            ("1.5", None),
            ("1e18", None),
            ("0x1g", None),
            ("0x1_0", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(digits(text).as_deref(), expected, "{text}");
        }
        assert_eq!(digits(&format!("0x1{}", "0".repeat(64))), None);
    }

    #[test]
    fn commas_stand_between_thousands_only() {
        for (text, expected) in [
            ("1,000", Some("1000")),
            ("12,345,678.25", Some("12345678.25")),
            ("0.5", Some("0.5")),
            ("1,5", None),
            ("1000,000", None),
            ("1.000,5", None),
            (",100", None),
        ] {
            assert_eq!(without_commas(text).as_deref(), expected, "{text}");
        }
    }
}
