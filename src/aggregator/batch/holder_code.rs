//! Holder ids in 20 bytes: equal codes are equal ids.
//!
//! An address of `0x` and 40 lower-case hexadecimal digits becomes its 20 bytes, a UUID in lower case its 16 bytes, a
//! short id stays its own text, and any other id becomes its hash, whose text is in [`super::names`]. The code includes
//! which of the four it is.

use super::id_hash::{IdHash, IdHasher};
use crate::core::findings::in_lower_case;
use crate::core::hex_digits::four_bytes;

/// A holder id, or its hash.
///
/// Its 20 bytes are three numbers, the first byte highest. Numbers stay in registers from parsing to the
/// record; bytes would be stored in pieces and loaded as a whole, and such a load waits until every earlier
/// store, those to other records included, has reached the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HolderCode {
    pub(super) words: Words,
    pub(super) form: Form,
}

/// 20 bytes as numbers, the last one below 2^32.
pub(super) type Words = (u64, u64, u64);

/// The form of a [`HolderCode`]; a value up to 20 is the length of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Form(u8);

impl Form {
    const ADDRESS: Self = Self(21);
    const HASH: Self = Self(22);
    const UUID: Self = Self(23);
    /// The number of bits that any form fits into.
    pub(super) const BITS: u32 = 5;

    pub(super) const fn bits(self) -> u64 {
        self.0 as u64
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self((bits & ((1 << Self::BITS) - 1)) as u8)
    }
}

impl HolderCode {
    /// Packs an id, or hashes it if it cannot be packed.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would return the code through memory; a fifth of reading was spent there"
    )]
    pub(super) fn of(holder_id: &str, hasher: &IdHasher) -> Self {
        if let Some(words) = address_words(holder_id.as_bytes()) {
            return Self {
                words,
                form: Form::ADDRESS,
            };
        }
        match u8::try_from(holder_id.len()) {
            Ok(length @ ..=20) => Self::of_short(holder_id, length),
            _ => match uuid_words(holder_id.as_bytes()) {
                Some(words) => Self {
                    words,
                    form: Form::UUID,
                },
                None => Self::of_hash(hasher.hash(holder_id)),
            },
        }
    }

    fn of_short(holder_id: &str, length: u8) -> Self {
        let mut bytes = [0; 20];
        bytes[..holder_id.len()].copy_from_slice(holder_id.as_bytes());
        Self {
            words: words_from_bytes(&bytes),
            form: Form(length),
        }
    }

    /// The code of an id with this hash, which cannot be packed.
    #[inline]
    pub(super) const fn of_hash(hash: IdHash) -> Self {
        let [low, high] = hash.words();
        Self {
            words: (low, high, 0),
            form: Form::HASH,
        }
    }

    /// The hash of an id that could not be packed.
    #[inline]
    pub(super) fn hash(&self) -> Option<IdHash> {
        let (low, high, _) = self.words;
        (self.form == Form::HASH).then_some(IdHash::from_words([low, high]))
    }

    /// The id that was packed; `None` if it was hashed.
    pub(super) fn packed_id(&self) -> Option<Box<str>> {
        Some(match self.form {
            Form::ADDRESS => address_text(&bytes_from_words(self.words)),
            Form::UUID => uuid_text(self.words),
            Form::HASH => return None,
            Form(length) => {
                let bytes = bytes_from_words(self.words);
                packed_text(&bytes[..usize::from(length)]).into()
            }
        })
    }

    /// The id that was packed, in lower case; `None` if it is that already, or was hashed.
    pub(super) fn packed_in_lower_case(&self) -> Option<String> {
        match self.form {
            Form::ADDRESS | Form::UUID | Form::HASH => None,
            Form(length) => {
                let bytes = bytes_from_words(self.words);
                in_lower_case(packed_text(&bytes[..usize::from(length)]))
            }
        }
    }
}

fn packed_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("a packed text is the text of an id")
}

/// The bytes of `0x` and 40 lower-case hexadecimal digits, eight digits at a time.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as for its caller")]
fn address_words(text: &[u8]) -> Option<Words> {
    let digits: &[u8; 40] = text.strip_prefix(b"0x")?.try_into().ok()?;
    let (eights, _) = digits.as_chunks();
    let (first, is_first_hex) = eight_bytes(eights[0], eights[1]);
    let (middle, is_middle_hex) = eight_bytes(eights[2], eights[3]);
    let (last, is_last_hex) = four_bytes(eights[4]);
    (is_first_hex & is_middle_hex & is_last_hex).then_some((first, middle, last))
}

/// The bytes of a UUID: 32 lower-case hexadecimal digits in five groups.
#[inline]
fn uuid_words(text: &[u8]) -> Option<Words> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let eight = |high: usize, low: usize| -> [u8; 8] {
        let mut digits = [0; 8];
        digits[..4].copy_from_slice(&text[high..high + 4]);
        digits[4..].copy_from_slice(&text[low..low + 4]);
        digits
    };
    let has_dashes = [8, 13, 18, 23].iter().all(|index| text[*index] == b'-');
    let (first, is_first_hex) = eight_bytes(eight(0, 4), eight(9, 14));
    let (last, is_last_hex) = eight_bytes(eight(19, 24), eight(28, 32));
    (has_dashes && is_first_hex && is_last_hex).then_some((first, last, 0))
}

fn uuid_text((first, last, _): Words) -> Box<str> {
    let (time, middle, version) = (first >> 32, first >> 16 & 0xffff, first & 0xffff);
    let (variant, node) = (last >> 48, last & 0xffff_ffff_ffff);
    format!("{time:08x}-{middle:04x}-{version:04x}-{variant:04x}-{node:012x}").into()
}

#[inline]
fn eight_bytes(high: [u8; 8], low: [u8; 8]) -> (u64, bool) {
    let (high, is_high_hex) = four_bytes(high);
    let (low, is_low_hex) = four_bytes(low);
    (high << 32 | low, is_high_hex & is_low_hex)
}

fn words_from_bytes(bytes: &[u8; 20]) -> Words {
    let (eights, rest) = bytes.as_chunks();
    let last = rest
        .iter()
        .fold(0, |last, byte| last << 8 | u64::from(*byte));
    (
        u64::from_be_bytes(eights[0]),
        u64::from_be_bytes(eights[1]),
        last,
    )
}

fn bytes_from_words((first, middle, last): Words) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&first.to_be_bytes());
    bytes[8..16].copy_from_slice(&middle.to_be_bytes());
    bytes[16..].copy_from_slice(&last.to_be_bytes()[4..]);
    bytes
}

fn address_text(bytes: &[u8; 20]) -> Box<str> {
    let mut text = String::with_capacity(42);
    text.push_str("0x");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from(
                nibble + if nibble < 10 { b'0' } else { b'a' - 10 },
            ));
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_comes_back_or_is_hashed(
            id in prop_oneof![
                ".{1,60}", "0x[0-9a-f]{40}", "0x[0-9a-g]{40}", "0x[0-9a-fA-F]{40}", "[ -~]{1,20}",
                "0x[ -~]{40}", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[0-9a-g]{8}(-[0-9A-f]{4}){3}-[0-9a-f]{12}",
                "[0-9a-f]{8}(.[0-9a-f]{4}){3}-[0-9a-f]{12}",
            ]
        ) {
            let hasher = IdHasher::default();
            let code = HolderCode::of(&id, &hasher);
            if let Some(packed) = code.packed_id() {
                prop_assert_eq!(&*packed, id);
            } else {
                prop_assert!(id.len() > 20);
                prop_assert_eq!(code.hash(), Some(hasher.hash(&id)));
            }
        }
    }

    #[test]
    fn ids_that_differ_in_any_byte_have_different_codes() {
        let hasher = IdHasher::default();
        let ids = [
            "0xc5521660f3a3c5717476189975a3adb3254a9493",
            "0xC5521660f3a3c5717476189975a3adb3254a9493",
            "0Xc5521660f3a3c5717476189975a3adb3254a9493",
            "c5521660f3a3c5717476189975a3adb3254a9493",
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-00000000000A",
            "00000000-0000-0000-0000-00000000000a",
            "00000000-0000-0000-0000_00000000000a",
            "0000000000000000-0000-0000-00000000000a",
            "a",
            "a\0",
            "\0",
            "\0\0\0\0",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "保有者",
        ];
        let codes: Vec<_> = ids.iter().map(|id| HolderCode::of(id, &hasher)).collect();
        for (index, code) in codes.iter().enumerate() {
            assert!(
                codes.iter().skip(index + 1).all(|other| other != code),
                "{}",
                ids[index]
            );
        }
    }
}
