//! The schemas of events and of their values, as the `OpenAPI` document shows them.
//!
//! Nothing is read by them: `input` and `core` do that.

use serde::Deserialize;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A time: text with an offset, or whole milliseconds since 1970.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Time {
    /// RFC 3339. The forms that common databases write are read too: a blank for the `T`, no seconds, `UTC`,
    /// `+hh`, `+hhmm`, and milliseconds as digits; in a query also a date alone, which is its midnight in UTC.
    #[schema(title = "text", format = DateTime)]
    Text(String),
    /// Since 1970.
    #[schema(title = "milliseconds")]
    Milliseconds(Milliseconds),
}

/// Milliseconds since 1970, in the years 0001 to 9999.
#[derive(Deserialize, ToSchema)]
#[schema(minimum = -62_135_596_800_000_i64, maximum = 253_402_300_799_999_i64)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct Milliseconds(i64);

/// A weight of an event: a decimal, as a number or as text; 0, or from 1e-18 to under 2^128 steps of 1e-18.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Weight {
    /// Read digit by digit, never as a double.
    #[schema(title = "number")]
    Number(WeightNumber),
    /// The same as text.
    #[schema(title = "text")]
    Text(WeightText),
}

/// A weight as a number.
#[derive(Deserialize, ToSchema)]
#[schema(minimum = 0)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct WeightNumber(f64);

/// A weight as text; only zero may have a minus sign.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$")]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct WeightText(String);

/// An id; the id of an integer is the text of its digits.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Id {
    /// At most 256 bytes.
    #[schema(title = "text")]
    Text(IdText),
    /// Of any length that its digits may have as text.
    #[schema(title = "integer")]
    Integer(i128),
}

/// An id as text.
#[derive(Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 256)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct IdText(String);

/// By how much a balance changes: a decimal, as a number or as text, that may be negative; 0, or from 1e-18 to
/// under 2^128 steps of 1e-18 in size.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Delta {
    /// Read digit by digit, never as a double.
    #[schema(title = "number")]
    Number(f64),
    /// The same as text.
    #[schema(title = "text")]
    Text(WeightText),
}

/// A hold event: a closed hold (start and end), a start mark (start alone), a stop mark (end alone), a change of
/// balance (at, delta and `event_id`), or a retraction (`event_id` and `retract`).
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct HoldEvent {
    /// What is held; at most 256 bytes.
    token_id: Id,
    /// The holder; at most 256 bytes.
    holder_id: Id,
    /// From when.
    start: Option<Time>,
    /// Until when, exclusive.
    end: Option<Time>,
    /// How much; 1 if absent.
    weight: Option<Weight>,
    /// Makes the event correctable; its scope is the pair of `token_id` and `holder_id`.
    #[schema(min_length = 1, max_length = 256)]
    event_id: Option<String>,
    /// Of the events that share an `event_id`, the one with the largest revision counts.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    revision: Option<u64>,
    /// Withdraws the fact of this `event_id`.
    retract: Option<bool>,
    /// When the balance changes. A change has neither start, end nor weight.
    at: Option<Time>,
    /// By how much the balance changes.
    delta: Option<Delta>,
    /// Of the marks of one key at one instant, those with the largest seq count; no meaning for other events.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    seq: Option<u64>,
}

/// A transfer: a change of -amount for the key of `from_id`, and of +amount for that of `to_id`, both with this
/// `event_id`. A party that is absent, empty or the null address (0x and 40 zeros) does not count as a holder; at
/// least one must be one.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct Transfer {
    /// What is transferred; at most 256 bytes.
    token_id: Id,
    /// The sender; absent if the amount is minted.
    from_id: Option<PartyId>,
    /// The receiver; absent if the amount is burned.
    to_id: Option<PartyId>,
    /// When; absent in a retraction.
    at: Option<Time>,
    /// How much; absent in a retraction.
    amount: Option<Weight>,
    /// Makes the transfer correctable, such as a transaction hash and a log index.
    #[schema(min_length = 1, max_length = 256)]
    event_id: String,
    /// Of the transfers that share an `event_id`, the one with the largest revision counts. If a correction names
    /// another party, retract the `event_id` for the old one too.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    revision: Option<u64>,
    /// Withdraws the transfer of this `event_id` for the parties that are named.
    retract: Option<bool>,
    /// Has no meaning for a transfer.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    seq: Option<u64>,
}

/// A party of a transfer; the id of an integer is the text of its digits.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum PartyId {
    /// At most 256 bytes; may be empty.
    #[schema(title = "text")]
    Text(PartyText),
    /// Of any length that its digits may have as text.
    #[schema(title = "integer")]
    Integer(i128),
}

/// A party as text.
#[derive(Deserialize, ToSchema)]
#[schema(max_length = 256)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) struct PartyText(String);

/// A hold event or a transfer: one with `from_id`, `to_id` or `amount` is a transfer.
pub(super) struct Event;

impl PartialSchema for Event {
    /// `anyOf`, because an object with the fields of both matches both: which it is is decided by its fields.
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .description(Some(
                "A hold event or a transfer: one with `from_id`, `to_id` or `amount` is a transfer.",
            ))
            .item(Ref::from_schema_name(HoldEvent::name()))
            .item(Ref::from_schema_name(Transfer::name()))
            .into()
    }
}

impl ToSchema for Event {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HoldEvent::name().into(), HoldEvent::schema()));
        HoldEvent::schemas(schemas);
        schemas.push((Transfer::name().into(), Transfer::schema()));
        Transfer::schemas(schemas);
    }
}

/// One event, or several.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents a value that `input` or `core` parses")]
pub(super) enum Events {
    /// One.
    #[schema(title = "one")]
    One(Event),
    /// Several.
    #[schema(title = "several")]
    Several(Vec<Event>),
}
