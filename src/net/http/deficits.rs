//! `GET /deficits`: the keys whose balance is below 0 at some time, page by page.

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::etag::{Sequenced, json_with_etag};
use super::packing::counted;
use super::parameters::{DeficitParameters, Limit, PAGE_LIMIT, Parameters, Text};
use super::problem::Problem;
use super::queries::unlisted;
use crate::core::{Deficit, Window};
use crate::engine::Question;
use crate::net::answer_budget::AnswerBudget;
use crate::net::context::ServerContext;
use crate::net::page_token::{DeficitPageStart, PageTokenError, read_deficit_page_token};
use crate::net::report_limit::listed_event_ids;
use crate::output::DeficitRow;

/// Deficits by `token_id`, then `holder_id`.
#[derive(Serialize, ToSchema)]
pub(super) struct DeficitListing {
    /// The first instant that does not count.
    #[schema(format = DateTime)]
    as_of: String,
    /// Sequence number of the last event that is counted; all before it are counted too.
    sequence: u64,
    /// The number of deficits, listed or not.
    deficits_total: u64,
    deficits: Vec<ListedDeficit>,
    /// The `page_token` of the next page; null on the last page.
    next_page_token: Option<String>,
}

/// A key whose balance is below 0 at some time, with the first 100 of its event ids.
#[derive(Serialize, ToSchema)]
pub(super) struct ListedDeficit {
    #[serde(flatten)]
    deficit: DeficitRow,
    /// The number of event ids that are not listed.
    event_ids_left_out: u64,
}

impl From<&Deficit> for ListedDeficit {
    fn from(deficit: &Deficit) -> Self {
        let (event_ids, event_ids_left_out) = listed_event_ids(deficit);
        Self {
            deficit: DeficitRow {
                event_ids: event_ids.iter().map(ToString::to_string).collect(),
                ..DeficitRow::from(deficit)
            },
            event_ids_left_out,
        }
    }
}

impl Sequenced for DeficitListing {
    fn sequence_mut(&mut self) -> &mut u64 {
        &mut self.sequence
    }
}

/// Keys whose balance is below 0 at some time
///
/// Something is missing from the input: nothing is held while the balance is below 0.
#[utoipa::path(
    get,
    path = "/deficits",
    tag = "queries",
    params(DeficitParameters),
    responses(
        (status = 200, description = "One page, by token and holder. A page ends before its limit if it is full. All pages behind one first page are of its state.", body = DeficitListing,
            headers(("etag" = String, description = "Identifies this answer. It stays the same if only `sequence` has changed."))),
        (status = 410, description = "The list of the page before is no longer kept. `page_token` of the problem goes on behind its last row, over the present state.", body = Problem, content_type = "application/problem+json"),
        (status = 304, description = "The answer that If-None-Match names is still current."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn deficits(
    State(context): State<ServerContext>,
    Extension(answers): Extension<AnswerBudget>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<DeficitParameters>,
) -> Result<Response, Problem> {
    let start = page_start(&parameters, &context)?;
    let Limit(limit) = parameters.limit.unwrap_or(PAGE_LIMIT);
    let answered = context
        .queries
        .deficits(&answers, (start, limit), move |start, page| {
            let page = page.map_err(|error| unlisted(&error, start.by_key()))?;
            let answer = DeficitListing {
                as_of: start.question.window.as_of.to_string(),
                sequence: page.sequence,
                deficits_total: page.known as u64,
                deficits: page.deficits.iter().map(ListedDeficit::from).collect(),
                next_page_token: start.next(&page),
            };
            Ok::<_, Problem>(json_with_etag(&headers, answer))
        });
    Ok(counted(answered.await?.ok()?))
}

/// What a page is about, and where it begins.
fn page_start(
    parameters: &DeficitParameters,
    context: &ServerContext,
) -> Result<DeficitPageStart, Problem> {
    let Some(Text(token)) = &parameters.page_token else {
        let as_of = parameters.as_of.map(|as_of| as_of.0);
        let question = Question {
            window: Window::until(as_of.unwrap_or_else(|| context.engine.now())),
            token_id: parameters.token_id.as_ref().map(|id| id.0.as_str().into()),
        };
        return Ok(DeficitPageStart {
            question,
            after: None,
        });
    };
    let refused = |error: PageTokenError| Problem::field("page_token", &error);
    let start = read_deficit_page_token(token).map_err(refused)?;
    if !parameters.agree_with(&start.question) {
        return Err(refused(PageTokenError::OtherQuestion));
    }
    Ok(start)
}
