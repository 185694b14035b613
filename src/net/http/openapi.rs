//! The `OpenAPI` document: generated from the handlers, and completed with the errors that all routes share.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _, ToSchema};

use super::problem::{PROBLEM_JSON, Problem};

/// The head of the document.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Hold metrics",
        description = "Exact hold scores: how much was held for how long. Every error is a problem document (RFC 9457). Sending an event again changes nothing.",
    ),
    tags(
        (name = "events", description = "Events in"),
        (name = "queries", description = "Scores out"),
        (name = "operation", description = "For monitoring"),
    ),
    components(schemas(Problem)),
    modifiers(&KeySecurity),
)]
pub(super) struct Document;

struct KeySecurity;

impl Modify for KeySecurity {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("api_key", bearer);
    }
}

impl Document {
    /// The document without its routes.
    pub(super) fn head() -> OpenApi {
        Self::openapi()
    }
}

/// A time: text with an offset, or whole milliseconds since 1970.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Time {
    /// RFC 3339. The forms that common databases write are read too: a blank for the `T`, no seconds, `UTC`,
    /// `+hh`, `+hhmm`, and milliseconds as digits; in a query also a date alone, which is its midnight in UTC.
    #[schema(title = "text", format = DateTime)]
    Text(String),
    /// Since 1970.
    #[schema(title = "milliseconds")]
    Milliseconds(Milliseconds),
}

/// Milliseconds since 1970, in the years 0001 to 9999.
#[derive(Deserialize, ToSchema)]
#[schema(minimum = -62_135_596_800_000_i64, maximum = 253_402_300_799_999_i64)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct Milliseconds(i64);

/// A weight of an event: a decimal, as a number or as text; 0, or from 1e-18 to under 2^128 steps of 1e-18.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Weight {
    /// Read digit by digit, never as a double.
    #[schema(title = "number")]
    Number(WeightNumber),
    /// The same as text.
    #[schema(title = "text")]
    Text(WeightText),
}

/// A weight as a number.
#[derive(Deserialize, ToSchema)]
#[schema(minimum = 0)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct WeightNumber(f64);

/// A weight as text; only zero may have a minus sign.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$")]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct WeightText(String);

/// An id; the id of an integer is the text of its digits.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Id {
    /// At most 256 bytes.
    #[schema(title = "text")]
    Text(IdText),
    /// Of any length that its digits may have as text.
    #[schema(title = "integer")]
    Integer(i128),
}

/// An id as text.
#[derive(Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 256)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct IdText(String);

/// A hold event: a closed hold (start and end), a start mark (start alone), a stop mark (end alone), or a
/// retraction (`event_id` and `retract`).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct HoldEvent {
    /// What is held; at most 256 bytes.
    token_id: Id,
    /// Who holds it; at most 256 bytes.
    holder_id: Id,
    /// From when.
    start: Option<Time>,
    /// Until when, exclusive.
    end: Option<Time>,
    /// How much; 1 if absent.
    weight: Option<Weight>,
    /// Makes the event correctable; its scope is the pair of `token_id` and `holder_id`.
    #[schema(min_length = 1, max_length = 256)]
    event_id: Option<String>,
    /// Of the events that share an `event_id`, the one with the largest revision counts.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    revision: Option<u64>,
    /// Withdraws the fact of this `event_id`.
    retract: Option<bool>,
}

/// One event, or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum HoldEvents {
    /// One.
    #[schema(title = "one")]
    One(HoldEvent),
    /// Several.
    #[schema(title = "several")]
    Several(Vec<HoldEvent>),
}

/// Adds the errors that several routes share to those that each route declares, and makes the API key optional
/// for paths that `is_open` accepts.
pub(super) fn complete(document: &mut OpenApi, is_open: impl Fn(&str) -> bool) {
    for (path, item) in &mut document.paths.paths {
        let needs_key = [&item.get, &item.post]
            .into_iter()
            .flatten()
            .any(|operation| operation.security.is_some());
        let takes_body = item.post.is_some();
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let mut errors = BTreeMap::from([
                (500, "A defect of the server."),
                (
                    503,
                    "Not available: shutting down, busy, failed, or the disk is full.",
                ),
            ]);
            if needs_key {
                errors.extend([
                    (400, "A field, a parameter or a header is invalid."),
                    (401, "No API key, or an unknown one."),
                    (403, "The API key lacks the scope."),
                    (
                        429,
                        "Too many requests; the header retry-after says when to try again.",
                    ),
                ]);
            }
            if takes_body {
                errors.extend([
                    (408, "The body arrived too slowly."),
                    (413, "The body is too large."),
                    (
                        415,
                        "The media type or the encoding of the body is not supported.",
                    ),
                ]);
            } else {
                errors.insert(406, "The header accept-encoding allows no encoding.");
            }
            if path.starts_with("/holders") {
                errors.insert(404, "No event names this holder, or none with this token.");
            }
            add(operation, errors);
            if let Some(security) = operation.security.as_mut().filter(|_| is_open(path)) {
                // An empty requirement makes the others optional.
                security.push(SecurityRequirement::default());
            }
        }
    }
}

fn add(operation: &mut Operation, errors: BTreeMap<u16, &str>) {
    for (status, description) in errors {
        operation
            .responses
            .responses
            .entry(status.to_string())
            .or_insert_with(|| RefOr::T(problem(description)));
    }
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, Content::new(Some(schema)))
        .build()
}
