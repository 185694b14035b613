//! `generate`: synthetic events into a file; what they are is in [`crate::workload::generate`].

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};

use super::exit::Exit;
use super::progress::CountingBar;
use crate::output::Destination;
use crate::workload::generate::{self, FileFormat, Options, Shape};

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
    /// The format of the file [default: by the extension of --output, else jsonl]
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Write to FILE, which is replaced when all of it is written; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Writes the events with a progress bar.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let format = arguments.format()?;
    let options = Options {
        shape: arguments.shape,
        seed: arguments.seed,
        events: arguments.events,
        holders: arguments.holders,
        tokens: arguments.tokens,
    };
    let bar = CountingBar::new(arguments.events);
    let written = Destination::file(&arguments.output).and_then(|mut out| {
        generate::write(&options, format, &mut out, |rows| bar.advance(rows))?;
        out.finish()
    });
    drop(bar);
    written.map_err(Exit::output(Some(&arguments.output)))
}

impl Arguments {
    fn format(&self) -> anyhow::Result<FileFormat> {
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
            Exit::usage(format!("--output {path}: unknown extension; add --format"))
        })?;
        if format == FileFormat::Parquet && is_stdout && io::stdout().is_terminal() {
            return Err(Exit::usage(
                "--format parquet: binary data cannot be shown on a terminal; add --output FILE",
            ));
        }
        Ok(format)
    }
}
