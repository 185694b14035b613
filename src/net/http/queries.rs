//! `GET /stats`, `/leaderboard` and `/holders/{holder_id}`.
//!
//! Parameters are read in `parameters`, answers are converted in `response`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::etag::json_with_etag;
use super::packing::counted;
use super::parameters::{
    HolderParameters, LeaderboardParameters, Limit, PAGE_LIMIT, Parameters, StatsParameters, Text,
    window,
};
use super::problem::Problem;
use super::response::{HolderReport, Listing};
use crate::engine::{ListingError, PublishError, Question};
use crate::net::answer_budget::AnswerBudget;
use crate::net::context::ServerContext;
use crate::net::page_token::{PAGES_GONE, PageStart, PageTokenError, read_page_token};

const LEADERBOARD_LIMIT: Limit = Limit(100);

/// All holders, page by page
#[utoipa::path(
    get,
    path = "/stats",
    tag = "queries",
    params(StatsParameters),
    responses(
        (status = 200, description = "One page, in leaderboard order. All pages behind one first page are of its state.", body = Listing,
            headers(("etag" = String, description = "Identifies this answer. It stays the same if only `sequence` has changed."))),
        (status = 410, description = "The leaderboard of the page before is no longer kept. `page_token` of the problem goes on behind its last row, over the present state.", body = Problem, content_type = "application/problem+json"),
        (status = 304, description = "The answer that If-None-Match names is still current."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn stats(
    State(context): State<ServerContext>,
    Extension(answers): Extension<AnswerBudget>,
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
        let asked = (holder_id, start.question);
        let answered = context
            .queries
            .holder(&answers, asked, move |answer, sequence| {
                let listing = Listing::one(&window, answer.as_ref(), sequence);
                json_with_etag(&headers, listing)
            });
        return Ok(counted(answered.await?));
    }
    let Limit(limit) = parameters.limit.unwrap_or(PAGE_LIMIT);
    let answered = context
        .queries
        .listed(&answers, (start, limit), move |start, page| {
            let page = page.map_err(|error| unlisted(&error, start.by_key()))?;
            start
                .check(&page)
                .map_err(|error| Problem::field("page_token", &error))?;
            let next = start.next(&page);
            let listing = Listing::page(&window, &page, start.policy.clone(), next);
            Ok::<_, Problem>(json_with_etag(&headers, listing))
        });
    Ok(counted(answered.await?.ok()?))
}

/// Why there is no page; `by_key` is the token that goes on where it would begin.
pub(super) fn unlisted(error: &ListingError, by_key: Option<String>) -> Problem {
    match error {
        ListingError::Publish(PublishError::Unknown { .. }) => {
            Problem::field("policy", &format!("policy: {error}"))
        }
        ListingError::Publish(PublishError::Failed { .. }) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        ListingError::Gone => {
            let detail = format!("page_token: {error}");
            Problem::of_field(StatusCode::GONE, "page_token", detail)
                .with_code(PAGES_GONE)
                .with_page_token(by_key)
        }
        ListingError::Foreign => Problem::field("page_token", &PageTokenError::Unknown),
    }
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
    Extension(answers): Extension<AnswerBudget>,
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
    let answered = context
        .queries
        .first(&answers, (start, limit), move |start, page| {
            let page = page.map_err(|error| unlisted(&error, start.by_key()))?;
            let listing = Listing::page(&window, &page, start.policy.clone(), None);
            Ok::<_, Problem>(json_with_etag(&headers, listing))
        });
    Ok(counted(answered.await?.ok()?))
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
    Extension(answers): Extension<AnswerBudget>,
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
    let asked = (holder_id, question);
    let answered = context
        .queries
        .known_holder(&answers, asked, move |answer| {
            json_with_etag(&headers, HolderReport::new(&window, &answer))
        });
    let found = answered.await?.ok().map_err(|unknown| {
        let detail = format!("holder_id: {unknown}");
        Problem::of_field(StatusCode::NOT_FOUND, "holder_id", detail)
    })?;
    Ok(counted(found))
}
