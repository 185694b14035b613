//! The batches of one upload: the one that is being filled, and those in flight to the journal.
//!
//! Room in the queue of the engine is taken before an event is decoded into the open batch, so what waits in memory
//! is bounded over all uploads. gRPC polls it from a stream of acknowledgements, HTTP awaits it from a handler; both
//! are limited alike. It knows no wire format: the caller validates events into the open batch, and a tag of its
//! choice comes back with each acknowledgement.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::event_queue::Room;
use super::gate::{RefusedRow, RowBatch, SubmittedRows};
use super::hold_engine::Engine;
use super::receipt::{Pending, Receipt};
use super::submit_error::SubmitError;
use crate::core::EventBatch;

/// A batch is full with this many events, refused ones included, ...
const BATCH_EVENTS_MAX: u64 = 1_024;
/// ... or with this many bytes.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// Batches of one upload that are in flight at once.
const IN_FLIGHT_MAX: usize = 8;
/// Room is taken in such parts, so that single events do not take it one by one.
const ROOM_BYTES: usize = 64 << 10;

/// The batch that is being filled.
#[derive(Debug, Default)]
pub struct OpenBatch<T> {
    /// The valid events.
    pub events: RowBatch,
    /// Events that were read for it, valid or not.
    pub rows: u64,
    /// Comes back with the acknowledgement.
    pub tag: T,
}

/// A batch that is durable and applied.
#[derive(Debug)]
pub struct Acked<T> {
    /// The tag of the batch.
    pub tag: T,
    /// `None` for a batch without accepted events.
    pub receipt: Option<Receipt>,
    /// The rows that were valid and were refused by a gate.
    pub refused: Vec<RefusedRow>,
}

type Reservation = Pin<Box<dyn Future<Output = Result<Room, SubmitError>> + Send>>;
type Submission = Pin<Box<dyn Future<Output = Result<SubmittedRows, SubmitError>> + Send>>;

/// `pending` is `None` for a batch without accepted events.
struct InFlight<T> {
    tag: T,
    pending: Option<Pending>,
    refused: Vec<RefusedRow>,
    bytes: usize,
}

/// A batch that waits for the gates, or for space in the queue of the engine.
struct Sending<T> {
    submission: Submission,
    tag: T,
    bytes: usize,
}

/// The batches of one upload, in order.
pub struct UploadWindow<T> {
    engine: Arc<Engine>,
    open: Option<OpenBatch<T>>,
    /// Bytes of the batch before: the capacity of the next one.
    batch_bytes: usize,
    /// Room in the queue for the open batch.
    room: Option<Room>,
    reservation: Option<Reservation>,
    sending: Option<Sending<T>>,
    in_flight: VecDeque<InFlight<T>>,
}

impl<T> UploadWindow<T> {
    /// An empty window of `engine`.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            open: None,
            batch_bytes: 0,
            room: None,
            reservation: None,
            sending: None,
            in_flight: VecDeque::new(),
        }
    }

    /// The open batch; begins one if there is none.
    pub fn open_batch(&mut self) -> &mut OpenBatch<T>
    where
        T: Default,
    {
        self.open.get_or_insert_with(|| OpenBatch {
            events: self.engine.row_batch(self.batch_bytes),
            rows: 0,
            tag: T::default(),
        })
    }

    /// The events of the open batch, if there is one.
    #[must_use]
    pub fn open_events(&self) -> Option<&EventBatch> {
        self.open.as_ref().map(|batch| batch.events.events())
    }

    /// Whether the open batch must be sent before more is added to it.
    #[must_use]
    pub fn is_batch_full(&self) -> bool {
        self.open.as_ref().is_some_and(|batch| {
            batch.rows >= BATCH_EVENTS_MAX || batch.events.events().bytes().len() >= BATCH_BYTES_MAX
        })
    }

    /// Whether as much is in flight as may be: the next batch waits for an acknowledgement.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let bytes: usize = self.in_flight.iter().map(|batch| batch.bytes).sum();
        self.in_flight.len() >= IN_FLIGHT_MAX || bytes >= self.engine.upload_bytes_max()
    }

    /// Whether the open batch has room in the queue for so many more bytes of events; takes it if it is free.
    #[must_use]
    pub fn has_room(&mut self, bytes: usize) -> bool {
        let open = self.open.as_ref();
        let used = open.map_or(0, |batch| batch.events.events().bytes().len());
        let kept = self.room.take();
        let bytes = used.saturating_add(bytes);
        let bytes_max = self.engine.queue_bytes_max();
        if kept
            .as_ref()
            .is_some_and(|room| room.holds(bytes, bytes_max))
        {
            self.room = kept;
            self.reservation = None;
            return true;
        }
        let parts = bytes.next_multiple_of(ROOM_BYTES);
        let taken = [parts, bytes]
            .into_iter()
            .find_map(|bytes| self.engine.try_reserve(bytes));
        let is_taken = taken.is_some();
        if is_taken {
            // It may be ready, and would keep its room for as long as nothing more is read.
            self.reservation = None;
        }
        self.room = taken.or(kept);
        is_taken
    }

    /// Waits for that room. Pending if there is an open batch, or one that is being sent, which may wait for more room
    /// because a gate has made its events longer: an upload that waited while it holds room could wait for another one
    /// that does the same.
    ///
    /// # Errors
    /// If the engine accepts nothing more.
    pub fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
    ) -> Poll<Result<(), SubmitError>> {
        if self.sending.is_some() {
            return Poll::Pending;
        }
        while !self.has_room(bytes) {
            if self.open.is_some() {
                return Poll::Pending;
            }
            self.room = None;
            let engine = Arc::clone(&self.engine);
            let reservation = self
                .reservation
                .get_or_insert_with(|| Box::pin(async move { engine.reserve(bytes).await }));
            let room = ready!(reservation.as_mut().poll(cx));
            self.reservation = None;
            self.room = Some(room?);
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the room back that is kept for an open batch, if there is none.
    pub fn release_room(&mut self) {
        if self.open.is_none() {
            self.room = None;
        }
    }

    /// Whether nothing waits to be sent or acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.open.is_none() && self.sending.is_none() && self.in_flight.is_empty()
    }

    /// Sends the open batch. Ready with `None` if there is none; pending while a gate checks it, while the queue of the
    /// engine is full, and while the window is, which only [`Self::poll_acked`] changes.
    ///
    /// # Errors
    /// If the engine refuses the batch. It is dropped, and so is one that was opened since; those in flight
    /// are still acknowledged.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), SubmitError>>> {
        let mut sending = if let Some(sending) = self.sending.take() {
            sending
        } else {
            if self.open.is_some() && self.is_full() {
                return Poll::Pending;
            }
            let Some(OpenBatch {
                mut events, tag, ..
            }) = self.open.take()
            else {
                return Poll::Ready(None);
            };
            events.room = self.room.take();
            if events.events().is_empty() {
                self.in_flight.push_back(InFlight {
                    tag,
                    pending: None,
                    refused: Vec::new(),
                    bytes: 0,
                });
                return Poll::Ready(Some(Ok(())));
            }
            let bytes = events.events().bytes().len();
            self.batch_bytes = bytes.min(BATCH_BYTES_MAX);
            let engine = Arc::clone(&self.engine);
            Sending {
                submission: Box::pin(async move { engine.submit_rows(events, None).await }),
                tag,
                bytes,
            }
        };
        let Poll::Ready(submitted) = sending.submission.as_mut().poll(cx) else {
            self.sending = Some(sending);
            return Poll::Pending;
        };
        let Sending { tag, bytes, .. } = sending;
        Poll::Ready(Some(match submitted {
            Ok(SubmittedRows { pending, refused }) => {
                self.in_flight.push_back(InFlight {
                    tag,
                    pending,
                    refused,
                    bytes,
                });
                Ok(())
            }
            Err(error) => {
                self.open = None;
                self.room = None;
                Err(error)
            }
        }))
    }

    /// The acknowledgement of the oldest batch in flight; ready with `None` if there is none.
    ///
    /// # Errors
    /// If that batch was refused, or if it is unknown whether it is durable.
    pub fn poll_acked(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Acked<T>, SubmitError>>> {
        let Some(oldest) = self.in_flight.front_mut() else {
            return Poll::Ready(None);
        };
        let receipt = match &mut oldest.pending {
            None => Ok(None),
            Some(pending) => ready!(Pin::new(pending).poll(cx)).map(Some),
        };
        let acked = |InFlight { tag, refused, .. }| {
            receipt.map(|receipt| Acked {
                tag,
                receipt,
                refused,
            })
        };
        Poll::Ready(self.in_flight.pop_front().map(acked))
    }

    /// Drops the open batch and all acknowledgements. What was sent may be durable or not.
    pub fn abandon(&mut self) {
        self.open = None;
        self.room = None;
        self.reservation = None;
        self.sending = None;
        self.in_flight.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;
    use crate::core::{Draft, Micros};
    use crate::engine::gate::RowId;
    use crate::engine::{Options, SystemClock};

    fn engine() -> Arc<Engine> {
        let options = Options::in_memory();
        Arc::new(Engine::open(options, Arc::new(SystemClock)).unwrap())
    }

    /// Adds one event with the tag `tag`, a valid one if `is_valid`.
    fn add(window: &mut UploadWindow<u64>, engine: &Engine, tag: u64, is_valid: bool) {
        let draft = Draft {
            token_id: "T",
            holder_id: if is_valid { "h" } else { "" },
            start: Some(Micros::new(0).unwrap()),
            ..Draft::default()
        };
        let batch = window.open_batch();
        let id = RowId {
            message: tag,
            row: None,
        };
        let accepted = batch.events.accept(&engine.validator(), draft, id);
        assert_eq!(accepted.is_ok(), is_valid);
        batch.rows += 1;
        batch.tag = tag;
    }

    async fn send(window: &mut UploadWindow<u64>) {
        poll_fn(|cx| window.poll_send(cx)).await.unwrap().unwrap();
    }

    async fn acked(window: &mut UploadWindow<u64>) -> Option<(u64, Option<u64>)> {
        let acked = poll_fn(|cx| window.poll_acked(cx)).await?.unwrap();
        Some((acked.tag, acked.receipt.map(|receipt| receipt.last)))
    }

    #[tokio::test]
    async fn batches_are_acknowledged_in_order_also_those_without_valid_events() {
        let engine = engine();
        let mut window = UploadWindow::new(Arc::clone(&engine));
        assert!(window.is_idle());
        for (tag, is_valid) in [(1, true), (2, false), (3, true)] {
            add(&mut window, &engine, tag, is_valid);
            assert!(!window.is_idle());
            send(&mut window).await;
        }
        for expected in [(1, Some(1)), (2, None), (3, Some(2))] {
            assert_eq!(acked(&mut window).await, Some(expected));
        }
        assert_eq!(acked(&mut window).await, None);
        assert!(window.is_idle());
    }

    #[tokio::test]
    async fn a_full_window_sends_nothing_until_a_batch_is_acknowledged() {
        let engine = engine();
        let mut window = UploadWindow::new(Arc::clone(&engine));
        for tag in 0..IN_FLIGHT_MAX as u64 {
            assert!(!window.is_full());
            add(&mut window, &engine, tag, true);
            send(&mut window).await;
        }
        assert!(window.is_full());
        add(&mut window, &engine, 99, true);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(window.poll_send(&mut cx).is_pending());
        acked(&mut window).await.unwrap();
        send(&mut window).await;
        assert!(window.is_full());
    }

    #[test]
    fn refused_events_fill_a_batch_too() {
        let engine = engine();
        let mut window = UploadWindow::new(Arc::clone(&engine));
        for _ in 1..BATCH_EVENTS_MAX {
            add(&mut window, &engine, 0, false);
        }
        assert!(!window.is_batch_full());
        add(&mut window, &engine, 0, false);
        assert!(window.is_batch_full());
    }

    #[tokio::test]
    async fn room_in_the_queue_is_taken_before_events_are_decoded() {
        let engine = engine();
        let all = engine.queue_bytes_max();
        let [mut first, mut second] =
            [(), ()].map(|()| UploadWindow::<u64>::new(Arc::clone(&engine)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.has_room(all), "the queue is empty");
        assert!(!second.has_room(1));
        assert!(second.poll_room(&mut cx, 1).is_pending());
        // An upload that holds no event holds no room.
        first.release_room();
        poll_fn(|cx| second.poll_room(cx, 1)).await.unwrap();
        add(&mut second, &engine, 1, true);
        assert!(
            second.poll_room(&mut cx, all).is_pending(),
            "it is sent first"
        );
        send(&mut second).await;
        acked(&mut second).await.unwrap();
        // The room of the batch is given back behind its acknowledgement.
        poll_fn(|cx| second.poll_room(cx, all)).await.unwrap();
        assert!(!first.has_room(1));
        second.abandon();
        assert!(first.has_room(all));
    }

    /// Room that was waited for once stayed taken beside room that was free before the next look.
    #[tokio::test]
    async fn room_that_is_waited_for_is_not_taken_twice() {
        let engine = engine();
        let all = engine.queue_bytes_max();
        let [mut first, mut second] =
            [(), ()].map(|()| UploadWindow::<u64>::new(Arc::clone(&engine)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.has_room(all));
        assert!(second.poll_room(&mut cx, ROOM_BYTES).is_pending());
        first.release_room();
        assert!(second.poll_room(&mut cx, ROOM_BYTES).is_ready());
        second.release_room();
        assert!(
            first.has_room(all),
            "an upload that reads nothing holds no room"
        );
    }

    /// Uploads whose batches a gate had made longer once waited for the room that each kept for its next batch.
    #[tokio::test]
    async fn no_room_is_taken_while_a_batch_waits_for_more() {
        let engine = engine();
        let [mut first, mut second] =
            [(), ()].map(|()| UploadWindow::<u64>::new(Arc::clone(&engine)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(first.has_room(engine.queue_bytes_max()));
        add(&mut second, &engine, 1, true);
        assert!(second.poll_send(&mut cx).is_pending());
        first.release_room();
        assert!(second.poll_room(&mut cx, 1).is_pending());
        send(&mut second).await;
        assert!(second.poll_room(&mut cx, 1).is_ready());
    }

    #[tokio::test]
    async fn a_refused_batch_is_dropped_and_those_in_flight_are_still_acknowledged() {
        let engine = engine();
        let mut window = UploadWindow::new(Arc::clone(&engine));
        add(&mut window, &engine, 1, true);
        send(&mut window).await;
        engine.close();
        add(&mut window, &engine, 2, true);
        let refused = poll_fn(|cx| window.poll_send(cx)).await.unwrap();
        assert_eq!(refused, Err(SubmitError::Closing));
        assert_eq!(acked(&mut window).await, Some((1, Some(1))));
        assert!(window.is_idle());
    }
}
