//! What every HTTP request passes on its way in and out: a name, a span, figures, keys, and the promise that
//! each failure is a problem document.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument as _, info_span};

use super::accept::allow_unpacked;
use super::problem::{PROBLEM_JSON, Problem};
use super::rest::lend;
use crate::config::Scope;
use crate::net::access::Need;
use crate::net::connection::Peer;
use crate::net::house::House;
use crate::net::request_id::{REQUEST_ID, text};
use crate::telemetry::call::{self, Outcome};

/// Routes that the router does not know are counted under this name.
const UNKNOWN_ROUTE: &str = "unknown";
/// Scripts and styles of the page at `/docs` are our own; it marks up with inline styles and images.
const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
/// Nothing else is a page.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Outermost: names the request, counts it, and makes failures problems.
pub(super) async fn attend(
    State(house): State<House>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = house.request_ids.of(request.headers());
    let route = route(&request).to_owned();
    let method = method_name(request.method());
    let peer = peer(&request);
    let span = info_span!(
        "http",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        method,
        route,
        request_id = text(&id),
        %peer
    );
    call::join_trace(&span, |name| request.headers().get(name)?.to_str().ok());
    let own = span.clone();
    allow_unpacked(request.headers_mut());
    let (request, rest) = lend(request);
    let answered = async {
        let mut response = problem_of(next.run(request).await);
        if is_failure(response.status()) {
            rest.throw_away().await;
        }
        let policy = if route.starts_with("/docs") {
            DOCS_POLICY
        } else {
            POLICY
        };
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        for (name, value) in [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CONTENT_SECURITY_POLICY, policy),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        let (status, took) = (response.status().as_u16(), began.elapsed());
        house.metrics.http_ended(method, &route, status, took);
        call::mark_code(&own, "http.response.status_code", status.into());
        call::ended(&own, outcome(status), status, took);
        response
    };
    answered.instrument(span).await
}

/// Inside of CORS, whose questions come without a key: who may ask, and how often.
pub(super) async fn guard(
    State(house): State<House>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let need = need(route(&request));
    let address = peer(&request).ip();
    house.access.admit(need, request.headers(), address)?;
    Ok(next.run(request).await)
}

fn peer(request: &Request) -> SocketAddr {
    let Peer(peer) = *request
        .extensions()
        .get::<Peer>()
        .expect("every connection says who its peer is");
    peer
}

/// Whose fault an answer is, as the log has it.
fn outcome(status: u16) -> Outcome {
    match status {
        500.. => Outcome::Fault,
        401 | 403 => Outcome::Denied,
        _ => Outcome::Answered,
    }
}

/// What a request for a route needs; whatever is not listed needs a key.
pub(super) fn need(route: &str) -> Need {
    match route {
        "/hold" => Need::Key(Scope::Write),
        "/stats" | "/leaderboard" | "/holders/{id}" => Need::Key(Scope::Read),
        "/metrics" => Need::Key(Scope::Metrics),
        "/healthz" | "/readyz" | "/openapi.json" | "/docs" | "/docs/" | "/docs/{*rest}" => {
            Need::Nothing
        }
        _ => Need::AnyKey,
    }
}

fn route(request: &Request) -> &str {
    request
        .extensions()
        .get::<MatchedPath>()
        .map_or(UNKNOWN_ROUTE, MatchedPath::as_str)
}

/// Metrics keep a series for each method, so those that a caller makes up share one.
fn method_name(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// The same answer, as a problem where it is a failure and none yet.
fn problem_of(response: Response) -> Response {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == PROBLEM_JSON.as_bytes());
    if !is_failure(status) || is_problem {
        return response;
    }
    let mut problem = Problem::new(status, sentence(status));
    if let Some(methods) = response.headers().get(header::ALLOW) {
        problem = problem.with_header(header::ALLOW, methods.clone());
    }
    problem.into_response()
}

/// What is said of a failure that was found outside of our handlers.
fn sentence(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing at this path; /docs lists what there is",
        StatusCode::METHOD_NOT_ALLOWED => {
            "this path does not take this method; see the header allow"
        }
        StatusCode::INTERNAL_SERVER_ERROR => "a defect of the server; its log says more",
        _ => "the request cannot be served",
    }
}
