//! `send`: files of hold events to a server, resumable, with a list of refused lines.
//!
//! `reader` makes batches on a thread of its own, `delivery` keeps them until they are acknowledged
//! and tries again if the server is away, `calls` are the streams to the server, `ledger` counts and records what is
//! done, `checkpoint` is the file of `--resume`.

mod calls;
mod checkpoint;
mod delivery;
mod distinct_files;
mod ledger;
mod reader;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};
use tokio::sync::mpsc;

use self::delivery::Delivery;
use self::ledger::{End, Ledger, OtherStore};
use self::reader::Reader;
use super::exit::Exit;
use super::input::{InputArguments, report_ignored, say_notes};
use super::progress::ReadingBar;
use super::target::{TargetArguments, runtime};
use crate::client::{ClientError, Target};
use crate::input::{InputOptions, Progress, Source, UnfinishedRow};

/// Batches that are read before they can be sent.
const READ_AHEAD: usize = 4;

/// The arguments of `send`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// JSONL, CSV, Parquet or Arrow IPC, plain, .gz or .zst; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    target: TargetArguments,
    /// Record in FILE what is acknowledged, and continue from there; a last row without a line break is left to a
    /// later run
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// List the refused lines in FILE, which ends in .jsonl; without this, refused lines fail the run
    /// at its end
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Events per batch, two for a transfer; a server lists at most 1024 refusals of one
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u64).range(1..=1_024))]
    batch: u64,
    /// Give up after this many seconds without an answer from the server
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = value_parser!(u64).range(1..=86_400))]
    patience: u64,
}

/// Sends everything, then prints a summary.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = arguments.target.target()?;
    let sources: Vec<_> = arguments.files.iter().cloned().map(Source::from).collect();
    let (ledger, delivered) = send(arguments, &target, &sources)?;
    match delivered {
        Err(error) if error.is::<OtherStore>() => {
            eprintln!("{error}: sending all files from their beginning");
            ledger.forget()?;
        }
        Ok(()) | Err(_) => return delivered,
    }
    let (_, delivered) = send(arguments, &target, &sources)?;
    // Once only: two servers that answer in turn would be sent everything without end.
    delivered.map_err(|error| {
        if error.is::<OtherStore>() {
            error.context(format!(
                "--server: {} has changed its store again: name the address of one server, or run it again",
                target.url
            ))
        } else {
            error
        }
    })
}

/// Sends everything once. An [`OtherStore`] comes without a summary: what was done by another store does not count.
fn send(
    arguments: &Arguments,
    target: &Target,
    sources: &[Source],
) -> anyhow::Result<(Ledger, anyhow::Result<()>)> {
    let (mut ledger, beginning) = Ledger::open(
        arguments.resume.as_deref(),
        arguments.rejects.as_deref(),
        sources,
    )?;
    for file in &beginning.changed {
        eprintln!("{file} has changed since it was sent: sending it from its beginning");
    }
    let progress = Arc::new(Progress::default());
    let bar = ReadingBar::watch(&progress, "waiting for the server");
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let reader = Reader {
        sources: sources.to_vec(),
        input: Arc::new(InputOptions {
            leaves_unfinished: arguments.resume.is_some(),
            ..arguments.input.options()?
        }),
        progress: Arc::clone(&progress),
        rows_max: usize::try_from(arguments.batch).expect("at most 1,024"),
        skipped: beginning.skipped,
    };
    let reader = std::thread::spawn(move || reader.run(&sender));
    let runtime = runtime()?;
    let mut delivery = Delivery::new(
        target.clone(),
        receiver,
        &mut ledger,
        Duration::from_secs(arguments.patience),
    );
    let delivered = runtime.block_on(delivery.run());
    // This drops the receiver, which ends the reader; one that waits for standard input ends with the
    // process.
    drop(delivery);
    if matches!(&delivered, Err(error) if error.is::<OtherStore>()) {
        return Ok((ledger, delivered));
    }
    let read = match &delivered {
        Ok(()) => reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => Ok(Vec::new()),
    };
    drop(bar);
    let read = read.map(|notes| say_notes(&notes));
    report_ignored(&progress.ignored_columns());
    for UnfinishedRow { file, line } in progress.unfinished_rows() {
        eprintln!(
            "{file}:{line}: not sent: no line break ends the file, so this row may be unfinished; the next run \
             sends it once there is one, or send the file without --resume"
        );
    }
    let saved = ledger.save();
    let end = match (&delivered, &read) {
        (Ok(()), Ok(())) => End::Complete,
        (Err(error), _) if may_pass_later(error) => End::Broken,
        (Ok(()) | Err(_), _) => End::Failed,
    };
    eprintln!("{}", ledger.summary(end, saved.is_ok()));
    // In the order in which they happened, so that the first error is the cause.
    let verdict = delivered.and(read.map_err(Into::into)).and(saved);
    let verdict = verdict.and_then(|()| ledger.verdict());
    Ok((ledger, verdict))
}

/// Whether the same run may succeed at another time.
fn may_pass_later(error: &anyhow::Error) -> bool {
    let call = error.downcast_ref().and_then(ClientError::retry);
    call.is_some() || matches!(error.downcast_ref(), Some(Exit::Interrupted))
}
