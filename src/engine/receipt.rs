//! The acknowledgement of a batch, and the two ends of waiting for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::options::Durability;
use super::progress::Progress;
use super::submit_error::SubmitError;

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the first event, counted from 1 over the life of the store.
    pub first: u64,
    /// Number of the last event.
    pub last: u64,
    /// What outlives what.
    pub durability: Durability,
}

/// What goes with a batch through journal and applier, and is handed in at the end.
pub(super) struct Ticket {
    waiter: oneshot::Sender<Result<Receipt, SubmitError>>,
    admitted: Instant,
    /// Its room in the queue, free again when the ticket is gone.
    _room: OwnedSemaphorePermit,
}

impl Ticket {
    /// A ticket, and the future of whoever waits for it.
    pub(super) fn new(room: OwnedSemaphorePermit, progress: Arc<Progress>) -> (Self, Pending) {
        let (waiter, outcome) = oneshot::channel();
        let ticket = Self {
            waiter,
            admitted: Instant::now(),
            _room: room,
        };
        (ticket, Pending { outcome, progress })
    }

    /// How long ago it was admitted.
    pub(super) fn age(&self) -> Duration {
        self.admitted.elapsed()
    }

    /// Wakes who waits.
    pub(super) fn complete(self, outcome: Result<Receipt, SubmitError>) {
        // Who waited may have gone; the events are taken all the same.
        let _ = self.waiter.send(outcome);
    }
}

/// A batch on its way; resolves once it is durable and applied. Dropping it takes nothing back.
#[must_use = "an acknowledgement is what a sender waits for"]
pub struct Pending {
    outcome: oneshot::Receiver<Result<Receipt, SubmitError>>,
    progress: Arc<Progress>,
}

impl Future for Pending {
    type Output = Result<Receipt, SubmitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(context));
        // A ticket that nobody handed in was lost in a thread that has panicked.
        Poll::Ready(outcome.unwrap_or_else(|_| Err(self.progress.refusal())))
    }
}
