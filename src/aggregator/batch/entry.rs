//! One change of balance of a batch in 44 bytes.
//!
//! The holder has a number in its partition and lane; see [`super::ledger`]. A size of 2^96 steps or more that is not
//! whole millionths has no room; such a change is a claim of the general kind, see [`super::lane`].

use super::super::ids::IdNumber;
use super::balance::{Change, Step};
use super::id_hash::IdHash;
use super::record::{MILLIONTH, in_millionths};

/// A change of one key.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Entry {
    /// The number of the holder in its ledger.
    holder: u32,
    token: u32,
    change: PackedChange,
}

const _: () = assert!(size_of::<Entry>() == 44);

/// The id, the instant and the delta of a change without gaps: the instant, the size, the id.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct PackedChange([u32; 9]);

/// Set in the word of the instant if the size is in millionths, not in steps.
const IN_MILLIONTHS: u64 = 1 << 63;
const SIZE_BITS: u32 = 96;

impl Entry {
    pub(super) const fn new(holder: u32, token: IdNumber, change: PackedChange) -> Self {
        Self {
            holder,
            token: token.0,
            change,
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
    pub(super) const fn change(&self) -> &PackedChange {
        &self.change
    }
}

impl PackedChange {
    /// `None` if the size has no room.
    #[inline]
    pub(super) fn new(change: Change) -> Option<Self> {
        let (at, size) = Step::from(change).words();
        let (at, size) = if size >> SIZE_BITS == 0 {
            (at, size)
        } else {
            (at | IN_MILLIONTHS, in_millionths(size)?.into())
        };
        let [id, id_high] = change.id.words().map(u128::from).map(halves);
        let (at, low, high) = (halves(at.into()), halves(size), half(size >> 64));
        Some(Self([
            at[0], at[1], low[0], low[1], high, id[0], id[1], id_high[0], id_high[1],
        ]))
    }

    #[inline]
    pub(super) fn step(&self) -> Step {
        let size = u128::from(self.0[4]) << 64 | u128::from(self.word(2));
        let unit = if self.word(0) & IN_MILLIONTHS == 0 {
            1
        } else {
            MILLIONTH
        };
        Step::from_words(self.word(0) & !IN_MILLIONTHS, size * unit)
    }

    #[inline]
    pub(super) fn id(&self) -> IdHash {
        IdHash::from_words([self.word(5), self.word(7)])
    }

    /// The word whose lower half is at `place`.
    #[inline]
    fn word(&self, place: usize) -> u64 {
        u64::from(self.0[place + 1]) << u32::BITS | u64::from(self.0[place])
    }
}

/// The two halves of the lower word, the lower one first.
#[inline]
fn halves(number: u128) -> [u32; 2] {
    [half(number), half(number >> u32::BITS)]
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cut on purpose")]
fn half(number: u128) -> u32 {
    number as u32
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
                prop_assert_eq!(packed.step().change(packed.id()), change);
            }
        }
    }
}
