//! The changes of balance of one lane in the order in which they came, in 40 bytes each; a transfer has one for both of
//! its balances.
//!
//! Partitions refer to them by [`Side`]s, in rising order, and read them when they are scored. A size of 2^96 steps or more
//! with more digits than a double has no room; such a change is a claim of the general kind, see [`super::lane`].

use memmap2::MmapMut;

use super::super::ids::IdNumber;
use super::balance::{Change, Step};
use super::entry::{Entry, Side};
use super::id_hash::IdHash;
use super::large_pages;
use super::record::Scaled;

/// A change of a balance that it does not name, without its sign.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct LoggedChange {
    id: [u64; 2],
    /// The instant as [`Step`] has it, but [`IS_SCALED`] in the place of the sign.
    at: u64,
    size: u64,
    size_high: u32,
    token: u32,
}

const CHANGE_BYTES: usize = size_of::<LoggedChange>();
const _: () = assert!(CHANGE_BYTES == 40);

/// Set in the word of the instant if the size is [`Scaled`], not in steps.
const IS_SCALED: u64 = 1;
const SIZE_BITS: u32 = 96;

/// Changes per region: 10 MiB, a multiple of a large page.
const REGION_CHANGES: usize = 1 << 18;

/// Changes of one lane.
#[derive(Default)]
pub(super) struct ChangeLog {
    regions: Vec<MmapMut>,
    len: usize,
}

impl LoggedChange {
    /// `None` if the size has no room.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both parts are kept")]
    fn new(token: IdNumber, change: Change) -> Option<Self> {
        let (at, size) = Step::from(change).words();
        let (form, size) = if size >> SIZE_BITS == 0 {
            (0, size)
        } else {
            (IS_SCALED, Scaled::new(size)?.word().into())
        };
        Some(Self {
            id: change.id.words(),
            at: at & !1 | form,
            size: size as u64,
            size_high: (size >> u64::BITS) as u32,
            token: token.0,
        })
    }

    #[inline]
    pub(super) const fn id(&self) -> IdHash {
        IdHash::from_words(self.id)
    }

    #[inline]
    pub(super) const fn token(&self) -> IdNumber {
        IdNumber(self.token)
    }

    /// What it is to the balance on one side of it.
    #[inline]
    pub(super) fn step(&self, side: Side) -> Step {
        let steps = if self.at & IS_SCALED == 0 {
            u128::from(self.size_high) << u64::BITS | u128::from(self.size)
        } else {
            Scaled::from_word(self.size).steps()
        };
        Step::from_words(self.at & !1 | u64::from(side.is_negative()), steps)
    }
}

impl ChangeLog {
    /// Adds a change; returns its place, or `None` if there is no room for its size. Its sign is left to its sides.
    #[inline]
    pub(super) fn add(&mut self, token: IdNumber, change: Change) -> Option<usize> {
        let logged = LoggedChange::new(token, change)?;
        let place = self.len;
        if place.is_multiple_of(REGION_CHANGES) {
            self.regions
                .push(large_pages::zeros(REGION_CHANGES * CHANGE_BYTES));
        }
        let (region, at) = position(place);
        let bytes = &mut self.regions[region][at..at + CHANGE_BYTES];
        *bytemuck::from_bytes_mut(bytes) = logged;
        self.len += 1;
        Some(place)
    }

    /// The change that a side is of.
    #[inline]
    pub(super) fn of(&self, side: Side) -> &LoggedChange {
        let (region, at) = position(side.place());
        bytemuck::from_bytes(&self.regions[region][at..at + CHANGE_BYTES])
    }

    /// Reads both ends of the changes of a few entries, which no cache holds and which may be in two lines of it: the
    /// processor waits for all of them at once, and not for each when it is needed.
    #[inline]
    pub(super) fn touch(&self, entries: &[Entry]) {
        let read = entries.iter().fold(0, |all, entry| {
            let change = self.of(entry.side());
            all ^ change.id[0] ^ u64::from(change.token)
        });
        std::hint::black_box(read);
    }
}

/// The region of a place, and its first byte there.
#[inline]
const fn position(place: usize) -> (usize, usize) {
    (
        place / REGION_CHANGES,
        place % REGION_CHANGES * CHANGE_BYTES,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::{Delta, Micros, Wad};

    proptest! {
        #[test]
        fn every_change_that_has_room_comes_back_on_either_side(
            id: [u64; 2],
            micros: u64,
            is_negative: bool,
            steps in prop_oneof![
                any::<u128>(),
                0..2_u128.pow(97),
                (0..2_u128.pow(65)).prop_map(|millionths| millionths * 10_u128.pow(12)),
            ],
        ) {
            let size = Wad::from_steps(steps);
            let change = |is_negative| Change {
                id: IdHash::from_words(id),
                at: Micros::MIN.after(micros),
                delta: Delta::new(size, is_negative),
            };
            let mut log = ChangeLog::default();
            let place = log.add(IdNumber(7), change(is_negative));
            let is_scaled = Scaled::new(steps).is_some();
            prop_assert_eq!(place.is_some(), steps < 1 << 96 || is_scaled);
            if let Some(place) = place {
                for change in [change(false), change(true)] {
                    let side = Side::new(place, change.delta.is_negative());
                    let logged = log.of(side);
                    prop_assert_eq!(logged.step(side).change(logged.id()), change);
                    prop_assert_eq!(logged.token(), IdNumber(7));
                }
            }
        }
    }

    #[test]
    fn a_log_of_several_regions_has_each_change_in_its_place() {
        let change = |number: usize| Change {
            id: IdHash::from_words([number as u64, 1]),
            at: Micros::MIN,
            delta: Delta::ZERO,
        };
        let mut log = ChangeLog::default();
        let numbers = 0..REGION_CHANGES * 2 + 1;
        for number in numbers.clone() {
            assert_eq!(log.add(IdNumber(0), change(number)), Some(number));
        }
        for number in numbers.step_by(997) {
            let side = Side::new(number, false);
            log.touch(&[Entry::new(0, side)]);
            assert_eq!(log.of(side).id(), change(number).id);
        }
    }
}
