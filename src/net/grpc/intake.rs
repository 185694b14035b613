//! Messages that stream in, acknowledgements that stream out, in order.
//!
//! One stream of answers that does all of it when it is polled: it takes what has arrived into one batch,
//! admits the batch, and acknowledges whatever has become durable. So there is no task, channel or lock per
//! stream, a caller that goes away frees everything, and a caller that does not read is not read from.
//! What a message means is in `event` and `columns`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::columns::Rows;
use super::event::Judge;
use super::status;
use crate::core::EventBatch;
use crate::engine::{Durability, Engine, Pending, Receipt, SubmitError};
use crate::net::connection::Boxed;
use crate::net::pb::{self, HoldAck, HoldBatch, HoldMsg, Refusal};
use crate::telemetry::metrics::Metrics;

/// Refused events that one acknowledgement lists.
const REFUSED_LISTED_MAX: usize = 1_024;
/// A batch is admitted where it has so many events, refused ones included, ...
const EVENTS_MAX: u64 = 4_096;
/// ... or so many bytes, or where nothing more has arrived.
const BYTES_MAX: usize = 512 << 10;
/// Batches of one stream that are on their way to the disk.
const FLYING_MAX: usize = 8;
/// Events that are taken in one poll before other streams have their turn.
const TURN_EVENTS: u64 = 8_192;

/// A message that holds events.
pub(in crate::net) trait Carrier {
    /// Adds its events to `events`, and to `group` what is to be said of them.
    fn unload(
        &self,
        judge: &Judge<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut Group,
    );
}

impl Carrier for HoldMsg {
    fn unload(&self, judge: &Judge<'_>, _: usize, events: &mut EventBatch, group: &mut Group) {
        match judge.take(self, events) {
            Ok(()) => group.accepted += 1,
            Err(refusal) => group.refuse(judge, None, refusal.field(), &refusal),
        }
    }
}

impl Carrier for HoldBatch {
    fn unload(
        &self,
        judge: &Judge<'_>,
        rows_max: usize,
        events: &mut EventBatch,
        group: &mut Group,
    ) {
        let rows = match Rows::new(self, rows_max) {
            Ok(rows) => rows,
            Err(refusal) => return group.refuse(judge, None, refusal.field(), &refusal),
        };
        for row in 0..rows.count() {
            match rows.take(row, judge, events) {
                Ok(()) => group.accepted += 1,
                Err(refusal) => {
                    group.refuse(judge, Some(row as u64), refusal.field(), &refusal);
                }
            }
        }
    }
}

/// What one acknowledgement covers.
#[derive(Debug, Default)]
pub(in crate::net) struct Group {
    /// Place of its last message in the stream.
    index: u64,
    messages: u32,
    accepted: u64,
    refused_total: u64,
    refused: Vec<Refusal>,
}

impl Group {
    fn refuse(
        &mut self,
        judge: &Judge<'_>,
        row: Option<u64>,
        field: &'static str,
        reason: &dyn std::fmt::Display,
    ) {
        judge.count_refused(field);
        self.refused_total += 1;
        if self.refused.len() < REFUSED_LISTED_MAX {
            self.refused.push(Refusal {
                index: self.index,
                row,
                field: field.to_owned(),
                reason: reason.to_string(),
            });
        }
    }

    fn is_full(&self, messages_max: u32) -> bool {
        self.messages >= messages_max || self.refused.len() >= REFUSED_LISTED_MAX
    }
}

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

/// Acknowledgements of a flight that has landed.
#[derive(Default)]
struct Landed {
    groups: std::vec::IntoIter<Group>,
    /// Number of the last event that was acknowledged.
    sequence: u64,
    durability: Option<Durability>,
}

impl Landed {
    fn new(groups: Vec<Group>, receipt: Option<Receipt>) -> Self {
        Self {
            groups: groups.into_iter(),
            sequence: receipt.map_or(0, |receipt| receipt.first - 1),
            durability: receipt.map(|receipt| receipt.durability),
        }
    }

    fn next(&mut self) -> Option<HoldAck> {
        let group = self.groups.next()?;
        self.sequence += group.accepted;
        let durability = self.durability.filter(|_| group.accepted > 0);
        Some(HoldAck {
            sequence: durability.map_or(0, |_| self.sequence),
            durability: wire_from_durability(durability).into(),
            index: group.index,
            accepted: group.accepted,
            refused: group.refused,
            refused_total: group.refused_total,
        })
    }
}

/// What is said of how an event is kept.
pub(in crate::net) const fn wire_from_durability(durability: Option<Durability>) -> pb::Durability {
    match durability {
        None => pb::Durability::Unspecified,
        Some(Durability::Durable) => pb::Durability::Durable,
        Some(Durability::Buffered) => pb::Durability::Buffered,
    }
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
        self.landed = Landed::new(flight.groups, receipt);
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
                Poll::Ready(Some(Err(error))) => break Some(Some(error)),
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
            if let Some(acknowledgement) = this.landed.next() {
                return Poll::Ready(Some(Ok(acknowledgement)));
            }
            if this.source.is_some() && this.stop.as_mut().poll(cx).is_ready() {
                this.read_no_more(Some(status::closing()));
            }
            if this.land(cx) {
                continue;
            }
            taken += this.read(cx);
            if this.admit(cx) {
                if taken < TURN_EVENTS {
                    continue;
                }
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
