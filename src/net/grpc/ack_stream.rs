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
use super::decoder::BatchDecoder;
use super::status;
use crate::engine::{Engine, UploadWindow};
use crate::net::pb::HoldAck;

/// Events that are decoded in one poll before other streams get their turn.
const POLL_EVENTS_MAX: u64 = 8_192;

/// Reads messages from `S` and yields their acknowledgements.
pub(in crate::net) struct AckStream<S> {
    engine: Arc<Engine>,
    window: UploadWindow<Vec<AckGroup>>,
    rows_max: usize,
    /// Messages that one acknowledgement may cover.
    ack_every: u32,
    /// `None` after its end.
    source: Option<S>,
    /// The error that the stream ends with.
    end: Option<Status>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    messages: u64,
    acked: AckQueue,
}

impl<S> AckStream<S> {
    pub(in crate::net) fn new(
        engine: Arc<Engine>,
        source: S,
        rows_max: usize,
        ack_every: u32,
        stop: CancellationToken,
    ) -> Self {
        Self {
            window: UploadWindow::new(Arc::clone(&engine)),
            engine,
            rows_max,
            ack_every,
            source: Some(source),
            end: None,
            stop: Box::pin(stop.cancelled_owned()),
            messages: 0,
            acked: AckQueue::default(),
        }
    }

    /// Reads no more messages; those that were read are still acknowledged.
    fn stop_reading(&mut self, end: Option<Status>) {
        self.source = None;
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

impl<S, M> AckStream<S>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: BatchDecoder,
{
    /// Decodes the messages that have arrived until the batch is full; how many events those were.
    fn read(&mut self, cx: &mut Context<'_>) -> u64 {
        let Some(source) = &mut self.source else {
            return 0;
        };
        let validator = self.engine.validator();
        let mut read = 0;
        let end = loop {
            if self.window.is_batch_full() {
                break None;
            }
            let message = match Pin::new(&mut *source).poll_next(cx) {
                Poll::Pending => break None,
                Poll::Ready(None) => break Some(None),
                Poll::Ready(Some(Err(error))) => break Some(Some(status::unreadable(error))),
                Poll::Ready(Some(Ok(message))) => message,
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
            message.decode(&validator, self.rows_max, &mut batch.events, group);
            // A message without events counts as one, or a stream of them would fill neither batch nor poll.
            let rows = (group.accepted + group.refused_total - before).max(1);
            batch.rows += rows;
            read += rows;
        };
        if let Some(end) = end {
            self.stop_reading(end);
        }
        read
    }
}

impl<S, M> Stream for AckStream<S>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: BatchDecoder,
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
