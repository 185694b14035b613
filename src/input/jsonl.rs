//! A line of JSON into the fields of an event, as they are written.
//!
//! Numbers stay text until they are parsed as a time or a weight, so that no digit is lost to a
//! double. The last of duplicate keys counts, unknown keys are ignored, null means absent. Keys are found
//! and values are read as [`InputOptions`] say.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::options::{FIELDS, InputOptions, ValueOptions};
use super::parsed::{ParsedChange, ParsedEvent, check_given, decimal, integer, present, time};
use super::{FieldSources, JsonError, RefusalReason};
use crate::core::{Field, Micros, Refusal, TimeError, WeightError};
use crate::excerpt::{literal, quoted};

/// Whether a line is blank: it is skipped and not counted as read.
#[must_use]
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| is_space(*byte))
}

/// Our own keys in our own forms.
static OWN: InputOptions = InputOptions::OWN;

/// The fields of one object with our own keys; they are not yet checked together.
pub(crate) fn event_from_line(line: &[u8]) -> Result<ParsedEvent<'_>, RefusalReason> {
    mapped_event_from_line(line, &OWN)
}

/// The fields of one line of a file; they are not yet checked together.
pub(super) fn mapped_event_from_line<'a>(
    line: &'a [u8],
    options: &'a InputOptions,
) -> Result<ParsedEvent<'a>, RefusalReason> {
    let text = object_text(line)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let fields = FieldsSeed(options).deserialize(&mut json);
    let fields = fields.and_then(|fields| json.end().map(|()| fields));
    let fields = fields.map_err(|error| not_json(&error))?;
    fields.event().map_err(|refusal| fields.explained(refusal))
}

/// The text of a line that begins an object.
pub(super) fn object_text(line: &[u8]) -> Result<&str, RefusalReason> {
    let text = str::from_utf8(line)
        .map_err(|error| RefusalReason::NotJson(JsonError::not_utf8(line, error)))?;
    let first = text.bytes().find(|byte| !is_space(*byte));
    if first == Some(b'{') {
        return Ok(text);
    }
    Err(match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => RefusalReason::NotAnObject {
            found: literal(text.trim()),
        },
        Err(error) => not_json(&error),
    })
}

/// White space as JSON defines it.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(super) fn not_json(error: &serde_json::Error) -> RefusalReason {
    RefusalReason::NotJson(JsonError::from(error))
}

/// The raw JSON of each field; `None` if the key is absent or null.
struct Fields<'a> {
    values: &'a ValueOptions,
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
    fn new(options: &'a InputOptions) -> Self {
        let columns = &options.columns;
        let constant = |field| columns.json_constant(field);
        Self {
            values: &options.values,
            token_id: constant("token_id"),
            holder_id: constant("holder_id"),
            start: None,
            end: None,
            weight: constant("weight"),
            event_id: None,
            revision: None,
            retract: None,
            at: None,
            delta: constant("delta"),
            seq: None,
            from_id: constant("from_id"),
            to_id: constant("to_id"),
            amount: constant("amount"),
        }
    }

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
        let token_id = self.id(Field::TokenId, self.token_id)?;
        Ok(ParsedEvent {
            holder_id: self.id(Field::HolderId, self.holder_id)?,
            start: self.instant(Field::Start, self.start)?,
            end: self.instant(Field::End, self.end)?,
            weight: number(Field::Weight, self.weight, |text| {
                self.values.wad(text, &token_id)
            })?,
            event_id: self.event_id.map(event_id).transpose()?,
            revision: self.revision()?,
            retract: self.retract()?,
            change: if self.at.is_some() || self.delta.is_some() {
                Some(self.change(&token_id)?)
            } else {
                None
            },
            seq: self.seq()?,
            token_id,
        })
    }

    #[inline(never)]
    fn change(&self, token: &str) -> Result<Box<ParsedChange<'a>>, Refusal> {
        Ok(Box::new(ParsedChange {
            at: self.instant(Field::At, self.at)?,
            delta: number(Field::Delta, self.delta, |text| {
                self.values.delta(text, token)
            })?,
            ..ParsedChange::default()
        }))
    }

    #[inline(never)]
    fn transfer(&self) -> Result<ParsedEvent<'a>, Refusal> {
        check_given(|field| self.raw(field.name()).is_some())?;
        let token_id = self.id(Field::TokenId, self.token_id)?;
        let from_id = self.party(Field::FromId, self.from_id)?;
        let to_id = self.party(Field::ToId, self.to_id)?;
        Ok(ParsedEvent {
            event_id: self.event_id.map(event_id).transpose()?,
            revision: self.revision()?,
            retract: self.retract()?,
            change: Some(Box::new(ParsedChange {
                from_id,
                to_id,
                at: self.instant(Field::At, self.at)?,
                amount: number(Field::Amount, self.amount, |text| {
                    self.values.wad(text, &token_id)
                })?,
                ..ParsedChange::default()
            })),
            seq: self.seq()?,
            token_id,
            ..ParsedEvent::default()
        })
    }

    fn id(&self, field: Field, raw: Option<&'a str>) -> Result<Cow<'a, str>, Refusal> {
        let raw = raw.ok_or(Refusal::MissingId(field))?;
        present(field, self.values.id(id_text(field, raw)?))
    }

    /// The party of a transfer, which may be empty.
    fn party(&self, field: Field, raw: Option<&'a str>) -> Result<Option<Cow<'a, str>>, Refusal> {
        raw.map(|raw| Ok(self.values.id(id_text(field, raw)?)))
            .transpose()
    }

    #[inline]
    fn instant(&self, field: Field, raw: Option<&str>) -> Result<Option<Micros>, Refusal> {
        raw.map(|raw| present_instant(field, raw, self.values))
            .transpose()
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

    /// A refusal with the text of its field, or with its raw JSON if that is not text.
    #[cold]
    fn explained(&self, refusal: Refusal) -> RefusalReason {
        let shown = |raw| string(raw).map_or_else(|| literal(raw), |text| quoted(&text));
        RefusalReason::with_found(refusal, self.raw(refusal.field()).map(shown))
    }
}

/// A raw value without the quotes of a string.
fn unquoted(raw: &str) -> &str {
    raw.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(raw)
}

/// The text of a JSON string; `None` for any other value, and for text that is not valid Unicode.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).ok().map(Cow::Owned)
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

fn present_instant(field: Field, raw: &str, values: &ValueOptions) -> Result<Micros, Refusal> {
    if let Some(read) = values.block_time(unquoted(raw)) {
        return time(field, read);
    }
    let read = if raw.starts_with('"') {
        string(raw).map_or(Err(TimeError::NotATime), |text| {
            Micros::parse_as(&text, values.times)
        })
    } else {
        Micros::parse_number_as(raw, values.times)
    };
    time(field, read)
}

/// A weight, delta or amount: a number, or the same as text.
#[inline]
fn number<T>(
    field: Field,
    raw: Option<&str>,
    parse: impl Fn(&str) -> Result<T, WeightError>,
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

/// Reads the fields that the options name.
struct FieldsSeed<'a>(&'a InputOptions);

impl<'de> DeserializeSeed<'de> for FieldsSeed<'de> {
    type Value = Fields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, line: D) -> Result<Fields<'de>, D::Error> {
        line.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'de> {
    type Value = Fields<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::new(self.0);
        let (columns, values) = (&self.0.columns, &self.0.values);
        while let Some(slot) = object.next_key_seed(Slot(&mut fields, columns))? {
            match slot {
                Some(slot) => {
                    let raw = object.next_value::<&RawValue>()?.get();
                    *slot = (raw != "null" && !values.is_null(unquoted(raw))).then_some(raw);
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
struct Slot<'f, 'a>(&'f mut Fields<'a>, &'f FieldSources);

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
        if self.1.is_own() {
            return Ok(self.0.slot(key));
        }
        let names = |field: &&&str| {
            let column = self.1.column(field);
            column.is_some_and(|column| column.as_bytes() == key)
        };
        let field = FIELDS.iter().find(names);
        Ok(field.and_then(|field| self.0.slot(field.as_bytes())))
    }
}

#[cfg(test)]
mod tests;
