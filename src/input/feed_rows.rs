//! The rows of a part of a file of a feed, in any format, one at a time.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::blocks::Block;
use super::chunk::ChunkContent;
use super::csv::RowSplitter;
use super::feeds::batch_row::{BatchFeedRow, FeedBatch, FeedColumns};
use super::feeds::csv_row::CsvFeedRow;
use super::feeds::json_row::JsonFeedRow;
use super::feeds::layout::FeedLayout;
use super::feeds::row::FeedRow;
use super::file_columns::FileColumns;
use super::json_document::JsonForm;
use super::json_records::rows;
use super::{Delimiter, InputError, RefusalReason, jsonl};

/// A part of a text file of a feed.
pub(super) enum FeedText {
    Json(Arc<FeedLayout>, JsonForm, Block),
    Csv(Arc<FeedLayout>, Delimiter, Block),
}

/// What takes a row with its line, or why the line is not one.
pub(super) type Take<'a, B> =
    &'a mut dyn FnMut(u64, &FeedLayout, Result<&dyn FeedRow, RefusalReason>) -> ControlFlow<B>;

impl FeedText {
    /// Where the file has what.
    #[cfg(feature = "py-embed")]
    pub(super) const fn layout(&self) -> &Arc<FeedLayout> {
        match self {
            Self::Json(layout, ..) | Self::Csv(layout, ..) => layout,
        }
    }

    /// The number of the first line.
    pub(super) const fn first_line(&self) -> u64 {
        match self {
            Self::Json(_, _, block) | Self::Csv(_, _, block) => block.first_line,
        }
    }

    /// Visits each row; blank lines are skipped.
    pub(super) fn visit<B>(&self, take: Take<'_, B>) -> ControlFlow<B> {
        match self {
            Self::Json(layout, form, block) => {
                for (line, bytes) in rows(*form, block) {
                    let row = jsonl::object_text(bytes).and_then(|text| {
                        JsonFeedRow::read(text, layout)
                            .map_err(|error| jsonl::not_json(text, &error))
                    });
                    match row {
                        Ok(row) => take(line, layout, Ok(&row))?,
                        Err(reason) => take(line, layout, Err(reason))?,
                    }
                }
                ControlFlow::Continue(())
            }
            Self::Csv(layout, delimiter, block) => {
                RowSplitter::default().rows(block, *delimiter, |row| {
                    let cells = row.cells.and_then(|cells| {
                        let expected = layout.width;
                        let found = cells.len();
                        if found == expected {
                            Ok(CsvFeedRow { layout, cells })
                        } else {
                            Err(RefusalReason::Cells { found, expected })
                        }
                    });
                    match cells {
                        Ok(cells) => take(row.line, layout, Ok(&cells)),
                        Err(reason) => take(row.line, layout, Err(reason)),
                    }
                })
            }
        }
    }
}

/// Visits each row of a batch.
pub(super) fn visit_feed_batch<B>(
    columns: &FeedColumns,
    first_row: u64,
    batch: &RecordBatch,
    take: Take<'_, B>,
) -> ControlFlow<B> {
    let rows = FeedBatch::new(columns, batch);
    for row in 0..batch.num_rows() {
        let found = BatchFeedRow { batch: &rows, row };
        take(first_row + row as u64, &columns.layout, Ok(&found))?;
    }
    ControlFlow::Continue(())
}

/// Visits each row of a part of a file that is read as a feed; a part of any other file has none.
pub(super) fn visit_feed_rows<B>(
    content: ChunkContent,
    mut take: impl FnMut(u64, &FeedLayout, Result<&dyn FeedRow, RefusalReason>) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, InputError> {
    let mut visit = |columns: &FileColumns, first_row: u64, batch: &RecordBatch| match columns {
        FileColumns::Feed(columns) => visit_feed_batch(columns, first_row, batch, &mut take),
        FileColumns::Fields(_) => ControlFlow::Continue(()),
    };
    match content {
        ChunkContent::Feed(text) => Ok(text.visit(&mut take)),
        ChunkContent::Parquet(slice) => slice.read(visit),
        ChunkContent::Batch {
            columns,
            first_row,
            batch,
        } => Ok(visit(&columns, first_row, &batch)),
        ChunkContent::Json(..) | ChunkContent::Csv(..) => Ok(ControlFlow::Continue(())),
    }
}
