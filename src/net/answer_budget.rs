//! Bytes of answers that callers have not taken yet, bounded for each connection and over all of them.
//!
//! A question takes its share before it is computed, and the answer keeps it until its last byte is written to the
//! socket; a stream is not polled for more while there is no room. Small answers and acknowledgements are not counted:
//! each call has one of them at most. Closes nothing; see `activity`.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// The bytes in use, and the tasks that wait for some of them.
pub(super) struct Account {
    used: AtomicUsize,
    bytes_max: usize,
    waiting: Mutex<Vec<Waker>>,
}

impl Account {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            bytes_max,
            waiting: Mutex::default(),
        })
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// One answer is admitted whatever its size, or it never would be.
    fn try_take(&self, bytes: usize) -> bool {
        let taken = |used: usize| {
            let sum = used.saturating_add(bytes);
            (used == 0 || sum <= self.bytes_max).then_some(sum)
        };
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, taken)
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Wakes `waker` once bytes are given back.
    fn wake_later(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }
}

/// What one connection may have in flight, of what all may have together; an extension of every request.
#[derive(Clone)]
pub(super) struct AnswerBudget {
    connection: Arc<Account>,
    all: Arc<Account>,
}

impl AnswerBudget {
    /// For one connection, which may have `bytes_max` of `all`.
    pub(super) fn new(bytes_max: usize, all: Arc<Account>) -> Self {
        Self {
            connection: Account::new(bytes_max),
            all,
        }
    }

    /// Waits until an answer of `bytes` bytes may be computed.
    pub(super) async fn take(&self, bytes: usize) -> InFlight {
        poll_fn(|cx| {
            self.poll(cx, |budget| {
                if !budget.connection.try_take(bytes) {
                    return None;
                }
                if !budget.all.try_take(bytes) {
                    // Wakes nobody: all of this connection wait for the others too.
                    budget.connection.used.fetch_sub(bytes, Ordering::AcqRel);
                    return None;
                }
                Some(InFlight {
                    budget: budget.clone(),
                    bytes: AtomicUsize::new(bytes),
                })
            })
        })
        .await
    }

    /// Bytes that one answer may take beside no other.
    pub(super) fn bytes_max(&self) -> usize {
        self.connection.bytes_max.min(self.all.bytes_max)
    }

    /// Ready when the next part of a stream may be computed. What was taken is never more than may be, so a stream does
    /// not wait for what it has taken itself.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll(cx, |budget| {
            let has_room = |account: &Account| account.used() <= account.bytes_max;
            (has_room(&budget.connection) && has_room(&budget.all)).then_some(())
        })
    }

    /// Counts what is there already.
    pub(super) fn count(&self, bytes: usize) -> InFlight {
        let in_flight = InFlight {
            budget: self.clone(),
            bytes: AtomicUsize::new(0),
        };
        in_flight.resize(bytes);
        in_flight
    }

    /// Whether the answers of all connections take more than half of what they may: others may soon have to wait.
    pub(super) fn is_scarce(&self) -> bool {
        self.all.used() > self.all.bytes_max / 2
    }

    fn poll<T>(&self, cx: &Context<'_>, attempt: impl Fn(&Self) -> Option<T>) -> Poll<T> {
        if let Some(done) = attempt(self) {
            return Poll::Ready(done);
        }
        for account in [&self.connection, &self.all] {
            account.wake_later(cx.waker());
        }
        // Again: bytes may have been given back before the waker was there.
        attempt(self).map_or(Poll::Pending, Poll::Ready)
    }
}

/// Bytes of one answer; given back when it is dropped.
pub(super) struct InFlight {
    budget: AnswerBudget,
    bytes: AtomicUsize,
}

impl InFlight {
    /// Corrects what was estimated. The new size is not waited for, so a few answers may exceed the maximum.
    pub(super) fn resize(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::AcqRel);
        for account in [&self.budget.connection, &self.budget.all] {
            match bytes.checked_sub(before) {
                Some(more) => {
                    account.used.fetch_add(more, Ordering::AcqRel);
                }
                None => account.give_back(before - bytes),
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// How the bytes of a response are counted; an extension of it. Those of one without it are not.
#[derive(Clone)]
pub(super) enum Counted {
    /// They are counted already, all of them.
    Whole(Arc<InFlight>),
    /// It is a stream, whose parts are counted as they are sent.
    Parts,
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_connection_waits_for_itself_and_all_wait_for_each_other() {
        let all = Account::new(100);
        let [one, other] = [(), ()].map(|()| AnswerBudget::new(60, Arc::clone(&all)));
        let first = one.take(50).now_or_never().expect("nothing is in flight");
        assert!(one.take(20).now_or_never().is_none(), "beyond its own 60");
        let second = other.take(50).now_or_never().expect("below 100");
        assert!(
            one.take(1).now_or_never().is_none(),
            "beyond the 100 of all"
        );
        assert!(one.is_scarce());
        let mut waiting = pin!(one.take(40));
        assert!(waiting.as_mut().now_or_never().is_none());
        second.resize(10);
        assert!(waiting.as_mut().now_or_never().is_none());
        first.resize(20);
        assert!(waiting.now_or_never().is_some());
        drop((first, second));
        assert_eq!((all.used(), one.connection.used()), (0, 0));
    }

    #[test]
    fn an_answer_that_is_larger_than_the_bound_is_given_when_nothing_else_is_in_flight() {
        let all = Account::new(100);
        let budget = AnswerBudget::new(60, Arc::clone(&all));
        let large = budget.take(500).now_or_never().expect("alone");
        let cx = Context::from_waker(Waker::noop());
        assert!(budget.poll_room(&cx).is_pending());
        drop(large);
        assert!(budget.poll_room(&cx).is_ready());
        let own = budget.take(60).now_or_never().expect("alone");
        assert!(
            budget.poll_room(&cx).is_ready(),
            "a stream that has taken it"
        );
        drop(own);
        let part = budget.count(70);
        assert!(budget.poll_room(&cx).is_pending());
        drop(part);
        assert_eq!(all.used(), 0);
    }
}
