//! One token of a holder in an explanation: its events, and what was held by them within the window.
//!
//! Segments are computed from the events, whether these come from a store or from a bundle. What is made of the
//! segments is in [`super::explanation`].

use serde::{Deserialize, Serialize};

use super::behind::behind;
use super::explanation::Conditions;
use super::explanation_error::ExplanationError;
use super::recorded::Text;
use crate::core::window::length;
use crate::core::{
    Claim, Delta, Draft, Event, HeldSegment, KeyFacts, Micros, Quantity, Score, Totals, Wad,
};

/// One token of a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedKey {
    /// The holder, or a member of the policy's group of holders.
    pub holder_id: Box<str>,
    /// The token.
    pub token_id: Box<str>,
    /// What was held within the window.
    pub segments: Vec<ExplainedSegment>,
    /// All events of the key that are needed to compute it, in order of time, then of `event_id`.
    pub events: Vec<ExplainedEvent>,
}

/// A stretch of constant weight within the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedSegment {
    /// First instant.
    pub start: Text<Micros>,
    /// First instant after it.
    pub end: Text<Micros>,
    /// Effective weight.
    pub weight: Text<Quantity>,
    /// Weight x length, in weight-seconds.
    pub score: Text<Score>,
    /// The events behind it that have an id, in order of time, at most a thousand.
    pub event_ids: Vec<Box<str>>,
    /// Ids that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub event_ids_left_out: usize,
}

/// An event, with the fields that it would have in a file beside its token and holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExplainedEvent {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Text<Micros>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Text<Micros>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Text<Wad>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Text<Micros>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Text<Delta>>,
    #[serde(skip_serializing_if = "is_zero_long")]
    seq: u64,
    #[serde(skip_serializing_if = "is_zero_long")]
    revision: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retract: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero_long(number: &u64) -> bool {
    *number == 0
}

impl ExplainedKey {
    /// What the claims of a key give within the window.
    #[must_use]
    pub fn of_claims(
        holder_id: &str,
        token_id: &str,
        claims: &[Claim<'_>],
        conditions: &Conditions<'_>,
    ) -> Self {
        let mut facts = KeyFacts::default();
        facts.record_all(claims.iter().copied());
        let mut held = Vec::new();
        facts.held_within(&conditions.window, &mut held);
        let segments = held.iter().zip(behind(&held, claims));
        let segments = segments.map(|(held, behind)| {
            let micros = length(held.start, held.end);
            ExplainedSegment {
                start: Text(held.start),
                end: Text(held.end),
                weight: Text(held.weight),
                score: Text(Totals::of_quantity(held.weight, micros).score),
                event_ids: behind.ids,
                event_ids_left_out: behind.left_out,
            }
        });
        let mut events: Vec<_> = claims.iter().map(ExplainedEvent::of).collect();
        events.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        events.dedup();
        Self {
            holder_id: holder_id.into(),
            token_id: token_id.into(),
            segments: segments.collect(),
            events,
        }
    }

    pub(super) fn of_events(
        holder_id: &str,
        token_id: &str,
        events: &[ExplainedEvent],
        conditions: &Conditions<'_>,
    ) -> Result<Self, ExplanationError> {
        let claims = (1..).zip(events).map(|(number, event)| {
            let event = event.draft(holder_id, token_id).check();
            event
                .map(|event| event.claim)
                .map_err(|reason| ExplanationError::Event {
                    number,
                    token_id: token_id.into(),
                    holder_id: holder_id.into(),
                    reason,
                })
        });
        let claims = claims.collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of_claims(holder_id, token_id, &claims, conditions))
    }

    /// The segments as a policy is given them.
    pub(super) fn held(&self) -> Vec<HeldSegment> {
        let held = self.segments.iter().map(|segment| HeldSegment {
            start: segment.start.0,
            end: segment.end.0,
            weight: segment.weight.0,
        });
        held.collect()
    }
}

impl ExplainedEvent {
    fn of(claim: &Claim<'_>) -> Self {
        let event = Event {
            token_id: "",
            holder_id: "",
            claim: *claim,
        };
        let draft = Draft::from(&event);
        Self {
            event_id: draft.event_id.map(Into::into),
            start: draft.start.map(Text),
            end: draft.end.map(Text),
            weight: draft.weight.map(Text),
            at: draft.at.map(Text),
            delta: draft.delta.map(Text),
            seq: draft.seq,
            revision: draft.revision,
            retract: draft.retract,
        }
    }

    fn draft<'a>(&'a self, holder_id: &'a str, token_id: &'a str) -> Draft<'a> {
        Draft {
            token_id,
            holder_id,
            start: self.start.map(|start| start.0),
            end: self.end.map(|end| end.0),
            weight: self.weight.map(|weight| weight.0),
            event_id: self.event_id.as_deref(),
            revision: self.revision,
            retract: self.retract,
            at: self.at.map(|at| at.0),
            delta: self.delta.map(|delta| delta.0),
            seq: self.seq,
            ..Draft::default()
        }
    }

    /// Time, then id, then the rest, so that equal events are neighbours.
    fn order(&self) -> impl Ord {
        let instant = self.start.or(self.at).or(self.end).map(|at| at.0);
        let end = self.end.map(|end| end.0);
        let weight = self.weight.map(|weight| weight.0);
        (
            instant,
            self.event_id.as_deref(),
            end,
            weight,
            self.seq,
            self.revision,
        )
    }
}
