//! Messages that stream in, acknowledgements that stream out, in order.
//!
//! One stream of answers that does all of it when it is polled: it takes what has arrived into one batch,
//! admits the batch, and acknowledges whatever has become durable. So there is no task, channel or lock per
//! stream, a caller that goes away frees everything, and a caller that does not read is not read from.
//! What a message means is in `event` and `columns`; what is said of it, in `group`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::event::Judge;
use super::group::{Carrier, Group, Landed};
use super::status;
use crate::core::EventBatch;
use crate::engine::{Engine, Pending, SubmitError};
use crate::net::connection::Boxed;
use crate::net::pb::HoldAck;
use crate::telemetry::metrics::Metrics;

/// A batch is admitted where it has so many events, refused ones included, ...
const EVENTS_MAX: u64 = 4_096;
/// ... or so many bytes, or where nothing more has arrived.
const BYTES_MAX: usize = 512 << 10;
/// Batches of one stream that are on their way to the disk.
const FLYING_MAX: usize = 8;
/// Events that are taken in one poll before other streams have their turn.
const TURN_EVENTS: u64 = 8_192;

/// Events that have arrived and were not yet admitted, and how they are acknowledged.
#[derive(Debug)]
struct Load {
    events: EventBatch,
    groups: Vec<Group>,
    /// Accepted or refused.
    rows: u64,
}

impl Load {
    fn is_full(&self) -> bool {
        self.rows >= EVENTS_MAX || self.events.bytes().len() >= BYTES_MAX
    }
}

/// A load that waits for room in the queue.
type Admission = Boxed<Result<Pending, SubmitError>>;

/// A load on its way; where all of it was refused there is nothing to wait for.
struct Flight {
    pending: Option<Pending>,
    groups: Vec<Group>,
}

/// The stream of acknowledgements of a stream of messages.
pub(in crate::net) struct Intake<S> {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    rows_max: usize,
    /// Messages that one acknowledgement may cover.
    ack_every: u32,
    /// `None` once it has ended.
    source: Option<S>,
    /// How the answers end.
    end: Option<Status>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    messages: u64,
    load: Option<Load>,
    /// Bytes of the load before, as a guess for the next.
    load_bytes: usize,
    admission: Option<(Admission, Vec<Group>)>,
    flights: VecDeque<Flight>,
    landed: Landed,
}

impl<S> Intake<S> {
    pub(in crate::net) fn new(
        engine: Arc<Engine>,
        metrics: Arc<Metrics>,
        source: S,
        rows_max: usize,
        ack_every: u32,
        stop: CancellationToken,
    ) -> Self {
        Self {
            engine,
            metrics,
            rows_max,
            ack_every,
            source: Some(source),
            end: None,
            stop: Box::pin(stop.cancelled_owned()),
            messages: 0,
            load: None,
            load_bytes: 0,
            admission: None,
            flights: VecDeque::with_capacity(FLYING_MAX),
            landed: Landed::default(),
        }
    }

    /// Nothing more is read; what was read is still acknowledged.
    fn read_no_more(&mut self, end: Option<Status>) {
        self.source = None;
        self.end = self.end.take().or(end);
    }

    /// Gives up what is on its way: it may be durable or not, and nothing is said of it.
    fn fail(&mut self, error: &SubmitError) {
        self.source = None;
        self.load = None;
        self.admission = None;
        self.flights.clear();
        self.end = Some(status::not_taken(error));
    }

    /// Lands the first flight where it is durable; whether it did.
    fn land(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(flight) = self.flights.front_mut() else {
            return false;
        };
        let receipt = match &mut flight.pending {
            None => None,
            Some(pending) => match Pin::new(pending).poll(cx) {
                Poll::Pending => return false,
                Poll::Ready(Ok(receipt)) => Some(receipt),
                Poll::Ready(Err(error)) => {
                    self.fail(&error);
                    return true;
                }
            },
        };
        let flight = self.flights.pop_front().expect("it is the first");
        self.landed.add(flight.groups, receipt, self.ack_every);
        true
    }

    /// Brings the load on its way where there is room; whether anything changed.
    fn admit(&mut self, cx: &mut Context<'_>) -> bool {
        if self.admission.is_none() {
            if self.flights.len() >= FLYING_MAX {
                return false;
            }
            let Some(load) = self.load.take() else {
                return false;
            };
            if load.events.is_empty() {
                self.flights.push_back(Flight {
                    pending: None,
                    groups: load.groups,
                });
                return true;
            }
            self.load_bytes = load.events.bytes().len();
            let engine = Arc::clone(&self.engine);
            let admission = Box::pin(async move { engine.admit(load.events).await });
            self.admission = Some((admission, load.groups));
        }
        let (admission, _) = self.admission.as_mut().expect("it was just made");
        match admission.as_mut().poll(cx) {
            Poll::Pending => false,
            Poll::Ready(Err(error)) => {
                // What was admitted before is still acknowledged.
                self.admission = None;
                self.load = None;
                self.read_no_more(Some(status::not_taken(&error)));
                true
            }
            Poll::Ready(Ok(pending)) => {
                let (_, groups) = self.admission.take().expect("it was just polled");
                self.flights.push_back(Flight {
                    pending: Some(pending),
                    groups,
                });
                true
            }
        }
    }
}

impl<S, M> Intake<S>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: Carrier,
{
    /// Takes what has arrived, up to a full load; how many events that were.
    fn read(&mut self, cx: &mut Context<'_>) -> u64 {
        let Some(source) = &mut self.source else {
            return 0;
        };
        let judge = Judge::new(&self.engine, &self.metrics);
        let mut taken = 0;
        let end = loop {
            if self.load.as_ref().is_some_and(Load::is_full) {
                break None;
            }
            let message = match Pin::new(&mut *source).poll_next(cx) {
                Poll::Pending => break None,
                Poll::Ready(None) => break Some(None),
                Poll::Ready(Some(Err(error))) => break Some(Some(status::unreadable(error))),
                Poll::Ready(Some(Ok(message))) => message,
            };
            let load = self.load.get_or_insert_with(|| Load {
                events: EventBatch::with_capacity(self.load_bytes),
                groups: Vec::new(),
                rows: 0,
            });
            if load
                .groups
                .last()
                .is_none_or(|group| group.is_full(self.ack_every))
            {
                load.groups.push(Group::default());
            }
            let group = load.groups.last_mut().expect("one is there");
            let before = group.accepted + group.refused_total;
            group.index = self.messages;
            group.messages += 1;
            self.messages += 1;
            message.unload(&judge, self.rows_max, &mut load.events, group);
            // An empty batch counts too, or a stream of them would never end its turn.
            let rows = (group.accepted + group.refused_total - before).max(1);
            load.rows += rows;
            taken += rows;
        };
        if let Some(end) = end {
            self.read_no_more(end);
        }
        taken
    }
}

impl<S, M> Stream for Intake<S>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: Carrier,
{
    type Item = Result<HoldAck, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut taken = 0;
        loop {
            if this.landed.is_due(this.ack_every) {
                return Poll::Ready(this.landed.next().map(Ok));
            }
            if this.source.is_some() && this.stop.as_mut().poll(cx).is_ready() {
                this.read_no_more(Some(status::closing()));
            }
            if this.land(cx) {
                continue;
            }
            taken += this.read(cx);
            let is_moving = this.admit(cx);
            if is_moving && taken < TURN_EVENTS {
                continue;
            }
            // It could have covered more, and nothing more has landed in this turn.
            if let Some(acknowledgement) = this.landed.next() {
                return Poll::Ready(Some(Ok(acknowledgement)));
            }
            if is_moving {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let is_over = this.source.is_none()
                && this.load.is_none()
                && this.admission.is_none()
                && this.flights.is_empty();
            if is_over {
                return Poll::Ready(this.end.take().map(Err));
            }
            return Poll::Pending;
        }
    }
}
