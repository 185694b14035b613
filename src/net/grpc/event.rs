//! Converts a message into the draft of an event or a transfer, an event into a message, and instants into
//! timestamps and back.
//!
//! Whether the draft is a valid event is decided by the engine's validator. Batches are in `columns`.

use std::fmt;

use prost_types::Timestamp;

use crate::core::{
    Addressed, Audience, Delta, Draft, Event, Field, Micros, Refusal, TimeError, Wad, WeightError,
};
use crate::engine::Rejection;
use crate::net::pb::{HoldMsg, TransferMsg};

/// Why a message is refused; the text begins with the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::net) enum WireRefusal {
    /// It is not a valid event.
    #[error(transparent)]
    Event(#[from] Rejection),
    /// A timestamp is not normalised.
    #[error("{0}: nanos must be from 0 to 999999999")]
    Nanos(Field),
    /// A decimal is given both as a double and as text.
    #[error("{0}_text: {0} is given too; send one of the two")]
    TwoDecimals(Field),
}

impl Addressed for WireRefusal {
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(rejection) => rejection.write_to(audience, out),
            Self::Nanos(_) | Self::TwoDecimals(_) => write!(out, "{self}"),
        }
    }
}

impl WireRefusal {
    /// The field to blame, as it is named everywhere.
    pub(in crate::net) const fn field(&self) -> &'static str {
        match self {
            Self::Event(rejection) => rejection.field(),
            Self::Nanos(field) => field.name(),
            Self::TwoDecimals(field) => text_name(*field),
        }
    }
}

impl From<Refusal> for WireRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Event(refusal.into())
    }
}

/// The name of the field or column that carries a decimal as text.
pub(super) const fn text_name(field: Field) -> &'static str {
    match field {
        Field::Delta => "delta_text",
        Field::Amount => "amount_text",
        _ => "weight_text",
    }
}

/// The fields of the message; a missing id is reported before an invalid time.
#[inline]
pub(super) fn draft_from_wire(message: &HoldMsg) -> Result<Draft<'_>, WireRefusal> {
    for (field, id) in [
        (Field::TokenId, &message.token_id),
        (Field::HolderId, &message.holder_id),
    ] {
        if id.is_empty() {
            return Err(Refusal::MissingId(field).into());
        }
    }
    let weight = one_of(
        Field::Weight,
        message.weight,
        message.weight_text.as_deref(),
    )?;
    let delta = one_of(Field::Delta, message.delta, message.delta_text.as_deref())?;
    Ok(Draft {
        token_id: &message.token_id,
        holder_id: &message.holder_id,
        start: instant(Field::Start, message.start.as_ref())?,
        end: instant(Field::End, message.end.as_ref())?,
        weight: decimal(Field::Weight, weight, Wad::from_double, Wad::parse)?,
        event_id: message.event_id.as_deref(),
        revision: message.revision,
        retract: message.retract,
        at: instant(Field::At, message.at.as_ref())?,
        delta: decimal(Field::Delta, delta, Delta::from_double, Delta::parse)?,
        seq: message.seq,
        ..Draft::default()
    })
}

/// The fields of the transfer; a missing token is reported before an invalid time.
pub(super) fn transfer_from_wire(message: &TransferMsg) -> Result<Draft<'_>, WireRefusal> {
    if message.token_id.is_empty() {
        return Err(Refusal::MissingId(Field::TokenId).into());
    }
    let amount = one_of(
        Field::Amount,
        message.amount,
        message.amount_text.as_deref(),
    )?;
    Ok(Draft {
        token_id: &message.token_id,
        // Given even if it is empty, or the draft would not be that of a transfer.
        from_id: Some(&message.from_id),
        to_id: Some(&message.to_id),
        at: instant(Field::At, message.at.as_ref())?,
        amount: decimal(Field::Amount, amount, Wad::from_double, Wad::parse)?,
        event_id: Some(&*message.event_id).filter(|id| !id.is_empty()),
        revision: message.revision,
        retract: message.retract,
        seq: message.seq,
        ..Draft::default()
    })
}

/// A decimal as it was sent.
pub(super) type Sent<'a> = (Option<f64>, Option<&'a str>);

fn one_of(field: Field, double: Option<f64>, text: Option<&str>) -> Result<Sent<'_>, WireRefusal> {
    if double.is_some() && text.is_some() {
        return Err(WireRefusal::TwoDecimals(field));
    }
    Ok((double, text))
}

/// Reads a decimal that was sent as a double or as text, or not at all.
#[inline]
pub(super) fn decimal<T>(
    field: Field,
    (double, text): Sent<'_>,
    from_double: impl Fn(f64) -> Result<T, WeightError>,
    parse: impl Fn(&str) -> Result<T, WeightError>,
) -> Result<Option<T>, Refusal> {
    let read = match (double, text) {
        (Some(double), _) => from_double(double),
        (None, Some(text)) => parse(text),
        (None, None) => return Ok(None),
    };
    read.map(Some)
        .map_err(|error| Refusal::Decimal(field, error))
}

fn instant(field: Field, time: Option<&Timestamp>) -> Result<Option<Micros>, WireRefusal> {
    time.map(|time| instant_from_wire(field, time)).transpose()
}

/// The instant of a timestamp, floored to the microsecond.
pub(in crate::net) fn instant_from_wire(
    field: Field,
    time: &Timestamp,
) -> Result<Micros, WireRefusal> {
    if !(0..1_000_000_000).contains(&time.nanos) {
        return Err(WireRefusal::Nanos(field));
    }
    let micros = time
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(time.nanos / 1_000)));
    let instant = micros.map_or(Err(TimeError::OutOfRange), Micros::new);
    Ok(instant.map_err(|error| Refusal::Time(field, error))?)
}

/// The timestamp of an instant.
pub(in crate::net) fn wire_from_instant(instant: Micros) -> Timestamp {
    let micros = instant.get();
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).expect("under a billion"),
    }
}

/// The message of an event; its decimals are exact.
pub(super) fn wire_from_event(event: &Event<'_>) -> HoldMsg {
    let draft = Draft::from(event);
    HoldMsg {
        token_id: draft.token_id.to_owned(),
        holder_id: draft.holder_id.to_owned(),
        start: draft.start.map(wire_from_instant),
        end: draft.end.map(wire_from_instant),
        weight: None,
        event_id: draft.event_id.map(str::to_owned),
        revision: draft.revision,
        retract: draft.retract,
        weight_text: draft
            .weight
            .filter(|weight| *weight != Wad::ONE)
            .map(|weight| weight.to_string()),
        at: draft.at.map(wire_from_instant),
        delta: None,
        delta_text: draft.delta.map(|delta| delta.to_string()),
        seq: draft.seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> HoldMsg {
        HoldMsg {
            token_id: "T".to_owned(),
            holder_id: "h".to_owned(),
            start: Some(Timestamp {
                seconds: -1,
                nanos: 999_999_999,
            }),
            ..HoldMsg::default()
        }
    }

    #[test]
    fn finer_digits_are_floored_also_before_1970() {
        let message = message();
        let draft = draft_from_wire(&message).unwrap();
        assert_eq!(draft.start.map(Micros::get), Some(-1));
        assert_eq!(
            wire_from_instant(Micros::new(-1).unwrap()),
            Timestamp {
                seconds: -1,
                nanos: 999_999_000
            }
        );
    }

    #[test]
    fn each_refusal_names_its_field() {
        let at = |seconds, nanos| Some(Timestamp { seconds, nanos });
        let cases: [(HoldMsg, &str, &str); 11] = [
            (HoldMsg::default(), "token_id", "token_id: missing or empty"),
            (
                HoldMsg {
                    holder_id: String::new(),
                    start: at(i64::MAX, 0),
                    ..message()
                },
                "holder_id",
                "holder_id: missing or empty",
            ),
            (
                HoldMsg {
                    start: at(0, -1),
                    ..message()
                },
                "start",
                "start: nanos must be from",
            ),
            (
                HoldMsg {
                    end: at(i64::MAX, 0),
                    ..message()
                },
                "end",
                "end: out of range",
            ),
            (
                HoldMsg {
                    end: at(253_402_300_800, 0),
                    ..message()
                },
                "end",
                "end: out of range",
            ),
            (
                HoldMsg {
                    weight: Some(f64::NAN),
                    ..message()
                },
                "weight",
                "weight: not finite",
            ),
            (
                HoldMsg {
                    weight: Some(1.0),
                    weight_text: Some("1".to_owned()),
                    ..message()
                },
                "weight_text",
                "weight_text: weight is given too",
            ),
            (
                HoldMsg {
                    weight_text: Some("1,5".to_owned()),
                    ..message()
                },
                "weight",
                "weight: not a number",
            ),
            (
                HoldMsg {
                    at: at(0, 1_000_000_000),
                    ..message()
                },
                "at",
                "at: nanos must be from",
            ),
            (
                HoldMsg {
                    delta: Some(1e21),
                    ..message()
                },
                "delta",
                "delta: too large",
            ),
            (
                HoldMsg {
                    delta: Some(1.0),
                    delta_text: Some("1".to_owned()),
                    ..message()
                },
                "delta_text",
                "delta_text: delta is given too",
            ),
        ];
        for (message, field, reason) in cases {
            let refusal = draft_from_wire(&message).unwrap_err();
            assert_eq!(refusal.field(), field);
            assert!(refusal.to_string().starts_with(reason), "{refusal}");
        }
    }

    #[test]
    fn each_refusal_of_a_transfer_names_its_field() {
        let transfer = || TransferMsg {
            token_id: "T".to_owned(),
            to_id: "h".to_owned(),
            event_id: "e".to_owned(),
            ..TransferMsg::default()
        };
        let cases: [(TransferMsg, &str, &str); 4] = [
            (
                TransferMsg::default(),
                "token_id",
                "token_id: missing or empty",
            ),
            (
                TransferMsg {
                    at: Some(Timestamp {
                        seconds: 0,
                        nanos: -1,
                    }),
                    ..transfer()
                },
                "at",
                "at: nanos must be from",
            ),
            (
                TransferMsg {
                    amount_text: Some("-1".to_owned()),
                    ..transfer()
                },
                "amount",
                "amount: negative",
            ),
            (
                TransferMsg {
                    amount: Some(1.0),
                    amount_text: Some("1".to_owned()),
                    ..transfer()
                },
                "amount_text",
                "amount_text: amount is given too",
            ),
        ];
        for (message, field, reason) in cases {
            let refusal = transfer_from_wire(&message).unwrap_err();
            assert_eq!(refusal.field(), field);
            assert!(refusal.to_string().starts_with(reason), "{refusal}");
        }
    }

    #[test]
    fn a_transfer_without_a_sender_is_still_one() {
        let mint = TransferMsg {
            token_id: "T".to_owned(),
            to_id: "h".to_owned(),
            at: Some(Timestamp::default()),
            amount: Some(0.1),
            event_id: "e".to_owned(),
            ..TransferMsg::default()
        };
        let events = transfer_from_wire(&mint).unwrap().events().unwrap();
        let holders: Vec<_> = events.iter().map(|event| event.holder_id).collect();
        assert_eq!(holders, ["h"]);
    }
}
