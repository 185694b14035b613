//! `convert`: files of any readable form into one file with our own columns, whose score is the same.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::exit::Exit;
use super::input::{InputArguments, report_ignored, say_notes};
use super::progress::ReadingBar;
use crate::input::{OnError, Progress, Source, read_in_order};
use crate::output::{Destination, EventFormat, EventRows, RefusedLine};

/// The arguments of `convert`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// JSONL, CSV, Parquet or Arrow IPC, plain, .gz or .zst; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    input: InputArguments,
    /// Write to FILE, which is replaced once the output is complete; - is standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Format of the output [default: by the extension of --output, which is .jsonl, .csv or
    /// .parquet]
    #[arg(long, value_enum)]
    format: Option<EventFormat>,
    /// What to do at a refused line
    #[arg(long, value_enum, default_value_t)]
    on_error: OnError,
}

/// Why the reading ended before its end.
enum Stop {
    Refused(RefusedLine),
    Output(io::Error),
}

/// Reads and writes row by row, in the order of files and lines.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let format = arguments.format()?;
    let sources: Vec<_> = arguments.files.iter().cloned().map(Source::from).collect();
    let options = Arc::new(arguments.input.options()?);
    let path = arguments.output.as_path();
    let not_written = || Exit::output(Some(path));
    let out = Destination::file(path).map_err(not_written())?;
    let mut rows = EventRows::new(format, out).map_err(not_written())?;
    let progress = Arc::new(Progress::default());
    let bar = ReadingBar::watch(&progress, "writing");
    let (mut written, mut refused) = (0_u64, 0_u64);
    let mut stop = None;
    let notes = read_in_order(&sources, &options, &progress, |row| {
        let end = match row.events {
            Ok(events) => {
                written += 1;
                rows.write(events).err().map(Stop::Output)
            }
            Err(_) if arguments.on_error == OnError::Skip => {
                refused += 1;
                None
            }
            Err(reason) => Some(Stop::Refused(RefusedLine {
                file: sources[row.file_index].name(),
                line: row.line,
                reason: reason.to_string(),
            })),
        };
        stop = end;
        if stop.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(bar);
    let notes = notes?;
    match stop {
        Some(Stop::Refused(line)) => return Err(Exit::Refused(line).into()),
        Some(Stop::Output(error)) => return Err(not_written()(error)),
        None => {}
    }
    let finished = rows.finish().and_then(Destination::finish);
    finished.map_err(not_written())?;
    say_notes(&notes);
    report_ignored(&progress.ignored_columns());
    eprintln!("{written} rows written, {refused} refused");
    Ok(())
}

impl Arguments {
    fn format(&self) -> anyhow::Result<EventFormat> {
        let is_stdout = self.output == Path::new("-");
        let by_name = EventFormat::from_name(&self.output);
        let by_name = by_name.or(is_stdout.then_some(EventFormat::Jsonl));
        let format = self.format.or(by_name).ok_or_else(|| {
            let path = self.output.display();
            Exit::usage(format!(
                "--output {path}: end the name in .jsonl, .csv or .parquet, or say --format"
            ))
        })?;
        if format == EventFormat::Parquet && is_stdout && io::stdout().is_terminal() {
            return Err(Exit::usage(
                "--format parquet: binary data cannot be shown on a terminal; add --output FILE",
            ));
        }
        Ok(format)
    }
}
