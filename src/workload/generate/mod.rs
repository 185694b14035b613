//! Seeded synthetic events, to try, to test and to measure with.
//!
//! Row `i` of a file is a pure function of the options and of `i`, so any number of rows is made on all cores in
//! little memory, and one seed gives one file. Read [`holds`], [`transfers`] and [`exports`] (what the rows are),
//! [`draws`] and [`permutation`] (what all draw from), [`forms`] (of ids and times), [`weights`], then [`hold_text`],
//! [`hold_columns`] and [`transfer_rows`] (how they are written).

mod draws;
mod exports;
mod forms;
mod hold_columns;
mod hold_text;
mod holds;
mod permutation;
mod transfer_rows;
mod transfers;
mod weights;

use std::io::{self, BufWriter, Write};
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;

pub(crate) use self::exports::Export;
use self::exports::Exports;
pub(crate) use self::forms::{Choice, Forms, IdForm, TimeForm};
pub(crate) use self::holds::HoldShape;
use self::holds::Holds;
use self::transfers::Transfers;
pub(crate) use self::weights::WeightForm;

/// Rows that one core makes at a time.
const CHUNK_ROWS: u64 = 1 << 16;
const ROW_GROUP_ROWS: usize = 1_000_000;

/// What the events look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Holds and marks.
    Holds(HoldShape),
    /// Transfers of fungible tokens, as chains list them.
    Transfers,
    /// A file with the columns of a known export.
    Export(Export),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Holds(HoldShape::Equal)
    }
}

/// What is in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) shape: Shape,
    pub(crate) seed: u64,
    /// Events to write.
    pub(crate) events: u64,
    /// Holders to draw from, at least 1.
    pub(crate) holders: u64,
    /// Tokens to draw from, at least 1.
    pub(crate) tokens: u64,
    pub(crate) forms: Forms,
}

/// The format of a generated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// One JSON object per line.
    Jsonl,
    /// A header line, then one event per row.
    Csv,
    /// Timestamps in microseconds, weights as doubles, amounts as text, row groups of a million.
    Parquet,
}

/// How the pages of a Parquet file are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    #[default]
    Snappy,
    Gzip,
    Zstd,
}

/// Writes all events of `options` to `out`, in order; `advance` is called with the number of rows
/// after each chunk. The codec is for Parquet alone.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write(
    options: &Options,
    format: (FileFormat, Codec),
    out: &mut (impl Write + Send),
    advance: impl Fn(u64),
) -> io::Result<()> {
    match options.shape {
        Shape::Holds(shape) => write_rows(&Holds::new(shape, options), format, out, advance),
        Shape::Transfers => write_rows(&Transfers::new(options), format, out, advance),
        Shape::Export(export) => write_rows(&Exports::new(export, options), format, out, advance),
    }
}

/// The rows of one file, and how each is written.
trait Rows: Sync {
    fn count(&self) -> u64;
    fn csv_header(&self) -> String;
    fn csv_row(&self, row: u64, out: &mut Vec<u8>);
    fn json_line(&self, row: u64, out: &mut Vec<u8>);
    fn schema(&self) -> SchemaRef;
    fn batch(&self, rows: Range<u64>) -> RecordBatch;
}

impl Rows for Holds {
    fn count(&self) -> u64 {
        self.events()
    }

    fn csv_header(&self) -> String {
        hold_text::csv_header(self)
    }

    fn csv_row(&self, row: u64, out: &mut Vec<u8>) {
        hold_text::csv_row(self, &self.event(row), out);
    }

    fn json_line(&self, row: u64, out: &mut Vec<u8>) {
        hold_text::json_line(self, &self.event(row), out);
    }

    fn schema(&self) -> SchemaRef {
        hold_columns::schema(self)
    }

    fn batch(&self, rows: Range<u64>) -> RecordBatch {
        hold_columns::batch(self, rows)
    }
}

impl Rows for Transfers {
    fn count(&self) -> u64 {
        self.events()
    }

    fn csv_header(&self) -> String {
        transfer_rows::CSV_HEADER.to_owned()
    }

    fn csv_row(&self, row: u64, out: &mut Vec<u8>) {
        transfer_rows::csv_row(self, &self.transfer(row), out);
    }

    fn json_line(&self, row: u64, out: &mut Vec<u8>) {
        transfer_rows::json_line(self, &self.transfer(row), out);
    }

    fn schema(&self) -> SchemaRef {
        transfer_rows::schema(self)
    }

    fn batch(&self, rows: Range<u64>) -> RecordBatch {
        transfer_rows::batch(self, rows)
    }
}

fn write_rows<R: Rows>(
    rows: &R,
    (format, codec): (FileFormat, Codec),
    out: &mut (impl Write + Send),
    advance: impl Fn(u64),
) -> io::Result<()> {
    match format {
        FileFormat::Jsonl => write_text(rows, R::json_line, "", out, advance),
        FileFormat::Csv => write_text(rows, R::csv_row, &rows.csv_header(), out, advance),
        FileFormat::Parquet => write_parquet(rows, codec, out, advance),
    }
}

/// Ranges of rows, in rounds of one range per core.
fn rounds(count: u64) -> impl Iterator<Item = Vec<Range<u64>>> {
    let chunks: u64 = rayon::current_num_threads().try_into().unwrap_or(1);
    let step = CHUNK_ROWS * chunks;
    (0..count.div_ceil(step)).map(move |round| {
        let starts = (0..chunks).map(|chunk| round * step + chunk * CHUNK_ROWS);
        let ranges = starts.map(|start| start.min(count)..(start + CHUNK_ROWS).min(count));
        ranges.filter(|range| !range.is_empty()).collect()
    })
}

fn write_text<R: Rows>(
    rows: &R,
    write_row: fn(&R, u64, &mut Vec<u8>),
    header: &str,
    out: &mut impl Write,
    advance: impl Fn(u64),
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    out.write_all(header.as_bytes())?;
    for round in rounds(rows.count()) {
        let texts = round.into_par_iter().map(|range| {
            let mut text = Vec::new();
            let count = range.end - range.start;
            range.for_each(|row| write_row(rows, row, &mut text));
            (text, count)
        });
        for (text, count) in texts.collect::<Vec<_>>() {
            out.write_all(&text)?;
            advance(count);
        }
    }
    out.flush()
}

fn write_parquet(
    rows: &impl Rows,
    codec: Codec,
    out: &mut (impl Write + Send),
    advance: impl Fn(u64),
) -> io::Result<()> {
    let compression = match codec {
        Codec::None => Compression::UNCOMPRESSED,
        Codec::Snappy => Compression::SNAPPY,
        Codec::Gzip => Compression::GZIP(GzipLevel::default()),
        Codec::Zstd => Compression::ZSTD(ZstdLevel::default()),
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(out, rows.schema(), Some(properties))?;
    for round in rounds(rows.count()) {
        let batches = round.into_par_iter().map(|range| rows.batch(range));
        for batch in batches.collect::<Vec<_>>() {
            writer.write(&batch)?;
            advance(batch.num_rows() as u64);
        }
    }
    writer.close()?;
    Ok(())
}
