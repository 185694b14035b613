//! The calls of rounds: requests into those of the engine, rounds and proofs into messages.
//!
//! `service` passes the calls on, `dispatcher` has authorized their callers. What a round is, is decided in the engine.

use std::collections::HashMap;

use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::info;

use super::event::wire_from_instant;
use super::response::{count_from_wire, instant};
use super::service::HoldService;
use super::status::{DOMAIN, bad_field, defect, not_taken, query_failed, unavailable};
use crate::airdrop::{Curve, Format, HexHash};
use crate::core::Micros;
use crate::engine::{RoundError, RoundManifest, RoundProof, RoundRequest, SealError};
use crate::net::access::Caller;
use crate::net::answer_budget::AnswerBudget;
use crate::net::page_token::{read_round_page_token, round_page_token};
use crate::net::pb;
use crate::net::query_pool::Answered;

impl HoldService {
    pub(super) async fn sealed_round(
        &self,
        caller: &Caller,
        request: pb::SealRoundRequest,
    ) -> Result<pb::Round, Status> {
        let request = request_from_wire(request)?;
        info!(id = request.id, asked_by = %caller, "An operator asked for a round to be sealed.");
        let sealed = self.queries.seal(request).await.map_err(query_failed)?;
        let sealed = sealed.map_err(|error| not_sealed(&error))?;
        Ok(whole_round(&sealed.manifest))
    }

    /// One page of rounds.
    pub(super) async fn listed_rounds(
        &self,
        answers: &AnswerBudget,
        request: pb::ListRoundsRequest,
    ) -> Result<Answered<pb::Rounds>, Status> {
        let size = count_from_wire("page_size", request.page_size, 1_000, 10_000)?;
        let after = match &*request.page_token {
            "" => 0,
            token => {
                read_round_page_token(token).map_err(|error| bad_field("page_token", &error))?
            }
        };
        let answered = self
            .queries
            .rounds(answers, (after, size), |page| pb::Rounds {
                rounds: page
                    .rounds
                    .iter()
                    .map(|round| wire_from_round(round))
                    .collect(),
                next_page_token: page.next.map_or_else(String::new, round_page_token),
                rounds_total: page.known as u64,
            });
        answered.await.map_err(query_failed)
    }

    pub(super) fn one_round(&self, id: &str) -> Result<pb::Round, Status> {
        let manifest = self.engine.rounds().manifest(id);
        let manifest = manifest.map_err(|error| not_answered(&error))?;
        Ok(whole_round(&manifest))
    }

    pub(super) async fn round_proof(
        &self,
        request: pb::GetRoundProofRequest,
    ) -> Result<pb::RoundProof, Status> {
        let pb::GetRoundProofRequest { id, holder } = request;
        let proof = self.queries.round_proof(id, holder).await;
        let proof = proof.map_err(query_failed)?;
        proof
            .map(wire_from_proof)
            .map_err(|error| not_answered(&error))
    }
}

fn request_from_wire(wire: pb::SealRoundRequest) -> Result<RoundRequest, Status> {
    let decimals = wire.decimals.ok_or_else(|| {
        bad_field(
            "decimals",
            &"decimals: missing (18 means that a base unit is 1e-18 token)",
        )
    })?;
    let decimals = u8::try_from(decimals).unwrap_or(u8::MAX);
    let text = |text: String| (!text.is_empty()).then_some(text);
    let or = |given: String, other: &str| text(given).unwrap_or_else(|| other.to_owned());
    let time = |field, time: Option<_>| {
        let time = instant(field, time.as_ref())?;
        Ok::<_, Status>(time.map(|time| time.to_string()))
    };
    Ok(RoundRequest {
        id: wire.id,
        pool: wire.pool,
        decimals,
        token_id: text(wire.token_id),
        as_of: time("as_of", wire.as_of)?,
        from: time("from", wire.from)?,
        closed_only: wire.closed_only,
        policy: text(wire.policy),
        curve: or(wire.curve, Curve::Linear.name()),
        cap: text(wire.cap),
        min_amount: or(wire.min_amount, "0"),
        min_score: or(wire.min_score, "0"),
        merge_duplicates: wire.merge_duplicates,
        exclude: wire.exclude,
        holders: wire.holders.into_iter().collect(),
        format: or(wire.format, Format::StandardV1.name()),
        token: text(wire.token),
    })
}

/// A round without its manifest.
fn wire_from_round(manifest: &RoundManifest) -> pb::Round {
    let time = |text: &str| Micros::parse(text).ok().map(wire_from_instant);
    pb::Round {
        id: manifest.id.clone(),
        sealed_at: time(&manifest.sealed_at),
        as_of: time(&manifest.options.as_of),
        sequence: manifest.store.sequence,
        journal_head: manifest.store.journal_head.clone().unwrap_or_default(),
        format: manifest.options.format.clone(),
        root: manifest.root.clone(),
        sum: manifest.sum.clone(),
        recipients: manifest.counts.recipients as u64,
        list_sha256: manifest.list_sha256.clone(),
        manifest: String::new(),
    }
}

fn whole_round(manifest: &RoundManifest) -> pb::Round {
    pb::Round {
        manifest: serde_json::to_string(manifest).expect("text and numbers"),
        ..wire_from_round(manifest)
    }
}

fn wire_from_proof(proof: RoundProof) -> pb::RoundProof {
    let value = proof.value.into_iter().map(|value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let siblings = proof.proof.iter();
    pb::RoundProof {
        id: proof.manifest.id.clone(),
        format: proof.manifest.options.format.clone(),
        value: value.collect(),
        amount: proof.amount,
        leaf: HexHash(&proof.leaf).to_string(),
        proof: siblings.map(|hash| HexHash(hash).to_string()).collect(),
        root: proof.manifest.root.clone(),
    }
}

fn not_sealed(error: &SealError) -> Status {
    let with_reason = |code| {
        let details = ErrorDetails::with_error_info(error.code(), DOMAIN, HashMap::new());
        Status::with_error_details(code, error.to_string(), details)
    };
    match error {
        SealError::Field { field, .. } => bad_field(field, error),
        SealError::Exists { .. } => with_reason(Code::AlreadyExists),
        SealError::Payout(_) | SealError::TooLarge { .. } | SealError::TooMany(_) => {
            with_reason(Code::FailedPrecondition)
        }
        SealError::Policy(_) | SealError::Unsettled => unavailable(error, error.code()),
        SealError::Unreadable => with_reason(Code::Internal),
        SealError::NotStored(reason) => not_taken(reason),
    }
}

fn not_answered(error: &RoundError) -> Status {
    match error {
        RoundError::Unknown(_) | RoundError::NotInRound(_) => Status::not_found(error.to_string()),
        RoundError::Address(_) => bad_field("holder", error),
        RoundError::Unreadable => defect(error),
    }
}
