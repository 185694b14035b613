//! The stream of acknowledgements of a stream of messages, in order.
//!
//! Polling it does all the work: it decodes the messages that have arrived into a batch, sends the batch, and
//! acknowledges the batches that have become durable. So a stream needs no task, channel or lock of its own, a
//! client that disconnects frees everything, and a client that does not read is not read from. Messages are
//! decoded by `decoder`, acknowledgements are built by `ack_group`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::ack_group::{AckGroup, AckQueue};
use super::columns::BatchBounds;
use super::decoder::BatchDecoder;
use super::status;
use crate::engine::{Engine, UploadWindow};
use crate::net::pb::HoldAck;

/// Events that are decoded in one poll before other streams get their turn.
const POLL_EVENTS_MAX: u64 = 8_192;
/// The next message is read when there is room for a short one; it is decoded once there is room for itself.
const MESSAGE_BYTES: usize = 128;

/// Reads messages of the type `M` from `S` and yields their acknowledgements.
pub(in crate::net) struct AckStream<S, M> {
    engine: Arc<Engine>,
    window: UploadWindow<Vec<AckGroup>>,
    bounds: BatchBounds,
    /// Messages that one acknowledgement may cover.
    ack_every: u32,
    /// `None` after its end.
    source: Option<S>,
    /// A message that waits for room in the queue, with the bytes of its events.
    held: Option<(M, usize)>,
    /// The error that the stream ends with.
    end: Option<Status>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    messages: u64,
    acked: AckQueue,
}

impl<S, M> AckStream<S, M> {
    pub(in crate::net) fn new(
        engine: Arc<Engine>,
        source: S,
        bounds: BatchBounds,
        ack_every: u32,
        stop: CancellationToken,
    ) -> Self {
        Self {
            window: UploadWindow::new(Arc::clone(&engine)),
            engine,
            bounds,
            ack_every,
            source: Some(source),
            held: None,
            end: None,
            stop: Box::pin(stop.cancelled_owned()),
            messages: 0,
            acked: AckQueue::default(),
        }
    }

    /// Reads no more messages; those that were decoded are still acknowledged.
    fn stop_reading(&mut self, end: Option<Status>) {
        self.source = None;
        self.held = None;
        self.end = self.end.take().or(end);
    }

    /// Takes the acknowledgement of the oldest batch in flight; whether there was one.
    fn poll_acked(&mut self, cx: &mut Context<'_>) -> bool {
        match self.window.poll_acked(cx) {
            Poll::Pending | Poll::Ready(None) => false,
            Poll::Ready(Some(Ok(batch))) => {
                self.acked.push(batch, self.ack_every);
                true
            }
            Poll::Ready(Some(Err(error))) => {
                // The batches after it may be durable or not, and stay without acknowledgement.
                self.window.abandon();
                self.source = None;
                self.held = None;
                self.end = Some(status::not_taken(&error));
                true
            }
        }
    }

    /// Sends the open batch if there is room for it; whether anything changed.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> bool {
        match self.window.poll_send(cx) {
            Poll::Pending | Poll::Ready(None) => false,
            Poll::Ready(Some(Ok(()))) => true,
            Poll::Ready(Some(Err(error))) => {
                self.stop_reading(Some(status::not_taken(&error)));
                true
            }
        }
    }
}

impl<S, M> AckStream<S, M>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: BatchDecoder,
{
    /// Decodes the messages that have arrived until the batch or the queue is full; how many events those were.
    fn read(&mut self, cx: &mut Context<'_>) -> u64 {
        let Some(source) = &mut self.source else {
            return 0;
        };
        // Its own, because the window is changed while it validates.
        let engine = Arc::clone(&self.engine);
        let validator = engine.validator();
        let mut read = 0;
        let end = loop {
            if self.window.is_batch_full() {
                break None;
            }
            let bytes = self.held.as_ref().map_or(MESSAGE_BYTES, |held| held.1);
            match self.window.poll_room(cx, bytes) {
                Poll::Pending => break None,
                Poll::Ready(Err(error)) => break Some(Some(status::not_taken(&error))),
                Poll::Ready(Ok(())) => {}
            }
            let message = match self.held.take() {
                Some((message, _)) => message,
                None => match Pin::new(&mut *source).poll_next(cx) {
                    Poll::Pending => break None,
                    Poll::Ready(None) => break Some(None),
                    Poll::Ready(Some(Err(error))) => break Some(Some(status::unreadable(error))),
                    Poll::Ready(Some(Ok(message))) => {
                        let bytes = message.event_bytes_max(self.bounds);
                        if !self.window.has_room(bytes) {
                            self.held = Some((message, bytes));
                            continue;
                        }
                        message
                    }
                },
            };
            let batch = self.window.open_batch();
            let groups = &mut batch.tag;
            if groups
                .last()
                .is_none_or(|group| group.is_full(self.ack_every))
            {
                groups.push(AckGroup::default());
            }
            let group = groups.last_mut().expect("one was pushed");
            let before = group.accepted + group.refused_total;
            group.index = self.messages;
            group.messages += 1;
            self.messages += 1;
            let events_before = batch.events.events().bytes().len();
            message.decode(&validator, self.bounds, &mut batch.events, group);
            group.find(batch.events.events().findings_from(events_before));
            // A message without events counts as one, or a stream of them would fill neither batch nor poll.
            let rows = (group.accepted + group.refused_total - before).max(1);
            batch.rows += rows;
            read += rows;
        };
        self.window.release_room();
        if let Some(end) = end {
            self.stop_reading(end);
        }
        read
    }
}

impl<S, M> Stream for AckStream<S, M>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: BatchDecoder + Unpin,
{
    type Item = Result<HoldAck, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut read = 0;
        loop {
            if this.acked.is_due(this.ack_every) {
                return Poll::Ready(this.acked.pop().map(Ok));
            }
            if this.source.is_some() && this.stop.as_mut().poll(cx).is_ready() {
                this.stop_reading(Some(status::closing()));
            }
            if this.poll_acked(cx) {
                continue;
            }
            read += this.read(cx);
            let has_sent = this.poll_send(cx);
            if has_sent && read < POLL_EVENTS_MAX {
                continue;
            }
            // It could cover more messages, but no more were acknowledged in this poll.
            if let Some(acknowledgement) = this.acked.pop() {
                return Poll::Ready(Some(Ok(acknowledgement)));
            }
            if has_sent {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if this.source.is_none() && this.window.is_idle() {
                return Poll::Ready(this.end.take().map(Err));
            }
            return Poll::Pending;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;
    use crate::engine::{Options, SystemClock};
    use crate::net::pb::HoldBatch;

    #[tokio::test]
    async fn a_message_is_decoded_once_the_queue_has_room_for_its_events() {
        let engine = Engine::open(Options::in_memory(), Arc::new(SystemClock)).unwrap();
        let engine = Arc::new(engine);
        let batch = HoldBatch {
            token_id: vec!["T".to_owned()],
            holder_id: vec!["a".to_owned(); 1_100],
            start_us: vec![0],
            ..HoldBatch::default()
        };
        let bounds = BatchBounds {
            rows_max: 1_100,
            bytes_max: 1 << 20,
        };
        let source = futures_util::stream::iter([Ok(batch)]);
        let stop = CancellationToken::new();
        let mut acks = AckStream::new(Arc::clone(&engine), source, bounds, 1, stop);
        // Another upload leaves room for a message to be read, and not for the events of this one.
        let mut other = UploadWindow::<()>::new(Arc::clone(&engine));
        assert!(other.has_room(engine.queue_bytes_max() - (64 << 10)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut acks).poll_next(&mut cx).is_pending());
        assert!(acks.held.is_some() && acks.window.is_idle());
        other.release_room();
        let ack = poll_fn(|cx| Pin::new(&mut acks).poll_next(cx)).await;
        assert_eq!(ack.unwrap().unwrap().accepted, 1_100);
        assert!(
            poll_fn(|cx| Pin::new(&mut acks).poll_next(cx))
                .await
                .is_none()
        );
        // Nothing is kept of the room.
        let all = engine.queue_bytes_max();
        poll_fn(|cx| other.poll_room(cx, all)).await.unwrap();
    }
}
