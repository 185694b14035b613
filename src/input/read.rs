//! All sources into sinks, on several threads.
//!
//! The calling thread deals pieces in order, workers read them. Where refusals end the run, the one
//! that is reported is the first in the order of files and lines, whichever thread met which first:
//! every piece dealt before a failure is read before the failure is reported.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::deal::{Job, deal};
use super::intake::{Failure, Intake};
use super::source::check_all;
use super::{InputError, InputFormat, OnError, Progress, Rejected, Source};
use crate::core::EventSink;

/// How a set is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The form of every source.
    pub format: InputFormat,
    /// What a refused line does.
    pub on_error: OnError,
    /// Threads that parse.
    pub threads: NonZeroUsize,
    /// Told of every byte that is read.
    pub progress: Arc<Progress>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines or rows, blank lines left aside.
    pub read: u64,
    /// Of these, events that a sink has taken.
    pub accepted: u64,
    /// The others, in the order of files and lines.
    pub rejected: Vec<Rejected>,
}

/// The filled sinks and the report.
#[derive(Debug)]
pub struct Harvest<S> {
    /// One for each thread, in no order that means anything.
    pub sinks: Vec<S>,
    /// What was read.
    pub report: Report,
}

/// Reads all `sources` as one set; `sink` makes an empty sink for each thread.
///
/// # Errors
/// Where a source cannot be read to its end, and at the first refused line with [`OnError::Fail`].
/// What the sinks have taken is then dropped with them.
///
/// # Panics
/// Where a sink panics.
pub fn read<S: EventSink + Send>(
    sources: &[Source],
    options: &ReadOptions,
    mut sink: impl FnMut() -> S,
) -> Result<Harvest<S>, InputError> {
    check_all(sources)?;
    let progress = &options.progress;
    progress.expect(sources.iter().map(Source::size).sum());
    let failures = Failures::default();
    let threads = options.threads.get();
    let (sender, receiver) = sync_channel(2 * threads);
    // The workers alone own the receiver: where all of them are gone, dealing ends, too.
    let receiver = Arc::new(Mutex::new(receiver));
    let mut harvest = Harvest {
        sinks: Vec::with_capacity(threads),
        report: Report::default(),
    };
    let dealt = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let intake = Intake::new(sink(), options.on_error);
                let jobs = Arc::clone(&receiver);
                let failures = &failures;
                scope.spawn(move || work(intake, &jobs, failures))
            })
            .collect();
        drop(receiver);
        let dealt = deal(sources, options.format, progress, |job| {
            if failures.is_before(&job) || sender.send(job).is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        drop(sender);
        for worker in workers {
            let intake = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            harvest.take(intake);
        }
        dealt
    });
    // A piece lies before the place where dealing stopped, so its failure is the earlier one.
    if let Some(failure) = failures.into_first() {
        return Err(failure.error);
    }
    dealt?;
    harvest.report.rejected.sort_by_key(Rejected::position);
    Ok(harvest)
}

impl<S> Harvest<S> {
    fn take(&mut self, intake: Intake<S>) {
        self.sinks.push(intake.sink);
        self.report.read += intake.read;
        self.report.accepted += intake.read - intake.rejected.len() as u64;
        self.report.rejected.extend(intake.rejected);
    }
}

fn work<S: EventSink>(
    mut intake: Intake<S>,
    jobs: &Mutex<Receiver<Job>>,
    failures: &Failures,
) -> Intake<S> {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else {
            return intake;
        };
        if !failures.is_before(&job)
            && let Err(failure) = intake.read(job)
        {
            failures.add(failure);
        }
    }
}

/// The first failure so far, in the order of files and lines.
#[derive(Default)]
struct Failures(Mutex<Option<Failure>>);

impl Failures {
    /// Whether reading `job` could not change which failure is the first.
    fn is_before(&self, job: &Job) -> bool {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first
            .as_ref()
            .is_some_and(|failure| failure.position < (job.place, job.work.first_line()))
    }

    fn add(&self, failure: Failure) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first
            .as_ref()
            .is_none_or(|known| failure.position < known.position)
        {
            *first = Some(failure);
        }
    }

    fn into_first(self) -> Option<Failure> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
