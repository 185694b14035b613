//! Messages for Python: any thread adds them, Python takes all that wait at once.
//!
//! There is one wake-up between two drains, however many messages come. The queue is bounded by those who add:
//! a completion belongs to a request that Python has made, and the number of requests to Python is bounded in
//! [`super::asked`]. Batches of the feed never wait here, see [`super::prefetch`]; those that a gate checks do, and
//! a gate that does not answer is soon not asked any more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::IntGauge;

use super::columns::EventColumns;
use super::prefetch::Prefetch;
use super::wake::Wake;

/// One message.
pub(super) enum Message {
    /// A request of Python has ended.
    Done {
        /// Its number.
        request: u64,
        /// How.
        outcome: Outcome,
    },
    /// Python is to do something and to reply.
    Asked {
        /// The number of the request; 0 if no reply is expected.
        request: u64,
        /// What, as in `reload`.
        verb: &'static str,
        /// A JSON object.
        arguments: String,
    },
    /// A gate is to check events.
    Check {
        /// The number of the request.
        request: u64,
        /// Its pipeline and handler.
        gate: Arc<str>,
        /// The events, whose numbers are those of their rows.
        columns: Arc<EventColumns>,
    },
    /// Python is to end its work.
    Stop {
        /// How long calls may take to end.
        drain: Duration,
    },
}

/// How a request of Python has ended.
pub(super) enum Outcome {
    /// Without a value.
    Nothing,
    /// With reasons of refusals.
    Texts(Vec<String>),
    /// With keys and values.
    Pairs(Vec<(String, String)>),
    /// With an open consumer.
    Consumer(Arc<Prefetch>),
    /// With an error, as one sentence.
    Failed(String),
}

/// The queue, and its wake-up.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Wake,
    length: IntGauge,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<Message>,
    /// Whether Python was told that there is something.
    is_rung: bool,
}

impl Queue {
    /// An empty queue; `length` shows how many messages wait.
    pub(super) fn new(length: IntGauge) -> io::Result<Self> {
        Ok(Self {
            waiting: Mutex::default(),
            wake: Wake::new()?,
            length,
        })
    }

    /// Adds a message.
    pub(super) fn push(&self, message: Message) {
        let mut waiting = self.waiting.lock();
        waiting.messages.push(message);
        self.length.inc();
        let is_first = !std::mem::replace(&mut waiting.is_rung, true);
        drop(waiting);
        if is_first {
            self.wake.ring();
        }
    }

    /// All messages, in the order in which they were added.
    pub(super) fn drain(&self) -> Vec<Message> {
        // First, so that what comes after the messages are taken rings again.
        self.wake.clear();
        let mut waiting = self.waiting.lock();
        waiting.is_rung = false;
        self.length.set(0);
        std::mem::take(&mut waiting.messages)
    }

    /// What Python watches.
    pub(super) fn descriptor(&self) -> i64 {
        self.wake.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(messages: &[Message]) -> Vec<u64> {
        let number = |message: &Message| match message {
            Message::Done { request, .. }
            | Message::Asked { request, .. }
            | Message::Check { request, .. } => *request,
            Message::Stop { .. } => u64::MAX,
        };
        messages.iter().map(number).collect()
    }

    fn done(request: u64) -> Message {
        let outcome = Outcome::Nothing;
        Message::Done { request, outcome }
    }

    #[test]
    fn nothing_is_lost_or_repeated_while_it_is_drained() {
        const THREADS: u64 = 4;
        const EACH: u64 = 5_000;
        let queue = Queue::new(IntGauge::new("a", "b").unwrap()).unwrap();
        let mut found = Vec::new();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let queue = &queue;
                scope.spawn(move || {
                    for number in 0..EACH {
                        queue.push(done(thread * EACH + number));
                    }
                });
            }
            while found.len() < usize::try_from(THREADS * EACH).unwrap() {
                found.extend(numbers(&queue.drain()));
            }
        });
        found.sort_unstable();
        assert_eq!(found, (0..THREADS * EACH).collect::<Vec<_>>());
    }

    #[test]
    fn many_messages_ring_once_and_a_drained_queue_is_silent() {
        let queue = Queue::new(IntGauge::new("a", "b").unwrap()).unwrap();
        for number in 0..3 {
            queue.push(done(number));
        }
        assert_eq!(queue.length.get(), 3);
        assert_eq!(queue.wake.pending(), 1);
        assert_eq!(numbers(&queue.drain()), [0, 1, 2]);
        assert_eq!((queue.wake.pending(), queue.length.get()), (0, 0));
        queue.push(done(3));
        assert_eq!(queue.wake.pending(), 1);
    }
}
