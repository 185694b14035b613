//! All sources into sinks, on several threads.
//!
//! The calling thread makes chunks in order, workers read them. If refusals end the run, the one
//! that is reported is the first in the order of files and lines, whichever thread met its refusal first:
//! every chunk made before a failure is read before the failure is reported.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::chunk::Chunk;
use super::chunks::for_each_chunk;
use super::worker::{Worker, WorkerError};
use super::{FileNote, InputError, InputOptions, LineRefusal, OnError, Progress, Source};
use crate::core::EventSink;

/// How a set is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How fields are found and read in every source.
    pub input: Arc<InputOptions>,
    /// What a refused line does.
    pub on_error: OnError,
    /// Threads that parse.
    pub threads: NonZeroUsize,
    /// Counts the bytes that are read.
    pub progress: Arc<Progress>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct ReadReport {
    /// Lines or rows, without blank lines.
    pub read: u64,
    /// How many of them are events that a sink has accepted.
    pub accepted: u64,
    /// The others, in the order of files and lines.
    pub refused: Vec<LineRefusal>,
    /// What is to be said about the files as a whole.
    pub notes: Vec<FileNote>,
    /// The columns and keys that no field was read from, in order, at most a hundred.
    pub ignored_columns: Vec<String>,
}

/// The filled sinks and the report.
#[derive(Debug)]
pub struct ReadOutcome<S> {
    /// One per thread, in no particular order.
    pub sinks: Vec<S>,
    /// What was read.
    pub report: ReadReport,
}

/// Reads all `sources` as one set; `sink` makes an empty sink for each thread.
///
/// # Errors
/// If a source cannot be read to its end, and at the first refused line with [`OnError::Fail`].
/// The sinks are then dropped.
///
/// # Panics
/// If a sink panics.
pub fn read<S: EventSink + Send>(
    sources: &[Source],
    options: &ReadOptions,
    mut sink: impl FnMut() -> S,
) -> Result<ReadOutcome<S>, InputError> {
    let failures = Failures::default();
    let threads = options.threads.get();
    let (sender, receiver) = sync_channel(2 * threads);
    // Only the workers own the receiver: once all of them are gone, no more chunks are made.
    let receiver = Arc::new(Mutex::new(receiver));
    let mut outcome = ReadOutcome {
        sinks: Vec::with_capacity(threads),
        report: ReadReport::default(),
    };
    let cut = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let worker = Worker::new(sink(), options.on_error);
                let chunks = Arc::clone(&receiver);
                let failures = &failures;
                scope.spawn(move || work(worker, &chunks, failures))
            })
            .collect();
        drop(receiver);
        let cut = for_each_chunk(sources, &options.input, &options.progress, |chunk| {
            if failures.is_before(&chunk) || sender.send(chunk).is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        drop(sender);
        for worker in workers {
            let worker = worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome.take(worker);
        }
        cut
    });
    // Every chunk lies before the position at which cutting stopped, so its failure is the earlier one.
    if let Some(failure) = failures.into_first() {
        return Err(failure.error);
    }
    outcome.report.notes = cut?;
    outcome.report.refused.sort_by_key(LineRefusal::position);
    outcome.report.ignored_columns = options.progress.ignored_columns();
    Ok(outcome)
}

impl<S> ReadOutcome<S> {
    fn take(&mut self, worker: Worker<S>) {
        self.sinks.push(worker.sink);
        self.report.read += worker.read;
        self.report.accepted += worker.read - worker.refused.len() as u64;
        self.report.refused.extend(worker.refused);
    }
}

fn work<S: EventSink>(
    mut worker: Worker<S>,
    chunks: &Mutex<Receiver<Chunk>>,
    failures: &Failures,
) -> Worker<S> {
    loop {
        let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(chunk) = next else {
            return worker;
        };
        if !failures.is_before(&chunk)
            && let Err(failure) = worker.read(chunk)
        {
            failures.add(failure);
        }
    }
}

/// The first failure so far, in the order of files and lines.
#[derive(Default)]
struct Failures(Mutex<Option<WorkerError>>);

impl Failures {
    /// Whether the first failure lies before `chunk`, so that reading it would change nothing.
    fn is_before(&self, chunk: &Chunk) -> bool {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first
            .as_ref()
            .is_some_and(|failure| failure.position < chunk.position())
    }

    fn add(&self, failure: WorkerError) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first
            .as_ref()
            .is_none_or(|known| failure.position < known.position)
        {
            *first = Some(failure);
        }
    }

    fn into_first(self) -> Option<WorkerError> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
