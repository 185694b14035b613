//! `generate`: seeded synthetic hold events, to try, to test and to measure with.
//!
//! Row `i` of a file is a pure function of the arguments and of `i`, so any number of rows is made
//! on all cores in little memory, and one seed gives one file. Read [`shapes`] (what the events
//! are), [`permutation`] (in which order), [`text`] and [`columns`] (how they are written).

mod columns;
mod permutation;
mod shapes;
mod text;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::value_parser;
use rayon::prelude::*;

use self::shapes::{Shape, Synthetic, Workload};
use super::failure::Failure;
use super::progress::CountingBar;
use crate::output::Destination;

/// Rows that one core makes at a time.
const CHUNK_ROWS: u64 = 1 << 16;

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FileFormat {
    /// One JSON object a line
    Jsonl,
    /// A header line, then one event a row
    Csv,
    /// Timestamps in microseconds, weights as doubles, row groups of a million
    Parquet,
}

/// The arguments of `generate`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Events to write
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u64).range(..=1 << 40))]
    events: u64,
    /// Holders to draw from; few of them hold most (Zipf)
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u64).range(1..=1 << 40))]
    holders: u64,
    /// Tokens to draw from, each as often as the next
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u64).range(1..=1 << 40))]
    tokens: u64,
    /// The same seed and arguments give the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// What the events look like
    #[arg(long, value_enum, default_value_t)]
    shape: Shape,
    /// The form of the file [default: by the extension of --output, else jsonl]
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Write to FILE, which is replaced when all of it is written; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Makes the events chunk by chunk and writes them in order.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let format = arguments.format()?;
    let workload = Workload::new(
        arguments.shape,
        arguments.seed,
        arguments.events,
        arguments.holders,
        arguments.tokens,
    );
    let bar = CountingBar::new(arguments.events);
    let written = Destination::file(&arguments.output).and_then(|mut out| {
        match format {
            FileFormat::Jsonl => write_text(&workload, text::json_line, b"", &bar, &mut out),
            FileFormat::Csv => {
                let header = text::csv_header(&workload);
                write_text(&workload, text::csv_row, header.as_bytes(), &bar, &mut out)
            }
            FileFormat::Parquet => write_parquet(&workload, &bar, &mut out),
        }?;
        out.finish()
    });
    drop(bar);
    written.map_err(Failure::output(Some(&arguments.output)))
}

impl Arguments {
    fn format(&self) -> Result<FileFormat, Failure> {
        let is_stdout = self.output == Path::new("-");
        let by_name = match self
            .output
            .extension()
            .and_then(|extension| extension.to_str())
        {
            Some("jsonl" | "ndjson" | "json") => Some(FileFormat::Jsonl),
            Some("csv") => Some(FileFormat::Csv),
            Some("parquet") => Some(FileFormat::Parquet),
            _ if is_stdout => Some(FileFormat::Jsonl),
            _ => None,
        };
        let format = self.format.or(by_name).ok_or_else(|| {
            let path = self.output.display();
            Failure::Usage(format!("--output {path}: unknown extension; add --format"))
        })?;
        if format == FileFormat::Parquet && is_stdout && io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "--format parquet: a terminal shows no Parquet; add --output FILE".into(),
            ));
        }
        Ok(format)
    }
}

/// Ranges of rows, so many at once that all cores have one.
fn rounds(events: u64) -> impl Iterator<Item = Vec<std::ops::Range<u64>>> {
    let chunks: u64 = rayon::current_num_threads().try_into().unwrap_or(1);
    let step = CHUNK_ROWS * chunks;
    (0..events.div_ceil(step)).map(move |round| {
        let starts = (0..chunks).map(|chunk| round * step + chunk * CHUNK_ROWS);
        let ranges = starts.map(|start| start.min(events)..(start + CHUNK_ROWS).min(events));
        ranges.filter(|range| !range.is_empty()).collect()
    })
}

fn write_text(
    workload: &Workload,
    row: fn(&Workload, &Synthetic, &mut Vec<u8>),
    header: &[u8],
    bar: &CountingBar,
    out: &mut Destination,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    out.write_all(header)?;
    for round in rounds(workload.events()) {
        let texts = round.into_par_iter().map(|range| {
            let mut text = Vec::new();
            let rows = range.end - range.start;
            range.for_each(|index| row(workload, &workload.event(index), &mut text));
            (text, rows)
        });
        for (text, rows) in texts.collect::<Vec<_>>() {
            out.write_all(&text)?;
            bar.advance(rows);
        }
    }
    out.flush()
}

fn write_parquet(workload: &Workload, bar: &CountingBar, out: &mut Destination) -> io::Result<()> {
    let mut writer = columns::writer(workload, out)?;
    for round in rounds(workload.events()) {
        let batches = round
            .into_par_iter()
            .map(|range| columns::batch(workload, range));
        for batch in batches.collect::<Vec<_>>() {
            writer.write(&batch)?;
            bar.advance(batch.num_rows() as u64);
        }
    }
    writer.close()?;
    Ok(())
}
