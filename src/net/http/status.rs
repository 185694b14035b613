//! `GET /healthz`, `/readyz` and `/metrics`: for monitoring.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::engine::{Condition, SubmitError};
use crate::net::context::ServerContext;
use crate::net::query_pool::QueryError;
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
    if context.stop.is_cancelled() {
        return Err(Problem::from(&SubmitError::Closing));
    }
    match context.engine.condition() {
        Condition::Ready => Ok("ready\n"),
        Condition::DiskFull => Ok("read-only: the disk is full\n"),
        Condition::Stalled(stall) => {
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, stall.to_string());
            Err(problem.with_code(stall.code()))
        }
        Condition::Poisoned(reason) => Err(Problem::from(&SubmitError::Poisoned { reason })),
        Condition::Closing => Err(Problem::from(&SubmitError::Closing)),
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
    let page = page.map_err(|_| Problem::from(QueryError::Broken))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response())
}
