//! What the changes of one transfer share, in 36 bytes: the id, the instant and how much moved.
//!
//! A size of 2^96 steps or more that is not whole millionths has no room; such a change is a claim of the general
//! kind, see [`super::lane`].

use super::id_hash::IdHash;
use super::record::{MILLIONTH, in_millionths};
use crate::core::{Micros, Wad};

/// An instant, an id and a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) id: IdHash,
    pub(super) at: Micros,
    pub(super) size: Wad,
}

/// A movement without gaps.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct PackedMovement([u32; 9]);

const _: () = assert!(size_of::<PackedMovement>() == 36);

/// Set in the word of the instant if the size is in millionths, not in steps.
const IN_MILLIONTHS: u64 = 1 << 63;
const SIZE_BITS: u32 = 96;

impl PackedMovement {
    /// `None` if the size has no room.
    #[inline]
    pub(super) fn new(movement: &Movement) -> Option<Self> {
        let steps = movement.size.steps();
        let mut instant = movement.at.get().abs_diff(Micros::MIN.get());
        let size = if steps >> SIZE_BITS == 0 {
            steps
        } else {
            instant |= IN_MILLIONTHS;
            in_millionths(steps)?.into()
        };
        let [id, id_high] = movement.id.words();
        let (high, low) = (half(size >> 64), halves(size));
        let (id, id_high) = (halves(id.into()), halves(id_high.into()));
        let instant = halves(instant.into());
        Some(Self([
            instant[0], instant[1], low[0], low[1], high, id[0], id[1], id_high[0], id_high[1],
        ]))
    }

    #[inline]
    pub(super) fn get(&self) -> Movement {
        let size = u128::from(self.0[4]) << 64 | u128::from(self.word(2));
        let unit = if self.word(0) & IN_MILLIONTHS == 0 {
            1
        } else {
            MILLIONTH
        };
        Movement {
            id: IdHash::from_words([self.word(5), self.word(7)]),
            at: Micros::MIN.after(self.word(0) & !IN_MILLIONTHS),
            size: Wad::from_steps(size * unit),
        }
    }

    /// Some part of it.
    #[inline]
    pub(super) const fn touch(&self) -> u32 {
        self.0[4]
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

    proptest! {
        #[test]
        fn every_movement_that_has_room_comes_back(
            id: [u64; 2],
            micros: u64,
            steps in prop_oneof![
                any::<u128>(),
                0..2_u128.pow(97),
                (0..2_u128.pow(65)).prop_map(|millionths| millionths * MILLIONTH),
            ],
        ) {
            let movement = Movement {
                id: IdHash::from_words(id),
                at: Micros::MIN.after(micros),
                size: Wad::from_steps(steps),
            };
            let packed = PackedMovement::new(&movement);
            let is_whole = steps.is_multiple_of(MILLIONTH) && steps / MILLIONTH < 1 << 64;
            prop_assert_eq!(packed.is_some(), steps < 1 << 96 || is_whole);
            if let Some(packed) = packed {
                prop_assert_eq!(packed.get(), movement);
            }
        }
    }
}
