//! Converts a message into the draft of an event, and instants into timestamps and back.
//!
//! Whether the draft is a valid event is decided by the engine's validator. Batches are in `columns`.

use prost_types::Timestamp;

use crate::core::{Draft, Field, Micros, Refusal, TimeError, Wad};
use crate::engine::Rejection;
use crate::net::pb::HoldMsg;

/// Why a message is refused; the text begins with the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::net) enum WireRefusal {
    /// It is not a valid event.
    #[error(transparent)]
    Event(#[from] Rejection),
    /// A timestamp is not normalised.
    #[error("{0}: nanos must be from 0 to 999999999")]
    Nanos(Field),
    /// Two weights are given.
    #[error("weight_text: weight is given too; send one of the two")]
    TwoWeights,
}

impl WireRefusal {
    /// The field to blame, as it is named everywhere.
    pub(in crate::net) const fn field(&self) -> &'static str {
        match self {
            Self::Event(rejection) => rejection.field(),
            Self::Nanos(field) => field.name(),
            Self::TwoWeights => "weight_text",
        }
    }
}

impl From<Refusal> for WireRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Event(refusal.into())
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
    Ok(Draft {
        token_id: &message.token_id,
        holder_id: &message.holder_id,
        start: instant(Field::Start, message.start.as_ref())?,
        end: instant(Field::End, message.end.as_ref())?,
        weight: match (message.weight, &message.weight_text) {
            (Some(_), Some(_)) => return Err(WireRefusal::TwoWeights),
            (Some(double), None) => Some(Wad::from_double(double).map_err(Refusal::from)?),
            (None, Some(text)) => Some(Wad::parse(text).map_err(Refusal::from)?),
            (None, None) => None,
        },
        event_id: message.event_id.as_deref(),
        revision: message.revision,
        retract: message.retract,
        ..Draft::default()
    })
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
        let cases: [(HoldMsg, &str, &str); 8] = [
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
        ];
        for (message, field, reason) in cases {
            let refusal = draft_from_wire(&message).unwrap_err();
            assert_eq!(refusal.field(), field);
            assert!(refusal.to_string().starts_with(reason), "{refusal}");
        }
    }
}
