//! Seeded synthetic events, to try, to test and to measure with.
//!
//! Row `i` of a file is a pure function of the options and of `i`, so any number of rows is made
//! on all cores in little memory, and one seed gives one file. Read [`generator`] (what the events
//! are), [`permutation`] (their order), [`text`] and [`columns`] (how they are written).

mod columns;
mod generator;
mod permutation;
mod text;

use std::io::{self, BufWriter, Write};
use std::ops::Range;

use rayon::prelude::*;

pub(crate) use self::generator::{Generator, Shape, SyntheticEvent};

/// Rows that one core makes at a time.
const CHUNK_ROWS: u64 = 1 << 16;

/// The format of a generated file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// One JSON object per line.
    Jsonl,
    /// A header line, then one event per row.
    Csv,
    /// Timestamps in microseconds, weights as doubles, row groups of a million.
    Parquet,
}

/// Writes all events of `generator` to `out`, in order; `advance` is called with the number of rows
/// after each chunk.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write(
    generator: &Generator,
    format: FileFormat,
    out: &mut (impl Write + Send),
    advance: impl Fn(u64),
) -> io::Result<()> {
    match format {
        FileFormat::Jsonl => write_text(generator, text::json_line, b"", out, advance),
        FileFormat::Csv => {
            let header = text::csv_header(generator);
            write_text(generator, text::csv_row, header.as_bytes(), out, advance)
        }
        FileFormat::Parquet => write_parquet(generator, out, advance),
    }
}

/// Ranges of rows, in rounds of one range per core.
fn rounds(events: u64) -> impl Iterator<Item = Vec<Range<u64>>> {
    let chunks: u64 = rayon::current_num_threads().try_into().unwrap_or(1);
    let step = CHUNK_ROWS * chunks;
    (0..events.div_ceil(step)).map(move |round| {
        let starts = (0..chunks).map(|chunk| round * step + chunk * CHUNK_ROWS);
        let ranges = starts.map(|start| start.min(events)..(start + CHUNK_ROWS).min(events));
        ranges.filter(|range| !range.is_empty()).collect()
    })
}

fn write_text(
    generator: &Generator,
    row: fn(&Generator, &SyntheticEvent, &mut Vec<u8>),
    header: &[u8],
    out: &mut impl Write,
    advance: impl Fn(u64),
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    out.write_all(header)?;
    for round in rounds(generator.events()) {
        let texts = round.into_par_iter().map(|range| {
            let mut text = Vec::new();
            let rows = range.end - range.start;
            range.for_each(|index| row(generator, &generator.event(index), &mut text));
            (text, rows)
        });
        for (text, rows) in texts.collect::<Vec<_>>() {
            out.write_all(&text)?;
            advance(rows);
        }
    }
    out.flush()
}

fn write_parquet(
    generator: &Generator,
    out: &mut (impl Write + Send),
    advance: impl Fn(u64),
) -> io::Result<()> {
    let mut writer = columns::writer(generator, out)?;
    for round in rounds(generator.events()) {
        let batches = round
            .into_par_iter()
            .map(|range| columns::batch(generator, range));
        for batch in batches.collect::<Vec<_>>() {
            writer.write(&batch)?;
            advance(batch.num_rows() as u64);
        }
    }
    writer.close()?;
    Ok(())
}
