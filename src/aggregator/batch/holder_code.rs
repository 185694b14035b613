//! Holder ids in 20 bytes, exactly: equal codes are equal ids.
//!
//! An address of `0x` and 40 lower-case hexadecimal digits is its 20 bytes, a short id is its own
//! text, and any other id is a number in a shared table. Which of the three is part of the code.

use super::super::ids::{IdIndex, IdMemo, IdNumber};

/// A holder id, or the place where it is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HolderCode {
    pub(super) bytes: [u8; 20],
    pub(super) form: Form,
}

/// How the bytes of a [`HolderCode`] are read: up to 20 is the length of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Form(u8);

impl Form {
    const ADDRESS: Self = Self(21);
    const NUMBER: Self = Self(22);
    /// Bits that hold any form.
    pub(super) const BITS: u32 = 5;

    pub(super) const fn bits(self) -> u64 {
        self.0 as u64
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self((bits & ((1 << Self::BITS) - 1)) as u8)
    }
}

impl HolderCode {
    /// Packs an id, or numbers it where it cannot be packed.
    #[inline]
    pub(super) fn of(holder_id: &str, numbers: &mut IdMemo<'_>) -> Self {
        if let Some(bytes) = address_bytes(holder_id.as_bytes()) {
            return Self {
                bytes,
                form: Form::ADDRESS,
            };
        }
        let mut bytes = [0; 20];
        let form = if let Ok(length @ ..=20) = u8::try_from(holder_id.len()) {
            bytes[..holder_id.len()].copy_from_slice(holder_id.as_bytes());
            Form(length)
        } else {
            bytes[..4].copy_from_slice(&numbers.number(holder_id).0.to_le_bytes());
            Form::NUMBER
        };
        Self { bytes, form }
    }

    /// Three words that differ where the codes do, but for their form.
    #[inline]
    pub(super) fn words(&self) -> (u64, u64, u32) {
        let (eights, rest) = self.bytes.as_chunks::<8>();
        let word = |place: usize| u64::from_le_bytes(eights[place]);
        let last = rest
            .first_chunk()
            .map_or(0, |four| u32::from_le_bytes(*four));
        (word(0), word(1), last)
    }

    /// The id that was packed.
    ///
    /// # Panics
    /// Never, for a code that [`Self::of`] made with a memo of the same index.
    pub(super) fn id(&self, numbers: &IdIndex) -> Box<str> {
        match self.form {
            Form::ADDRESS => address_text(&self.bytes),
            Form::NUMBER => {
                let [a, b, c, d, ..] = self.bytes;
                (&*numbers.name(IdNumber(u32::from_le_bytes([a, b, c, d])))).into()
            }
            Form(length) => {
                let text = &self.bytes[..usize::from(length)];
                std::str::from_utf8(text)
                    .expect("a packed text is the text of an id")
                    .into()
            }
        }
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The bytes of `0x` and 40 lower-case hexadecimal digits, eight digits at a time.
#[inline]
fn address_bytes(text: &[u8]) -> Option<[u8; 20]> {
    let digits: &[u8; 40] = text.strip_prefix(b"0x")?.try_into().ok()?;
    let mut bytes = [0; 20];
    let mut is_hex = true;
    for (eight, four) in digits
        .as_chunks::<8>()
        .0
        .iter()
        .zip(bytes.as_chunks_mut::<4>().0)
    {
        let word = u64::from_be_bytes(*eight);
        // A letter has bit 6; its low half is 1 to 6 for a to f.
        let nibbles = (word & (ONES * 0x0f)) + ((word >> 6) & ONES) * 9;
        let pairs = (nibbles | (nibbles >> 4)) & 0x00ff_00ff_00ff_00ff;
        let quads = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low half is all there is"
        )]
        let packed = (quads | (quads >> 16)) as u32;
        *four = packed.to_be_bytes();
        // Only lower-case digits come back as they were, so this is the whole check.
        is_hex &= hex_digits(nibbles & (ONES * 0x0f)) == word;
    }
    is_hex.then_some(bytes)
}

/// Eight values of 0 to 15, one a byte, as lower-case digits.
#[inline]
const fn hex_digits(nibbles: u64) -> u64 {
    let is_letter = ((nibbles + ONES * 6) >> 4) & ONES;
    nibbles + ONES * 0x30 + is_letter * 0x27
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
        fn every_id_comes_back(
            id in prop_oneof![
                ".{1,60}", "0x[0-9a-f]{40}", "0x[0-9a-g]{40}", "0x[0-9a-fA-F]{40}", "[ -~]{1,20}",
                "0x[ -~]{40}",
            ]
        ) {
            let index = IdIndex::default();
            let code = HolderCode::of(&id, &mut IdMemo::new(&index));
            prop_assert_eq!(&*code.id(&index), id);
        }
    }

    #[test]
    fn ids_that_differ_in_any_byte_have_different_codes() {
        let index = IdIndex::default();
        let mut numbers = IdMemo::new(&index);
        let ids = [
            "0xc5521660f3a3c5717476189975a3adb3254a9493",
            "0xC5521660f3a3c5717476189975a3adb3254a9493",
            "0Xc5521660f3a3c5717476189975a3adb3254a9493",
            "c5521660f3a3c5717476189975a3adb3254a9493",
            "a",
            "a\0",
            "\0",
            "\0\0\0\0",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "保有者",
        ];
        let codes: Vec<_> = ids
            .iter()
            .map(|id| HolderCode::of(id, &mut numbers))
            .collect();
        for (index, code) in codes.iter().enumerate() {
            assert!(
                codes.iter().skip(index + 1).all(|other| other != code),
                "{}",
                ids[index]
            );
        }
    }
}
