//! `GET /feed`: what was acknowledged, as lines that `POST /hold` and `score` read.
//!
//! Each request opens the consumer anew: a page of events answers it, or all facts in one stream if the events behind
//! them no longer exist. Which consumer it is, and what it wants, is decided in `net::feed`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{StreamExt as _, unfold};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::packing::{PACKER_BYTES, asks, counted, packed, packing};
use super::parameters::{Beginning, FeedParameters, PAGE_LIMIT, Parameters, Position, Text, Wait};
use super::problem::Problem;
use crate::engine::{Consumer, FeedBatch, FeedError, Origin, Start, SubmitError};
use crate::net::access::Caller;
use crate::net::answer_budget::{AnswerBudget, Counted, InFlight};
use crate::net::context::ServerContext;
use crate::net::feed::{self, FeedRefusal, Filter, READ_BYTES_MAX};
use crate::net::query_pool::{Answered, QueryError};
use crate::output::write_numbered_event;

/// The last number that a response covers.
pub(super) const LAST_SEQUENCE: HeaderName = HeaderName::from_static("x-last-sequence");
/// The last number of the store.
pub(super) const NEWEST_SEQUENCE: HeaderName = HeaderName::from_static("x-newest-sequence");
/// Whether the lines are facts.
pub(super) const FROM_FACTS: HeaderName = HeaderName::from_static("x-from-facts");
const LINES: &str = "application/x-ndjson";
/// A page ends behind the event that reaches this size.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// What is taken of the room for answers before the size of a line is known.
const EVENT_BYTES: usize = 256;
/// How long a request looks for events that are wanted among others.
const SEARCH_MAX: Duration = Duration::from_secs(1);

/// Acknowledged events
///
/// One JSON object per line, in order, in the form that `POST /hold` takes, with its number as `sequence`. Go on with
/// `from` = `x-last-sequence` + 1, or, with a `consumer`, with `ack` = `x-last-sequence` once the lines are processed.
/// An answer may be empty and cover events all the same, if they are not wanted.
#[utoipa::path(
    get,
    path = "/feed",
    tag = "feed",
    params(FeedParameters),
    responses(
        (status = 200, description = "Events, one per line.", body = String, content_type = "application/x-ndjson",
            headers(
                ("x-last-sequence" = u64, description = "The last sequence number that this covers, events that are not wanted included."),
                ("x-newest-sequence" = u64, description = "The sequence number of the last event of the store."),
                ("x-from-facts" = bool, description = "Whether the lines are facts in force, because the events behind them no longer exist. All have the number `x-last-sequence`; they are sent whole, whatever `limit` says, and count as covered only if the response is complete."),
            )),
        (status = 409, description = "Another call uses the consumer, or there are too many.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn feed(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    Extension(answers): Extension<AnswerBudget>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<FeedParameters>,
) -> Result<Response, Problem> {
    let text = |text: &'_ Option<Text>| text.as_ref().map(|Text(text)| text.clone());
    let (token, holder) = (text(&parameters.token), text(&parameters.holder));
    let filter = Filter::new(token.as_deref(), holder.as_deref())?;
    let mut start = parameters.from.map_or(Start::Now, |Beginning(start)| start);
    let name = text(&parameters.consumer);
    if let Some(Position(position)) = parameters.ack {
        let Some(name) = &name else {
            let reason = "ack: no position is kept without a consumer; name one";
            return Err(Problem::field("ack", &reason));
        };
        feed::check_consumer(&context.access, &caller, name)?;
        if !acknowledge(&context, name, position).await? {
            // A new one begins there.
            start = Start::Sequence(position + 1);
        }
    }
    let (engine, access) = (&context.engine, &context.access);
    let mut consumer = feed::open(engine, access, &caller, name.as_deref(), start, "from")?;
    let newest = context.engine.sequence();
    let began = Instant::now();
    let events_max = parameters.limit.unwrap_or(PAGE_LIMIT).0;
    let is_behind = consumer.reads_facts() || consumer.position() < newest;
    // Events that a request waits for are few, and counted once they are there.
    let bytes = if is_behind {
        (events_max * EVENT_BYTES).min(PAGE_BYTES_MAX)
    } else {
        0
    };
    let in_flight = room(&context, &answers, bytes).await?;
    let wait = parameters.wait.map_or(Duration::ZERO, |Wait(wait)| wait);
    let wait = wait.min(context.limits.request_wait_max);
    let mut page = Page {
        lines: Vec::new(),
        events: 0,
        events_max,
        // Nothing is covered before the last of the facts.
        last: if consumer.reads_facts() {
            0
        } else {
            consumer.position()
        },
    };
    while !page.is_full() {
        let is_caught_up = page.last >= newest && !consumer.reads_facts();
        if is_caught_up && page.events > 0 {
            break;
        }
        let patience = if is_caught_up {
            wait
        } else {
            wait.max(SEARCH_MAX)
        };
        let next = timeout_at(began + patience, consumer.next(READ_BYTES_MAX));
        let batch = tokio::select! {
            batch = next => batch,
            () = context.stop.cancelled() => break,
        };
        match batch {
            Err(_) => break,
            Ok(None) => return Err(Problem::from(&SubmitError::Closing)),
            Ok(Some(batch)) => match batch.origin {
                Origin::Facts => {
                    // They are counted as they are sent, and what is read of them and packs them until their end.
                    drop(in_flight);
                    let packer = if asks(&headers) { PACKER_BYTES } else { 0 };
                    let held = room(&context, &answers, READ_BYTES_MAX + packer).await?;
                    let mut response = facts(consumer, batch, filter, newest, &context.stop);
                    let held = Counted::Parts(Some(Arc::new(held)));
                    response.extensions_mut().insert(held);
                    return Ok(packing(&headers, response));
                }
                Origin::Journal => page.add(&batch, &filter),
            },
        }
        // Reading from memory never waits, and others are to be answered between two batches.
        tokio::task::yield_now().await;
    }
    let newest = context.engine.sequence();
    in_flight.resize(page.lines.len());
    let mut value = lines(Body::from(page.lines), page.last, newest, false);
    if asks(&headers) {
        let packed = move || packed(&headers, value);
        value = context.queries.finish_beside(packed).await?;
    }
    let in_flight = Arc::new(in_flight);
    Ok(counted(Answered { value, in_flight }))
}

/// Waits for room for an answer; those that callers have not read come first.
async fn room(
    context: &ServerContext,
    answers: &AnswerBudget,
    bytes: usize,
) -> Result<InFlight, QueryError> {
    // What is larger than all there is must not wait for itself.
    let bytes = bytes.min(answers.bytes_max());
    let room = tokio::time::timeout(context.limits.request_wait_max, answers.take(bytes)).await;
    room.map_err(|_| QueryError::Unread)
}

/// Writes the position of a consumer; whether there is one of this name.
async fn acknowledge(context: &ServerContext, name: &str, position: u64) -> Result<bool, Problem> {
    let refused = |error| match error {
        FeedError::Ahead { sequence, last } => Problem::field(
            "ack",
            &format!("ack: {sequence} was not acknowledged yet, the last event is {last}"),
        ),
        error => FeedRefusal::Feed(error).into(),
    };
    let written = context.engine.feed().acknowledge(name, position);
    match written.map_err(refused)? {
        None => Ok(false),
        Some(written) => written.await.map(|()| true).map_err(refused),
    }
}

/// The lines of one response.
struct Page {
    lines: Vec<u8>,
    events: usize,
    events_max: usize,
    /// The last number that it covers.
    last: u64,
}

impl Page {
    fn is_full(&self) -> bool {
        self.events >= self.events_max || self.lines.len() >= PAGE_BYTES_MAX
    }

    /// Adds the events that are wanted, up to the end of the batch or the page.
    fn add(&mut self, batch: &FeedBatch, filter: &Filter) {
        for (sequence, event) in batch.events() {
            if self.is_full() {
                return;
            }
            if filter.wants(&event) {
                write_numbered_event(sequence, &event, &mut self.lines).expect("memory takes it");
                self.events += 1;
            }
            self.last = sequence;
        }
        self.last = batch.last;
    }
}

/// All facts as they are read. If something ends them early, the response breaks off, so that it does not seem complete.
fn facts(
    consumer: Consumer,
    first: FeedBatch,
    filter: Filter,
    newest: u64,
    stop: &CancellationToken,
) -> Response {
    let number = first
        .events()
        .next()
        .map_or(first.last, |(number, _)| number);
    let read = (consumer, Some(first), stop.clone());
    let chunks = unfold(read, move |(mut consumer, batch, stop)| {
        let filter = filter.clone();
        async move {
            let batch = batch?;
            let mut chunk = Vec::new();
            for (sequence, event) in batch.events().filter(|(_, event)| filter.wants(event)) {
                write_numbered_event(sequence, &event, &mut chunk).expect("memory takes it");
            }
            if batch.is_complete() {
                return Some((Ok(Bytes::from(chunk)), (consumer, None, stop)));
            }
            let next = tokio::select! {
                next = consumer.next(READ_BYTES_MAX) => next,
                () = stop.cancelled() => None,
            };
            match next {
                None => Some((
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                    (consumer, None, stop),
                )),
                next => Some((Ok(Bytes::from(chunk)), (consumer, next, stop))),
            }
        }
    });
    // Compression asks again after the end.
    lines(Body::from_stream(chunks.fuse()), number, newest, true)
}

fn lines(body: Body, last: u64, newest: u64, is_from_facts: bool) -> Response {
    let is_from_facts = if is_from_facts { "true" } else { "false" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(LINES)),
        (LAST_SEQUENCE, last.into()),
        (NEWEST_SEQUENCE, newest.into()),
        (FROM_FACTS, HeaderValue::from_static(is_from_facts)),
    ];
    (StatusCode::OK, headers, body).into_response()
}
