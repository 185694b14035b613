//! The `OpenAPI` document: generated from the handlers, and completed with the errors that all routes share.
//!
//! The schemas of events are in `event_schema`.

use std::collections::BTreeMap;

use axum::http::Method;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi as _, ToSchema as _};

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
        (name = "feed", description = "Events out"),
        (name = "rounds", description = "Sealed rounds of airdrops"),
        (name = "operation", description = "For monitoring"),
        (name = "pipelines", description = "To operate the pipelines of the service"),
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

/// Adds the errors that several routes share to those that each route declares, and makes the API key optional
/// for operations that `is_open` accepts.
pub(super) fn complete(document: &mut OpenApi, is_open: impl Fn(&Method, &str) -> bool) {
    for (path, item) in &mut document.paths.paths {
        let needs_key = [&item.get, &item.post, &item.delete]
            .into_iter()
            .flatten()
            .any(|operation| operation.security.is_some());
        let operations = [
            (&mut item.get, Method::GET),
            (&mut item.post, Method::POST),
            (&mut item.delete, Method::DELETE),
        ];
        for (operation, method) in operations {
            let Some(operation) = operation else {
                continue;
            };
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
            if operation.request_body.is_some() {
                errors.extend([
                    (408, "The body arrived too slowly."),
                    (413, "The body is too large."),
                    (
                        415,
                        "The media type or the encoding of the body is not supported.",
                    ),
                ]);
            }
            if method == Method::GET {
                errors.insert(406, "The header accept-encoding allows no encoding.");
            }
            if path.starts_with("/holders") {
                errors.insert(404, "No event names this holder, or none with this token.");
            }
            add(operation, errors);
            if let Some(security) = operation
                .security
                .as_mut()
                .filter(|_| is_open(&method, path))
            {
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
