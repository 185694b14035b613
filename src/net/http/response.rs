//! Converts answers of the engine into JSON, with the fields of `score --format json`.

use serde::Serialize;
use utoipa::ToSchema;

use super::deficits::ListedDeficit;
use super::etag::Sequenced;
use crate::core::Window;
use crate::engine::{BalanceChange, HolderAnswer, Page, RankedHolder};
use crate::net::report_limit::ListedKeys;
use crate::output::{HolderRow, PolicyName};

/// The row of a holder, which outlives the answer of the engine.
fn row(ranked: &RankedHolder) -> HolderRow<'static> {
    HolderRow::from(ranked.as_ref()).into_owned()
}

/// The window as it was applied.
#[derive(Serialize, ToSchema)]
pub(super) struct AppliedWindow {
    /// The first instant that does not count.
    #[schema(format = DateTime)]
    as_of: String,
    /// The first instant that counts; null for the beginning of time.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Whether the time after a key's last mark was left out.
    closed_only: bool,
    /// Sequence number of the last event that is counted; all before it are counted too.
    sequence: u64,
}

impl AppliedWindow {
    pub(super) fn new(window: &Window, sequence: u64) -> Self {
        Self {
            as_of: window.as_of.to_string(),
            from: window.from.map(|from| from.to_string()),
            closed_only: window.closed_only,
            sequence,
        }
    }
}

/// Holders in leaderboard order.
#[derive(Serialize, ToSchema)]
pub(super) struct Listing {
    #[serde(flatten)]
    window: AppliedWindow,
    /// The number of known holders.
    holders_total: u64,
    /// The number of keys of these tokens and holders whose balance is below 0 before `as_of`; `GET /deficits`
    /// lists them.
    deficits: u64,
    /// The policy under which the scores are published; absent for the scores themselves. `holders_total` counts the
    /// holders that it publishes.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyName>,
    holders: Vec<HolderRow<'static>>,
    /// The `page_token` of the next page; null on the last page, and in a leaderboard.
    next_page_token: Option<String>,
}

impl Listing {
    /// A page under `policy`; `next` is the token of the next one.
    pub(super) fn page(
        window: &Window,
        page: &Page,
        policy: Option<String>,
        next: Option<String>,
    ) -> Self {
        let version = page.policy_version.as_deref().map(str::to_owned);
        let named = policy.zip(version);
        Self {
            window: AppliedWindow::new(window, page.sequence),
            holders_total: page.known as u64,
            deficits: page.deficits as u64,
            policy: named.map(|(name, version)| PolicyName { name, version }),
            holders: page.holders.iter().map(row).collect(),
            next_page_token: next,
        }
    }

    /// One holder, or an empty list.
    pub(super) fn one(window: &Window, answer: Option<&HolderAnswer>, sequence: u64) -> Self {
        Self {
            window: AppliedWindow::new(window, answer.map_or(sequence, |answer| answer.sequence)),
            holders_total: u64::from(answer.is_some()),
            deficits: answer.map_or(0, |answer| answer.deficits as u64),
            policy: None,
            holders: answer.iter().map(|answer| row(&answer.holder)).collect(),
            next_page_token: None,
        }
    }
}

impl Sequenced for Listing {
    fn sequence_mut(&mut self) -> &mut u64 {
        &mut self.window.sequence
    }
}

/// One holder, explained.
#[derive(Serialize, ToSchema)]
pub(super) struct HolderReport {
    #[serde(flatten)]
    window: AppliedWindow,
    #[serde(flatten)]
    holder: HolderRow<'static>,
    /// Of the keys of this holder, the number of those whose balance is below 0 before `as_of`.
    deficits: u64,
    /// By `token_id`; over all of time, whatever the window.
    keys: Vec<KeySegments>,
    /// Segments that are not listed: those after the first 20,000, and those of tokens that are left out. Ask for
    /// one token to see them.
    segments_left_out: u64,
    /// Tokens that are not listed because the answer is full.
    keys_left_out: u64,
    /// Changes of balance that are not listed: those after the first 20,000, those of tokens that are left out, and
    /// those for which the answer has no room.
    changes_left_out: u64,
}

/// One token of a holder: its effective weight over time, and the changes behind its balance.
#[derive(Serialize, ToSchema)]
struct KeySegments {
    token_id: String,
    /// In order of time.
    segments: Vec<Segment>,
    /// The changes of balance in force, in order of time, then of `event_id`.
    changes: Vec<Change>,
    /// Null if the balance is never below 0.
    deficit: Option<ListedDeficit>,
}

/// A change of balance in force.
#[derive(Serialize, ToSchema)]
struct Change {
    #[schema(format = DateTime)]
    at: String,
    #[schema(example = "0x5c:1")]
    event_id: String,
    /// By how much, an exact decimal; it may be negative.
    #[schema(example = "-2.5")]
    delta: String,
    /// The balance at this instant, after all its changes; an exact decimal.
    #[schema(example = "7.5")]
    balance: String,
}

/// A span of time with one effective weight.
#[derive(Serialize, ToSchema)]
struct Segment {
    #[schema(format = DateTime)]
    start: String,
    /// Null while the hold is still open.
    #[schema(format = DateTime)]
    end: Option<String>,
    /// An exact decimal.
    weight: String,
}

impl HolderReport {
    pub(super) fn new(window: &Window, answer: &HolderAnswer) -> Self {
        let listed = ListedKeys::of(&answer.keys);
        let keys = listed.keys.into_iter();
        Self {
            window: AppliedWindow::new(window, answer.sequence),
            holder: row(&answer.holder),
            deficits: answer.deficits as u64,
            keys: keys
                .map(|key| KeySegments {
                    token_id: key.token_id.to_owned(),
                    segments: key.segments.iter().map(Segment::from).collect(),
                    changes: key.changes.iter().map(Change::from).collect(),
                    deficit: key.deficit.map(ListedDeficit::from),
                })
                .collect(),
            segments_left_out: listed.segments_left_out,
            keys_left_out: listed.keys_left_out,
            changes_left_out: listed.changes_left_out,
        }
    }
}

impl Sequenced for HolderReport {
    fn sequence_mut(&mut self) -> &mut u64 {
        &mut self.window.sequence
    }
}

impl From<&BalanceChange> for Change {
    fn from(change: &BalanceChange) -> Self {
        Self {
            at: change.at.to_string(),
            event_id: change.event_id.to_string(),
            delta: change.delta.to_string(),
            balance: change.balance.to_string(),
        }
    }
}

impl From<&crate::core::Segment> for Segment {
    fn from(segment: &crate::core::Segment) -> Self {
        Self {
            start: segment.start.to_string(),
            end: segment.end.map(|end| end.to_string()),
            weight: segment.weight.to_string(),
        }
    }
}
