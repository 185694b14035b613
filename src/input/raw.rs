//! The same sources, rows as they stand: for a second implementation that judges them itself.
//!
//! Checks only what no row can be had without (packing, format, header, column types). One thread,
//! in the order of files and lines.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::csv::RowSplitter;
use super::deal::{Job, Work, deal};
use super::rows::Rows;
use super::source::check_all;
use super::text::{Block, lines};
use super::{InputError, InputFormat, Progress, Source, jsonl};

/// Some rows of one file, each with its line or row number, from 1.
#[derive(Clone, Debug, PartialEq)]
pub enum RawBatch {
    /// Lines of JSON without their ends; blank ones are left out.
    JsonLines {
        /// The file's name.
        file: Arc<str>,
        /// Line numbers and bytes.
        lines: Vec<(u64, Vec<u8>)>,
    },
    /// Rows of CSV.
    CsvRows {
        /// The file's name.
        file: Arc<str>,
        /// The names of the columns.
        header: Vec<String>,
        /// Line numbers and cells, in any number; none where the row is no CSV or no UTF-8.
        rows: Vec<(u64, Vec<String>)>,
    },
    /// Rows of columns.
    Values {
        /// The file's name.
        file: Arc<str>,
        /// Row numbers and values.
        rows: Vec<(u64, RawValues)>,
    },
}

/// What a row of columns states; `None` is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawValues {
    /// Empty where the column holds bytes that are no UTF-8.
    pub token_id: Option<String>,
    /// Empty where the column holds bytes that are no UTF-8.
    pub holder_id: Option<String>,
    /// Microseconds since 1970, in range or not; what does not fit is saturated.
    pub start_us: Option<i64>,
    /// Microseconds since 1970, in range or not; what does not fit is saturated.
    pub end_us: Option<i64>,
    /// Decimal text: of a binary number the shortest that reads back.
    pub weight: Option<String>,
    /// Empty where the column holds bytes that are no UTF-8.
    pub event_id: Option<String>,
    /// Negative where it is out of range.
    pub revision: Option<i64>,
    /// As it stands.
    pub retract: Option<bool>,
}

/// Hands on all rows of `sources` in order; ends early where `take` breaks, and gives back its word.
///
/// # Errors
/// Where a source cannot be read to its end.
pub fn read<B>(
    sources: &[Source],
    format: InputFormat,
    progress: &Arc<Progress>,
    mut take: impl FnMut(RawBatch) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, InputError> {
    check_all(sources)?;
    progress.expect(sources.iter().map(Source::size).sum());
    let mut end = Ok(ControlFlow::Continue(()));
    deal(sources, format, progress, |job| {
        end = batches(job, &mut take);
        match end {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    })?;
    end
}

fn batches<B>(
    job: Job,
    take: &mut impl FnMut(RawBatch) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, InputError> {
    let file = job.file;
    let values = |rows: &Rows, first_row: u64| RawBatch::Values {
        file: Arc::clone(&file),
        rows: (first_row..)
            .zip((0..rows.len()).map(|row| rows.values(row)))
            .collect(),
    };
    match job.work {
        Work::Jsonl(block) => Ok(take(RawBatch::JsonLines {
            lines: json_lines(&block),
            file,
        })),
        Work::Csv(header, block) => Ok(take(RawBatch::CsvRows {
            rows: csv_rows(&block),
            header: header.names.clone(),
            file,
        })),
        Work::Parquet(slice) => slice
            .read(|layout, first_row, batch| take(values(&Rows::new(layout, batch), first_row))),
        Work::Batch {
            layout,
            first_row,
            batch,
        } => Ok(take(values(&Rows::new(&layout, &batch), first_row))),
    }
}

fn json_lines(block: &Block) -> Vec<(u64, Vec<u8>)> {
    lines(block)
        .filter(|(_, bytes)| !jsonl::is_blank(bytes))
        .map(|(line, bytes)| (line, bytes.to_vec()))
        .collect()
}

fn csv_rows(block: &Block) -> Vec<(u64, Vec<String>)> {
    let mut rows = Vec::new();
    let _: ControlFlow<()> = RowSplitter::default().rows(block, |row| {
        let cells = match row.cells {
            Ok(cells) => (0..cells.len())
                .map(|cell| cells.get(cell).into_owned())
                .collect(),
            Err(_) => Vec::new(),
        };
        rows.push((row.line, cells));
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
            InputFormat::Auto,
            &Arc::default(),
            |batch| -> ControlFlow<()> {
                batches.push(batch);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(read.unwrap(), ControlFlow::Continue(()));
        batches
    }

    #[test]
    fn lines_of_json_are_handed_on_as_they_stand() {
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
    fn rows_of_csv_are_split_and_those_that_cannot_be_have_no_cells() {
        let batches = all(
            "a.csv",
            b"token_id,holder_id,end\n\"a\nb\",,1\nx\n\xff,b,c\n",
        );
        let [RawBatch::CsvRows { header, rows, .. }] = &batches[..] else {
            panic!("one batch of rows: {batches:?}");
        };
        assert_eq!(header[..], ["token_id", "holder_id", "end"]);
        let row = |line, cells: &[&str]| (line, cells.iter().map(ToString::to_string).collect());
        assert_eq!(
            rows[..],
            [row(2, &["a\nb", "", "1"]), row(4, &["x"]), row(5, &[])]
        );
    }

    #[test]
    fn reading_ends_where_the_taker_has_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let sources = [Source::Path(path.clone()), Source::Path(path)];
        let mut taken = 0;
        let end = read(&sources, InputFormat::Auto, &Arc::default(), |_| {
            taken += 1;
            ControlFlow::Break("enough")
        });
        assert_eq!(end.unwrap(), ControlFlow::Break("enough"));
        assert_eq!(taken, 1);
    }
}
