//! The responses of one call of the feed: events as the caller reads them, while it acknowledges positions.
//!
//! Polling the stream does all the work, so a caller that does not read costs no more than the events that were read
//! last. Which consumer it is, and what it wants, is decided in `net::feed`.

use std::future::{Future as _, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use prost::Message as _;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::event::wire_from_event;
use super::response::count_from_wire;
use super::service::HoldService;
use super::status::{bad_field, closing, feed_refused, unreadable};
use crate::engine::{CommitFuture, Consumer, Engine, FeedBatch, FeedError, Origin, Place, Start};
use crate::net::access::Caller;
use crate::net::feed::{self, FeedRefusal, Filter, READ_BYTES_MAX};
use crate::net::pb::feed_request::Request;
use crate::net::pb::feed_start::Begin;
use crate::net::pb::{self, FeedEvent, FeedRequest, FeedStart};

/// Packing a message takes a few milliseconds of a thread that serves other connections too. Far below 4 MiB, the default
/// maximum of gRPC clients.
const MESSAGE_BYTES_MAX: usize = 512 << 10;
/// How long a caller is not told that events passed which it does not want.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// One call.
struct FeedCall {
    engine: Arc<Engine>,
    stop: CancellationToken,
    /// `None` after the caller has ended its requests.
    requests: Option<Streaming<FeedRequest>>,
    /// Whether the server keeps the position.
    is_named: bool,
    consumer: Consumer,
    filter: Filter,
    events_max: usize,
    /// The first response, until it is sent.
    opening: Option<pb::FeedBatch>,
    /// Events that are being sent.
    reading: Option<Reading>,
    /// The last number that was read; that of facts, once all of them were.
    covered_to: u64,
    /// The last number that the caller may acknowledge.
    sent_to: u64,
    /// When the caller is told of progress without events.
    progress_due: Option<Instant>,
    /// The position that the caller has acknowledged last.
    acknowledged: u64,
    /// The position that is durable.
    durable: u64,
    /// The position that is being written, and its outcome.
    committing: Option<(u64, CommitFuture)>,
    has_ended: bool,
}

/// A batch of events, and where the next response begins.
struct Reading {
    batch: FeedBatch,
    place: Place,
}

impl HoldService {
    /// Opens the feed that the first request asks for.
    pub(super) async fn feed_responses(
        &self,
        caller: &Caller,
        mut requests: Streaming<FeedRequest>,
    ) -> Result<impl Stream<Item = Result<pb::FeedBatch, Status>> + Send + use<>, Status> {
        let first = tokio::time::timeout(self.request_wait_max, requests.message());
        let first = first
            .await
            .map_err(|_| Status::deadline_exceeded("start: no request in time"))?;
        let Some(Request::Start(start)) = first
            .map_err(unreadable)?
            .and_then(|request| request.request)
        else {
            return Err(bad_field(
                "start",
                &"start: the first request must contain it",
            ));
        };
        let (consumer, filter) = self.opened(caller, &start)?;
        let starts_from_facts = consumer.reads_facts();
        // Nothing is covered before the last of the facts.
        let position = if starts_from_facts {
            0
        } else {
            consumer.position()
        };
        let opening = pb::FeedBatch {
            first_sequence: position + 1,
            last_sequence: position,
            starts_from_facts,
            ..pb::FeedBatch::default()
        };
        let call = FeedCall {
            engine: Arc::clone(&self.engine),
            stop: self.stop.clone(),
            requests: Some(requests),
            is_named: !start.consumer.is_empty(),
            filter,
            events_max: count_from_wire("events_max", start.events_max, 1_000, 10_000)?,
            opening: Some(opening),
            reading: None,
            covered_to: position,
            sent_to: position,
            progress_due: None,
            acknowledged: position,
            durable: position,
            committing: None,
            has_ended: false,
            consumer,
        };
        Ok(unfold(call, |mut call| async move {
            if call.has_ended {
                return None;
            }
            let response = call.next().await.transpose()?;
            call.has_ended = response.is_err();
            Some((response, call))
        }))
    }

    fn opened(&self, caller: &Caller, start: &FeedStart) -> Result<(Consumer, Filter), Status> {
        let refused = |refusal: FeedRefusal| feed_refused(&refusal);
        let begin = match start.begin {
            None | Some(Begin::FromBeginning(false)) => Start::Now,
            Some(Begin::FromBeginning(true)) => Start::Beginning,
            Some(Begin::FromSequence(0)) => {
                let reason = "from_sequence: counted from 1";
                return Err(bad_field("from_sequence", &reason));
            }
            Some(Begin::FromSequence(sequence)) => Start::Sequence(sequence),
        };
        let filter = Filter::new(Some(&start.token), Some(&start.holder)).map_err(refused)?;
        let name = Some(&*start.consumer).filter(|name| !name.is_empty());
        let consumer = feed::open(
            &self.engine,
            &self.access,
            caller,
            name,
            begin,
            "from_sequence",
        );
        Ok((consumer.map_err(refused)?, filter))
    }
}

impl FeedCall {
    /// The next response; `None` at the end of the call.
    async fn next(&mut self) -> Result<Option<pb::FeedBatch>, Status> {
        if let Some(opening) = self.opening.take() {
            return Ok(Some(self.stamped(opening)));
        }
        loop {
            if let Some(batch) = self.cut() {
                return Ok(Some(self.stamped(batch)));
            }
            if self.requests.is_none() && self.is_named && self.committing.is_none() {
                return Ok(None);
            }
            let progress_due = self.progress_due;
            let progress = async move {
                match progress_due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                // In this order, so that a caller that reads slowly is still listened to.
                biased;
                () = self.stop.cancelled() => return Err(closing()),
                written = committed(&mut self.committing) => {
                    let written = written.map_err(|error| feed_refused(&FeedRefusal::Feed(error)));
                    self.durable = written?;
                    self.commit();
                }
                request = received(&mut self.requests) => match request.map_err(unreadable)? {
                    Some(request) => self.obey(&request)?,
                    None => self.requests = None,
                },
                () = progress => {
                    let batch = self.covering(Vec::new(), false);
                    return Ok(Some(self.stamped(batch)));
                }
                batch = self.consumer.next(READ_BYTES_MAX) => {
                    let Some(batch) = batch else {
                        return Err(closing());
                    };
                    let place = Place::default();
                    self.reading = Some(Reading { batch, place });
                    // Reading from memory never waits, and a caller may want nothing of it.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// A response with the next wanted events of the batch that is being read, if there are any.
    fn cut(&mut self) -> Option<pb::FeedBatch> {
        let Reading { batch, place } = self.reading.as_mut()?;
        let is_from_facts = batch.origin == Origin::Facts;
        let mut events = Vec::new();
        let mut bytes = 0;
        while events.len() < self.events_max && bytes < MESSAGE_BYTES_MAX {
            let Some((sequence, event)) = batch.next_event(place) else {
                break;
            };
            if !is_from_facts {
                self.covered_to = sequence;
            }
            if self.filter.wants(&event) {
                let event = FeedEvent {
                    sequence,
                    event: Some(wire_from_event(&event)),
                };
                bytes += event.encoded_len();
                events.push(event);
            }
        }
        let mut ahead = *place;
        if batch.next_event(&mut ahead).is_none() {
            if batch.is_complete() {
                self.covered_to = batch.last;
            }
            self.reading = None;
        }
        if events.is_empty() {
            self.progress_due
                .get_or_insert_with(|| Instant::now() + PROGRESS_EVERY);
            return None;
        }
        Some(self.covering(events, is_from_facts))
    }

    /// A response that covers everything that was read.
    fn covering(&mut self, events: Vec<FeedEvent>, is_from_facts: bool) -> pb::FeedBatch {
        self.progress_due = None;
        let first_sequence = self.sent_to + 1;
        self.sent_to = self.covered_to;
        pb::FeedBatch {
            events,
            first_sequence,
            last_sequence: self.covered_to,
            is_from_facts,
            ..pb::FeedBatch::default()
        }
    }

    /// The response with what is known when it is sent.
    fn stamped(&self, batch: pb::FeedBatch) -> pb::FeedBatch {
        pb::FeedBatch {
            acknowledged: self.durable,
            newest_sequence: self.engine.sequence(),
            ..batch
        }
    }

    fn obey(&mut self, request: &FeedRequest) -> Result<(), Status> {
        let position = match request.request {
            Some(Request::Acknowledge(position)) => position,
            Some(Request::Start(_)) => {
                let reason = "start: only the first request may contain it";
                return Err(bad_field("start", &reason));
            }
            None => return Err(bad_field("request", &"request: missing; acknowledge")),
        };
        if !self.is_named {
            let reason =
                "acknowledge: no position is kept for a feed without a consumer; name one in start";
            return Err(bad_field("acknowledge", &reason));
        }
        if position > self.sent_to {
            let last = self.sent_to;
            let reason = format!("acknowledge: {position} was not sent yet, the last is {last}");
            return Err(bad_field("acknowledge", &reason));
        }
        self.acknowledged = self.acknowledged.max(position);
        self.commit();
        Ok(())
    }

    /// Writes the acknowledged position, unless another one is being written: that one is followed by the last.
    fn commit(&mut self) {
        if self.committing.is_none() && self.acknowledged > self.durable {
            let outcome = self.consumer.commit(self.acknowledged, "", Vec::new());
            self.committing = Some((self.acknowledged, outcome));
        }
    }
}

/// The position that was being written, once it is durable; never ready if there is none.
async fn committed(committing: &mut Option<(u64, CommitFuture)>) -> Result<u64, FeedError> {
    poll_fn(|cx| {
        let Some((position, outcome)) = committing else {
            return Poll::Pending;
        };
        let written = ready!(Pin::new(outcome).poll(cx)).map(|()| *position);
        *committing = None;
        Poll::Ready(written)
    })
    .await
}

/// The next request; `None` when the caller has ended its requests, and never ready after that.
async fn received(
    requests: &mut Option<Streaming<FeedRequest>>,
) -> Result<Option<FeedRequest>, Status> {
    match requests {
        Some(requests) => requests.message().await,
        None => pending().await,
    }
}
