//! The thread that writes cursors and states: it takes all requests that are waiting and writes them in one
//! transaction.
//!
//! It starts with the first request. A write that fails is an error to those who asked for it and is counted;
//! the next request tries again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::warn;

use super::cursor_file::CursorFile;
use super::error::FeedError;
use super::ledger::Ledger;
use crate::engine::clock::Clock;
use crate::error_line::error_line;
use crate::telemetry::metrics::Metrics;

/// Changes that are written together.
pub(super) struct Request {
    pub(super) cursor: CursorRequest,
    /// Owner of the values.
    pub(super) pipeline: String,
    /// `None` removes a value.
    pub(super) values: Vec<(String, Option<String>)>,
    pub(super) reply: Reply,
}

/// What becomes of one cursor.
pub(super) enum CursorRequest {
    None,
    /// Everything up to `position` is processed.
    Advance {
        name: Arc<str>,
        id: u64,
        position: u64,
    },
    /// The file gets what the ledger has of it, which may be nothing.
    Note {
        name: Arc<str>,
    },
}

/// Who learns the outcome.
pub(super) enum Reply {
    Nobody,
    Future(oneshot::Sender<Result<(), FeedError>>),
    Thread(Sender<Result<(), FeedError>>),
}

impl Reply {
    fn send(self, outcome: Result<(), FeedError>) {
        // Fails if nobody waits any more; the outcome is the same.
        match self {
            Self::Nobody => {}
            Self::Future(sender) => drop(sender.send(outcome)),
            Self::Thread(sender) => drop(sender.send(outcome)),
        }
    }
}

/// The handle of the thread.
pub(super) struct Committer {
    work: Mutex<Work>,
    shared: Arc<Shared>,
}

/// What the thread shares with those who ask.
struct Shared {
    /// `None` if the engine is in memory, and once closed.
    file: Mutex<Option<CursorFile>>,
    ledger: Arc<Mutex<Ledger>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

enum Work {
    /// No thread yet.
    Idle,
    Running {
        requests: Sender<Request>,
        thread: JoinHandle<()>,
    },
    Closed,
}

impl Committer {
    pub(super) fn new(
        file: Option<CursorFile>,
        ledger: Arc<Mutex<Ledger>>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            work: Mutex::new(Work::Idle),
            shared: Arc::new(Shared {
                file: Mutex::new(file),
                ledger,
                clock,
                metrics,
            }),
        }
    }

    /// Hands a request to the thread.
    pub(super) fn send(&self, request: Request) {
        let mut work = self.work.lock();
        if matches!(*work, Work::Idle) {
            match start(Arc::clone(&self.shared)) {
                Ok(running) => *work = running,
                Err(error) => {
                    let reason: Arc<str> = error_line(&error).into();
                    warn!(%reason, "The thread that writes cursors cannot be started.");
                    return request.reply.send(Err(FeedError::NotWritten { reason }));
                }
            }
        }
        let Work::Running { requests, .. } = &*work else {
            return request.reply.send(Err(FeedError::Closed));
        };
        if let Err(mpsc::SendError(request)) = requests.send(request) {
            let reason = "the thread that writes cursors has panicked".into();
            request.reply.send(Err(FeedError::NotWritten { reason }));
        }
    }

    /// The same; resolves with the outcome.
    pub(super) fn commit(
        &self,
        cursor: CursorRequest,
        pipeline: &str,
        values: Vec<(String, Option<String>)>,
    ) -> CommitFuture {
        let (sender, receiver) = oneshot::channel();
        self.send(Request {
            cursor,
            pipeline: pipeline.to_owned(),
            values,
            reply: Reply::Future(sender),
        });
        CommitFuture(receiver)
    }

    /// Writes what the ledger has of a consumer, some time soon.
    pub(super) fn note(&self, name: &Arc<str>) {
        self.send(note(name, Reply::Nobody));
    }

    /// The same; blocks until it is durable.
    pub(super) fn note_durably(&self, name: &Arc<str>) -> Result<(), FeedError> {
        let (sender, receiver) = mpsc::channel();
        self.send(note(name, Reply::Thread(sender)));
        receiver.recv().unwrap_or(Err(FeedError::Closed))
    }

    /// Writes what is waiting, and nothing more from then on. Blocks.
    pub(super) fn close(&self) {
        let work = std::mem::replace(&mut *self.work.lock(), Work::Closed);
        if let Work::Running { requests, thread } = work {
            drop(requests);
            // If it has panicked, those who wait know.
            let _ = thread.join();
        }
        drop(self.shared.file.lock().take());
    }
}

fn note(name: &Arc<str>, reply: Reply) -> Request {
    let name = Arc::clone(name);
    Request {
        cursor: CursorRequest::Note { name },
        pipeline: String::new(),
        values: Vec::new(),
        reply,
    }
}

fn start(shared: Arc<Shared>) -> std::io::Result<Work> {
    let (requests, waiting) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("feed-committer".into())
        .spawn(move || run(&shared, &waiting))?;
    Ok(Work::Running { requests, thread })
}

fn run(shared: &Shared, waiting: &Receiver<Request>) {
    let mut is_failing = false;
    while let Ok(first) = waiting.recv() {
        let mut requests = vec![first];
        requests.extend(waiting.try_iter());
        let began = Instant::now();
        let now = shared.clock.now();
        let changes = shared.ledger.lock().plan(&requests, now);
        let written = match &mut *shared.file.lock() {
            Some(file) => file.write(&changes),
            None => Ok(()),
        };
        let outcome = match written {
            Ok(()) => {
                shared.ledger.lock().apply(&requests, changes, now);
                let took = began.elapsed().as_secs_f64();
                shared.metrics.feed.commit.observe(took);
                is_failing = false;
                Ok(())
            }
            Err(error) => {
                shared.metrics.feed.commit_failures.inc();
                let reason = error_line(&error);
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(error = %reason, "Cursors were not written; consumers continue, and a restart would repeat more.");
                }
                let reason = reason.into();
                Err(FeedError::NotWritten { reason })
            }
        };
        for request in requests {
            request.reply.send(outcome.clone());
        }
    }
}

/// A commit; resolves once it is durable. It is on its way whether or not this is awaited.
#[must_use = "a commit is durable only once this resolves"]
pub struct CommitFuture(oneshot::Receiver<Result<(), FeedError>>);

impl CommitFuture {
    pub(super) fn ready(outcome: Result<(), FeedError>) -> Self {
        let (sender, receiver) = oneshot::channel();
        Reply::Future(sender).send(outcome);
        Self(receiver)
    }
}

impl Future for CommitFuture {
    type Output = Result<(), FeedError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(context);
        // The sender is dropped without a result only if the thread has panicked.
        outcome.map(|outcome| {
            outcome.unwrap_or_else(|_| {
                let reason = "the thread that writes cursors has panicked".into();
                Err(FeedError::NotWritten { reason })
            })
        })
    }
}
