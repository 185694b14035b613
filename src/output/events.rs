//! Events as lines of JSON, in the form in which they are read: what is written here and read again
//! is the same event.

use std::fmt::Display;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::core::{Claim, Event, Fact, Micros, Wad};

/// One object; what is absent has no key.
#[derive(Default, Serialize)]
struct JsonEvent<'a> {
    token_id: &'a str,
    holder_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Text<Micros>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Text<Micros>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Text<Wad>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retract: Option<bool>,
}

/// As text, so that no reader makes a double of it.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

/// Writes one event as one line; times and weights are exact.
///
/// # Errors
/// Where `out` cannot be written to.
pub fn write_event(event: &Event<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut line = JsonEvent {
        token_id: event.token_id,
        holder_id: event.holder_id,
        ..JsonEvent::default()
    };
    let fact = match event.claim {
        Claim::Plain(fact) => Some(fact),
        Claim::Named { event_id, standing } => {
            line.event_id = Some(event_id);
            line.revision = Some(standing.revision);
            line.retract = standing.fact.is_none().then_some(true);
            standing.fact
        }
    };
    let (start, end, weight) = match fact {
        Some(Fact::Closed { start, end, weight }) => (Some(start), Some(end), Some(weight)),
        Some(Fact::Start { at, weight }) => (Some(at), None, Some(weight)),
        Some(Fact::Stop { at }) => (None, Some(at), None),
        None => (None, None, None),
    };
    line.start = start.map(Text);
    line.end = end.map(Text);
    line.weight = weight.map(Text);
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Standing;

    fn line(claim: Claim<'_>) -> String {
        let mut out = Vec::new();
        let event = Event {
            token_id: "T",
            holder_id: "a \"b\"",
            claim,
        };
        write_event(&event, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_absent_has_no_key() {
        let at = Micros::new(1).unwrap();
        assert_eq!(
            line(Claim::Plain(Fact::Start {
                at,
                weight: Wad::parse("0.5").unwrap()
            })),
            "{\"token_id\":\"T\",\"holder_id\":\"a \\\"b\\\"\",\
             \"start\":\"1970-01-01T00:00:00.000001Z\",\"weight\":\"0.5\"}\n"
        );
        let standing = Standing {
            revision: 7,
            fact: None,
        };
        assert_eq!(
            line(Claim::Named {
                event_id: "e",
                standing
            }),
            "{\"token_id\":\"T\",\"holder_id\":\"a \\\"b\\\"\",\"event_id\":\"e\",\"revision\":7,\
             \"retract\":true}\n"
        );
    }
}
