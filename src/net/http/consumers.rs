//! `DELETE /admin/consumers/{name}`: the cursor of a reader or a store that is no longer used, so that the journal is
//! no longer kept for it.
//!
//! A consumer that is open is left alone: nobody would know how far it has come. `journal cursors --remove` does the
//! same while the service is stopped.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use tracing::info;

use super::problem::Problem;
use crate::excerpt::quoted;
use crate::net::access::Caller;
use crate::net::context::ServerContext;
use crate::net::feed::FeedRefusal;

/// Remove the cursor of a consumer
///
/// The journal is no longer kept for it. If it is opened again, it begins anew.
#[utoipa::path(
    delete,
    path = "/admin/consumers/{name}",
    tag = "feed",
    params(("name" = String, Path, min_length = 1, description = "The consumer as the metric `holdmetrics_feed_lag_events` names it, percent-encoded.")),
    responses(
        (status = 204, description = "There is no cursor of this name any more, also after a restart."),
        (status = 404, description = "No such consumer.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is open: stop its reader, or start the service without its pipeline or store.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn remove(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Path(name) = name.map_err(|_| Problem::field("name", &"name: not UTF-8 text"))?;
    info!(consumer = %name, asked_by = %caller, "An operator asked for the removal of a cursor.");
    let (engine, of) = (Arc::clone(&context.engine), name.clone());
    let removed = tokio::task::spawn_blocking(move || engine.feed().remove(&of)).await;
    let removed = removed.expect("the feed does not panic");
    if removed.map_err(FeedRefusal::Feed)? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let sentence = format!(
        "name: there is no consumer {}; the metric holdmetrics_feed_lag_events names them all",
        quoted(&name)
    );
    Err(Problem::of_field(StatusCode::NOT_FOUND, "name", sentence))
}
