//! `POST /hold`, also called `POST /transfers`: one event, an array of events, or a stream of lines.
//!
//! A stream is read no faster than its events become durable: a request holds the batches in flight, one chunk
//! of its body, and the line that is being read. Events are decoded by `input`, as those of files.

use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::content_encoding::decoded;
use super::lines::{Line, LineSplitter};
use super::packing::counted;
use super::problem::Problem;
use super::upload::{EventError, Numbering, Upload, UploadResult};
use super::zstd_windows::NoRoom;
use crate::engine::{SubmitError, Validator};
use crate::excerpt::quoted;
use crate::input::{JsonError, RefusalReason, is_blank};
use crate::net::answer_budget::{AnswerBudget, BODIES_FULL, BodyBudget, InFlight};
use crate::net::context::ServerContext;
use crate::net::query_pool::Answered;

/// The cure for a body of another form.
const EXPECTED: &str = "send one event as an object, or several as an array of objects";

/// Events that were read wait at most this long for others to be sent with them.
const PAUSE_MAX: Duration = Duration::from_millis(10);

/// The format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// One object, or an array of them.
    Json,
    /// One object per line.
    Lines,
}

/// Stores events
///
/// Holds, changes of balance and transfers, in any mixture.
#[utoipa::path(
    post,
    path = "/hold",
    tag = "events",
    request_body(
        description = "One event, an array of events, or one event per line. The body may be compressed with gzip or zstd (a window of at most 8 MiB).",
        content(
            (super::event_schema::Events = "application/json", examples(
                ("hold" = (summary = "A closed hold", value = json!({
                    "token_id": "gold", "holder_id": "ann",
                    "start": "2025-07-21T00:00:00Z", "end": "2025-07-22T00:00:00Z", "weight": "2.5"
                }))),
                ("change" = (summary = "A change of balance", value = json!({
                    "token_id": "gold", "holder_id": "ann",
                    "at": "2025-07-21T00:00:00Z", "delta": "-0.5", "event_id": "0x5c:1"
                }))),
                ("transfer" = (summary = "A transfer", value = json!({
                    "token_id": "gold", "from_id": "ann", "to_id": "bob",
                    "at": "2025-07-21T00:00:00Z", "amount": "0.5", "event_id": "0x5c:1"
                })))
            )),
            (String = "application/x-ndjson"),
        )
    ),
    responses(
        (status = 200, description = "All accepted events are durable; refused ones are listed.", body = UploadResult),
    ),
    security(("api_key" = ["write"]))
)]
pub(super) async fn hold(
    State(context): State<ServerContext>,
    Extension(bodies): Extension<BodyBudget>,
    Extension(answers): Extension<AnswerBudget>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let format = format(&headers)?;
    let body = decoded(&headers, &bodies, body)?;
    let mut result = match format {
        Format::Json => json(&context, &bodies, &answers, body).await,
        Format::Lines => lines(&context, &answers, body).await,
    }?;
    let listed = result.listed.take();
    let response = Json(result).into_response();
    Ok(match listed {
        Some(in_flight) => counted(Answered {
            value: response,
            in_flight: Arc::new(in_flight),
        }),
        None => response,
    })
}

/// Stores transfers
///
/// Another path of `POST /hold`, which takes transfers too. A transfer is stored whole: the balances of both
/// parties change, or none.
#[utoipa::path(
    post,
    path = "/transfers",
    tag = "events",
    request_body(
        description = "One transfer, an array of transfers, or one transfer per line, as in `POST /hold`.",
        content(
            (super::event_schema::Events = "application/json", example = json!([
                {
                    "token_id": "gold", "to_id": "ann",
                    "at": "2025-07-20T00:00:00Z", "amount": "10", "event_id": "0x5b:0"
                },
                {
                    "token_id": "gold", "from_id": "ann", "to_id": "bob",
                    "at": "2025-07-21T00:00:00Z", "amount": "0.5", "event_id": "0x5c:1"
                }
            ])),
            (String = "application/x-ndjson"),
        )
    ),
    responses(
        (status = 200, description = "All accepted transfers are durable; refused ones are listed.", body = UploadResult),
    ),
    security(("api_key" = ["write"]))
)]
pub(super) async fn transfers(
    context: State<ServerContext>,
    bodies: Extension<BodyBudget>,
    answers: Extension<AnswerBudget>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    hold(context, bodies, answers, headers, body).await
}

/// Whether a body is said to be JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers) == "application/json"
}

/// The media type of a body, in lower case and without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let text = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media_type = text.split(';').next().unwrap_or("").trim();
    media_type.to_ascii_lowercase()
}

/// Refuses a body of `what` that is said to be of several types, or in another charset than UTF-8.
pub(super) fn check_charset(headers: &HeaderMap, what: &str) -> Result<(), Problem> {
    if headers.get_all(header::CONTENT_TYPE).iter().count() > 1 {
        return Err(Problem::of_field(
            StatusCode::BAD_REQUEST,
            "content-type",
            "content-type: given more than once; send one",
        ));
    }
    let mut parameters = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .into_iter()
        .flat_map(|text| text.split(';').skip(1));
    parameters
        .find_map(other_charset)
        .map_or(Ok(()), |charset| {
            let charset = quoted(charset);
            Err(Problem::of_field(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type",
                format!("content-type: charset {charset}: {what} are read as UTF-8; send them so"),
            ))
        })
}

fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    check_charset(headers, "events")?;
    match media_type(headers).as_str() {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Format::Lines),
        _ => Err(Problem::of_field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "content-type: must be application/json for an event or an array, or application/x-ndjson for lines",
        )),
    }
}

/// The charset that a parameter of a media type names, unless it is UTF-8.
fn other_charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    let charset = value.trim().trim_matches('"');
    let is_other = !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8");
    (name.trim().eq_ignore_ascii_case("charset") && is_other).then_some(charset)
}

async fn json(
    context: &ServerContext,
    bodies: &BodyBudget,
    answers: &AnswerBudget,
    body: Body,
) -> Result<UploadResult, Problem> {
    let body = whole(context, bodies, body).await?;
    if is_blank(&body) {
        return Err(not_events(&format!("empty; {EXPECTED}")));
    }
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let validator = context.engine.validator();
    if first == Some(&b'[') {
        let mut upload = Upload::new(context, answers, Numbering::Index);
        let not_json = |error| not_events(&RefusalReason::NotJson(JsonError::from(&error)));
        let events_max = context.limits.batch_events_max;
        let Elements { first, count } = elements(&body, events_max).map_err(not_json)?;
        if count > events_max {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "{count} events in an array, the maximum is {events_max}; send several arrays, or lines"
                ),
            ));
        }
        for (index, event) in (0..).zip(first) {
            upload.make_room(event.get().len()).await?;
            upload.add_at(index, &validator, event.get().as_bytes());
            upload.send_if_full().await?;
        }
        let finished = upload.finish().await;
        finished.map_err(|(problem, accepted)| problem.after(accepted, 0))
    } else {
        let refused = |EventError { field, reason }| match field {
            Some(field) => Problem::field(field, &reason),
            None if first == Some(&b'{') => not_events(&reason),
            None => not_events(&format!("{reason}; {EXPECTED}")),
        };
        let mut upload = Upload::new(context, answers, Numbering::Single);
        upload.make_room(body.len()).await?;
        upload.add_single(&validator, &body).map_err(refused)?;
        upload.finish_single().await
    }
}

/// The elements of an array, and how many there are.
struct Elements<'a> {
    /// No more than were asked for: `0,` takes two bytes as text, and sixteen here.
    first: Vec<&'a RawValue>,
    count: usize,
}

/// The first `events_max` elements of an array of JSON.
fn elements(body: &[u8], events_max: usize) -> serde_json::Result<Elements<'_>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let elements = json.deserialize_seq(ElementVisitor { events_max })?;
    json.end()?;
    Ok(elements)
}

struct ElementVisitor {
    events_max: usize,
}

impl<'a> Visitor<'a> for ElementVisitor {
    type Value = Elements<'a>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Elements<'a>, A::Error> {
        let mut first = Vec::new();
        while first.len() < self.events_max {
            let Some(element) = array.next_element()? else {
                let count = first.len();
                return Ok(Elements { first, count });
            };
            first.push(element);
        }
        let mut count = first.len();
        while array.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Elements { first, count })
    }
}

fn not_events(reason: &dyn Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the body is {reason}"))
}

/// A whole decoded body, which is counted for as long as it is there.
pub(super) struct WholeBody {
    bytes: BytesMut,
    in_flight: InFlight,
}

impl Deref for WholeBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The whole decoded body, which is limited, as all of them are together.
pub(super) async fn whole(
    context: &ServerContext,
    BodyBudget(bodies): &BodyBudget,
    mut body: Body,
) -> Result<WholeBody, Problem> {
    let bytes_max = context.limits.message_bytes_max;
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has more than {bytes_max} bytes; send several, or lines"),
        )
    };
    // Said before it is sent, if it is not compressed.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut whole = WholeBody {
        bytes: BytesMut::new(),
        in_flight: bodies.count(0),
    };
    let read = async {
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|error| unreadable(&error))?.into_data() else {
                continue;
            };
            if whole.bytes.len() + chunk.len() > bytes_max {
                return Err(too_large());
            }
            if !whole.in_flight.grow(chunk.len()) {
                return Err(bodies_full());
            }
            whole.bytes.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let read = tokio::time::timeout(context.limits.request_wait_max, read).await;
    read.map_err(|_| too_slow())??;
    Ok(whole)
}

async fn lines(
    context: &ServerContext,
    answers: &AnswerBudget,
    body: Body,
) -> Result<UploadResult, Problem> {
    let mut upload = Upload::new(context, answers, Numbering::Line);
    let mut lines = LineSplitter::new(context.limits.line_bytes_max);
    match read_lines(context, body, &mut upload, &mut lines).await {
        Ok(()) => {
            let line = lines.number();
            upload
                .finish()
                .await
                .map_err(|(problem, accepted)| problem.after(accepted, line))
        }
        Err(problem) => {
            let accepted = upload.abandon().await;
            Err(problem.after(accepted, lines.number()))
        }
    }
}

async fn read_lines(
    context: &ServerContext,
    mut body: Body,
    upload: &mut Upload,
    lines: &mut LineSplitter,
) -> Result<(), Problem> {
    let limits = &context.limits;
    let mut bytes_left = limits.stream_bytes_max;
    while let Some(chunk) = chunk_or_send(context, &mut body, upload).await? {
        bytes_left = bytes_left.checked_sub(chunk.len() as u64).ok_or_else(|| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body has more than {} bytes; send several",
                    limits.stream_bytes_max
                ),
            )
        })?;
        // A stream may last: each chunk is validated by the clock at its arrival.
        let validator = context.engine.validator();
        let mut left = &*chunk;
        upload.make_room(lines.partial_bytes() + left.len()).await?;
        while let Some(((), after)) =
            lines.next(left, |number, line| add(upload, &validator, number, &line))
        {
            left = after;
            if upload.send_if_full().await? {
                upload.make_room(left.len()).await?;
            }
        }
    }
    upload.make_room(lines.partial_bytes()).await?;
    let validator = context.engine.validator();
    lines.last(|number, line| add(upload, &validator, number, &line));
    Ok(())
}

fn add(upload: &mut Upload, validator: &Validator<'_>, number: u64, line: &Line<'_>) {
    match line {
        Line::Whole(line) if is_blank(line) => {}
        Line::Whole(line) => upload.add_at(number, validator, line),
        Line::TooLong => upload.refuse_long_line(number, validator),
    }
}

/// The next bytes of the body; `None` at its end. If they do not come soon, what was read is sent: an upload that waits
/// for its caller holds no room in the queue, which others need.
async fn chunk_or_send(
    context: &ServerContext,
    body: &mut Body,
    upload: &mut Upload,
) -> Result<Option<Bytes>, Problem> {
    let wait_max = context.limits.idle_wait_max;
    let soon = next_chunk(context, body, wait_max);
    if let Ok(chunk) = tokio::time::timeout(PAUSE_MAX, soon).await {
        return chunk;
    }
    upload.send_read().await?;
    next_chunk(context, body, wait_max).await
}

/// The next bytes of the body; `None` at its end.
async fn next_chunk(
    context: &ServerContext,
    body: &mut Body,
    wait_max: Duration,
) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = tokio::select! {
            frame = tokio::time::timeout(wait_max, body.frame()) => frame.map_err(|_| too_slow())?,
            () = context.stop.cancelled() => {
                return Err(Problem::from(&SubmitError::Closing));
            }
        };
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(unreadable(&error)),
            // Trailers contain no events.
            Some(Ok(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
        }
    }
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "the body arrived too slowly; events that were sent may be stored, send them again",
    )
}

/// There is no room for a body that is read whole, or for what its compression keeps.
fn bodies_full() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many bodies at once that are read whole, or compressed with a large window; try again, or send lines \
         without compression, which are stored as they arrive",
    )
    .with_code(BODIES_FULL)
    .retry(Duration::from_secs(1))
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    let causes = std::iter::successors(Some(error), |error| error.source());
    if causes
        .filter_map(|cause| cause.downcast_ref())
        .any(NoRoom::is)
    {
        return bodies_full();
    }
    let detail = format!("the body cannot be read: {error}");
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_array_no_more_elements_are_kept_than_may_be_sent() {
        let kept = |text: &str, events_max| {
            let elements = elements(text.as_bytes(), events_max).ok()?;
            Some((elements.first.len(), elements.count))
        };
        assert_eq!(kept("[{}, 0 , [1,2]]", 5), Some((3, 3)));
        assert_eq!(kept("[0,0,0,0]", 3), Some((3, 4)));
        assert_eq!(kept("[]", 0), Some((0, 0)));
        for text in ["[0,", "[0,0,}", "[0] 1"] {
            assert_eq!(kept(text, 1), None, "{text}");
        }
    }
}
