//! One change of balance of a batch in 44 bytes.
//!
//! The holder has a number in its partition and lane; see [`super::ledger`]. A size of 2^96 steps or more that is not
//! whole millionths has no room; such a change is a claim of the general kind, see [`super::lane`].

use super::super::ids::IdNumber;
use super::balance::{Change, Step};
use super::id_hash::IdHash;
use super::record::{MILLIONTH, in_millionths};

/// A change of one key without gaps.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Entry {
    /// The number of the holder in its ledger.
    holder: u32,
    token: u32,
    /// The words of a [`PackedChange`]: halves of the first half of the id, of the instant, of the second half of the id
    /// and of the size, and the rest of the size.
    change: [u32; 9],
}

const _: () = assert!(size_of::<Entry>() == 44);

/// The id, the instant and the delta of a change.
///
/// Its words are not in the order of an entry, so that each is read as it was written: two that are read as one are
/// read from the cache, and have to wait until all earlier words, those of entries included, have arrived there.
#[derive(Clone, Copy)]
pub(super) struct PackedChange {
    at: u64,
    id: [u64; 2],
    size: u64,
    size_high: u32,
}

/// Set in the word of the instant if the size is in millionths, not in steps.
const IN_MILLIONTHS: u64 = 1 << 63;
const SIZE_BITS: u32 = 96;

impl Entry {
    #[inline]
    pub(super) fn new(holder: u32, token: IdNumber, change: PackedChange) -> Self {
        let PackedChange {
            at,
            id,
            size,
            size_high,
        } = change;
        let (first, at, second, size) = (halves(id[0]), halves(at), halves(id[1]), halves(size));
        Self {
            holder,
            token: token.0,
            change: [
                first[0], first[1], at[0], at[1], second[0], second[1], size[0], size[1], size_high,
            ],
        }
    }

    #[inline]
    pub(super) const fn holder(&self) -> usize {
        self.holder as usize
    }

    #[inline]
    pub(super) const fn token(&self) -> IdNumber {
        IdNumber(self.token)
    }

    #[inline]
    pub(super) fn step(&self) -> Step {
        let size = u128::from(self.change[8]) << 64 | u128::from(self.word(6));
        let at = self.word(2);
        let unit = if at & IN_MILLIONTHS == 0 {
            1
        } else {
            MILLIONTH
        };
        Step::from_words(at & !IN_MILLIONTHS, size * unit)
    }

    #[inline]
    pub(super) fn id(&self) -> IdHash {
        IdHash::from_words([self.word(0), self.word(4)])
    }

    /// The word whose lower half is at `place`.
    #[inline]
    fn word(&self, place: usize) -> u64 {
        u64::from(self.change[place + 1]) << u32::BITS | u64::from(self.change[place])
    }
}

impl PackedChange {
    /// `None` if the size has no room.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both parts are kept")]
    pub(super) fn new(change: Change) -> Option<Self> {
        let (at, size) = Step::from(change).words();
        let (at, size) = if size >> SIZE_BITS == 0 {
            (at, size)
        } else {
            (at | IN_MILLIONTHS, in_millionths(size)?.into())
        };
        Some(Self {
            at,
            id: change.id.words(),
            size: size as u64,
            size_high: (size >> u64::BITS) as u32,
        })
    }
}

/// The two halves of a word, the lower one first.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> u32::BITS) as u32]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::{Delta, Micros, Wad};

    proptest! {
        #[test]
        fn every_change_that_has_room_comes_back(
            id: [u64; 2],
            micros: u64,
            is_negative: bool,
            steps in prop_oneof![
                any::<u128>(),
                0..2_u128.pow(97),
                (0..2_u128.pow(65)).prop_map(|millionths| millionths * MILLIONTH),
            ],
        ) {
            let change = Change {
                id: IdHash::from_words(id),
                at: Micros::MIN.after(micros),
                delta: Delta::new(Wad::from_steps(steps), is_negative),
            };
            let packed = PackedChange::new(change);
            let is_whole = steps.is_multiple_of(MILLIONTH) && steps / MILLIONTH < 1 << 64;
            prop_assert_eq!(packed.is_some(), steps < 1 << 96 || is_whole);
            if let Some(packed) = packed {
                let entry = Entry::new(3, IdNumber(7), packed);
                prop_assert_eq!(entry.step().change(entry.id()), change);
                prop_assert_eq!((entry.holder(), entry.token()), (3, IdNumber(7)));
            }
        }
    }
}
