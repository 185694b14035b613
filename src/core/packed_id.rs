//! An event id in few bytes, from which its text can be read back: the id of a log of a chain takes 35.
//!
//! No packed id is the beginning of another, so equal bytes at the beginning are equal ids.

use smallvec::SmallVec;

use super::hex_digits::four_bytes;

/// The first byte: that many bytes of text, or one of the forms below.
const SHORT_MAX: u8 = 252;
/// `0x`, a transaction hash as bytes, a colon and a number as two bytes.
const LOG: u8 = 253;
/// `0x`, a transaction hash as bytes, the length of what follows and as much text.
const HASHED: u8 = 254;
/// Four bytes with a length, and as much text.
const LONG: u8 = 255;

/// The number of digits of a transaction hash.
const HASH_DIGITS: usize = 64;
const HASH_BYTES: usize = HASH_DIGITS / 2;

/// An event id as it is kept.
pub(super) struct PackedId(SmallVec<[u8; 64]>);

impl PackedId {
    /// # Panics
    /// At an id of 2^32 bytes.
    pub(super) fn of(id: &str) -> Self {
        let mut bytes = SmallVec::new();
        let text = id.as_bytes();
        let hashed = text.strip_prefix(b"0x").and_then(|rest| {
            let (digits, rest) = rest.split_first_chunk()?;
            Some((hash_bytes(digits)?, rest))
        });
        let length = |text: &[u8]| u8::try_from(text.len()).ok();
        match hashed.map(|(hash, rest)| (hash, log_index(rest), rest, length(rest))) {
            Some((hash, Some(index), ..)) => {
                bytes.push(LOG);
                bytes.extend_from_slice(&hash);
                bytes.extend_from_slice(&index.to_le_bytes());
            }
            Some((hash, None, rest, Some(length))) => {
                bytes.push(HASHED);
                bytes.extend_from_slice(&hash);
                bytes.push(length);
                bytes.extend_from_slice(rest);
            }
            Some((_, None, _, None)) | None => {
                if let Some(short) = length(text).filter(|length| *length <= SHORT_MAX) {
                    bytes.push(short);
                } else {
                    let length = u32::try_from(text.len()).expect("less than 2^32 bytes");
                    bytes.push(LONG);
                    bytes.extend_from_slice(&length.to_le_bytes());
                }
                bytes.extend_from_slice(text);
            }
        }
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The number of bytes of the packed id that `bytes` begins with.
///
/// # Panics
/// If there is none.
#[inline]
pub(super) fn length(bytes: &[u8]) -> usize {
    match bytes[0] {
        LOG => 1 + HASH_BYTES + 2,
        HASHED => 2 + HASH_BYTES + usize::from(bytes[1 + HASH_BYTES]),
        LONG => {
            let length = bytes[1..].first_chunk().expect("four bytes");
            5 + u32::from_le_bytes(*length) as usize
        }
        short => 1 + usize::from(short),
    }
}

/// Replaces `text` by the id with these packed bytes.
///
/// # Panics
/// If they are not those of a packed id.
pub(super) fn unpack(bytes: &[u8], text: &mut String) {
    use std::fmt::Write as _;

    text.clear();
    let rest = match bytes[0] {
        form @ (LOG | HASHED) => {
            let (hash, rest) = bytes[1..].split_at(HASH_BYTES);
            text.push_str("0x");
            for byte in hash {
                for digit in [byte >> 4, byte & 0xf] {
                    text.push(char::from_digit(digit.into(), 16).expect("a digit"));
                }
            }
            if form == LOG {
                let index = u16::from_le_bytes(*rest.first_chunk().expect("two bytes"));
                write!(text, ":{index}").expect("a string takes all");
                return;
            }
            &rest[1..]
        }
        LONG => &bytes[5..],
        _ => &bytes[1..],
    };
    text.push_str(str::from_utf8(rest).expect("it was text"));
}

/// The number behind a colon, if it reads back as the same text.
fn log_index(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(b":")?;
    let is_plain = digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || digits.first() != Some(&b'0'));
    str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .filter(|_| is_plain)
}

/// The bytes that lower-case hexadecimal digits stand for; `None` if one is something else.
fn hash_bytes(digits: &[u8; HASH_DIGITS]) -> Option<[u8; HASH_BYTES]> {
    let mut bytes = [0; HASH_BYTES];
    let (eights, _) = digits.as_chunks();
    let mut are_digits = true;
    for (four, eight) in bytes.as_chunks_mut().0.iter_mut().zip(eights) {
        let (number, are_these) = four_bytes(*eight);
        are_digits &= are_these;
        *four = half(number).to_be_bytes();
    }
    are_digits.then_some(bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "four bytes have 32 bits")]
const fn half(number: u64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060";

    fn read_back(id: &str) -> usize {
        let mut bytes = PackedId::of(id).bytes().to_vec();
        let packed = bytes.len();
        bytes.extend_from_slice(b"others");
        assert_eq!(length(&bytes), packed, "{id}");
        let mut text = "before".to_owned();
        unpack(&bytes[..packed], &mut text);
        assert_eq!(text, id);
        packed
    }

    #[test]
    fn the_id_of_a_log_takes_35_bytes() {
        for index in ["0", "7", "65535"] {
            assert_eq!(read_back(&format!("0x{HASH}:{index}")), 35);
        }
        for other in ["", ":", ":00", ":07", ":+7", ":65536", ":a", "-7", "é"] {
            assert_eq!(read_back(&format!("0x{HASH}{other}")), 34 + other.len());
        }
    }

    #[test]
    fn any_other_id_is_text() {
        for length in [1, 252, 253, 254, 255, 256, 70_000] {
            let head = if length > 252 { 5 } else { 1 };
            assert_eq!(read_back(&"a".repeat(length)), head + length);
        }
        for id in [
            HASH.to_owned(),
            format!("0x{}", HASH.to_uppercase()),
            format!("0x{}", &HASH[1..]),
            "0x".to_owned(),
        ] {
            assert_eq!(read_back(&id), 1 + id.len());
        }
        let long = format!("0x{HASH}{}", "-".repeat(256));
        assert_eq!(read_back(&long), 5 + long.len());
    }

    proptest! {
        #[test]
        fn every_id_comes_back_and_none_is_the_beginning_of_another(
            id in "(0x[0-9a-f]{64})?(:?[0-9]{1,6}|.{1,3})", other in "(0x[0-9a-f]{64})?(:?[0-9]{1,6}|.{1,3})",
        ) {
            read_back(&id);
            let (packed, second) = (PackedId::of(&id), PackedId::of(&other));
            prop_assert_eq!(packed.bytes().starts_with(second.bytes()), id == other);
        }
    }
}
