//! `/rounds`: sealed rounds of an airdrop, and the proofs of their holders.
//!
//! Sealing operates the service and needs the scope admin; everything else needs the scope rounds, which callers
//! without a key may have. What a round is, is decided in the engine.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tracing::info;
use utoipa::ToSchema;

use super::content_encoding::decoded;
use super::hold::{check_charset, is_json, whole};
use super::packing::{counted, packed};
use super::parameters::{Limit, PAGE_LIMIT, Parameters, RoundParameters, Text};
use super::problem::Problem;
use crate::airdrop::HexHash;
use crate::engine::{RoundError, RoundManifest, RoundProof, RoundRequest, SealError, Sealed};
use crate::net::access::Caller;
use crate::net::answer_budget::{AnswerBudget, BodyBudget};
use crate::net::context::ServerContext;
use crate::net::page_token::{read_round_page_token, round_page_token};

/// Rounds in the order in which they were sealed.
#[derive(Serialize, ToSchema)]
pub(super) struct RoundListing {
    /// The number of rounds, listed or not.
    rounds_total: u64,
    rounds: Vec<ListedRound>,
    /// The `page_token` of the next page; null on the last page.
    next_page_token: Option<String>,
}

/// A round in short.
#[derive(Serialize, ToSchema)]
pub(super) struct ListedRound {
    id: String,
    #[schema(format = DateTime)]
    sealed_at: String,
    #[schema(format = DateTime)]
    as_of: String,
    /// Number of the last event that counts.
    sequence: u64,
    /// SHA-256 of the journal's frame that ends with this event.
    journal_head: Option<String>,
    /// Format of the tree.
    format: String,
    root: String,
    /// Base units.
    sum: String,
    recipients: usize,
    list_sha256: String,
}

/// What a holder shows to the contract.
#[derive(Serialize, ToSchema)]
pub(super) struct HolderProof {
    /// The round.
    id: String,
    /// Format of the tree.
    format: String,
    /// The values of the leaf, as the format has them.
    #[schema(value_type = Vec<Object>)]
    value: Vec<Value>,
    /// Base units.
    amount: String,
    leaf: String,
    /// The siblings from the leaf up to the root.
    proof: Vec<String>,
    root: String,
}

impl From<&RoundManifest> for ListedRound {
    fn from(manifest: &RoundManifest) -> Self {
        Self {
            id: manifest.id.clone(),
            sealed_at: manifest.sealed_at.clone(),
            as_of: manifest.options.as_of.clone(),
            sequence: manifest.store.sequence,
            journal_head: manifest.store.journal_head.clone(),
            format: manifest.options.format.clone(),
            root: manifest.root.clone(),
            sum: manifest.sum.clone(),
            recipients: manifest.counts.recipients,
            list_sha256: manifest.list_sha256.clone(),
        }
    }
}

impl From<RoundProof> for HolderProof {
    fn from(proof: RoundProof) -> Self {
        let siblings = proof.proof.iter();
        Self {
            id: proof.manifest.id.clone(),
            format: proof.manifest.options.format.clone(),
            value: proof.value,
            amount: proof.amount,
            leaf: HexHash(&proof.leaf).to_string(),
            proof: siblings.map(|hash| HexHash(hash).to_string()).collect(),
            root: proof.manifest.root.clone(),
        }
    }
}

/// Seal a round
///
/// Shares a pool by the scores of the state as it is, builds the tree, and keeps both for ever: a round never changes.
/// The same request may be sent again, and is answered with the round that it has sealed.
#[utoipa::path(
    post,
    path = "/rounds",
    tag = "rounds",
    request_body(content = RoundRequest, description = "The options of `airdrop allocate`; amounts in tokens, as text."),
    responses(
        (status = 201, description = "The round is sealed, and durable unless the service keeps nothing on disk.", body = RoundManifest),
        (status = 200, description = "An equal request has sealed it before.", body = RoundManifest),
        (status = 409, description = "Another round has this id, or the scores cannot be shared so.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["admin"]))
)]
pub(super) async fn seal(
    State(context): State<ServerContext>,
    Extension(caller): Extension<Caller>,
    Extension(bodies): Extension<BodyBudget>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_charset(&headers, "rounds")?;
    if !is_json(&headers) {
        return Err(Problem::of_field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            "content-type: must be application/json",
        ));
    }
    let body = whole(&context, &bodies, decoded(&headers, &bodies, body)?).await?;
    let request: RoundRequest = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("the body is not a round to seal: {error}");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    info!(id = request.id, asked_by = %caller, "An operator asked for a round to be sealed.");
    let Sealed { manifest, is_new } = context.queries.seal(request).await??;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(&*manifest)).into_response())
}

/// All rounds
#[utoipa::path(
    get,
    path = "/rounds",
    tag = "rounds",
    params(RoundParameters),
    responses((status = 200, description = "One page, each round in short.", body = RoundListing)),
    security(("api_key" = ["rounds"]))
)]
pub(super) async fn list(
    State(context): State<ServerContext>,
    Extension(answers): Extension<AnswerBudget>,
    headers: HeaderMap,
    Parameters(parameters): Parameters<RoundParameters>,
) -> Result<Response, Problem> {
    let after = match &parameters.page_token {
        None => 0,
        Some(Text(token)) => {
            read_round_page_token(token).map_err(|error| Problem::field("page_token", &error))?
        }
    };
    let Limit(limit) = parameters.limit.unwrap_or(PAGE_LIMIT);
    let answered = context
        .queries
        .rounds(&answers, (after, limit), move |page| {
            let rounds = page.rounds.iter();
            let listing = RoundListing {
                rounds_total: page.known as u64,
                rounds: rounds.map(|round| ListedRound::from(&**round)).collect(),
                next_page_token: page.next.map(round_page_token),
            };
            packed(&headers, Json(listing).into_response())
        });
    Ok(counted(answered.await?))
}

/// One round
#[utoipa::path(
    get,
    path = "/rounds/{id}",
    tag = "rounds",
    params(("id" = String, Path, min_length = 1, description = "The round.")),
    responses(
        (status = 200, description = "What it was computed from, and what came out.", body = RoundManifest),
        (status = 404, description = "No such round.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["rounds"]))
)]
pub(super) async fn manifest(
    State(context): State<ServerContext>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| Problem::field("id", &"id: not UTF-8 text"))?;
    let manifest = context.engine.rounds().manifest(&id)?;
    Ok(Json(&*manifest).into_response())
}

/// The proof of a holder
#[utoipa::path(
    get,
    path = "/rounds/{id}/proofs/{holder}",
    tag = "rounds",
    params(
        ("id" = String, Path, min_length = 1, description = "The round."),
        ("holder" = String, Path, min_length = 1, description = "An address, in any case if it is one of an EVM chain."),
    ),
    responses(
        (status = 200, description = "What the holder shows to the contract.", body = HolderProof),
        (status = 404, description = "No such round, or it has no amount for this holder.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["rounds"]))
)]
pub(super) async fn proof(
    State(context): State<ServerContext>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<HolderProof>, Problem> {
    let Path((id, holder)) =
        path.map_err(|_| Problem::field("holder", &"holder: not UTF-8 text"))?;
    let proof = context.queries.round_proof(id, holder).await??;
    Ok(Json(proof.into()))
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        let text = error.to_string();
        let code = error.code();
        match error {
            SealError::Field { field, .. } => Self::field(field, &text),
            SealError::Exists { .. } => {
                Self::of_field(StatusCode::CONFLICT, "id", text).with_code(code)
            }
            SealError::Payout(_) | SealError::TooLarge { .. } | SealError::TooMany(_) => {
                Self::new(StatusCode::CONFLICT, text).with_code(code)
            }
            SealError::Policy(_) | SealError::Unsettled => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text).with_code(code)
            }
            SealError::Unreadable => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, text).with_code(code)
            }
            SealError::NotStored(reason) => Self::from(&reason),
        }
    }
}

impl From<RoundError> for Problem {
    fn from(error: RoundError) -> Self {
        let text = error.to_string();
        match error {
            RoundError::Unknown(_) => Self::of_field(StatusCode::NOT_FOUND, "id", text),
            RoundError::NotInRound(_) => Self::of_field(StatusCode::NOT_FOUND, "holder", text),
            RoundError::Address(_) => Self::field("holder", &text),
            RoundError::Unreadable => Self::new(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }
}
