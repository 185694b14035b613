//! `POST /hold`: one event, an array of them, or a stream of lines.
//!
//! A stream is read as fast as its events become durable and no faster: at most a few batches are on their
//! way, the line that is being read, and one chunk. What an event is, `input` says, as for files.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::value::RawValue;

use super::ingest::{Ingest, NoEvent, Place, Taken};
use super::lines::{Line, Lines};
use super::problem::Problem;
use super::unpack::unpacked;
use crate::input::{JsonError, RefusalReason, is_blank};
use crate::net::house::House;

/// What is told to who sends something else as JSON.
const WANTED: &str = "give an event as an object, or several as an array of objects";

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One object, or an array of them.
    Json,
    /// An object a line.
    Lines,
}

/// Takes events
#[utoipa::path(
    post,
    path = "/hold",
    tag = "events",
    request_body(
        description = "One event, an array of events, or one event a line. The body may be packed with gzip or with zstd (a window of at most 8 MiB).",
        content(
            (super::openapi::HoldEvents = "application/json"),
            (String = "application/x-ndjson"),
        )
    ),
    responses(
        (status = 200, description = "All accepted events are durable; refused ones are listed.", body = Taken),
    ),
    security(("api_key" = ["write"]))
)]
pub(super) async fn hold(
    State(house): State<House>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let form = form(&headers)?;
    let body = unpacked(&headers, body)?;
    let taken = match form {
        Form::Json => json(&house, body).await,
        Form::Lines => lines(&house, body).await,
    }?;
    Ok(Json(taken).into_response())
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let text = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media_type = text.split(';').next().unwrap_or("").trim();
    match media_type.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Form::Lines),
        _ => Err(Problem::of_field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "content-type: give application/json for an event or an array, application/x-ndjson for lines",
        )),
    }
}

async fn json(house: &House, body: Body) -> Result<Taken, Problem> {
    let body = whole(house, body).await?;
    if is_blank(&body) {
        return Err(no_events(&format!("empty; {WANTED}")));
    }
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let mut ingest = Ingest::new(house);
    if first == Some(&b'[') {
        let not_json = |error| no_events(&RefusalReason::NotJson(JsonError::from(&error)));
        let events: Vec<&RawValue> = serde_json::from_slice(&body).map_err(not_json)?;
        let events_max = house.limits.batch_events_max;
        if events.len() > events_max {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "{} events at once, and at most {events_max} are taken: send several arrays, or lines",
                    events.len()
                ),
            ));
        }
        for (index, event) in (0..).zip(events) {
            ingest.take_at(Place::Index(index), event.get().as_bytes());
            ingest.send_if_full().await?;
        }
    } else {
        let refused = |NoEvent { field, reason }| match field {
            Some(field) => Problem::field(field, &reason),
            None if first == Some(&b'{') => no_events(&reason),
            None => no_events(&format!("{reason}; {WANTED}")),
        };
        ingest.take(&body).map_err(refused)?;
    }
    ingest
        .finish()
        .await
        .map_err(|(problem, accepted)| problem.after(accepted, 0))
}

fn no_events(reason: &dyn Display) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the body is {reason}"))
}

/// The whole body, unpacked, within bounds.
async fn whole(house: &House, body: Body) -> Result<Bytes, Problem> {
    let bytes_max = house.limits.message_bytes_max;
    let collected = http_body_util::Limited::new(body, bytes_max).collect();
    let collected = tokio::time::timeout(house.limits.request_wait_max, collected).await;
    match collected {
        Err(_) => Err(too_slow()),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has more than {bytes_max} bytes: send several, or lines"),
        )),
        Ok(Err(error)) => Err(unreadable(&*error)),
    }
}

async fn lines(house: &House, body: Body) -> Result<Taken, Problem> {
    let mut ingest = Ingest::new(house);
    let mut lines = Lines::new(house.limits.line_bytes_max);
    match read_lines(house, body, &mut ingest, &mut lines).await {
        Ok(()) => {
            let line = lines.number();
            ingest
                .finish()
                .await
                .map_err(|(problem, accepted)| problem.after(accepted, line))
        }
        Err(problem) => {
            let accepted = ingest.abandon().await;
            Err(problem.after(accepted, lines.number()))
        }
    }
}

async fn read_lines(
    house: &House,
    mut body: Body,
    ingest: &mut Ingest,
    lines: &mut Lines,
) -> Result<(), Problem> {
    let limits = &house.limits;
    let mut bytes_left = limits.stream_bytes_max;
    while let Some(chunk) = next_chunk(house, &mut body, limits.idle_wait_max).await? {
        bytes_left = bytes_left.checked_sub(chunk.len() as u64).ok_or_else(|| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body has more than {} bytes: send several",
                    limits.stream_bytes_max
                ),
            )
        })?;
        ingest.look_at_the_clock();
        let mut left = &*chunk;
        while let Some(((), after)) = lines.next(left, |number, line| take(ingest, number, &line)) {
            left = after;
            ingest.send_if_full().await?;
        }
    }
    lines.last(|number, line| take(ingest, number, &line));
    Ok(())
}

fn take(ingest: &mut Ingest, number: u64, line: &Line<'_>) {
    match line {
        Line::Whole(line) if is_blank(line) => {}
        Line::Whole(line) => ingest.take_at(Place::Line(number), line),
        Line::TooLong => ingest.refuse_long_line(number),
    }
}

/// The next bytes of the body; `None` at its end.
async fn next_chunk(
    house: &House,
    body: &mut Body,
    wait_max: Duration,
) -> Result<Option<Bytes>, Problem> {
    loop {
        let frame = tokio::select! {
            frame = tokio::time::timeout(wait_max, body.frame()) => frame.map_err(|_| too_slow())?,
            () = house.stop.cancelled() => {
                return Err(Problem::from(&crate::engine::SubmitError::Closing));
            }
        };
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(unreadable(&error)),
            // Trailers hold no events.
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
        "the body came too slowly; what was sent may have been taken",
    )
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    let detail = format!("the body cannot be read: {error}");
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
