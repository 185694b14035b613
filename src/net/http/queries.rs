//! `GET /stats`, `/leaderboard` and `/holders/{holder_id}`.
//!
//! Parameters are read in `parameters`, answers are converted in `response`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::etag::json_with_etag;
use super::parameters::{
    HolderParameters, LeaderboardParameters, Limit, PAGE_LIMIT, Parameters, StatsParameters, Text,
    window,
};
use super::problem::Problem;
use super::response::{HolderReport, Listing};
use crate::engine::{Page, PublishError, Question};
use crate::net::context::ServerContext;
use crate::net::page_token::{PageStart, PageTokenError, read_page_token};

const LEADERBOARD_LIMIT: Limit = Limit(100);

/// All holders, page by page
#[utoipa::path(
    get,
    path = "/stats",
    tag = "queries",
    params(StatsParameters),
    responses(
        (status = 200, description = "One page, in leaderboard order.", body = Listing,
            headers(("etag" = String, description = "Identifies this answer. It stays the same if only `sequence` has changed."))),
        (status = 304, description = "The answer that If-None-Match names is still current."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn stats(
    State(context): State<ServerContext>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<StatsParameters>,
) -> Result<Response, Problem> {
    let start = page_start(&parameters, &context)?;
    let window = start.question.window;
    if let Some(Text(holder_id)) = parameters.holder_id {
        if start.policy.is_some() {
            let problem = "policy: lists no single holder; leave out holder_id";
            return Err(Problem::field("policy", &problem));
        }
        let answer = context.queries.holder(holder_id, start.question).await?;
        let sequence = context.engine.sequence();
        let listing = Listing::one(&window, answer.as_ref(), sequence);
        return Ok(json_with_etag(&headers, listing));
    }
    let Limit(limit) = parameters.limit.unwrap_or(PAGE_LIMIT);
    let page = listed(&context, &start, limit).await?;
    start
        .check(&page)
        .map_err(|error| Problem::field("page_token", &error))?;
    let next = start.next(&page);
    let listing = Listing::page(&window, &page, start.policy, next);
    Ok(json_with_etag(&headers, listing))
}

/// A page, of the scores themselves or under a policy.
async fn listed(context: &ServerContext, start: &PageStart, limit: usize) -> Result<Page, Problem> {
    let page = context.queries.listed(start.clone(), limit).await?;
    page.map_err(|error| match error {
        PublishError::Unknown { .. } => Problem::field("policy", &format!("policy: {error}")),
        PublishError::Failed { .. } => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
    })
}

/// What a page is about, and where it begins.
fn page_start(parameters: &StatsParameters, context: &ServerContext) -> Result<PageStart, Problem> {
    let policy = parameters.policy.as_ref().map(|policy| policy.0.clone());
    let Some(Text(token)) = &parameters.page_token else {
        let question = Question {
            window: window(
                parameters.from,
                parameters.as_of,
                parameters.closed_only,
                context.engine.now(),
            ),
            token_id: parameters.token_id.as_ref().map(|id| id.0.as_str().into()),
        };
        return Ok(PageStart::first(question, policy));
    };
    let refused = |error: PageTokenError| Problem::field("page_token", &error);
    let start = read_page_token(token).map_err(refused)?;
    let question = &start.question;
    let is_same = parameters.holder_id.is_none()
        && parameters.agree_with(&question.window, question.token_id.as_deref())
        && (policy.is_none() || policy == start.policy);
    if !is_same {
        return Err(refused(PageTokenError::OtherQuestion));
    }
    Ok(start)
}

/// The first holders
#[utoipa::path(
    get,
    path = "/leaderboard",
    tag = "queries",
    params(LeaderboardParameters),
    responses(
        (status = 200, description = "The first holders, largest score first.", body = Listing,
            headers(("etag" = String, description = "Identifies this answer. It stays the same if only `sequence` has changed."))),
        (status = 304, description = "The answer that If-None-Match names is still current."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn leaderboard(
    State(context): State<ServerContext>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<LeaderboardParameters>,
) -> Result<Response, Problem> {
    let LeaderboardParameters {
        limit,
        as_of,
        from,
        closed_only,
        token_id,
        policy,
    } = parameters;
    let window = window(from, as_of, closed_only, context.engine.now());
    let question = Question {
        window,
        token_id: token_id.map(|Text(id)| id.into()),
    };
    let Limit(limit) = limit.unwrap_or(LEADERBOARD_LIMIT);
    let start = PageStart::first(question, policy.map(|Text(name)| name));
    let page = listed(&context, &start, limit).await?;
    let listing = Listing::page(&window, &page, start.policy, None);
    Ok(json_with_etag(&headers, listing))
}

/// One holder, explained
#[utoipa::path(
    get,
    path = "/holders/{holder_id}",
    tag = "queries",
    params(
        ("holder_id" = String, Path, min_length = 1, description = "Percent-encoded."),
        HolderParameters,
    ),
    responses(
        (status = 200, description = "Score, rank, the segments of time that make it up, and the changes behind its balances.", body = HolderReport,
            headers(("etag" = String, description = "Identifies this answer. It stays the same if only `sequence` has changed."))),
        (status = 304, description = "The answer that If-None-Match names is still current."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn holder(
    State(context): State<ServerContext>,
    holder_id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<HolderParameters>,
) -> Result<Response, Problem> {
    // The route has one parameter, of any text: only its decoding can fail.
    let Path(holder_id) =
        holder_id.map_err(|_| Problem::field("holder_id", &"holder_id: not UTF-8 text"))?;
    let HolderParameters {
        as_of,
        from,
        closed_only,
        token_id,
    } = parameters;
    let window = window(from, as_of, closed_only, context.engine.now());
    let question = Question {
        window,
        token_id: token_id.map(|Text(id)| id.into()),
    };
    let found = context.queries.known_holder(holder_id, question).await?;
    let answer = found.map_err(|unknown| {
        let detail = format!("holder_id: {unknown}");
        Problem::of_field(StatusCode::NOT_FOUND, "holder_id", detail)
    })?;
    Ok(json_with_etag(
        &headers,
        HolderReport::new(&window, &answer),
    ))
}
