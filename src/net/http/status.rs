//! `GET /healthz`, `/readyz` and `/metrics`: for monitoring.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::engine::Condition;
use crate::net::context::ServerContext;
use crate::telemetry::metrics::CONTENT_TYPE;

/// Whether the process responds
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It responds.", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the service is ready
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses((status = 200, description = "It answers queries, and accepts events unless its disk is full.",
        body = String, content_type = "text/plain"))
)]
pub(super) async fn readyz(State(context): State<ServerContext>) -> Result<&'static str, Problem> {
    let not_ready = |reason: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason);
    if context.stop.is_cancelled() {
        return Err(not_ready("the server is shutting down"));
    }
    match context.engine.condition() {
        Condition::Ready => Ok("ready\n"),
        Condition::DiskFull => Ok("read-only: the disk is full\n"),
        Condition::Poisoned(reason) => Err(not_ready(&format!("the journal failed ({reason})"))),
        Condition::Closing => Err(not_ready("the server is shutting down")),
    }
}

/// Metrics for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "In the text format of Prometheus.", body = String, content_type = "text/plain")),
    security(("api_key" = ["metrics"]))
)]
pub(super) async fn metrics(State(context): State<ServerContext>) -> Result<Response, Problem> {
    let metrics = context.metrics.clone();
    // The metrics of the process are read from /proc, which blocks.
    let page = tokio::task::spawn_blocking(move || metrics.render()).await;
    let page =
        page.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response())
}
