//! A line of JSON into the fields of an event, as they are written.
//!
//! Numbers stay text until they are parsed as a time or a weight, so that no digit is lost to a
//! double. The last of duplicate keys counts, unknown keys are ignored, null means absent.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::parsed::{ParsedChange, ParsedEvent, check_given, decimal, integer, present, time};
use super::{JsonError, RefusalReason};
use crate::core::{Delta, Field, Micros, Refusal, TimeError, Wad, WeightError};
use crate::excerpt::literal;

/// Whether a line is blank: it is skipped and not counted as read.
#[must_use]
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| is_space(*byte))
}

/// The fields of one line, or of any other JSON object; they are not yet checked together.
pub(crate) fn event_from_line(line: &[u8]) -> Result<ParsedEvent<'_>, RefusalReason> {
    let text = str::from_utf8(line)
        .map_err(|error| RefusalReason::NotJson(JsonError::not_utf8(line, error)))?;
    let first = text.bytes().find(|byte| !is_space(*byte));
    if first != Some(b'{') {
        return Err(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => RefusalReason::NotAnObject {
                found: literal(text.trim()),
            },
            Err(error) => not_json(&error),
        });
    }
    let fields = serde_json::from_str::<Fields<'_>>(text).map_err(|error| not_json(&error))?;
    fields.event().map_err(|refusal| fields.explained(refusal))
}

/// White space as JSON defines it.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn not_json(error: &serde_json::Error) -> RefusalReason {
    RefusalReason::NotJson(JsonError::from(error))
}

/// The raw JSON of each field; `None` if the key is absent or null.
#[derive(Default)]
struct Fields<'a> {
    token_id: Option<&'a str>,
    holder_id: Option<&'a str>,
    start: Option<&'a str>,
    end: Option<&'a str>,
    weight: Option<&'a str>,
    event_id: Option<&'a str>,
    revision: Option<&'a str>,
    retract: Option<&'a str>,
    at: Option<&'a str>,
    delta: Option<&'a str>,
    seq: Option<&'a str>,
    from_id: Option<&'a str>,
    to_id: Option<&'a str>,
    amount: Option<&'a str>,
}

impl<'a> Fields<'a> {
    #[inline]
    fn slot(&mut self, key: &[u8]) -> Option<&mut Option<&'a str>> {
        Some(match key {
            b"token_id" => &mut self.token_id,
            b"holder_id" => &mut self.holder_id,
            b"start" => &mut self.start,
            b"end" => &mut self.end,
            b"weight" => &mut self.weight,
            b"event_id" => &mut self.event_id,
            b"revision" => &mut self.revision,
            b"retract" => &mut self.retract,
            b"at" => &mut self.at,
            b"delta" => &mut self.delta,
            b"seq" => &mut self.seq,
            b"from_id" => &mut self.from_id,
            b"to_id" => &mut self.to_id,
            b"amount" => &mut self.amount,
            _ => return None,
        })
    }

    /// Parses each field, in the order in which they are checked.
    fn event(&self) -> Result<ParsedEvent<'a>, Refusal> {
        if self.from_id.is_some() || self.to_id.is_some() || self.amount.is_some() {
            return self.transfer();
        }
        Ok(ParsedEvent {
            token_id: id(Field::TokenId, self.token_id)?,
            holder_id: id(Field::HolderId, self.holder_id)?,
            start: instant(Field::Start, self.start)?,
            end: instant(Field::End, self.end)?,
            weight: number(Field::Weight, self.weight, Wad::parse)?,
            event_id: self.event_id.map(event_id).transpose()?,
            revision: self.revision()?,
            retract: self.retract()?,
            change: if self.at.is_some() || self.delta.is_some() {
                Some(self.change()?)
            } else {
                None
            },
            seq: self.seq()?,
        })
    }

    #[inline(never)]
    fn change(&self) -> Result<Box<ParsedChange<'a>>, Refusal> {
        Ok(Box::new(ParsedChange {
            at: instant(Field::At, self.at)?,
            delta: number(Field::Delta, self.delta, Delta::parse)?,
            ..ParsedChange::default()
        }))
    }

    #[inline(never)]
    fn transfer(&self) -> Result<ParsedEvent<'a>, Refusal> {
        check_given(|field| self.raw(field.name()).is_some())?;
        let token_id = id(Field::TokenId, self.token_id)?;
        let from_id = party(Field::FromId, self.from_id)?;
        let to_id = party(Field::ToId, self.to_id)?;
        Ok(ParsedEvent {
            token_id,
            event_id: self.event_id.map(event_id).transpose()?,
            revision: self.revision()?,
            retract: self.retract()?,
            change: Some(Box::new(ParsedChange {
                from_id,
                to_id,
                at: instant(Field::At, self.at)?,
                amount: number(Field::Amount, self.amount, Wad::parse)?,
                ..ParsedChange::default()
            })),
            seq: self.seq()?,
            ..ParsedEvent::default()
        })
    }

    fn revision(&self) -> Result<u64, Refusal> {
        self.revision
            .map_or(Some(0), integer)
            .ok_or(Refusal::Revision)
    }

    fn seq(&self) -> Result<u64, Refusal> {
        self.seq.map_or(Some(0), integer).ok_or(Refusal::Seq)
    }

    fn retract(&self) -> Result<bool, Refusal> {
        match self.retract {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::Retract),
        }
    }

    /// The raw JSON of the field of this name.
    fn raw(&self, field: &str) -> Option<&'a str> {
        match field {
            "token_id" => self.token_id,
            "holder_id" => self.holder_id,
            "start" => self.start,
            "end" => self.end,
            "weight" => self.weight,
            "event_id" => self.event_id,
            "revision" => self.revision,
            "retract" => self.retract,
            "at" => self.at,
            "delta" => self.delta,
            "seq" => self.seq,
            "from_id" => self.from_id,
            "to_id" => self.to_id,
            "amount" => self.amount,
            _ => None,
        }
    }

    /// A refusal with the raw JSON of its field.
    #[cold]
    fn explained(&self, refusal: Refusal) -> RefusalReason {
        RefusalReason::with_found(refusal, self.raw(refusal.field()).map(literal))
    }
}

/// The text of a JSON string; `None` for any other value, and for text that is not valid Unicode.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).ok().map(Cow::Owned)
}

fn id(field: Field, raw: Option<&str>) -> Result<Cow<'_, str>, Refusal> {
    let raw = raw.ok_or(Refusal::MissingId(field))?;
    present(field, id_text(field, raw)?)
}

/// The party of a transfer, which may be empty.
fn party(field: Field, raw: Option<&str>) -> Result<Option<Cow<'_, str>>, Refusal> {
    raw.map(|raw| id_text(field, raw)).transpose()
}

fn id_text(field: Field, raw: &str) -> Result<Cow<'_, str>, Refusal> {
    match string(raw) {
        Some(text) => Ok(text),
        None if is_integer(raw) => Ok(Cow::Borrowed(raw)),
        None => Err(Refusal::IdNotText(field)),
    }
}

/// Whether a value is an integer without a fraction and an exponent; its digits are its id.
fn is_integer(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn event_id(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    string(raw)
        .filter(|text| !text.is_empty())
        .ok_or(Refusal::EventId)
}

#[inline]
fn instant(field: Field, raw: Option<&str>) -> Result<Option<Micros>, Refusal> {
    raw.map(|raw| present_instant(field, raw)).transpose()
}

fn present_instant(field: Field, raw: &str) -> Result<Micros, Refusal> {
    let read = if raw.starts_with('"') {
        string(raw).map_or(Err(TimeError::NotATime), |text| Micros::parse(&text))
    } else {
        Micros::parse_number(raw)
    };
    time(field, read)
}

/// A weight, delta or amount: a number, or the same as text.
#[inline]
fn number<T>(
    field: Field,
    raw: Option<&str>,
    parse: fn(&str) -> Result<T, WeightError>,
) -> Result<Option<T>, Refusal> {
    let read = |raw: &str| {
        if raw.starts_with('"') {
            string(raw).map_or(Err(WeightError::NotANumber), |text| parse(&text))
        } else {
            parse(raw)
        }
    };
    raw.map(|raw| decimal(field, read(raw))).transpose()
}

impl<'de> serde::Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(line: D) -> Result<Self, D::Error> {
        line.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(slot) = object.next_key_seed(Slot(&mut fields))? {
            match slot {
                Some(slot) => {
                    let raw = object.next_value::<&RawValue>()?.get();
                    *slot = (raw != "null").then_some(raw);
                }
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// Finds the slot of a key's value. Keys are read as bytes: one that is not valid Unicode is just
/// another unknown key.
struct Slot<'f, 'a>(&'f mut Fields<'a>);

impl<'de, 'f, 'a> DeserializeSeed<'de> for Slot<'f, 'a> {
    type Value = Option<&'f mut Option<&'a str>>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl<'f, 'a> Visitor<'_> for Slot<'f, 'a> {
    type Value = Option<&'f mut Option<&'a str>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.slot(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Claim, Event, Fact, NULL_ADDRESS, Standing};

    fn reason(line: &str) -> String {
        let read = event_from_line(line.as_bytes());
        read.map(|parsed| {
            parsed
                .draft()
                .events()
                .map(|_| ())
                .map_err(RefusalReason::from)
        })
        .and_then(|checked| checked)
        .unwrap_err()
        .to_string()
    }

    fn with(field: &str) -> String {
        format!(r#"{{"token_id":"T","holder_id":"h","start":0,"end":1,{field}}}"#)
    }

    #[test]
    fn the_last_of_equal_keys_counts_and_unknown_ones_are_ignored() {
        let line = br#" {"holder_id":5,"x":{"holder_id":[1e999,"\ud800"]},"\ud800":1,
            "start":"1970-01-01T00:00:01Z","end":null,"hold\u0065r_id":"a\u00e9\n","token_id":"T"}"#;
        let event = event_from_line(line).unwrap();
        assert_eq!(event.holder_id, "aé\n");
        assert_eq!(event.start.map(Micros::get), Some(1_000_000));
        assert_eq!(event.end, None);
    }

    #[test]
    fn an_integer_is_an_id_by_its_digits() {
        let line = br#"{"token_id":-7,"holder_id":18446744073709551616,"start":0}"#;
        let event = event_from_line(line).unwrap();
        assert_eq!(
            (&*event.token_id, &*event.holder_id),
            ("-7", "18446744073709551616")
        );
    }

    #[test]
    fn milliseconds_are_whole_numbers_or_text_of_digits() {
        for written in [
            "1753056000000.0",
            "1.753056e12",
            "\"+1753056000000\"",
            "\" 1753056000000\"",
        ] {
            let line = format!(r#"{{"token_id":"T","holder_id":"h","start":{written}}}"#);
            let event = event_from_line(line.as_bytes()).unwrap();
            assert_eq!(
                event.start.map(Micros::get),
                Some(1_753_056_000_000_000),
                "{written}"
            );
        }
    }

    #[test]
    fn a_weight_is_read_as_it_is_written() {
        for (written, weight) in [
            ("0.1", "0.1"),
            ("\"1e-18\"", "0.000000000000000001"),
            (
                "340282366920938463463.374607431768211455",
                "340282366920938463463.374607431768211455",
            ),
            ("\"\\u0031\"", "1"),
        ] {
            let line = with(&format!("\"weight\":{written}"));
            let event = event_from_line(line.as_bytes()).unwrap();
            assert_eq!(event.weight.unwrap().to_string(), weight);
        }
    }

    #[test]
    fn each_refusal_names_its_field() {
        for (field, expected) in [
            (r#""token_id":null"#, "token_id: missing or empty"),
            (r#""token_id":5.0"#, "token_id: not text"),
            (r#""token_id":1e3"#, "token_id: not text"),
            (r#""holder_id":true"#, "holder_id: not text"),
            (r#""holder_id":"\udc00""#, "holder_id: not text"),
            (r#""start":"1753056000000.0""#, "start: not a time (write"),
            (
                r#""start":1.5"#,
                "start: not a time (a count of milliseconds has no fraction)",
            ),
            (
                r#""start":"2025-07-21""#,
                "start: not a time (a date alone; ",
            ),
            (r#""start":true"#, "start: not a time"),
            (r#""start":"\ud800""#, "start: not a time"),
            (r#""end":[]"#, "end: not a time"),
            (r#""end":99999999999999999999"#, "end: out of range"),
            (r#""weight":true"#, "weight: not a number"),
            (r#""weight":{}"#, "weight: not a number"),
            (r#""weight":"-Infinity""#, "weight: not finite"),
            (r#""event_id":7"#, "event_id: empty or not text"),
            (
                r#""event_id":"a","revision":1.0"#,
                "revision: not an integer",
            ),
            (
                r#""event_id":"a","revision":true"#,
                "revision: not an integer",
            ),
            (r#""retract":0"#, "retract: not true or false"),
            (r#""revision":1"#, "revision or retract without event_id"),
            (r#""end":-1"#, "end: before start"),
        ] {
            let found = reason(&with(field));
            assert!(found.starts_with(expected), "{field}: {found}");
            let value = field.rsplit_once(':').unwrap().1;
            let is_shown = found.ends_with(&format!("; found {value}"));
            let has_value = !["null", "1", "-1"].contains(&value);
            assert_eq!(is_shown, has_value, "{field}: {found}");
        }
    }

    #[test]
    fn a_change_is_read_as_it_is_written() {
        let line = br#"{"token_id":"T","holder_id":"h","at":"1970-01-01T00:00:01Z","delta":-2.50,
            "event_id":"e","seq":7,"from_id":null,"amount":null}"#;
        let parsed = event_from_line(line).unwrap();
        let draft = parsed.draft();
        assert_eq!(draft.at.map(Micros::get), Some(1_000_000));
        assert_eq!(
            draft.delta.map(|delta| delta.to_string()),
            Some("-2.5".to_owned())
        );
        assert_eq!((draft.seq, draft.is_transfer()), (7, false));
    }

    #[test]
    fn the_parties_of_a_transfer_may_be_integers_or_no_holder() {
        let changes = |parties: &str| {
            let line = transfer(parties);
            let parsed = event_from_line(line.as_bytes()).unwrap();
            let events = parsed.draft().events().unwrap();
            let change = |event: &Event<'_>| match event.claim {
                Claim::Named {
                    event_id: "e",
                    standing:
                        Standing {
                            fact: Some(Fact::Change { delta, .. }),
                            ..
                        },
                } => format!("{} {delta}", event.holder_id),
                other => panic!("not a change: {other:?}"),
            };
            events.iter().map(change).collect::<Vec<_>>().join(", ")
        };
        let null = format!(r#""{NULL_ADDRESS}""#);
        for (parties, expected) in [
            (r#""from_id":7,"to_id":"b""#.to_owned(), "7 -3, b 3"),
            (r#""from_id":"","to_id":"b""#.to_owned(), "b 3"),
            (r#""from_id":"a","to_id":null"#.to_owned(), "a -3"),
            (format!(r#""from_id":{null},"to_id":-8"#), "-8 3"),
            (r#""from_id":"a","to_id":"\u0061""#.to_owned(), "a 0"),
        ] {
            assert_eq!(changes(&parties), expected, "{parties}");
        }
    }

    fn transfer(fields: &str) -> String {
        format!(r#"{{"token_id":"T","at":0,"amount":3,"event_id":"e",{fields}}}"#)
    }

    #[test]
    fn each_refusal_of_a_change_or_transfer_names_its_field() {
        let change =
            |fields: &str| format!(r#"{{"token_id":"T","holder_id":"h","event_id":"e",{fields}}}"#);
        for (line, expected) in [
            (change(r#""at":"x","delta":1"#), "at: not a time (write"),
            (change(r#""at":0,"delta":"1e-19""#), "delta: under 1e-18"),
            (change(r#""at":0,"delta":true"#), "delta: not a number"),
            (change(r#""at":0,"delta":1e30"#), "delta: too large"),
            (
                change(r#""at":0,"delta":1,"seq":-1"#),
                "seq: not an integer",
            ),
            (
                change(r#""at":0,"delta":1,"seq":"1""#),
                "seq: not an integer",
            ),
            (change(r#""at":0"#), "delta: missing (a change"),
            (change(r#""delta":1"#), "at: missing (a change"),
            (
                change(r#""at":0,"delta":1,"weight":1"#),
                "weight: given for a change",
            ),
            (
                change(r#""at":0,"amount":1"#),
                "holder_id: given for a transfer",
            ),
            (
                transfer(r#""to_id":"b","holder_id":"""#),
                "holder_id: given for a transfer",
            ),
            (
                transfer(r#""to_id":"b","weight":"x""#),
                "weight: given for a transfer",
            ),
            (
                transfer(r#""to_id":"b","delta":[]"#),
                "delta: given for a transfer",
            ),
            (
                transfer(r#""to_id":"b","token_id":"""#),
                "token_id: missing or empty",
            ),
            (transfer(r#""from_id":1.5"#), "from_id: not text; found 1.5"),
            (transfer(r#""to_id":true"#), "to_id: not text; found true"),
            (
                transfer(r#""to_id":"b","amount":"-1""#),
                r#"amount: negative (write 0 or more); found "-1""#,
            ),
            (
                transfer(r#""to_id":"b","amount":null"#),
                "amount: missing (a transfer",
            ),
            (
                transfer(r#""to_id":"b","at":null"#),
                "at: missing (a transfer",
            ),
            (
                transfer(r#""to_id":"b","event_id":null"#),
                "event_id: missing (a transfer",
            ),
            (transfer(r#""from_id":"""#), "from_id, to_id: no holder"),
            // Of several mistakes the first in the order of the fields is reported.
            (
                transfer(r#""to_id":[],"at":"x","seq":-1"#),
                "to_id: not text",
            ),
            (
                transfer(r#""to_id":"b","at":"x","seq":-1"#),
                "at: not a time",
            ),
        ] {
            let found = reason(&line);
            assert!(found.starts_with(expected), "{line}: {found}");
        }
    }

    #[test]
    fn values_other_than_objects_are_told_from_broken_json() {
        for (line, expected) in [
            ("[1, 2]", "not an object; found [1, 2]"),
            ("null", "not an object; found null"),
            ("\"\\ud800\"", "not an object; found \"\\ud800\""),
            (
                "{\"token_id\":",
                "not JSON: EOF while parsing a value at column 12",
            ),
            (
                "{\"token_id\":\"a\"} x",
                "not JSON: trailing characters at column 18",
            ),
            ("{\"weight\":NaN}", "not JSON: expected value at column 11"),
            ("{\"weight\":01}", "not JSON: invalid number at column 12"),
            ("{'a':1}", "not JSON: key must be a string at column 2"),
            ("nul", "not JSON: EOF while parsing a value at column 3"),
            (
                "{\n \"a\":\n  ?}",
                "not JSON: expected value at line 3 column 3",
            ),
        ] {
            assert_eq!(reason(line), expected, "{line}");
        }
    }

    #[test]
    fn an_object_may_stand_on_its_own_lines() {
        let line = with("\"weight\": 1").replace(',', ",\n");
        assert!(event_from_line(format!("\r\n\t {line}\n").as_bytes()).is_ok());
    }

    #[test]
    fn a_deep_unknown_value_costs_no_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let line = with(&format!("\"x\":{deep}"));
        assert!(event_from_line(line.as_bytes()).is_ok());
    }
}
