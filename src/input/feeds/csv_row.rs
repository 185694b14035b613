//! A row of CSV as the row of a feed.

use std::borrow::Cow;

use super::layout::FeedLayout;
use super::row::FeedRow;
use crate::input::csv::Cells;

/// The cells of one row.
pub(in crate::input) struct CsvFeedRow<'a> {
    pub(in crate::input) layout: &'a FeedLayout,
    pub(in crate::input) cells: Cells<'a>,
}

impl FeedRow for CsvFeedRow<'_> {
    fn text(&self, slot: usize) -> Option<Cow<'_, str>> {
        let text = self.cells.get(self.layout.positions[slot]);
        (!text.is_empty()).then_some(text)
    }
}
