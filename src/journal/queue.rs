//! What waits to be written: a queue bounded in bytes between many senders and the one writer.
//!
//! Nothing waits on this side: a sender that finds it full is told so and keeps its item. The file
//! names its locks through `sync`, so that a test can run it under every order of two threads.

use std::collections::VecDeque;
use std::sync::PoisonError;

use super::sync::{Condvar, Mutex, MutexGuard};

/// How heavy an item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) bytes: usize,
    pub(super) events: usize,
}

/// Why an item was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// It would wait with more bytes than may.
    Bytes,
    /// Nothing is taken any more.
    Closed,
}

/// Items in the order in which they were pushed.
pub(super) struct Queue<T> {
    bytes_max: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<(Load, T)>,
    bytes: usize,
    is_open: bool,
}

impl<T> Queue<T> {
    /// An empty queue for at most so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                is_open: true,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds an item, or gives it back.
    pub(super) fn push(&self, load: Load, item: T) -> Result<(), (Full, T)> {
        let mut state = self.lock();
        if !state.is_open {
            return Err((Full::Closed, item));
        }
        if load.bytes > self.bytes_max - state.bytes {
            return Err((Full::Bytes, item));
        }
        let was_empty = state.items.is_empty();
        state.bytes += load.bytes;
        state.items.push_back((load, item));
        drop(state);
        if was_empty {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Moves what waits into `taken`, in order, up to `most` but at least one item; waits for one.
    /// `false` once the queue is closed and empty.
    pub(super) fn take(&self, most: Load, taken: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() {
            if !state.is_open {
                return false;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut sum = Load::default();
        while let Some((load, _)) = state.items.front() {
            sum.bytes += load.bytes;
            sum.events += load.events;
            let is_first = taken.is_empty();
            if !is_first && (sum.bytes > most.bytes || sum.events > most.events) {
                break;
            }
            let Some((load, item)) = state.items.pop_front() else {
                break;
            };
            state.bytes -= load.bytes;
            taken.push(item);
        }
        true
    }

    /// Takes nothing more; what waits can still be taken out.
    pub(super) fn close(&self) {
        self.lock().is_open = false;
        self.changed.notify_all();
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// A panic elsewhere leaves the queue whole: no step under the lock can fail half-way.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
