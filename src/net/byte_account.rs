//! One bounded count of bytes, and the line of those that wait for some of them.
//!
//! Those that wait are served in the order in which they came. Bytes that are there already are counted beyond the bound.
//! Which bytes these are, and of which connections, is in [`super::answer_budget`].

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// The bytes in use, and those that wait for some of them.
pub(super) struct Account {
    pub(super) bytes_max: usize,
    line: Mutex<Line>,
    /// One stream is woken if no more is in use than may be, and the next one by it: to wake all would take the longer,
    /// the more wait.
    settled: Notify,
    /// Answers and bodies that have got what they waited for.
    pub(super) in_hand: AtomicUsize,
}

#[derive(Default)]
struct Line {
    used: usize,
    /// By the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    tickets: u64,
    /// What was taken by others since the first one of those that wait is the first.
    overtaken: usize,
}

struct Waiting {
    bytes: usize,
    granted: oneshot::Sender<Share>,
}

impl Account {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            line: Mutex::default(),
            settled: Notify::new(),
            in_hand: AtomicUsize::new(0),
        })
    }

    pub(super) fn used(&self) -> usize {
        self.line.lock().used
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.used() > self.bytes_max
    }

    /// One answer is admitted whatever its size, or it never would be.
    fn fits(&self, line: &Line, bytes: usize) -> bool {
        line.used == 0 || line.used.saturating_add(bytes) <= self.bytes_max
    }

    /// Waits for `bytes`, behind all that wait already.
    pub(super) async fn take(self: &Arc<Self>, bytes: usize) -> Share {
        let (place, granted) = {
            let mut line = self.line.lock();
            if line.waiting.is_empty() && self.fits(&line, bytes) {
                line.used += bytes;
                return self.share(bytes);
            }
            let (sender, granted) = oneshot::channel();
            line.tickets += 1;
            let ticket = line.tickets;
            let waiting = Waiting {
                bytes,
                granted: sender,
            };
            line.waiting.insert(ticket, waiting);
            let account = self;
            (Place { account, ticket }, granted)
        };
        let share = granted.await;
        drop(place);
        share.expect("only its owner removes a place that was not served")
    }

    /// Takes `bytes` if they are free. If others wait for more than is free, these are overtaken by so many bytes at most
    /// as there are.
    fn try_take(&self, bytes: usize) -> bool {
        let mut line = self.line.lock();
        if !self.fits(&line, bytes) {
            return false;
        }
        if !line.waiting.is_empty() {
            let overtaken = line.overtaken.saturating_add(bytes);
            if overtaken > self.bytes_max {
                return false;
            }
            line.overtaken = overtaken;
        }
        line.used += bytes;
        true
    }

    /// Counts `bytes` that are there, whether they are free or not.
    fn count(&self, bytes: usize) {
        self.line.lock().used += bytes;
    }

    fn give_back(self: &Arc<Self>, bytes: usize) {
        self.line.lock().used -= bytes;
        self.serve();
        if !self.is_exceeded() {
            self.settled.notify_one();
        }
    }

    /// Gives what is free to those that came first. They have it from then on: one whose task does not run holds up no
    /// other.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut line = self.line.lock();
            let Some(first) = line.waiting.first_entry() else {
                return;
            };
            let bytes = first.get().bytes;
            if !self.fits(&line, bytes) {
                return;
            }
            let (_, first) = line.waiting.pop_first().expect("it was looked at");
            line.used += bytes;
            line.overtaken = 0;
            drop(line);
            // One that went away meanwhile gives it back.
            let _ = first.granted.send(self.share(bytes));
        }
    }

    pub(super) fn share(self: &Arc<Self>, bytes: usize) -> Share {
        Share {
            account: Arc::clone(self),
            bytes: AtomicUsize::new(bytes),
        }
    }

    /// Waits until no more is in use than may be.
    pub(super) async fn settle(&self) {
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            if !self.is_exceeded() {
                self.settled.notify_one();
                return;
            }
            settled.await;
        }
    }
}

/// A place among those that wait, given up when it is dropped.
struct Place<'a> {
    account: &'a Arc<Account>,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let removed = self.account.line.lock().waiting.remove(&self.ticket);
        if removed.is_some() {
            self.account.serve();
        }
    }
}

/// Bytes of one account; given back when it is dropped.
pub(super) struct Share {
    pub(super) account: Arc<Account>,
    bytes: AtomicUsize,
}

impl Share {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    pub(super) fn grow(&self, bytes: usize) -> bool {
        let has_taken = self.account.try_take(bytes);
        if has_taken {
            self.bytes.fetch_add(bytes, Ordering::AcqRel);
        }
        has_taken
    }

    pub(super) fn shrink(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.account.give_back(bytes);
    }

    pub(super) fn resize(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::AcqRel);
        match bytes.checked_sub(before) {
            Some(0) => {}
            Some(more) => self.account.count(more),
            None => self.account.give_back(before - bytes),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}
