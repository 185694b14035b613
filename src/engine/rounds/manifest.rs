//! What a sealed round states of itself: from which state it was computed, by which options, and what came out.
//!
//! Its fields have the names and the forms of the manifest that `airdrop allocate` writes: amounts are base units.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::request::{RoundPlan, RoundRequest};
use crate::airdrop::{PayoutCounts, REMAINDER_RULE};
use crate::core::Micros;

/// What it is, and the version of its fields.
const FORMAT: &str = "holdmetrics-round-1";

/// A sealed round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoundManifest {
    /// `holdmetrics-round-1`: the version of these fields.
    pub format: String,
    /// The version of the program that sealed it.
    pub version: String,
    /// Its name.
    pub id: String,
    /// When it was sealed.
    #[schema(format = DateTime)]
    pub sealed_at: String,
    /// How it was computed.
    pub options: RoundOptions,
    /// The state that was scored.
    pub store: StoreHead,
    /// The policy by what it computes.
    pub policy: Option<PolicyVersion>,
    /// The holders and addresses that the request excludes, if any.
    pub exclude: Option<HashedLines>,
    /// Wallets whose scores counted for another address, if any, as lines `wallet,holder`.
    pub holders: Option<HashedLines>,
    /// How spare units were given out.
    pub remainder_rule: String,
    /// Keys whose balance was below 0 at some time.
    pub deficits: usize,
    /// Holders by what became of them.
    pub counts: PayoutCounts,
    /// The sum of all amounts, in base units: the pool.
    pub sum: String,
    /// The root of the tree.
    #[schema(pattern = "^0x[0-9a-f]{64}$")]
    pub root: String,
    /// SHA-256 of the list, `address,amount` in lines as `airdrop allocate` writes it.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub list_sha256: String,
}

/// The options of a round; amounts in base units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoundOptions {
    /// The token whose holding was scored; all tokens if null.
    pub token_id: Option<String>,
    /// The first instant that does not count.
    #[schema(format = DateTime)]
    pub as_of: String,
    /// The first instant that counts; the beginning of time if null.
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Whether the time after a key's last mark was left out.
    pub closed_only: bool,
    /// What was shared.
    pub pool: String,
    /// Decimal places of the token.
    pub decimals: u8,
    /// From scores to weights.
    pub curve: String,
    /// The most that one holder got.
    pub cap: Option<String>,
    /// The least that a holder got.
    pub min_amount: String,
    /// The least score, in steps of 1e-24 weight-seconds.
    pub min_score: String,
    /// Whether the scores of an address in different case were added.
    pub merge_duplicates: bool,
    /// The format of the tree.
    pub format: String,
    /// The token in the leaves of `merkl`.
    pub token: Option<String>,
}

/// The state that was scored: all events up to a number, and none beyond.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreHead {
    /// Number of the last event.
    pub sequence: u64,
    /// SHA-256 of the journal's frame that ends with this event; null if there is none, or no journal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub journal_head: Option<String>,
}

/// A policy by what it computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyVersion {
    /// Its name.
    pub name: String,
    /// SHA-256 of what it computes.
    pub version: String,
}

/// Lines by what they contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HashedLines {
    /// How many.
    pub count: usize,
    /// SHA-256 of the lines, sorted by bytes, each with a line feed.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
}

/// What is known of a round once its tree is built.
pub(super) struct Outcome<'a> {
    pub(super) request: &'a RoundRequest,
    pub(super) plan: &'a RoundPlan,
    pub(super) as_of: Micros,
    pub(super) sealed_at: Micros,
    pub(super) store: StoreHead,
    pub(super) policy_version: Option<&'a str>,
    pub(super) deficits: usize,
    pub(super) counts: PayoutCounts,
    pub(super) sum: String,
    pub(super) root: String,
    pub(super) list: &'a [u8],
}

impl RoundManifest {
    pub(super) fn new(outcome: Outcome<'_>) -> Self {
        let Outcome { request, plan, .. } = outcome;
        let terms = &plan.terms;
        let policy = plan.policy.clone().zip(outcome.policy_version);
        Self {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            id: request.id.clone(),
            sealed_at: outcome.sealed_at.to_string(),
            options: RoundOptions {
                token_id: plan.token_id.as_deref().map(Into::into),
                as_of: outcome.as_of.to_string(),
                from: plan.from.map(|from| from.to_string()),
                closed_only: plan.closed_only,
                pool: terms.pool.to_string(),
                decimals: plan.decimals,
                curve: terms.curve.name().into(),
                cap: terms.cap.map(|cap| cap.to_string()),
                min_amount: terms.minimum.to_string(),
                min_score: plan.selection.min_score.to_string(),
                merge_duplicates: plan.selection.merges_duplicates,
                format: plan.format.name().into(),
                token: plan.token.map(|token| token.to_string()),
            },
            store: outcome.store,
            policy: policy.map(|(name, version)| PolicyVersion {
                name,
                version: version.into(),
            }),
            exclude: HashedLines::of(request.exclude.clone()),
            holders: HashedLines::of(
                request
                    .holders
                    .iter()
                    .map(|(wallet, holder)| format!("{wallet},{holder}"))
                    .collect(),
            ),
            remainder_rule: REMAINDER_RULE.into(),
            deficits: outcome.deficits,
            counts: outcome.counts,
            sum: outcome.sum,
            root: outcome.root,
            list_sha256: hex::encode(Sha256::digest(outcome.list)),
        }
    }
}

impl HashedLines {
    /// `None` if there are no lines.
    fn of(mut lines: Vec<String>) -> Option<Self> {
        lines.sort_unstable();
        lines.dedup();
        let mut hash = Sha256::new();
        for line in &lines {
            hash.update(line);
            hash.update("\n");
        }
        let sha256 = hex::encode(hash.finalize());
        let count = lines.len();
        (count > 0).then_some(Self { count, sha256 })
    }
}
