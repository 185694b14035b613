//! `generate`: synthetic events into a file; what they are is in [`crate::workload::generate`].

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, value_parser};

use super::compressor::{Compressor, is_compressed};
use super::exit::Exit;
use super::progress::CountingBar;
use crate::output::Destination;
use crate::workload::generate::{
    self, Choice, Codec, FileFormat, Forms, IdForm, Options, Shape, TimeForm, WeightForm,
};

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
    /// How holders are named, in shapes of holds and transfers [default: hex]
    #[arg(long, value_enum, value_name = "FORM")]
    ids: Option<IdForm>,
    /// Give each hold an id of its own in this form, in the shapes equal, mixed and nested
    #[arg(long, value_enum, value_name = "FORM")]
    event_ids: Option<IdForm>,
    /// Give each hold a weight of its own in this form, in the shapes equal and mixed
    #[arg(long, value_enum, value_name = "FORM")]
    weights: Option<WeightForm>,
    /// How times are written, in shapes of holds and transfers [default: number]
    #[arg(long, value_enum, value_name = "FORM")]
    times: Option<TimeForm>,
    /// The format of the file [default: by the extension of --output, else jsonl]
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// How Parquet is compressed [default: snappy]; JSONL and CSV are if the name ends in .gz or .zst
    #[arg(long, value_enum, value_name = "CODEC")]
    compression: Option<Codec>,
    /// Write to FILE, which is replaced when all of it is written; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Writes the events with a progress bar.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let format = arguments.format()?;
    let codec = arguments.codec(format)?;
    let options = Options {
        shape: arguments.shape,
        seed: arguments.seed,
        events: arguments.events,
        holders: arguments.holders,
        tokens: arguments.tokens,
        forms: arguments.forms()?,
    };
    let path = arguments.output.as_path();
    let bar = CountingBar::new(arguments.events);
    let written = Destination::file(path).and_then(|out| {
        let mut out = Compressor::new(path, out)?;
        generate::write(&options, (format, codec), &mut out, |rows| {
            bar.advance(rows);
        })?;
        out.finish()?.finish()
    });
    drop(bar);
    written.map_err(Exit::output(Some(path)))
}

impl Arguments {
    fn format(&self) -> anyhow::Result<FileFormat> {
        let is_stdout = self.output == Path::new("-");
        let name = if is_compressed(&self.output) {
            self.output.with_extension("")
        } else {
            self.output.clone()
        };
        let by_name = match name.extension().and_then(|extension| extension.to_str()) {
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

    fn codec(&self, format: FileFormat) -> anyhow::Result<Codec> {
        match (format, self.compression) {
            (FileFormat::Parquet, _) if is_compressed(&self.output) => {
                let path = self.output.display();
                Err(Exit::usage(format!(
                    "--output {path}: Parquet is compressed inside; end the name in .parquet and add --compression"
                )))
            }
            (FileFormat::Jsonl | FileFormat::Csv, Some(codec)) => Err(Exit::usage(format!(
                "--compression {}: only for Parquet; end the name of --output in .gz or .zst",
                word(&codec)
            ))),
            (_, codec) => Ok(codec.unwrap_or_default()),
        }
    }

    /// The forms, each of which the shape must leave open.
    fn forms(&self) -> anyhow::Result<Forms> {
        for (choice, name, given) in [
            (Choice::Ids, "ids", self.ids.as_ref().map(word)),
            (
                Choice::EventIds,
                "event-ids",
                self.event_ids.as_ref().map(word),
            ),
            (Choice::Weights, "weights", self.weights.as_ref().map(word)),
            (Choice::Times, "times", self.times.as_ref().map(word)),
        ] {
            if let Some(form) = given
                && !choice.is_open(self.shape)
            {
                let shape = word(&self.shape);
                return Err(Exit::usage(format!(
                    "--{name} {form}: files of --shape {shape} have {} of their own; leave it out, or choose \
                     --shape equal",
                    name.replace('-', " ")
                )));
            }
        }
        Ok(Forms {
            ids: self.ids.unwrap_or_default(),
            event_ids: self.event_ids,
            weights: self.weights,
            times: self.times.unwrap_or_default(),
        })
    }
}

/// The word of a choice.
fn word(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
