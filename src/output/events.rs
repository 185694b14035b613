//! Events as lines of JSON, in the format in which they are read: reading a written event gives the same
//! event.

use std::fmt::Display;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::core::{Delta, Draft, Event, Micros, Wad};

/// One object; an absent value has no key.
#[derive(Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Text<Micros>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Text<Delta>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
}

/// Written as text, so that no reader converts it to a double.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

/// Writes one event as one line; times and weights are exact.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_event(event: &Event<'_>, out: &mut impl Write) -> io::Result<()> {
    write_line(event, None, out)
}

/// Writes one event like [`write_event`], with the number under which it was acknowledged as `sequence`, which
/// readers of events ignore.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_numbered_event(
    sequence: u64,
    event: &Event<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    write_line(event, Some(sequence), out)
}

fn write_line(event: &Event<'_>, sequence: Option<u64>, out: &mut impl Write) -> io::Result<()> {
    let draft = Draft::from(event);
    let line = JsonEvent {
        token_id: draft.token_id,
        holder_id: draft.holder_id,
        start: draft.start.map(Text),
        end: draft.end.map(Text),
        weight: draft.weight.map(Text),
        event_id: draft.event_id,
        revision: draft.event_id.is_some().then_some(draft.revision),
        retract: draft.retract.then_some(true),
        at: draft.at.map(Text),
        delta: draft.delta.map(Text),
        seq: Some(draft.seq).filter(|seq| *seq > 0),
        sequence,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Claim, Fact, Standing};

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
    fn an_absent_value_has_no_key() {
        let at = Micros::new(1).unwrap();
        assert_eq!(
            line(Claim::Plain(Fact::Start {
                at,
                weight: Wad::parse("0.5").unwrap(),
                seq: 4
            })),
            "{\"token_id\":\"T\",\"holder_id\":\"a \\\"b\\\"\",\
             \"start\":\"1970-01-01T00:00:00.000001Z\",\"weight\":\"0.5\",\"seq\":4}\n"
        );
        let change = Standing {
            revision: 0,
            fact: Some(Fact::Change {
                at,
                delta: Delta::parse("-2.50").unwrap(),
            }),
        };
        assert_eq!(
            line(Claim::Named {
                event_id: "e",
                standing: change
            }),
            "{\"token_id\":\"T\",\"holder_id\":\"a \\\"b\\\"\",\"event_id\":\"e\",\"revision\":0,\
             \"at\":\"1970-01-01T00:00:00.000001Z\",\"delta\":\"-2.5\"}\n"
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
