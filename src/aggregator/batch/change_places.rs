//! Where the changes of a partition are, those of each key together, and the reading of them.
//!
//! Only places are gathered, because the changes of one holder may be a tenth of all. What moved is far apart in
//! memory, so it is read shortly before it is needed, many movements at a time.

use std::hint::black_box;
use std::ops::Range;

use super::balance::Change;
use super::lane::Lane;
use super::ledger::SignedPlace;

/// Movements that are read together: reads that do not wait for each other overlap.
const TOGETHER: usize = 64;

/// The place of a change among the lanes.
#[derive(Clone, Copy)]
struct ChangePlace {
    lane: u32,
    movement: SignedPlace,
}

/// The places of one partition after another.
#[derive(Default)]
pub(super) struct ChangePlaces {
    places: Vec<ChangePlace>,
    /// The places before this index have been read.
    touched: usize,
}

impl ChangePlaces {
    /// Makes room for so many changes.
    pub(super) fn reset(&mut self, count: usize) {
        let nowhere = ChangePlace {
            lane: 0,
            movement: SignedPlace::FIRST,
        };
        self.places.clear();
        self.places.resize(count, nowhere);
        self.touched = 0;
    }

    #[inline]
    pub(super) fn set(&mut self, index: usize, lane: u32, movement: SignedPlace) {
        self.places[index] = ChangePlace { lane, movement };
    }

    /// Calls `visit` with each change of a key; the keys come in the order of their ranges.
    #[inline]
    pub(super) fn read(
        &mut self,
        range: Range<usize>,
        lanes: &[Lane<'_>],
        mut visit: impl FnMut(Change),
    ) {
        for index in range {
            if index >= self.touched {
                self.touch(index, lanes);
            }
            let ChangePlace { lane, movement } = self.places[index];
            visit(lanes[lane as usize].change(movement));
        }
    }

    fn touch(&mut self, from: usize, lanes: &[Lane<'_>]) {
        self.touched = self.places.len().min(from + TOGETHER);
        let mut all = 0;
        for place in &self.places[from..self.touched] {
            all ^= lanes[place.lane as usize].touch(place.movement);
        }
        black_box(all);
    }
}
