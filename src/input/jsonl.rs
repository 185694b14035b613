//! A line of JSON into the fields of an event, as they are written.
//!
//! Numbers stay text until they are parsed as a time or a weight, so that no digit is lost to a
//! double. The last of duplicate keys counts, unknown keys are ignored, null means absent.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::parsed::{ParsedEvent, present, revision, time};
use super::{JsonError, RefusalReason};
use crate::core::{Field, Micros, Refusal, TimeError, Wad, WeightError};
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
}

impl<'a> Fields<'a> {
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
            _ => return None,
        })
    }

    /// Parses each field, in the order in which they are checked.
    fn event(&self) -> Result<ParsedEvent<'a>, Refusal> {
        Ok(ParsedEvent {
            token_id: id(Field::TokenId, self.token_id)?,
            holder_id: id(Field::HolderId, self.holder_id)?,
            start: self
                .start
                .map(|raw| instant(Field::Start, raw))
                .transpose()?,
            end: self.end.map(|raw| instant(Field::End, raw)).transpose()?,
            weight: self.weight.map(weight).transpose()?,
            event_id: self.event_id.map(event_id).transpose()?,
            revision: self.revision.map_or(Ok(0), revision)?,
            retract: match self.retract {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(Refusal::Retract),
            },
        })
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
    match string(raw) {
        Some(text) => present(field, text),
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

fn instant(field: Field, raw: &str) -> Result<Micros, Refusal> {
    let read = if raw.starts_with('"') {
        string(raw).map_or(Err(TimeError::NotATime), |text| Micros::parse(&text))
    } else {
        Micros::parse_number(raw)
    };
    time(field, read)
}

fn weight(raw: &str) -> Result<Wad, WeightError> {
    if raw.starts_with('"') {
        string(raw).map_or(Err(WeightError::NotANumber), |text| Wad::parse(&text))
    } else {
        Wad::parse(raw)
    }
}

impl Fields<'_> {
    /// A refusal with the raw JSON of its field.
    #[cold]
    fn explained(&self, refusal: Refusal) -> RefusalReason {
        let raw = match refusal.field() {
            "token_id" => self.token_id,
            "holder_id" => self.holder_id,
            "start" => self.start,
            "end" => self.end,
            "weight" => self.weight,
            "event_id" => self.event_id,
            "revision" => self.revision,
            "retract" => self.retract,
            _ => None,
        };
        RefusalReason::with_found(refusal, raw.map(literal))
    }
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

    fn reason(line: &str) -> String {
        let read = event_from_line(line.as_bytes());
        read.map(|event| event.check().map(|_| ()).map_err(RefusalReason::from))
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
