//! One change of balance of a batch in 44 bytes.
//!
//! The holder has a number in its partition and lane; see [`super::ledger`]. A size of 2^96 steps or more with more
//! digits than a double has no room; such a change is a claim of the general kind, see [`super::lane`].

use super::super::ids::IdNumber;
use super::balance::{Change, Step};
use super::id_hash::IdHash;
use super::record::Scaled;

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

/// Set in the word of the instant if the size is [`Scaled`], not in steps.
const IS_SCALED: u64 = 1 << 63;
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
        let size = if at & IS_SCALED == 0 {
            size
        } else {
            Scaled::from_word(self.word(6)).steps()
        };
        Step::from_words(at & !IS_SCALED, size)
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
            (at | IS_SCALED, Scaled::new(size)?.word().into())
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
                (0..2_u128.pow(65)).prop_map(|millionths| millionths * 10_u128.pow(12)),
            ],
        ) {
            let change = Change {
                id: IdHash::from_words(id),
                at: Micros::MIN.after(micros),
                delta: Delta::new(Wad::from_steps(steps), is_negative),
            };
            let packed = PackedChange::new(change);
            let is_scaled = Scaled::new(steps).is_some();
            prop_assert_eq!(packed.is_some(), steps < 1 << 96 || is_scaled);
            if let Some(packed) = packed {
                let entry = Entry::new(3, IdNumber(7), packed);
                prop_assert_eq!(entry.step().change(entry.id()), change);
                prop_assert_eq!((entry.holder(), entry.token()), (3, IdNumber(7)));
            }
        }
    }
}
