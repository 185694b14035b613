//! HTTP: the same service as gRPC in JSON, for scripts, browsers and monitoring.
//!
//! Read in this order: [`middleware`], [`sites`] and [`unread_body`] (every request), [`hold`], [`content_encoding`],
//! [`zstd_windows`], [`lines`] and [`upload`] (events in), [`queries`], [`deficits`], [`parameters`], [`response`], [`etag`]
//! and [`packing`] (scores out), [`feed`] (events out), [`status`] (monitoring), [`admin`] (pipelines), [`consumers`]
//! (their cursors), [`rounds`] (sealed rounds), [`problem`] (errors), [`openapi`] and [`event_schema`] (the contract).

mod admin;
mod consumers;
mod content_encoding;
mod deficits;
mod etag;
mod event_schema;
mod feed;
mod hold;
mod lines;
mod middleware;
mod openapi;
mod packing;
mod parameters;
pub(super) mod problem;
mod queries;
mod response;
mod rounds;
mod sites;
mod status;
mod unread_body;
mod upload;
mod zstd_windows;

use std::any::Any;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::error;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::access::Need;
use super::context::ServerContext;
use problem::Problem;
pub(super) use sites::Sites;

/// The path of the contract.
const DOCUMENT: &str = "/openapi.json";

/// All routes with their middleware.
pub(super) fn router(context: &ServerContext) -> Router {
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::Document::head())
        .routes(routes!(queries::stats))
        .routes(routes!(queries::leaderboard))
        .routes(routes!(queries::holder))
        .routes(routes!(deficits::deficits))
        .routes(routes!(feed::feed))
        .routes(routes!(status::healthz))
        .routes(routes!(status::readyz))
        .routes(routes!(status::metrics))
        .routes(routes!(admin::pipelines))
        .routes(routes!(admin::jobs))
        .routes(routes!(admin::python))
        .routes(routes!(rounds::list))
        .routes(routes!(rounds::manifest))
        .routes(routes!(rounds::proof))
        .routes(routes!(hold::hold))
        .routes(routes!(hold::transfers))
        .routes(routes!(admin::reload))
        .routes(routes!(admin::replay))
        .routes(routes!(admin::enable))
        .routes(routes!(admin::job_pause))
        .routes(routes!(admin::job_resume))
        .routes(routes!(admin::job_run))
        .routes(routes!(consumers::remove))
        .routes(routes!(rounds::seal))
        .split_for_parts();
    openapi::complete(&mut document, |method, path| {
        match middleware::need(method, path) {
            Need::Key(scope) => context.access.is_open(scope),
            Need::AnyKey | Need::Nothing => false,
        }
    });
    let json = (header::CONTENT_TYPE, "application/json");
    // All callers share its bytes, also those that do not read them.
    let document = Bytes::from(serde_json::to_vec(&document).expect("text and maps of it"));
    let docs = Router::from(SwaggerUi::new("/docs").config(Config::from(DOCUMENT)))
        .route(DOCUMENT, get(async move || ([json], document)));
    routes
        .merge(docs)
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(context.clone())
        .layer(
            ServiceBuilder::new()
                .layer(from_fn_with_state(context.clone(), middleware::observe))
                .layer(CatchPanicLayer::custom(defect))
                .option_layer(cors(context.sites.origins()))
                .layer(from_fn_with_state(context.clone(), middleware::authorize)),
        )
}

/// A panic ends one request and is logged.
fn defect(_: Box<dyn Any + Send>) -> Response {
    error!("An HTTP handler panicked: this is a defect of the server.");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal error: see the log of the server",
    )
    .into_response()
}

/// `None` if no origin is configured; browsers then hide responses from pages of other origins.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok()),
        )
    };
    let request_id = HeaderName::from_static("x-request-id");
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::CONTENT_ENCODING,
                header::IF_NONE_MATCH,
                request_id.clone(),
            ])
            .expose_headers([
                header::ETAG,
                header::RETRY_AFTER,
                request_id,
                feed::LAST_SEQUENCE,
                feed::NEWEST_SEQUENCE,
                feed::FROM_FACTS,
            ]),
    )
}
