//! The acknowledgement of a batch, and the two ends of waiting for it.
//!
//! `submit_error` has the reasons why there is none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::options::Durability;
use super::progress::Progress;
use super::submit_error::SubmitError;

/// The acknowledgement of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the first event, counted from 1 over the life of the store.
    pub first: u64,
    /// Number of the last event.
    pub last: u64,
    /// What the events survive.
    pub durability: Durability,
}

/// Sends the acknowledgement of a batch. It travels with the batch through journal and applier.
pub(super) struct AckSender {
    sender: oneshot::Sender<Result<Receipt, SubmitError>>,
    submitted: Instant,
    /// The bytes of the batch in the queue, released on drop.
    _permit: OwnedSemaphorePermit,
}

impl AckSender {
    /// Both ends of an acknowledgement.
    pub(super) fn new(permit: OwnedSemaphorePermit, progress: Arc<Progress>) -> (Self, Pending) {
        let (sender, receiver) = oneshot::channel();
        let ack = Self {
            sender,
            submitted: Instant::now(),
            _permit: permit,
        };
        (ack, Pending { receiver, progress })
    }

    /// How long ago the batch got its permits.
    pub(super) fn age(&self) -> Duration {
        self.submitted.elapsed()
    }

    /// Completes the [`Pending`].
    pub(super) fn complete(self, outcome: Result<Receipt, SubmitError>) {
        // Fails if the pending was dropped; the outcome is the same without it.
        let _ = self.sender.send(outcome);
    }
}

/// A submitted batch; resolves once it is durable and applied. Dropping it does not cancel the batch.
#[must_use = "a batch is accepted only once this resolves"]
pub struct Pending {
    receiver: oneshot::Receiver<Result<Receipt, SubmitError>>,
    progress: Arc<Progress>,
}

impl Future for Pending {
    type Output = Result<Receipt, SubmitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.receiver).poll(context));
        // The sender is dropped without a result only if a thread of the engine has panicked.
        Poll::Ready(outcome.unwrap_or_else(|_| Err(self.progress.refusal())))
    }
}
