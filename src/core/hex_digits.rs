//! Lower-case hexadecimal digits as the bytes that they encode, eight digits at a time.
//!
//! Addresses and transaction hashes are stored in half of their length; any other text is stored as it is.

const ONES: u64 = 0x0101_0101_0101_0101;

/// The bytes that eight digits encode as a number, the first byte highest, and whether all of them are lower-case
/// hexadecimal digits.
#[inline]
pub(crate) fn four_bytes(digits: [u8; 8]) -> (u64, bool) {
    let word = u64::from_be_bytes(digits);
    // A letter has bit 6, and its low half is 1 to 6 for a to f. Any other byte gives an arbitrary value.
    let nibbles = (word & (ONES * 0x0f)).wrapping_add(((word >> 6) & ONES).wrapping_mul(9));
    let pairs = (nibbles | (nibbles >> 4)) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    // Only lower-case digits survive the round trip unchanged, so this is the whole check.
    let is_hex = hex_digits(nibbles & (ONES * 0x0f)) == word;
    ((quads | (quads >> 16)) & 0xffff_ffff, is_hex)
}

/// Eight values of 0 to 15, one per byte, as lower-case digits.
#[inline]
const fn hex_digits(nibbles: u64) -> u64 {
    let is_letter = (nibbles.wrapping_add(ONES * 6) >> 4) & ONES;
    nibbles
        .wrapping_add(ONES * 0x30)
        .wrapping_add(is_letter.wrapping_mul(0x27))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exactly_lower_case_digits_are_read(text in "[0-9a-f]{8}|[ -~]{8}") {
            let digits = text.as_bytes().try_into().unwrap();
            let (bytes, are_digits) = four_bytes(digits);
            let is_lower_case = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            prop_assert_eq!(are_digits, text.bytes().all(is_lower_case));
            if are_digits {
                prop_assert_eq!(format!("{bytes:08x}"), text);
            }
        }
    }
}
