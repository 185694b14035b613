//! An instant and an amount in as few bytes as they need: 7 to 15 for most changes of balance.
//!
//! Most instants are whole seconds, and few amounts need all of their digits. Only memory has this form; on disk
//! events have the one of [`super::encoding`].

use std::ops::Range;

use smallvec::SmallVec;

use super::Micros;

/// Some bytes that are about to be inserted.
pub(super) type Bytes = SmallVec<[u8; 64]>;

/// The part of the first byte that the caller uses.
pub(super) const TAG: u8 = 0b0111_1111;
/// Flag of the first byte: the instant is whole seconds.
const SECONDS: u8 = 0b1000_0000;
/// The part of the second byte that counts bytes of the amount; above it is a power of a thousand.
const COUNT: u8 = 0b0001_1111;

const SECOND: u64 = 1_000_000;
const SECONDS_BYTES: usize = 5;
const MICROS_BYTES: usize = 8;
/// Most bytes of an instant and an amount.
const BYTES_MAX: usize = 2 + MICROS_BYTES + 16;

/// Powers of a thousand.
const POWERS: [u128; 8] = {
    let mut powers = [1; 8];
    let mut power = 1;
    while power < powers.len() {
        powers[power] = powers[power - 1] * 1_000;
        power += 1;
    }
    powers
};

/// An instant and an amount, with a tag of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) tag: u8,
    pub(super) at: Micros,
    pub(super) amount: u128,
}

impl Packed {
    /// Appends it; of the tag, the bits of [`TAG`] are kept.
    pub(super) fn push(self, out: &mut Bytes) {
        let mut bytes = [0; BYTES_MAX];
        let since = self.at.get().abs_diff(Micros::MIN.get());
        let (unit, time, time_bytes) = if since.is_multiple_of(SECOND) {
            (SECONDS, since / SECOND, SECONDS_BYTES)
        } else {
            (0, since, MICROS_BYTES)
        };
        let (amount, power) = scaled(self.amount);
        let amount_bytes = (u128::BITS - amount.leading_zeros()).div_ceil(8);
        bytes[0] = self.tag & TAG | unit;
        bytes[1] = amount_bytes.to_le_bytes()[0] | power << COUNT.count_ones();
        bytes[2..2 + MICROS_BYTES].copy_from_slice(&time.to_le_bytes());
        let begin = 2 + time_bytes;
        bytes[begin..begin + 16].copy_from_slice(&amount.to_le_bytes());
        out.extend_from_slice(&bytes[..begin + amount_bytes as usize]);
    }

    /// The number of bytes of the one that `bytes` begins with.
    ///
    /// # Panics
    /// If there are less than two bytes.
    #[inline]
    pub(super) fn length(bytes: &[u8]) -> usize {
        2 + time_bytes(bytes[0]) + usize::from(bytes[1] & COUNT)
    }

    /// Only the tag.
    ///
    /// # Panics
    /// If there are no bytes.
    #[inline]
    pub(super) const fn tag(bytes: &[u8]) -> u8 {
        bytes[0] & TAG
    }

    /// Only the instant.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(super) fn instant(bytes: &[u8]) -> Micros {
        let (head, time) = (bytes[0], &bytes[2..]);
        let since = if head & SECONDS == 0 {
            u64::from_le_bytes(*time.first_chunk().expect("eight bytes"))
        } else {
            let (low, high) = time.split_first_chunk().expect("five bytes");
            let seconds = u64::from(high[0]) << u32::BITS | u64::from(u32::from_le_bytes(*low));
            seconds * SECOND
        };
        let micros = Micros::MIN.get().checked_add_unsigned(since);
        micros
            .and_then(|micros| Micros::new(micros).ok())
            .expect("it was an instant")
    }

    /// The one that `bytes` begins with.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> Self {
        // From so many bytes, all is read at fixed places and what does not belong to it is cut off.
        let mut few = [0; BYTES_MAX];
        let bytes = bytes.first_chunk().unwrap_or_else(|| {
            few[..bytes.len()].copy_from_slice(bytes);
            &few
        });
        let form = bytes[1];
        let amount = bytes[2 + time_bytes(bytes[0])..]
            .first_chunk()
            .expect("16 bytes");
        let unused = u128::BITS - 8 * u32::from(form & COUNT);
        let kept = u128::MAX.checked_shr(unused).unwrap_or_default();
        let amount = u128::from_le_bytes(*amount) & kept;
        let power = usize::from(form >> COUNT.count_ones());
        Self {
            tag: Self::tag(bytes),
            at: Self::instant(bytes),
            amount: if power == 0 {
                amount
            } else {
                amount * POWERS[power]
            },
        }
    }
}

/// Replaces a part of `bytes`, without reserving more than an allocation takes anyway.
pub(super) fn splice(bytes: &mut Vec<u8>, part: Range<usize>, new: &[u8]) {
    let (before, moved_to) = (bytes.len(), part.start + new.len());
    let after = before - part.len() + new.len();
    if after > bytes.capacity() {
        bytes.reserve_exact(capacity(after) - before);
    }
    bytes.resize(before.max(after), 0);
    bytes.copy_within(part.end..before, moved_to);
    bytes[part.start..moved_to].copy_from_slice(new);
    bytes.truncate(after);
}

/// A capacity for so many bytes: four sizes between one power of two and the next, as allocators have them.
fn capacity(bytes: usize) -> usize {
    let step = 1 << bytes.ilog2().saturating_sub(2).max(3);
    bytes.next_multiple_of(step)
}

/// The bytes of the instant behind this first byte.
#[inline]
const fn time_bytes(head: u8) -> usize {
    if head & SECONDS == 0 {
        MICROS_BYTES
    } else {
        SECONDS_BYTES
    }
}

/// The amount divided by a power of a thousand, and the power.
fn scaled(mut amount: u128) -> (u128, u8) {
    let mut power = 0;
    for more in [4, 2, 1] {
        let divisor = POWERS[usize::from(more)];
        // Few amounts have so many zeros in binary, and only those are divided.
        if amount.trailing_zeros() >= divisor.trailing_zeros()
            && amount > 0
            && amount.is_multiple_of(divisor)
        {
            amount /= divisor;
            power += more;
        }
    }
    (amount, power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_back(packed: Packed) -> usize {
        let mut bytes = Bytes::new();
        packed.push(&mut bytes);
        let length = bytes.len();
        for padding in [0, 40] {
            bytes.resize(length + padding, 0xff);
            assert_eq!(Packed::length(&bytes), length);
            assert_eq!(Packed::read(&bytes), packed);
        }
        length
    }

    fn packed(micros: i64, amount: u128) -> Packed {
        Packed {
            tag: TAG,
            at: Micros::new(micros).unwrap(),
            amount,
        }
    }

    #[test]
    fn whole_seconds_and_round_amounts_are_short() {
        let at = 1_700_000_000_000_000;
        let one = 10_u128.pow(18);
        assert_eq!(read_back(packed(at, 0)), 7);
        assert_eq!(read_back(packed(at, 200 * one)), 8);
        assert_eq!(read_back(packed(at, one / 1_000_000 * 123_456_789)), 11);
        assert_eq!(read_back(packed(at, 1_234_567 * one + 1)), 18);
        assert_eq!(read_back(packed(at + 1, u128::MAX)), BYTES_MAX);
        for at in [Micros::MIN, Micros::MAX] {
            read_back(packed(at.get(), 10_u128.pow(38)));
        }
    }

    #[test]
    fn a_part_is_replaced_by_more_and_by_less() {
        let mut bytes = Vec::new();
        splice(&mut bytes, 0..0, b"0123456789");
        assert_eq!(bytes.capacity(), 16);
        splice(&mut bytes, 2..4, b"abcde");
        assert_eq!(bytes, b"01abcde456789");
        splice(&mut bytes, 1..7, b"-");
        assert_eq!(bytes, b"0-456789");
        splice(&mut bytes, 8..8, &[b'+'; 92]);
        assert_eq!((bytes.len(), bytes.capacity()), (100, 112));
    }

    proptest! {
        #[test]
        fn every_instant_and_amount_comes_back(
            at in Micros::MIN.get()..=Micros::MAX.get(), is_second: bool, amount: u128, shift in 0_u32..128,
            zeros in 0_u32..39,
        ) {
            let at = if is_second { at / 1_000_000 * 1_000_000 } else { at };
            let ten = 10_u128.pow(zeros);
            read_back(packed(at, (amount >> shift) / ten * ten));
        }
    }
}
