//! Requests to Python that wait for a reply.
//!
//! Their number is bounded: a Python that is stuck must not collect requests without end. A caller that stops
//! waiting takes its request out of the table; what Python has begun goes on, and its reply is ignored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use tokio::sync::oneshot;

/// The table of those that wait for a reply of the type `T`.
pub(super) struct Asked<T> {
    waiting: DashMap<u64, oneshot::Sender<T>>,
    waiting_max: usize,
    is_ended: AtomicBool,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// Too many wait already.
    Full,
    /// Python has ended.
    Ended,
}

/// The reply to one request.
pub(super) struct Reply<T> {
    asked: Arc<Asked<T>>,
    request: u64,
    receiver: oneshot::Receiver<T>,
}

impl<T> Asked<T> {
    /// An empty table of at most `waiting_max` requests at a time.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self {
            waiting: DashMap::default(),
            waiting_max,
            is_ended: AtomicBool::new(false),
        }
    }

    /// Waits for the reply to `request`, which is not sent yet.
    pub(super) fn expect(self: &Arc<Self>, request: u64) -> Result<Reply<T>, NoReply> {
        if self.is_ended.load(Ordering::Acquire) {
            return Err(NoReply::Ended);
        }
        if self.waiting.len() >= self.waiting_max {
            return Err(NoReply::Full);
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(request, sender);
        Ok(Reply {
            asked: Arc::clone(self),
            request,
            receiver,
        })
    }

    /// Python's reply; ignored if nobody waits for it.
    pub(super) fn reply(&self, request: u64, reply: T) {
        if let Some((_, sender)) = self.waiting.remove(&request) {
            let _ = sender.send(reply);
        }
    }

    /// Whether somebody still waits for this reply.
    pub(super) fn is_waiting(&self, request: u64) -> bool {
        self.waiting.contains_key(&request)
    }

    /// No more replies will come.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.waiting.clear();
    }
}

impl<T> Reply<T> {
    /// What Python has replied.
    pub(super) async fn value(mut self) -> Result<T, NoReply> {
        (&mut self.receiver).await.map_err(|_| NoReply::Ended)
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.asked.waiting.remove(&self.request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_finds_its_request_and_a_dropped_one_leaves_the_table() {
        let asked = Arc::new(Asked::new(2));
        let (first, second) = (asked.expect(1).unwrap(), asked.expect(2).unwrap());
        asked.reply(2, "two");
        assert_eq!(second.value().await, Ok("two"));
        assert!(asked.is_waiting(1));
        drop(first);
        assert!(!asked.is_waiting(1));
        asked.reply(1, "late");
        assert!(asked.waiting.is_empty());
    }

    #[tokio::test]
    async fn too_many_requests_and_those_after_the_end_are_refused() {
        let asked = Arc::new(Asked::<()>::new(3));
        let mut waiting: Vec<_> = (1..=3)
            .map(|number| asked.expect(number).unwrap())
            .collect();
        assert_eq!(asked.expect(0).err(), Some(NoReply::Full));
        asked.end();
        assert_eq!(waiting.pop().unwrap().value().await, Err(NoReply::Ended));
        drop(waiting);
        assert_eq!(asked.expect(0).err(), Some(NoReply::Ended));
    }
}
