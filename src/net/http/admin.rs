//! `/admin/*`: what operators do with the pipelines of a running service.
//!
//! Each route passes its request on to [`Administration`], within a time limit, and
//! logs who asked for a change. Only `GET /admin/pipelines` answers while Python is stuck: it says where.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tracing::info;

use super::parameters::{Parameters, ReloadParameters, ReplayParameters, Text};
use super::problem::Problem;
use crate::net::access::Caller;
use crate::net::administration::{AdminError, AdminErrorKind, Administration};
use crate::net::context::ServerContext;

/// All pipelines with their handlers
#[utoipa::path(
    get,
    path = "/admin/pipelines",
    tag = "pipelines",
    responses(
        (status = 200, description = "State, generation, position and lag of each pipeline; latencies, errors and the last traceback of each handler. Answered while Python is stuck, too.", body = Value),
        (status = 404, description = "This service has no pipelines.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn pipelines(State(context): State<ServerContext>) -> Result<Response, Problem> {
    Ok(axum::Json(administration(&context)?.pipelines()).into_response())
}

/// Reload pipelines
///
/// A version that cannot be loaded leaves the old one running.
#[utoipa::path(
    post,
    path = "/admin/pipelines/reload",
    tag = "pipelines",
    params(ReloadParameters),
    responses(
        (status = 200, description = "The new generation of each pipeline runs.", body = Value),
        (status = 404, description = "No such pipeline.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The new version cannot be loaded; the old one runs on.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn reload(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    Parameters(parameters): Parameters<ReloadParameters>,
) -> Result<Response, Problem> {
    let order = Order::new("reload").with("name", parameters.name.map(|Text(name)| name));
    order.by(&caller).give(&context).await
}

/// Send parked batches again
#[utoipa::path(
    post,
    path = "/admin/pipelines/{name}/replay",
    tag = "pipelines",
    params(
        ("name" = String, Path, min_length = 1, description = "The pipeline, percent-encoded."),
        ReplayParameters,
    ),
    responses(
        (status = 200, description = "The dead letters of its sinks were sent again; those that failed again are parked again.", body = Value),
        (status = 404, description = "No such pipeline or sink.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not possible now.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn replay(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    Parameters(parameters): Parameters<ReplayParameters>,
) -> Result<Response, Problem> {
    let handler = parameters.handler.map(|Text(handler)| handler);
    let order = Order::named("replay", name)?.with("handler", handler);
    order.by(&caller).give(&context).await
}

/// Start disabled handlers again
#[utoipa::path(
    post,
    path = "/admin/pipelines/{name}/enable",
    tag = "pipelines",
    params(("name" = String, Path, min_length = 1, description = "The pipeline, percent-encoded.")),
    responses(
        (status = 200, description = "Its handlers run.", body = Value),
        (status = 404, description = "No such pipeline.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not possible now.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn enable(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let order = Order::named("enable", name)?;
    order.by(&caller).give(&context).await
}

/// All jobs at intervals
#[utoipa::path(
    get,
    path = "/admin/jobs",
    tag = "pipelines",
    responses(
        (status = 200, description = "Interval, state, next run, latencies and errors of each job.", body = Value),
        (status = 404, description = "This service has no pipelines.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn jobs(State(context): State<ServerContext>) -> Result<Response, Problem> {
    Order::new("jobs").give(&context).await
}

/// Pause a job
#[utoipa::path(
    post,
    path = "/admin/jobs/{name}/pause",
    tag = "pipelines",
    params(("name" = String, Path, min_length = 1, description = "The job as `GET /admin/jobs` lists it, percent-encoded.")),
    responses(
        (status = 200, description = "It does not run until it is resumed.", body = Value),
        (status = 404, description = "No such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not possible now.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn job_pause(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let order = Order::named("job_pause", name)?;
    order.by(&caller).give(&context).await
}

/// Resume a job
#[utoipa::path(
    post,
    path = "/admin/jobs/{name}/resume",
    tag = "pipelines",
    params(("name" = String, Path, min_length = 1, description = "The job as `GET /admin/jobs` lists it, percent-encoded.")),
    responses(
        (status = 200, description = "It runs at its interval.", body = Value),
        (status = 404, description = "No such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not possible now.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn job_resume(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let order = Order::named("job_resume", name)?;
    order.by(&caller).give(&context).await
}

/// Run a job now
#[utoipa::path(
    post,
    path = "/admin/jobs/{name}/run",
    tag = "pipelines",
    params(("name" = String, Path, min_length = 1, description = "The job as `GET /admin/jobs` lists it, percent-encoded.")),
    responses(
        (status = 200, description = "It was started, besides its runs at intervals.", body = Value),
        (status = 404, description = "No such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not possible now, such as while it runs.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn job_run(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let order = Order::named("job_run", name)?;
    order.by(&caller).give(&context).await
}

/// Tasks and threads of Python
#[utoipa::path(
    get,
    path = "/admin/python",
    tag = "pipelines",
    responses(
        (status = 200, description = "The tasks of the event loop, and the stack of each thread.", body = Value),
        (status = 404, description = "This service has no pipelines.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn python(State(context): State<ServerContext>) -> Result<Response, Problem> {
    Order::new("tasks").give(&context).await
}

fn administration(context: &ServerContext) -> Result<&dyn Administration, Problem> {
    context.administration.as_deref().ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "this service has no pipelines; start it with `serve --pipeline FILE`",
        )
    })
}

/// What an operator asks for.
struct Order {
    verb: &'static str,
    arguments: Map<String, Value>,
}

impl Order {
    fn new(verb: &'static str) -> Self {
        Self {
            verb,
            arguments: Map::new(),
        }
    }

    /// An order for the pipeline or the job that the path names.
    fn named(
        verb: &'static str,
        name: Result<Path<String>, PathRejection>,
    ) -> Result<Self, Problem> {
        // These routes have one parameter, of any text: only its decoding can fail.
        let Path(name) = name.map_err(|_| Problem::field("name", &"name: not UTF-8 text"))?;
        Ok(Self::new(verb).with("name", Some(name)))
    }

    fn with(mut self, argument: &str, value: Option<String>) -> Self {
        let value = value.map(|value| (argument.to_owned(), value.into()));
        self.arguments.extend(value);
        self
    }

    /// Logs who asked.
    fn by(self, caller: &Caller) -> Self {
        let text = |argument| self.arguments.get(argument).and_then(Value::as_str);
        info!(
            verb = self.verb,
            name = text("name"),
            handler = text("handler"),
            asked_by = %caller,
            "An operator asked for a change of the pipelines."
        );
        self
    }

    /// The answer of Python, if it answers in time.
    async fn give(self, context: &ServerContext) -> Result<Response, Problem> {
        let administration = administration(context)?;
        let wait_max = context.limits.request_wait_max;
        let answer = administration.request(self.verb, Value::Object(self.arguments));
        let answer = tokio::time::timeout(wait_max, answer)
            .await
            .unwrap_or_else(|_| {
                let detail = format!(
                    "Python did not answer within {wait_max:?}; GET /admin/pipelines says which handler is running"
                );
                Err(AdminError::new(AdminErrorKind::NoAnswer, detail))
            })?;
        Ok(axum::Json(answer).into_response())
    }
}
