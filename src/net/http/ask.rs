//! `GET /stats`, `/leaderboard` and `/holders/{id}`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::accept::{JSON, accepts};
use super::answer::{HolderReport, Listing};
use super::cached::cached;
use super::problem::Problem;
use super::query::Parameters;
use crate::engine::{Cursor, Question};
use crate::net::house::House;
use crate::net::page_token::{PageTokenError, page_token, read_page_token};

const PAGE_SIZE: usize = 1_000;
const PAGE_SIZE_MAX: usize = 10_000;
const LISTED: usize = 100;
const LISTED_MAX: usize = 10_000;

/// Pages of all holders
#[utoipa::path(
    get,
    path = "/stats",
    tag = "questions",
    params(
        super::openapi::WindowParameters,
        super::openapi::TokenParameter,
        super::openapi::PageParameters,
    ),
    responses(
        (status = 200, description = "One page, in leaderboard order.", body = Listing,
            headers(("etag" = String, description = "Names this answer. It stays the same where nothing but `sequence` has moved."))),
        (status = 304, description = "The answer that If-None-Match names still holds."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn stats(
    State(house): State<House>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    accepts(&headers, JSON)?;
    let asked = parameters.window()?;
    let token = parameters.text("token")?;
    let holder = parameters.text("holder")?;
    let size = parameters.count("page_size", PAGE_SIZE, PAGE_SIZE_MAX)?;
    let page = parameters.text("page_token")?;
    parameters.end("as_of, from, closed_only, token, holder, page_size and page_token")?;

    let refused = |error: PageTokenError| Problem::field("page_token", &error);
    let (question, after): (Question, Option<Cursor>) = match page {
        None => {
            let question = Question {
                window: asked.at(house.engine.now()),
                token_id: token.map(Into::into),
            };
            (question, None)
        }
        Some(text) => {
            let (question, cursor) = read_page_token(&text).map_err(refused)?;
            let is_same = holder.is_none()
                && asked.is_part_of(&question.window)
                && token.is_none_or(|token| question.token_id.as_deref() == Some(&*token));
            if !is_same {
                return Err(refused(PageTokenError::OtherQuestion));
            }
            (question, Some(cursor))
        }
    };
    let window = question.window;
    if let Some(holder_id) = holder {
        let answer = house.questions.holder(holder_id, question).await?;
        let sequence = house.engine.sequence();
        return Ok(cached(
            &headers,
            Listing::one(&window, answer.as_ref(), sequence),
        ));
    }
    let page = house.questions.page(question.clone(), after, size).await?;
    let next = page
        .next
        .as_ref()
        .map(|cursor| page_token(&question, cursor));
    Ok(cached(&headers, Listing::page(&window, &page, next)))
}

/// The first holders
#[utoipa::path(
    get,
    path = "/leaderboard",
    tag = "questions",
    params(
        ("n" = Option<u32>, Query, minimum = 1, maximum = 10_000, description = "Holders listed; 100 where it is absent."),
        super::openapi::WindowParameters,
        super::openapi::TokenParameter,
    ),
    responses(
        (status = 200, description = "The first holders, best first.", body = Listing,
            headers(("etag" = String, description = "Names this answer. It stays the same where nothing but `sequence` has moved."))),
        (status = 304, description = "The answer that If-None-Match names still holds."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn leaderboard(
    State(house): State<House>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    accepts(&headers, JSON)?;
    let count = parameters.count("n", LISTED, LISTED_MAX)?;
    let asked = parameters.window()?;
    let token = parameters.text("token")?;
    parameters.end("n, as_of, from, closed_only and token")?;
    let question = Question {
        window: asked.at(house.engine.now()),
        token_id: token.map(Into::into),
    };
    let window = question.window;
    let page = house.questions.page(question, None, count).await?;
    Ok(cached(&headers, Listing::page(&window, &page, None)))
}

/// One holder, explained
#[utoipa::path(
    get,
    path = "/holders/{id}",
    tag = "questions",
    params(
        ("id" = String, Path, min_length = 1, description = "The holder_id, percent-encoded."),
        super::openapi::WindowParameters,
        super::openapi::TokenParameter,
    ),
    responses(
        (status = 200, description = "Score, rank, and the stretches of time that make it up.", body = HolderReport,
            headers(("etag" = String, description = "Names this answer. It stays the same where nothing but `sequence` has moved."))),
        (status = 304, description = "The answer that If-None-Match names still holds."),
    ),
    security(("api_key" = ["read"]))
)]
pub(super) async fn holder(
    State(house): State<House>,
    holder_id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    accepts(&headers, JSON)?;
    // The route has one parameter, of any text: all that can fail is its decoding.
    let Path(holder_id) = holder_id.map_err(|_| Problem::field("id", &"id: not UTF-8 text"))?;
    let asked = parameters.window()?;
    let token = parameters.text("token")?;
    parameters.end("as_of, from, closed_only and token")?;
    let question = Question {
        window: asked.at(house.engine.now()),
        token_id: token.map(Into::into),
    };
    let window = question.window;
    let found = house.questions.known_holder(holder_id, question).await?;
    let answer = found.map_err(|unseen| {
        Problem::of_field(StatusCode::NOT_FOUND, "id", format!("id: {unseen}"))
    })?;
    Ok(cached(&headers, HolderReport::new(&window, &answer)))
}
