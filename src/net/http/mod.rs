//! HTTP: the same questions and answers as JSON, for people, browsers and monitors.
//!
//! Read in this order: [`entrance`], [`accept`] and [`rest`] (what every request passes), [`hold`], [`unpack`],
//! [`lines`] and [`ingest`] (events in), [`ask`], [`query`], [`answer`] and [`cached`] (answers out), [`status`]
//! (monitors), [`problem`] (failures), [`openapi`] (the contract).

mod accept;
mod answer;
mod ask;
mod cached;
mod entrance;
mod hold;
mod ingest;
mod lines;
mod openapi;
mod problem;
mod query;
mod rest;
mod status;
mod unpack;

use std::any::Any;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::error;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::house::House;
use problem::Problem;

/// Where the contract lies.
const DOCUMENT: &str = "/openapi.json";

/// All routes, with all that surrounds them.
pub(super) fn router(house: &House) -> Router {
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::Document::head())
        .routes(routes!(hold::hold))
        .routes(routes!(ask::stats))
        .routes(routes!(ask::leaderboard))
        .routes(routes!(ask::holder))
        .routes(routes!(status::healthz))
        .routes(routes!(status::readyz))
        .routes(routes!(status::metrics))
        .split_for_parts();
    openapi::complete(&mut document);
    let docs = SwaggerUi::new("/docs").config(Config::from(DOCUMENT));
    routes
        .route(DOCUMENT, get(async move || Json(document)))
        .merge(docs)
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(house.clone())
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn_with_state(
                    house.clone(),
                    entrance::attend,
                ))
                .layer(CatchPanicLayer::custom(defect))
                .option_layer(cors(&house.cors_origins))
                .layer(middleware::from_fn_with_state(
                    house.clone(),
                    entrance::guard,
                ))
                .layer(CompressionLayer::new()),
        )
}

/// A panic is a defect of ours: it ends one request, and the log tells of it.
fn defect(_: Box<dyn Any + Send>) -> Response {
    error!("An HTTP handler panicked: this is a defect of the server.");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "a defect of the server; its log says more",
    )
    .into_response()
}

/// Nothing where no origin is configured; browsers then refuse to show answers to other pages.
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
            .expose_headers([header::ETAG, header::RETRY_AFTER, request_id]),
    )
}
