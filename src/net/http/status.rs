//! `GET /healthz`, `/readyz` and `/metrics`: for monitoring.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::packing::{counted, packed};
use super::problem::Problem;
use crate::engine::{Condition, SubmitError};
use crate::net::answer_budget::AnswerBudget;
use crate::net::context::ServerContext;
use crate::telemetry::metrics::CONTENT_TYPE;

/// What is taken of the room for answers before the size of the metrics is known.
const METRICS_BYTES: usize = 64 << 10;

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
pub(super) async fn metrics(
    State(context): State<ServerContext>,
    Extension(answers): Extension<AnswerBudget>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let metrics = context.metrics.clone();
    let answered = context.queries.beside(&answers, METRICS_BYTES, move || {
        let page = ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render());
        packed(&headers, page.into_response())
    });
    Ok(counted(answered.await?))
}
