//! Reads a consumer of the feed ahead of Python: the next batch is made into columns while Python works on the last.
//!
//! What is read ahead is bounded by bytes; beyond that the feed waits in the journal, and never an acknowledgement.
//! Python takes batches with [`super::consumer`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::columns::EventColumns;
use super::context::HostContext;
use super::queue::{Message, Outcome};
use crate::engine::{Consumer, FeedBatch};

/// The size to which small frames are joined.
const BATCH_BYTES: usize = 512 << 10;
/// Larger batches are made into columns where blocking for milliseconds delays no call.
const INLINE_BYTES_MAX: usize = 32 << 10;

/// One consumer, between the feed and Python.
pub(super) struct Prefetch {
    name: String,
    position: AtomicU64,
    ahead: Mutex<Ahead>,
    /// There is room for another batch.
    has_room: Notify,
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Default)]
struct Ahead {
    /// With the bytes that each had in the feed.
    batches: VecDeque<(Arc<EventColumns>, usize)>,
    /// The request of Python that waits for a batch.
    waiting: Option<u64>,
    is_ended: bool,
}

/// What Python wants of the consumer.
enum Order {
    Commit {
        request: u64,
        position: u64,
        pipeline: String,
        changes: Vec<(String, Option<String>)>,
    },
    Close {
        request: u64,
    },
}

/// What there is for Python.
pub(super) enum Taken {
    Batch(Arc<EventColumns>),
    /// Nothing yet; the request completes when there is something.
    Later,
    /// Nothing more will come.
    Ended,
}

impl Prefetch {
    /// Begins to read ahead.
    pub(super) fn start(context: &Arc<HostContext>, consumer: Consumer) -> Arc<Self> {
        let (orders, inbox) = mpsc::unbounded_channel();
        // Nothing of a copy of facts is processed yet: a state that is committed during the copy must not count as its
        // end.
        let position = consumer.position();
        let processed = position.saturating_sub(u64::from(consumer.reads_facts()));
        let prefetch = Arc::new(Self {
            name: consumer.name().to_owned(),
            position: AtomicU64::new(processed),
            ahead: Mutex::default(),
            has_room: Notify::new(),
            orders,
        });
        let reader = Reader {
            context: Arc::clone(context),
            ahead: Arc::clone(&prefetch),
            bytes_max: context.queue_bytes_max,
        };
        context.runtime.spawn(reader.run(consumer, inbox));
        prefetch
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    /// The next batch; if there is none yet, `request` completes once there is.
    pub(super) fn take(&self, request: u64) -> Taken {
        let mut ahead = self.ahead.lock();
        if let Some((batch, _)) = ahead.batches.pop_front() {
            drop(ahead);
            self.has_room.notify_one();
            return Taken::Batch(batch);
        }
        if ahead.is_ended {
            return Taken::Ended;
        }
        ahead.waiting = Some(request);
        Taken::Later
    }

    /// Commits in the background; `request` completes when it is durable.
    pub(super) fn commit(
        &self,
        request: u64,
        position: u64,
        pipeline: String,
        changes: Vec<(String, Option<String>)>,
    ) -> bool {
        let order = Order::Commit {
            request,
            position,
            pipeline,
            changes,
        };
        self.orders.send(order).is_ok()
    }

    /// Closes the consumer; `request` completes when its name is free.
    pub(super) fn close(&self, request: u64) -> bool {
        self.orders.send(Order::Close { request }).is_ok()
    }

    fn has_room(&self, bytes_max: usize) -> bool {
        let ahead = self.ahead.lock();
        ahead.batches.iter().map(|(_, bytes)| bytes).sum::<usize>() < bytes_max
    }

    /// Adds a batch; returns the request that waits for one.
    fn add(&self, batch: Arc<EventColumns>, bytes: usize) -> Option<u64> {
        let mut ahead = self.ahead.lock();
        ahead.batches.push_back((batch, bytes));
        ahead.waiting.take()
    }

    fn end(&self) -> Option<u64> {
        let mut ahead = self.ahead.lock();
        ahead.is_ended = true;
        ahead.waiting.take()
    }
}

/// The task that reads ahead, until Python closes the consumer.
struct Reader {
    context: Arc<HostContext>,
    ahead: Arc<Prefetch>,
    bytes_max: usize,
}

impl Reader {
    async fn run(self, mut consumer: Consumer, mut inbox: mpsc::UnboundedReceiver<Order>) {
        let request = loop {
            let order = tokio::select! {
                biased;
                order = inbox.recv() => order,
                batch = self.next(&mut consumer) => {
                    if let Some(batch) = batch {
                        self.pass_on(batch).await;
                        continue;
                    }
                    self.wake(Prefetch::end);
                    inbox.recv().await
                }
            };
            match order {
                Some(Order::Commit {
                    request,
                    position,
                    pipeline,
                    changes,
                }) => self.commit(&consumer, request, position, &pipeline, changes),
                Some(Order::Close { request }) => break request,
                // Not before the end of the process: this task holds a sender.
                None => return,
            }
        };
        drop(consumer);
        self.wake(Prefetch::end);
        self.done(request, Outcome::Nothing);
    }

    /// The next batch of the feed, once there is room for it. Nothing is lost if the future is dropped.
    async fn next(&self, consumer: &mut Consumer) -> Option<FeedBatch> {
        loop {
            let has_room = self.ahead.has_room.notified();
            if self.ahead.has_room(self.bytes_max) {
                break;
            }
            has_room.await;
        }
        consumer.next(BATCH_BYTES.min(self.bytes_max)).await
    }

    async fn pass_on(&self, batch: FeedBatch) {
        let bytes = batch.bytes();
        let columns = if bytes <= INLINE_BYTES_MAX {
            Ok(EventColumns::of_feed(&batch))
        } else {
            tokio::task::spawn_blocking(move || EventColumns::of_feed(&batch)).await
        };
        match columns {
            Ok(columns) => self.wake(|ahead| ahead.add(Arc::new(columns), bytes)),
            Err(panic) => {
                tracing::error!(%panic, "A batch of the feed could not be read; its consumer ends.");
                self.wake(Prefetch::end);
            }
        }
    }

    fn commit(
        &self,
        consumer: &Consumer,
        request: u64,
        position: u64,
        pipeline: &str,
        changes: Vec<(String, Option<String>)>,
    ) {
        let committed = consumer.commit(position, pipeline, changes);
        let ahead = Arc::clone(&self.ahead);
        let context = Arc::clone(&self.context);
        self.context.runtime.spawn(async move {
            let outcome = match committed.await {
                Ok(()) => {
                    ahead.position.fetch_max(position, Ordering::AcqRel);
                    Outcome::Nothing
                }
                Err(error) => Outcome::Failed(error.to_string()),
            };
            context.queue.push(Message::Done { request, outcome });
        });
    }

    fn wake(&self, change: impl FnOnce(&Prefetch) -> Option<u64>) {
        if let Some(request) = change(&self.ahead) {
            self.done(request, Outcome::Nothing);
        }
    }

    fn done(&self, request: u64, outcome: Outcome) {
        self.context.queue.push(Message::Done { request, outcome });
    }
}
