//! The public face of the feed: opens consumers, reports them, and keeps the states of pipelines.
//!
//! One consumer reads in `consumer`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::consumer::Consumer;
use super::error::{CONSUMERS_MAX, FeedError, check_name};
use super::ledger::{Entry, Ledger};
use super::report::ConsumerReport;
use super::{Start, WhenFull};
use crate::engine::progress::Progress;

/// What was acknowledged, for named consumers.
pub struct Feed {
    pub(super) progress: Arc<Progress>,
    pub(super) ledger: Mutex<Ledger>,
}

impl Feed {
    pub(in crate::engine) fn new(progress: Arc<Progress>) -> Self {
        Self {
            progress,
            ledger: Mutex::default(),
        }
    }

    /// Opens a consumer; there is one open handle of a name. It continues after its stored cursor, or begins
    /// at `start` if there is none.
    pub fn open(
        self: &Arc<Self>,
        name: &str,
        start: Start,
        when_full: WhenFull,
    ) -> Result<Consumer, FeedError> {
        check_name(name)?;
        if self.progress.is_closing() {
            return Err(FeedError::Closed);
        }
        let mut ledger = self.ledger.lock();
        let known = ledger.consumers.get(name).copied();
        if known.is_some_and(|known| known.is_open) {
            let name = name.to_owned();
            return Err(FeedError::InUse { name });
        }
        if known.is_none() && ledger.consumers.len() >= CONSUMERS_MAX {
            return Err(FeedError::TooMany);
        }
        // Before the number is read, so that all frames after it are kept.
        self.progress.recent.enter();
        let last = self.progress.sequence();
        let position = match (known, start) {
            (Some(known), _) => known.position,
            (None, Start::Now) => last,
            (None, Start::Sequence(sequence)) if sequence > last + 1 => {
                self.progress.recent.leave();
                return Err(FeedError::Ahead { sequence, last });
            }
            (None, Start::Sequence(sequence)) => sequence.saturating_sub(1),
            (None, Start::Beginning) => 0,
        };
        let entry = Entry {
            position,
            when_full,
            is_open: true,
            shed: 0,
        };
        ledger.consumers.insert(name.to_owned(), entry);
        drop(ledger);
        Ok(Consumer::new(Arc::clone(self), name, position))
    }

    /// All consumers that are open or have a stored cursor, by name.
    #[must_use]
    pub fn consumers(&self) -> Vec<ConsumerReport> {
        let last = self.progress.sequence();
        let ledger = self.ledger.lock();
        let reports = ledger.consumers.iter().map(|(name, entry)| ConsumerReport {
            name: name.clone(),
            when_full: entry.when_full,
            position: entry.position,
            lag_events: last.saturating_sub(entry.position),
            lag_bytes: self
                .progress
                .recent
                .bytes_after(entry.position)
                .unwrap_or(0),
            lag_seconds: 0.0,
            is_open: entry.is_open,
            is_detached: false,
            is_reading_facts: false,
            shed: entry.shed,
        });
        reports.collect()
    }

    /// Removes the stored cursor of a consumer that is not open; returns whether there was one.
    pub fn remove(&self, name: &str) -> Result<bool, FeedError> {
        let mut ledger = self.ledger.lock();
        match ledger.consumers.get(name) {
            None => Ok(false),
            Some(entry) if entry.is_open => {
                let name = name.to_owned();
                Err(FeedError::InUse { name })
            }
            Some(_) => Ok(ledger.consumers.remove(name).is_some()),
        }
    }

    /// The small durable values of a pipeline: keys with JSON texts.
    pub fn state(&self, pipeline: &str) -> Result<Vec<(String, String)>, FeedError> {
        check_name(pipeline)?;
        Ok(self.ledger.lock().state(pipeline))
    }

    /// Sets values of a pipeline; `None` removes one.
    pub fn commit_state(
        &self,
        pipeline: &str,
        changes: Vec<(String, Option<String>)>,
    ) -> CommitFuture {
        self.ledger.lock().change_state(pipeline, changes);
        CommitFuture::ready(Ok(()))
    }
}

/// A commit; resolves once it is durable. It is on its way whether or not this is awaited.
#[must_use = "a commit is durable only once this resolves"]
pub struct CommitFuture(oneshot::Receiver<Result<(), FeedError>>);

impl CommitFuture {
    pub(super) fn ready(outcome: Result<(), FeedError>) -> Self {
        let (sender, receiver) = oneshot::channel();
        let _ = sender.send(outcome);
        Self(receiver)
    }
}

impl Future for CommitFuture {
    type Output = Result<(), FeedError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(context);
        // The sender is dropped without a result only when the feed is closed.
        outcome.map(|outcome| outcome.unwrap_or(Err(FeedError::Closed)))
    }
}
