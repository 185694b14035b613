//! All sources, rows as they stand, unchecked: for a second implementation that checks them itself.
//!
//! Checks only what is needed to find the rows (compression, format, header, column types). One thread,
//! in the order of files and lines. Rows of a known feed come as the values of the columns that it has.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::batch_rows::BatchRows;
pub(crate) use super::batch_rows::RawValues;
use super::blocks::Block;
use super::chunk::{Chunk, ChunkContent};
use super::chunks::for_each_chunk;
use super::csv::RowSplitter;
use super::feed_rows::{Take, visit_feed_batch};
use super::feeds::layout::FeedLayout;
use super::feeds::row::FeedRow;
use super::file_columns::FileColumns;
use super::json_records::rows;
pub(crate) use super::text_column::NotText;
use super::written::Written;
use super::{Delimiter, FileNote, InputError, InputOptions, Progress, Source};

/// Some rows of one file, each with its line or row number, from 1.
#[derive(Clone, Debug)]
pub(crate) enum RawBatch {
    /// Objects of JSON, one a line or as a document has them; blank lines are left out.
    JsonLines {
        /// The file's name.
        file: Arc<str>,
        /// The line on which each begins, and its bytes.
        lines: Vec<(u64, Vec<u8>)>,
    },
    /// Rows of CSV.
    CsvRows {
        /// The file's name.
        file: Arc<str>,
        /// The names of the columns.
        header: Vec<String>,
        /// Line numbers and cells, in any number, or why the row cannot be split.
        rows: Vec<(u64, Result<Vec<String>, String>)>,
    },
    /// Rows of columns.
    Values {
        /// The file's name.
        file: Arc<str>,
        /// Row numbers and values.
        rows: Vec<(u64, RawValues)>,
    },
    /// Rows of a known feed.
    Feed {
        /// The file's index in the set: a file that is given twice is read twice.
        file_index: usize,
        /// What the file is read as.
        file: FeedFile,
        /// Line or row numbers and the values that are there, by column, or why a row cannot be split.
        rows: Vec<(u64, Result<FeedValues, String>)>,
    },
}

/// The values of a row of a feed by their columns.
pub(crate) type FeedValues = Vec<(String, Written)>;

/// A file of a known feed.
#[derive(Clone, Debug)]
pub(crate) struct FeedFile(Arc<FeedLayout>);

impl FeedFile {
    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.file
    }

    /// The name of the feed.
    pub(crate) fn feed(&self) -> &'static str {
        self.0.feed()
    }

    /// The columns that are read; `None` if they may differ from row to row.
    pub(crate) fn columns(&self) -> Option<&[String]> {
        (self.0.width > 0).then_some(&self.0.columns)
    }

    /// Counts rows without events.
    pub(crate) fn leave_out(&self, rows: u64) {
        self.0.leave_out(rows);
    }

    /// The rows that `visit` visits.
    fn rows(
        &self,
        visit: impl FnOnce(Take<'_, Infallible>) -> ControlFlow<Infallible>,
    ) -> Vec<(u64, Result<FeedValues, String>)> {
        let mut rows = Vec::new();
        let _: ControlFlow<Infallible> = visit(&mut |number, _, row| {
            let values = row.map(|row| self.values(row));
            rows.push((number, values.map_err(|reason| reason.to_string())));
            ControlFlow::Continue(())
        });
        rows
    }

    fn values(&self, row: &dyn FeedRow) -> FeedValues {
        let columns = self.0.columns.iter().enumerate();
        columns
            .filter_map(|(slot, name)| Some((name.clone(), row.written(slot)?)))
            .collect()
    }
}

/// How reading ended, and what is to be said about the files.
pub(crate) struct RawRead<B> {
    /// The value with which `take` broke, if it did.
    pub end: ControlFlow<B>,
    /// The files of known feeds.
    pub notes: Vec<FileNote>,
}

/// Passes all rows of `sources` to `take`, in order; ends early if `take` breaks.
///
/// # Errors
/// If a source cannot be read to its end.
pub(crate) fn read<B>(
    sources: &[Source],
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    mut take: impl FnMut(RawBatch) -> ControlFlow<B>,
) -> Result<RawRead<B>, InputError> {
    let mut end = Ok(ControlFlow::Continue(()));
    let notes = for_each_chunk(sources, options, progress, |chunk| {
        end = pass_on(chunk, &mut take);
        match end {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })?;
    Ok(RawRead { end: end?, notes })
}

fn pass_on<B>(
    chunk: Chunk,
    take: &mut impl FnMut(RawBatch) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, InputError> {
    let (file, file_index) = (chunk.file, chunk.file_index);
    match chunk.content {
        ChunkContent::Json(records, block) => Ok(take(RawBatch::JsonLines {
            lines: rows(records.form, &block)
                .map(|(line, bytes)| (line, bytes.to_vec()))
                .collect(),
            file,
        })),
        ChunkContent::Csv(header, block) => Ok(take(RawBatch::CsvRows {
            rows: csv_rows(&block, header.delimiter),
            header: header.names.clone(),
            file,
        })),
        ChunkContent::Feed(text) => {
            let feed = FeedFile(Arc::clone(text.layout()));
            let rows = feed.rows(|take| text.visit(take));
            Ok(take(RawBatch::Feed {
                file_index,
                file: feed,
                rows,
            }))
        }
        ChunkContent::Parquet(slice) => slice.read(|columns, first_row, batch| {
            take(of_columns(&file, file_index, columns, (first_row, batch)))
        }),
        ChunkContent::Batch {
            columns,
            first_row,
            batch,
        } => Ok(take(of_columns(
            &file,
            file_index,
            &columns,
            (first_row, &batch),
        ))),
    }
}

/// The rows of a batch of columns; the first one has this number.
fn of_columns(
    file: &Arc<str>,
    file_index: usize,
    columns: &FileColumns,
    (first_row, batch): (u64, &RecordBatch),
) -> RawBatch {
    match columns {
        FileColumns::Fields(mapping) => {
            let rows = BatchRows::new(mapping, batch);
            RawBatch::Values {
                file: Arc::clone(file),
                rows: (first_row..)
                    .zip((0..rows.len()).map(|row| rows.values(row)))
                    .collect(),
            }
        }
        FileColumns::Feed(columns) => {
            let feed = FeedFile(Arc::clone(&columns.layout));
            let rows = feed.rows(|take| visit_feed_batch(columns, first_row, batch, take));
            RawBatch::Feed {
                file_index,
                file: feed,
                rows,
            }
        }
    }
}

fn csv_rows(block: &Block, delimiter: Delimiter) -> Vec<(u64, Result<Vec<String>, String>)> {
    let mut rows = Vec::new();
    let _: ControlFlow<()> = RowSplitter::default().rows(block, delimiter, |row| {
        let texts = row.cells.map(|cells| {
            let texts = (0..cells.len()).map(|cell| cells.get(cell).into_owned());
            texts.collect()
        });
        rows.push((row.line, texts.map_err(|reason| reason.to_string())));
        ControlFlow::Continue(())
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(name: &str, bytes: &[u8]) -> Vec<RawBatch> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut batches = Vec::new();
        let read = read(
            &[Source::Path(path)],
            &Arc::default(),
            &Arc::default(),
            |batch| -> ControlFlow<()> {
                batches.push(batch);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(read.unwrap().end, ControlFlow::Continue(()));
        batches
    }

    #[test]
    fn lines_of_json_are_passed_on_unchanged() {
        let batches = all("a.jsonl", b"{}\n \n\xff\r\n[\n");
        let [RawBatch::JsonLines { lines, file }] = &batches[..] else {
            panic!("one batch of lines: {batches:?}");
        };
        let expected = [(1, b"{}".to_vec()), (3, b"\xff\r".to_vec())];
        assert_eq!(lines[..2], expected);
        assert_eq!(lines[2], (4, b"[".to_vec()));
        assert!(file.ends_with("a.jsonl"));
    }

    #[test]
    fn rows_of_csv_are_split_and_unreadable_ones_have_no_cells() {
        let batches = all(
            "a.csv",
            b"token_id,holder_id,end\n\"a\nb\",,1\nx\n\xff,b,c\n",
        );
        let [RawBatch::CsvRows { header, rows, .. }] = &batches[..] else {
            panic!("one batch of rows: {batches:?}");
        };
        assert_eq!(header[..], ["token_id", "holder_id", "end"]);
        let row =
            |line, cells: &[&str]| (line, Ok(cells.iter().map(ToString::to_string).collect()));
        let unreadable = (5, Err("not CSV: not UTF-8 text".to_owned()));
        assert_eq!(
            rows[..],
            [row(2, &["a\nb", "", "1"]), row(4, &["x"]), unreadable]
        );
    }

    #[test]
    fn reading_ends_if_the_taker_breaks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let sources = [Source::Path(path.clone()), Source::Path(path)];
        let mut taken = 0;
        let end = read(&sources, &Arc::default(), &Arc::default(), |_| {
            taken += 1;
            ControlFlow::Break("enough")
        });
        assert_eq!(end.unwrap().end, ControlFlow::Break("enough"));
        assert_eq!(taken, 1);
    }
}
