//! Which rows of shared columns a batch has: all from one to another, or those that a filter has left.
//!
//! Numbers alone; the columns are in [`super::columns`].

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::ScalarBuffer;

/// The rows of the columns that belong to the batch, in ascending order.
#[derive(Clone)]
pub(super) enum Rows {
    Range(Range<usize>),
    Listed(Arc<[u32]>),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Listed(rows) => rows.len(),
        }
    }

    /// The row of the columns at this place of the batch.
    pub(super) fn at(&self, place: usize) -> usize {
        match self {
            Self::Range(range) => range.start + place,
            Self::Listed(rows) => rows[place] as usize,
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.len()).map(|place| self.at(place))
    }

    /// The rows at these places of the batch.
    pub(super) fn part(&self, places: Range<usize>) -> Self {
        match self {
            Self::Range(range) => Self::Range(range.start + places.start..range.start + places.end),
            Self::Listed(rows) => Self::Listed(rows[places].into()),
        }
    }

    /// The values of these rows; a range of them is not copied.
    pub(super) fn values(&self, column: &ScalarBuffer<i64>) -> ScalarBuffer<i64> {
        match self {
            Self::Range(range) => column.slice(range.start, range.len()),
            Self::Listed(rows) => rows.iter().map(|row| column[*row as usize]).collect(),
        }
    }
}
