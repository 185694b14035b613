//! `score`: computes a leaderboard from files of hold events.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::Args;

use super::exit::Exit;
use super::input::{InputArguments, report_ignored};
use super::policy::PolicyArguments;
use super::progress::ReadingBar;
use super::scorer::{ScoreRequest, Scored};
use super::scoring::ScoringArguments;
use super::window::WindowArguments;
use crate::input::{Progress, ReadOptions, Source};
use crate::output::{
    Comparison, Destination, ListFormat, OutputFormat, RefusedLine, ScoreReport, Warning,
    WarningCode, moves_between, warnings, write_comparison, write_scores,
};

/// The arguments of `score`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// JSONL, CSV, Parquet or Arrow IPC, plain, .gz or .zst; - is standard input; several files
    /// count as one
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    window: WindowArguments,
    /// List the first N holders only
    #[arg(long, visible_alias = "top", value_name = "N")]
    limit: Option<usize>,
    /// Format of the scores [default: by the extension of --output, which is .csv, .json or
    /// .parquet, else table]
    #[arg(long, value_enum)]
    format: Option<OutputFormat>,
    /// Write to FILE, which is replaced once the output is complete; - is standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    scoring: ScoringArguments,
    #[command(flatten)]
    policies: PolicyArguments,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Reads and scores everything before it writes anything.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let lists = arguments.scoring.lists()?;
    let format = arguments.format()?;
    let policies = arguments.policies.choices()?;
    let compares = arguments.policies.compares();
    let sources: Vec<_> = arguments.files.iter().cloned().map(Source::from).collect();
    let (window, is_as_of_now) = arguments.window.window()?;
    let mapping = arguments.input.table()?;
    let options = ReadOptions {
        input: Arc::new(arguments.input.options_of(mapping.clone())?),
        on_error: arguments.scoring.on_error,
        threads: arguments.threads.unwrap_or_else(cores),
        progress: Arc::new(Progress::default()),
    };
    let bar = ReadingBar::watch(&options.progress, "scoring");
    let scored = arguments.scoring.engine.run(&ScoreRequest {
        sources: &sources,
        options: &options,
        mapping: &mapping,
        window,
        // A holder that moves may stand anywhere.
        top: arguments.limit.filter(|_| !compares),
        lists_deficits: lists.has_deficits(),
        policies: &policies,
    });
    drop(bar);
    let scored = scored?;
    lists.write(&scored.refused, &scored.deficits)?;
    report_ignored(&scored.ignored_columns);
    if scored.accepted == 0 {
        return Err(arguments.no_event(&scored));
    }
    let Scored { published, .. } = &scored;
    let last = published.last().expect("there is at least one leaderboard");
    let mut report = ScoreReport {
        window,
        is_as_of_now,
        read: scored.read,
        accepted: scored.accepted,
        refused: &scored.refused,
        recognised: &scored.recognised,
        ignored_columns: &scored.ignored_columns,
        warnings: &[],
        leaderboard: &*last.leaderboard,
        lists_deficits: lists.has_deficits(),
        policy: last.policy.as_ref(),
    };
    let unit = options.input.values.times.unit;
    let found = warnings(&scored.findings, unit, report.missing_input(), window.as_of);
    // The last line of a table is the sentence about deficits.
    let is_shown =
        |warning: &Warning| !(warning.is(WarningCode::Deficits) && format == OutputFormat::Table);
    arguments.scoring.report_warnings(&found, is_shown)?;
    report.warnings = &found;
    if !compares {
        return arguments.write(&report, format, |out| {
            write_scores(&report, format, arguments.has_colours(), out)
        });
    }
    let (mut moves, holders) = moves_between(&*published[0].leaderboard, &*last.leaderboard);
    let count = moves.len();
    moves.truncate(arguments.limit.unwrap_or(count));
    let comparison = Comparison {
        report,
        before: published[0].policy.as_ref(),
        moves,
        moved: count,
        holders,
    };
    arguments.write(&report, format, |out| {
        write_comparison(&comparison, format, out)
    })
}

impl Arguments {
    /// The error of files without an accepted event: an empty leaderboard would look like an answer.
    fn no_event(&self, scored: &Scored) -> anyhow::Error {
        let files = match &*self.files {
            [file] => file.display().to_string(),
            files => format!("{} files", files.len()),
        };
        let reason = match scored.refused.first() {
            None => "no event in it; name a file that has rows".to_owned(),
            Some(RefusedLine { line, reason, .. }) => format!(
                "none of {} lines is an event, the first refused is line {line}: {reason}",
                scored.read
            ),
        };
        Exit::usage(format!("{files}: {reason} ({})", WarningCode::NoEvent))
    }

    /// The format in which the scores are written.
    fn format(&self) -> anyhow::Result<OutputFormat> {
        let path = self.output.as_deref();
        if self.format.is_none()
            && let Some(path) = path.filter(|path| ListFormat::from_name(path).is_some())
            && OutputFormat::from_name(path).is_none()
        {
            // A table in a file of this name would surprise every program that reads it.
            return Err(Exit::usage(format!(
                "--output {}: scores are not written as JSONL; end the name in .json, .csv or .parquet, \
                 or say --format",
                path.display()
            )));
        }
        let by_name = || path.and_then(OutputFormat::from_name);
        let format = self.format.or_else(by_name).unwrap_or_default();
        if format == OutputFormat::Parquet && self.policies.compares() {
            return Err(Exit::usage(
                "--compare-policy: not written as Parquet; use --format json, csv or table",
            ));
        }
        if format == OutputFormat::Parquet && self.is_on_terminal() {
            return Err(Exit::usage(
                "--format parquet: binary data cannot be shown on a terminal; add --output FILE",
            ));
        }
        Ok(format)
    }

    fn is_on_terminal(&self) -> bool {
        self.output.is_none() && io::stdout().is_terminal()
    }

    fn has_colours(&self) -> bool {
        self.is_on_terminal() && std::env::var_os("NO_COLOR").is_none()
    }

    fn write(
        &self,
        report: &ScoreReport<'_>,
        format: OutputFormat,
        write: impl FnOnce(&mut Destination) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let path = self.output.as_deref();
        let written = path.map_or_else(|| Ok(Destination::stdout()), Destination::file);
        let written = written.and_then(|mut out| {
            write(&mut out)?;
            out.finish()
        });
        written.map_err(Exit::output(path))?;
        // CSV and Parquet have no field for it that every reader shows.
        if matches!(format, OutputFormat::Csv | OutputFormat::Parquet) && report.is_as_of_now {
            eprintln!("as of {} (now)", report.window.as_of);
        }
        Ok(())
    }
}

/// One thread per core.
pub(super) fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
