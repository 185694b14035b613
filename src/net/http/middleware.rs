//! The middleware of every HTTP request: request id, span, metrics and authorization. It also turns every error
//! response into a problem document.

use std::net::SocketAddr;
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{Instrument as _, info_span};

use super::problem::{PROBLEM_JSON, Problem};
use super::unread_body::track;
use crate::config::Scope;
use crate::net::access::Need;
use crate::net::connection::Peer;
use crate::net::context::ServerContext;
use crate::net::lifetime::{MortalBody, end_of_call};
use crate::net::request_id::{REQUEST_ID, text};
use crate::telemetry::call::{self, Outcome};

/// The name under which requests to unknown routes are counted.
const UNKNOWN_ROUTE: &str = "unknown";
/// The page at `/docs` loads its scripts from this server; it uses inline styles and images.
const DOCS_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
/// Other responses are not pages.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Outermost: sets the request id, measures the request, and turns errors into problem documents.
pub(super) async fn observe(
    State(context): State<ServerContext>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = context.request_ids.of(request.headers());
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
    let (request, unread) = track(request);
    let respond = async {
        let mut response = problem_of(next.run(request).await);
        if is_error(response.status()) {
            unread.discard().await;
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
        context.metrics.http_ended(method, &route, status, took);
        call::mark_code(&own, "http.response.status_code", status.into());
        call::ended(&own, outcome(status), status, took);
        response
    };
    respond.instrument(span).await
}

/// Inside of CORS, whose preflight requests carry no key: checks the host, the page, the key, its scope and the rate.
pub(super) async fn authorize(
    State(context): State<ServerContext>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let need = need(request.method(), route(&request));
    context.sites.admit(need, &request)?;
    let address = peer(&request).ip();
    let caller = context.access.admit(need, request.headers(), address)?;
    request.extensions_mut().insert(caller.clone());
    let age_max = context.limits.stream_age_max;
    let mut end = end_of_call(&context.access, caller, need, age_max);
    let response = tokio::select! {
        biased;
        response = next.run(request) => response,
        end = &mut end => return Err(end.into()),
    };
    // A body of known length is there already.
    if response.body().size_hint().exact().is_some() {
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(MortalBody::new(body, end))))
}

fn peer(request: &Request) -> SocketAddr {
    let Peer(peer) = *request
        .extensions()
        .get::<Peer>()
        .expect("every connection adds its peer to its requests");
    peer
}

/// How the log classifies a status.
fn outcome(status: u16) -> Outcome {
    match status {
        500.. => Outcome::Fault,
        401 | 403 => Outcome::Denied,
        _ => Outcome::Answered,
    }
}

/// What a request to a route needs; routes that are not listed need a key.
pub(super) fn need(method: &Method, route: &str) -> Need {
    match route {
        "/rounds" if *method == Method::POST => Need::Key(Scope::Admin),
        "/rounds" | "/rounds/{id}" | "/rounds/{id}/proofs/{holder}" => Need::Key(Scope::Rounds),
        "/hold" | "/transfers" => Need::Key(Scope::Write),
        "/stats" | "/leaderboard" | "/holders/{holder_id}" | "/deficits" | "/feed" => {
            Need::Key(Scope::Read)
        }
        route if route.starts_with("/admin/") => Need::Key(Scope::Admin),
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

/// Metrics have a series for each method, so all methods that are not listed share one.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// The response, as a problem document if it is an error and not one already.
fn problem_of(response: Response) -> Response {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == PROBLEM_JSON.as_bytes());
    if !is_error(status) || is_problem {
        return response;
    }
    let mut problem = Problem::new(status, sentence(status));
    if let Some(methods) = response.headers().get(header::ALLOW) {
        problem = problem.with_header(header::ALLOW, methods.clone());
    }
    problem.into_response()
}

/// The sentence for an error that axum or a layer has found.
fn sentence(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "no such path; /docs lists all paths",
        StatusCode::METHOD_NOT_ALLOWED => {
            "method not allowed; the header allow lists the methods of this path"
        }
        StatusCode::NOT_ACCEPTABLE => {
            "accept-encoding: allows no encoding; allow gzip, zstd or identity"
        }
        StatusCode::INTERNAL_SERVER_ERROR => "internal error: see the log of the server",
        _ => "the request cannot be served",
    }
}
