//! Requests to Python that wait for a reply.
//!
//! Their number is bounded: a Python that is stuck must not collect requests without end. A caller that stops
//! waiting takes its request out of the table; what Python has begun goes on, and its reply is ignored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use tokio::sync::oneshot;

/// Most requests at a time.
const WAITING_MAX: usize = 256;

/// The table of those that wait.
#[derive(Default)]
pub(super) struct Asked {
    waiting: DashMap<u64, oneshot::Sender<String>>,
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
pub(super) struct Reply {
    asked: Arc<Asked>,
    request: u64,
    receiver: oneshot::Receiver<String>,
}

impl Asked {
    /// Waits for the reply to `request`, which is not sent yet.
    pub(super) fn expect(self: &Arc<Self>, request: u64) -> Result<Reply, NoReply> {
        if self.is_ended.load(Ordering::Acquire) {
            return Err(NoReply::Ended);
        }
        if self.waiting.len() >= WAITING_MAX {
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
    pub(super) fn reply(&self, request: u64, text: String) {
        if let Some((_, sender)) = self.waiting.remove(&request) {
            let _ = sender.send(text);
        }
    }

    /// No more replies will come.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.waiting.clear();
    }
}

impl Reply {
    /// A JSON text.
    pub(super) async fn text(mut self) -> Result<String, NoReply> {
        (&mut self.receiver).await.map_err(|_| NoReply::Ended)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.asked.waiting.remove(&self.request);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reply_finds_its_request_and_a_dropped_one_leaves_the_table() {
        let asked = Arc::new(Asked::default());
        let (first, second) = (asked.expect(1).unwrap(), asked.expect(2).unwrap());
        asked.reply(2, "two".into());
        assert_eq!(second.text().await.as_deref(), Ok("two"));
        drop(first);
        asked.reply(1, "late".into());
        assert!(asked.waiting.is_empty());
    }

    #[tokio::test]
    async fn too_many_requests_and_those_after_the_end_are_refused() {
        let asked = Arc::new(Asked::default());
        let numbers = 1..=u64::try_from(WAITING_MAX).unwrap();
        let mut waiting: Vec<_> = numbers
            .map(|number| asked.expect(number).unwrap())
            .collect();
        assert_eq!(asked.expect(0).err(), Some(NoReply::Full));
        asked.end();
        assert_eq!(waiting.pop().unwrap().text().await, Err(NoReply::Ended));
        drop(waiting);
        assert_eq!(asked.expect(0).err(), Some(NoReply::Ended));
    }
}
