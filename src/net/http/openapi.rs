//! The `OpenAPI` document: generated from the handlers, and completed with what holds for all of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoParams, Modify, OpenApi as _, ToSchema};

use super::problem::{PROBLEM_JSON, Problem};

/// What is said of the whole.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Hold metrics",
        description = "Exact hold scores: how much was held for how long. Every failure is a problem document (RFC 9457). Sending an event again changes nothing.",
    ),
    tags(
        (name = "events", description = "Events in"),
        (name = "questions", description = "Answers out"),
        (name = "operation", description = "For monitors"),
    ),
    components(schemas(Problem)),
    modifiers(&Keys),
)]
pub(super) struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("api_key", bearer);
    }
}

impl Document {
    /// The head of the document, to which the routes are added.
    pub(super) fn head() -> OpenApi {
        Self::openapi()
    }
}

/// Which time counts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read one by one")]
pub(super) struct WindowParameters {
    /// The first instant that no longer counts, as RFC 3339 text or in milliseconds since 1970; now where it is
    /// absent.
    #[param(value_type = Option<Time>)]
    as_of: Option<String>,
    /// The first instant that counts; the beginning of time where it is absent.
    #[param(value_type = Option<Time>)]
    from: Option<String>,
    /// Leaves out what follows a key's last mark.
    closed_only: Option<bool>,
}

/// A filter.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes a parameter that is read by name")]
pub(super) struct TokenParameter {
    /// This token alone.
    #[param(min_length = 1)]
    token: Option<String>,
}

/// Where a page begins.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read one by one")]
pub(super) struct PageParameters {
    /// This holder alone.
    #[param(min_length = 1)]
    holder: Option<String>,
    /// Holders a page; 1,000 where it is absent.
    #[param(minimum = 1, maximum = 10_000)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before. It carries the window and the filter, which are left out or are the
    /// same.
    #[param(min_length = 1, pattern = "^([0-9a-f]{2})+$")]
    page_token: Option<String>,
}

/// A time of an event: RFC 3339 text with an offset, or milliseconds since 1970.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) enum Time {
    /// With an offset.
    #[schema(title = "text", format = DateTime)]
    Text(String),
    /// Since 1970.
    #[schema(title = "milliseconds")]
    Milliseconds(Milliseconds),
}

/// Milliseconds since 1970, in the years 0001 to 9999.
#[derive(Deserialize, ToSchema)]
#[schema(minimum = -62_135_596_800_000_i64, maximum = 253_402_300_799_999_i64)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct Milliseconds(i64);

/// A weight of an event: a decimal, as a number or as text; 0, or from 1e-18 to under 2^128 steps of 1e-18.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
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
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct WeightNumber(f64);

/// A weight as text; only zero may have a minus sign.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$")]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct WeightText(String);

/// A hold event: a closed hold (start and end), a start mark (start alone), a stop mark (end alone), or a
/// retraction (`event_id` and `retract`).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) struct HoldEvent {
    /// What is held; at most 256 bytes.
    #[schema(min_length = 1, max_length = 256)]
    token_id: String,
    /// Who holds it; at most 256 bytes.
    #[schema(min_length = 1, max_length = 256)]
    holder_id: String,
    /// From when.
    start: Option<Time>,
    /// Until when, exclusive.
    end: Option<Time>,
    /// How much; 1 where it is absent.
    weight: Option<Weight>,
    /// Makes the event correctable; its scope is the pair of `token_id` and `holder_id`.
    #[schema(min_length = 1, max_length = 256)]
    event_id: Option<String>,
    /// Of the events that share an `event_id` the one with the largest revision is in force.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    revision: Option<u64>,
    /// Withdraws the fact of this `event_id`.
    retract: Option<bool>,
}

/// One event, or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(super) enum HoldEvents {
    /// One.
    #[schema(title = "one")]
    One(HoldEvent),
    /// Several.
    #[schema(title = "several")]
    Several(Vec<HoldEvent>),
}

/// Adds the failures that every route may answer with to those that it names itself.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let needs_key = [&item.get, &item.post]
            .into_iter()
            .flatten()
            .any(|operation| operation.security.is_some());
        let takes_body = item.post.is_some();
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let mut failures = BTreeMap::from([
                (500, "A defect of the server."),
                (
                    503,
                    "Not now: shutting down, busy, failed, or the disk is full.",
                ),
            ]);
            if needs_key {
                failures.extend([
                    (400, "A field, a parameter or a header is wrong."),
                    (401, "No API key, or one that is not known."),
                    (403, "The API key lacks the scope."),
                    (
                        429,
                        "Too many calls; the header retry-after says when to try again.",
                    ),
                ]);
            }
            if takes_body {
                failures.extend([
                    (408, "The body came too slowly."),
                    (413, "The body is too large."),
                    (
                        415,
                        "The body is of another media type, or packed in another way.",
                    ),
                ]);
            } else if needs_key && path != "/metrics" {
                failures.insert(406, "The answer is JSON, which is not accepted.");
            }
            if path.starts_with("/holders") {
                failures.insert(404, "This holder was never seen, or never with this token.");
            }
            add(operation, failures);
        }
    }
}

fn add(operation: &mut Operation, failures: BTreeMap<u16, &str>) {
    for (status, description) in failures {
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
