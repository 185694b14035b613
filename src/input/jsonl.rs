//! A line of JSON into the fields of an event, as they are written.
//!
//! Numbers stay text until they are parsed as a time or a weight, so that no digit is lost to a
//! double. The key of a field that is there twice is refused, as is one that is nearly that of a field; other
//! unknown keys are listed, and null means absent. Keys are found and values are read as [`InputOptions`] say.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::feeds::json_row::entries;
use super::options::{FIELDS, InputOptions, ValueOptions};
use super::parsed::{ParsedChange, ParsedEvent, decimal, integer, present, time};
use super::unknown_columns::Likeness;
use super::{FieldSources, JsonError, NearMiss, RefusalReason};
use crate::core::draft::check_transfer;
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
    mapped_event_from_line(line, &OWN, &mut UnknownKeys::new(&OWN.columns))
}

/// Why an object with our own keys, whose fields were parsed, is refused; with the text of the field.
pub(crate) fn refused_line(line: &[u8], refusal: Refusal) -> RefusalReason {
    explained(line, &OWN, refusal)
}

/// The fields of one line of a file; they are not yet checked together.
pub(super) fn mapped_event_from_line<'a>(
    line: &'a [u8],
    options: &'a InputOptions,
    unknown: &mut UnknownKeys<'_>,
) -> Result<ParsedEvent<'a>, RefusalReason> {
    let fields = fields_from_line(line, options, unknown)?;
    if let Some(reason) = fields.refused_key(options) {
        return Err(reason);
    }
    if fields.given == 0
        && let Some(reason) = fields.without_ours(line)
    {
        return Err(reason);
    }
    fields.event().map_err(|refusal| fields.explained(refusal))
}

/// Why a line of a file, whose fields were parsed, is refused; with the text of the field.
#[cold]
pub(super) fn explained(line: &[u8], options: &InputOptions, refusal: Refusal) -> RefusalReason {
    match fields_from_line(line, options, &mut UnknownKeys::new(&options.columns)) {
        Ok(fields) => fields.explained(refusal),
        Err(reason) => reason,
    }
}

fn fields_from_line<'a>(
    line: &'a [u8],
    options: &'a InputOptions,
    unknown: &mut UnknownKeys<'_>,
) -> Result<Fields<'a>, RefusalReason> {
    let text = object_text(line)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let fields = FieldsSeed(options, unknown).deserialize(&mut json);
    let fields = fields.and_then(|fields| json.end().map(|()| fields));
    fields.map_err(|error| not_json(text, &error))
}

/// A JSON value without the blanks around its parts.
fn without_blanks(raw: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let keeps = |letter: &char| {
        let keeps = is_text || !letter.is_ascii_whitespace();
        is_text ^= *letter == '"' && !is_escaped;
        is_escaped = *letter == '\\' && !is_escaped;
        keeps
    };
    raw.chars().filter(keeps).collect()
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
            found: literal(&without_blanks(text)),
        },
        Err(error) => not_json(text, &error),
    })
}

/// White space as JSON defines it.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(super) fn not_json(text: &str, error: &serde_json::Error) -> RefusalReason {
    RefusalReason::NotJson(JsonError::in_text(text, error))
}

/// Keys that a refusal lists.
const KEYS_SHOWN_MAX: usize = 10;

/// The raw JSON of each field; `None` if the key is absent or null.
struct Fields<'a> {
    values: &'a ValueOptions,
    raws: [Option<&'a str>; FIELDS.len()],
    /// One bit for each field whose key was there.
    given: u16,
    /// One bit for each field whose key was there twice.
    twice: u16,
    /// Keys that may be meant for a field.
    suspects: Vec<(String, Likeness)>,
}

/// The indices of fields in [`FIELDS`].
mod index {
    pub(super) const TOKEN_ID: usize = 0;
    pub(super) const HOLDER_ID: usize = 1;
    pub(super) const START: usize = 2;
    pub(super) const END: usize = 3;
    pub(super) const WEIGHT: usize = 4;
    pub(super) const EVENT_ID: usize = 5;
    pub(super) const REVISION: usize = 6;
    pub(super) const RETRACT: usize = 7;
    pub(super) const AT: usize = 8;
    pub(super) const DELTA: usize = 9;
    pub(super) const SEQ: usize = 10;
    pub(super) const FROM_ID: usize = 11;
    pub(super) const TO_ID: usize = 12;
    pub(super) const AMOUNT: usize = 13;
}

/// The field that has a key of its own name.
#[inline]
fn own_field(key: &[u8]) -> Option<usize> {
    Some(match key {
        b"token_id" => index::TOKEN_ID,
        b"holder_id" => index::HOLDER_ID,
        b"start" => index::START,
        b"end" => index::END,
        b"weight" => index::WEIGHT,
        b"event_id" => index::EVENT_ID,
        b"revision" => index::REVISION,
        b"retract" => index::RETRACT,
        b"at" => index::AT,
        b"delta" => index::DELTA,
        b"seq" => index::SEQ,
        b"from_id" => index::FROM_ID,
        b"to_id" => index::TO_ID,
        b"amount" => index::AMOUNT,
        _ => return None,
    })
}

impl<'a> Fields<'a> {
    fn new(options: &'a InputOptions) -> Self {
        let columns = &options.columns;
        Self {
            values: &options.values,
            raws: if columns.is_own() {
                [None; FIELDS.len()]
            } else {
                FIELDS.map(|field| columns.json_constant(field))
            },
            given: 0,
            twice: 0,
            suspects: Vec::new(),
        }
    }

    /// Why the keys are refused, whatever their values are.
    fn refused_key(&self, options: &InputOptions) -> Option<RefusalReason> {
        if self.twice != 0 {
            let field = FIELDS[self.twice.trailing_zeros() as usize];
            let key = options.columns.column(field).unwrap_or(field);
            return Some(RefusalReason::KeyTwice {
                field,
                key: quoted(key),
            });
        }
        let has = |field: &str| self.raw(field).is_some();
        let near = self.suspects.iter().find_map(|suspect| {
            let (column, likeness) = suspect;
            let field = likeness.field(has)?;
            let column = column.clone();
            Some(NearMiss { column, field })
        });
        near.map(RefusalReason::NearMiss)
    }

    /// Why an object is refused that has keys, and none of a field.
    #[cold]
    fn without_ours(&self, line: &[u8]) -> Option<RefusalReason> {
        let keys = entries(str::from_utf8(line).ok()?).ok()?;
        let shown = keys.iter().map(|(key, raw)| {
            let is_empty = raw
                .strip_prefix('[')
                .is_some_and(|rest| rest.trim_ascii() == "]");
            format!(
                "{}{}",
                literal(key),
                if is_empty { ", an empty array" } else { "" }
            )
        });
        let shown: Vec<_> = shown.take(KEYS_SHOWN_MAX).collect();
        let field = if self.raws[index::TOKEN_ID].is_none() {
            Field::TokenId
        } else {
            Field::HolderId
        };
        (!shown.is_empty()).then(|| RefusalReason::NoKey {
            field,
            keys: shown.join(", "),
        })
    }

    /// Parses each field, in the order in which they are checked.
    fn event(&self) -> Result<ParsedEvent<'a>, Refusal> {
        if self.raws[index::FROM_ID].is_some()
            || self.raws[index::TO_ID].is_some()
            || self.raws[index::AMOUNT].is_some()
        {
            return self.transfer();
        }
        let token_id = self.id(Field::TokenId, self.raws[index::TOKEN_ID])?;
        Ok(ParsedEvent {
            holder_id: self.id(Field::HolderId, self.raws[index::HOLDER_ID])?,
            start: self.instant(Field::Start, self.raws[index::START])?,
            end: self.instant(Field::End, self.raws[index::END])?,
            weight: number(Field::Weight, self.raws[index::WEIGHT], |text| {
                self.values.wad(text, &token_id)
            })?,
            event_id: self.raws[index::EVENT_ID].map(event_id).transpose()?,
            revision: self.revision()?,
            retract: self.retract()?,
            change: if self.raws[index::AT].is_some() || self.raws[index::DELTA].is_some() {
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
            at: self.instant(Field::At, self.raws[index::AT])?,
            delta: number(Field::Delta, self.raws[index::DELTA], |text| {
                self.values.delta(text, token)
            })?,
            ..ParsedChange::default()
        }))
    }

    #[inline(never)]
    fn transfer(&self) -> Result<ParsedEvent<'a>, Refusal> {
        check_transfer(|field| self.raw(field.name()).is_some())?;
        let token_id = self.id(Field::TokenId, self.raws[index::TOKEN_ID])?;
        let from_id = self.party(Field::FromId, self.raws[index::FROM_ID])?;
        let to_id = self.party(Field::ToId, self.raws[index::TO_ID])?;
        Ok(ParsedEvent {
            event_id: self.raws[index::EVENT_ID].map(event_id).transpose()?,
            revision: self.revision()?,
            retract: self.retract()?,
            change: Some(Box::new(ParsedChange {
                from_id,
                to_id,
                at: self.instant(Field::At, self.raws[index::AT])?,
                amount: number(Field::Amount, self.raws[index::AMOUNT], |text| {
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
        self.raws[index::REVISION]
            .map_or(Some(0), integer)
            .ok_or(Refusal::Revision)
    }

    fn seq(&self) -> Result<u64, Refusal> {
        self.raws[index::SEQ]
            .map_or(Some(0), integer)
            .ok_or(Refusal::Seq)
    }

    fn retract(&self) -> Result<bool, Refusal> {
        match self.raws[index::RETRACT] {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::Retract),
        }
    }

    /// The raw JSON of the field of this name.
    fn raw(&self, field: &str) -> Option<&'a str> {
        let index = FIELDS.iter().position(|known| *known == field)?;
        self.raws[index]
    }

    /// A refusal with the text of its field, or with its raw JSON if that is not text.
    #[cold]
    fn explained(&self, refusal: Refusal) -> RefusalReason {
        let raw = self.raw(refusal.field());
        if let (Refusal::IdNotText(_) | Refusal::EventId, Some(raw)) = (refusal, raw)
            && raw.starts_with('"')
            && string(raw).is_none()
        {
            let found = literal(raw);
            return RefusalReason::HalfSurrogate { refusal, found };
        }
        let shown = |raw| match string(raw) {
            Some(text) => quoted(&text),
            None => literal(&without_blanks(raw)),
        };
        RefusalReason::with_found(refusal, raw.map(shown))
    }
}

/// Whether a value is a text, or a number, that means an absent one.
#[inline]
fn is_null_word(raw: &str, values: &ValueOptions) -> bool {
    !values.nulls.is_empty()
        && string(raw).map_or_else(|| values.is_null(raw), |text| values.is_null(&text))
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

/// The keys of a block that are those of no field, and what each may stand for: looked up once, because objects
/// in a file have the same keys.
pub(super) struct UnknownKeys<'o> {
    sources: &'o FieldSources,
    known: Vec<(String, Likeness)>,
    /// The index after that of the last key, at which the next one usually is.
    next: usize,
}

impl<'o> UnknownKeys<'o> {
    pub(super) const fn new(sources: &'o FieldSources) -> Self {
        Self {
            sources,
            known: Vec::new(),
            next: 0,
        }
    }

    /// The keys that are not refused wherever they stand.
    pub(super) fn ignored(&self) -> impl Iterator<Item = &str> {
        let others = self.known.iter();
        let others = others.filter(|(_, likeness)| !matches!(likeness, Likeness::Spelling(_)));
        others.map(|(key, _)| key.as_str())
    }

    /// The index of a key.
    fn index(&mut self, key: &[u8]) -> usize {
        let is_at = |index: usize| self.known[index].0.as_bytes() == key;
        let guess = (self.next < self.known.len() && is_at(self.next)).then_some(self.next);
        let found = guess.or_else(|| (0..self.known.len()).find(|index| is_at(*index)));
        let found = found.unwrap_or_else(|| self.add(key));
        self.next = found + 1;
        found
    }

    #[cold]
    fn add(&mut self, key: &[u8]) -> usize {
        let key = String::from_utf8_lossy(key).into_owned();
        let likeness = Likeness::of(&key, self.sources);
        if self.known.len() == KEYS_MAX {
            self.known.pop();
        }
        self.known.push((key, likeness));
        self.known.len() - 1
    }
}

/// Keys that are remembered at once; more than these are looked up each time.
const KEYS_MAX: usize = 128;

/// Reads the fields that the options name.
struct FieldsSeed<'a, 'k, 'o>(&'a InputOptions, &'k mut UnknownKeys<'o>);

impl<'de> DeserializeSeed<'de> for FieldsSeed<'de, '_, '_> {
    type Value = Fields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, line: D) -> Result<Fields<'de>, D::Error> {
        line.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'de, '_, '_> {
    type Value = Fields<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::new(self.0);
        let (columns, values) = (&self.0.columns, &self.0.values);
        while let Some(key) = object.next_key_seed(KeySeed(columns, self.1))? {
            match key {
                Key::Field(field) => {
                    let raw = object.next_value::<&RawValue>()?.get();
                    let is_absent = raw == "null" || is_null_word(raw, values);
                    fields.raws[field] = (!is_absent).then_some(raw);
                    let bit = 1 << field;
                    fields.twice |= fields.given & bit;
                    fields.given |= bit;
                }
                Key::Unknown(key) => {
                    object.next_value::<IgnoredAny>()?;
                    if self.1.known[key].1 != Likeness::Other {
                        fields.suspects.push(self.1.known[key].clone());
                    }
                }
            }
        }
        Ok(fields)
    }
}

/// What a key stands for.
enum Key {
    /// The field of this index.
    Field(usize),
    /// The key of this index in [`UnknownKeys`].
    Unknown(usize),
}

/// Finds what a key stands for. Keys are read as bytes: one that is not valid Unicode is just another unknown
/// key.
struct KeySeed<'k, 'o>(&'k FieldSources, &'k mut UnknownKeys<'o>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Key, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_> {
    type Value = Key;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Key, E> {
        let field = if self.0.is_own() {
            own_field(key)
        } else {
            let names = |field: &str| {
                let column = self.0.column(field);
                column.is_some_and(|column| column.as_bytes() == key)
            };
            FIELDS.iter().position(|field| names(field))
        };
        Ok(field.map_or_else(|| Key::Unknown(self.1.index(key)), Key::Field))
    }
}

#[cfg(test)]
mod tests;
