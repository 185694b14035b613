//! JSON that is not one object a line: an array, an object around an array, objects over several lines.
//!
//! [`JsonForm::detect`] says which of these a source is; [`DocumentEnds`] finds the rows in a stream of it and
//! blanks out everything else, so that a block has rows and white space alone and each row keeps its line.
//! Memory is bounded by the largest row. Rows are parsed in [`super::json_records`].

use serde::de::IgnoredAny;
use serde_json::Value;

use super::FieldSources;
use super::blocks::{Failure, RecordEnds};
use super::feeds::Feed;
use super::feeds::json_row::key_paths;
use super::options::FIELDS;
use crate::excerpt::quoted;

/// Text around the rows that is kept until its end is checked.
const OUTSIDE_BYTES_MAX: usize = 1 << 20;

/// How a source of JSON holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonForm {
    /// One on each line.
    Lines,
    /// One after the other, over any number of lines.
    Objects,
    /// In an array.
    Array,
    /// In the one array of objects that an object has.
    Wrapped,
}

impl JsonForm {
    /// By the first bytes of a source.
    pub(super) fn detect(head: &[u8], sources: &FieldSources) -> Self {
        let text = head.trim_ascii_start();
        match text.first() {
            Some(b'[') => match text[1..].trim_ascii_start().first() {
                Some(b'{' | b']') => Self::Array,
                _ => Self::Lines,
            },
            Some(b'{') => Self::of_object(text, sources),
            _ => Self::Lines,
        }
    }

    /// Of a source that begins with an object, be it cut off or not.
    fn of_object(text: &[u8], sources: &FieldSources) -> Self {
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
        let has_breaks = |bytes: &[u8]| memchr::memchr(b'\n', bytes).is_some();
        match values.next() {
            Some(Ok(Value::Object(fields))) => {
                let object = &text[..values.byte_offset()];
                let paths = || key_paths(&String::from_utf8_lossy(object));
                let is_event = fields.keys().any(|key| is_read(key, sources))
                    || Feed::of_columns(&paths()).is_some();
                if !is_event && has_rows(&Value::Object(fields)) {
                    Self::Wrapped
                } else if has_breaks(object) {
                    Self::Objects
                } else {
                    Self::Lines
                }
            }
            Some(Err(error)) if error.is_eof() => {
                let mut ends = DocumentEnds::new(Self::Wrapped);
                ends.last_end(&mut text.to_vec(), 0);
                let keys = keys(&ends.outside);
                // A row of a feed may have a list of its own, such as that of a batch.
                let is_event = keys.iter().any(|key| is_read(key, sources))
                    || Feed::of_columns(&keys).is_some();
                if ends.has_rows && !is_event {
                    Self::Wrapped
                } else if has_breaks(text) {
                    Self::Objects
                } else {
                    Self::Lines
                }
            }
            _ => {
                let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let is_open = first_line.trim_ascii() == b"{" && has_breaks(text);
                if is_open { Self::Objects } else { Self::Lines }
            }
        }
    }
}

/// Whether a field is read from this key.
fn is_read(key: &str, sources: &FieldSources) -> bool {
    FIELDS
        .iter()
        .any(|field| sources.column(field) == Some(key))
}

/// Whether a value is an array of objects, or an object that has one.
fn has_rows(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.first().is_some_and(Value::is_object),
        Value::Object(fields) => fields.values().any(has_rows),
        _ => false,
    }
}

/// The keys of the outermost object that has been opened, as far as text that is cut off shows them.
fn keys(text: &[u8]) -> Vec<String> {
    let mut keys = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match text[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(text, at).unwrap_or(text.len());
                let is_key = text[end..].trim_ascii_start().first() == Some(&b':');
                if depth == 1
                    && is_key
                    && let Ok(key) = serde_json::from_slice(&text[at..end])
                {
                    keys.push(key);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    keys
}

/// The end of the string that begins with the quote at `at`; `None` if it is not closed.
pub(super) fn string_end(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        from += memchr::memchr2(b'"', b'\\', &text[from..])?;
        if text[from] == b'"' {
            return Some(from + 1);
        }
        from += 2;
        if from > text.len() {
            return None;
        }
    }
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Around the rows.
    Outside,
    /// After a bracket outside, which opens the rows if an object follows.
    Bracket,
    /// Where a row begins, or the rows end.
    RowOrEnd,
    /// Where a row begins, after a comma.
    Row,
    /// After a row.
    CommaOrEnd,
    /// In a row, at this depth of brackets.
    Inside(usize),
    /// In a row that is a number or a word.
    Word,
}

/// Finds the ends of rows in a document.
pub(super) struct DocumentEnds {
    form: JsonForm,
    place: Place,
    is_in_string: bool,
    is_escaped: bool,
    /// The brackets that are open around the rows.
    open: Vec<u8>,
    /// The text around the rows of the document that is being read.
    outside: Vec<u8>,
    has_rows: bool,
    rows_key: String,
    /// Line breaks before the bytes that are being read.
    lines: u64,
    failure: Option<Failure>,
}

impl DocumentEnds {
    pub(super) fn new(form: JsonForm) -> Self {
        Self {
            form,
            place: match form {
                JsonForm::Objects => Place::RowOrEnd,
                JsonForm::Lines | JsonForm::Array | JsonForm::Wrapped => Place::Outside,
            },
            is_in_string: false,
            is_escaped: false,
            open: Vec::new(),
            outside: Vec::new(),
            has_rows: false,
            rows_key: String::new(),
            lines: 0,
            failure: None,
        }
    }

    /// Takes one byte outside a string; says whether it ends a row.
    fn take(&mut self, byte: u8) -> Result<bool, String> {
        let is_blank = byte.is_ascii_whitespace();
        match self.place {
            Place::Inside(depth) => {
                match byte {
                    b'"' => self.is_in_string = true,
                    b'{' | b'[' => self.place = Place::Inside(depth + 1),
                    b'}' | b']' if depth <= 1 => {
                        self.place = Place::CommaOrEnd;
                        return Ok(true);
                    }
                    b'}' | b']' => self.place = Place::Inside(depth - 1),
                    _ => {}
                }
                Ok(false)
            }
            Place::Word if !is_blank && !matches!(byte, b',' | b']' | b'}') => Ok(false),
            Place::Word => {
                self.place = Place::CommaOrEnd;
                self.take(byte)
            }
            _ if is_blank => Ok(false),
            Place::Outside => self.outside(byte).map(|()| false),
            Place::Bracket if byte == b'{' => {
                self.open_rows()?;
                self.begin_row(byte)
            }
            Place::Bracket => {
                self.place = Place::Outside;
                self.outside(byte).map(|()| false)
            }
            Place::CommaOrEnd if self.form == JsonForm::Objects => match byte {
                b',' => Err(
                    "a comma after an object; remove it, or put all objects into [ and ]"
                        .to_owned(),
                ),
                _ => self.begin_row(byte),
            },
            Place::CommaOrEnd => match byte {
                b',' => {
                    self.place = Place::Row;
                    Ok(false)
                }
                b']' => {
                    self.place = Place::Outside;
                    self.outside(byte).map(|()| false)
                }
                _ => Err("no comma between two rows of an array".to_owned()),
            },
            Place::RowOrEnd if byte == b']' && self.form != JsonForm::Objects => {
                self.place = Place::Outside;
                self.outside(byte).map(|()| false)
            }
            Place::Row if byte == b']' => {
                Err("a comma after the last row of an array; remove it".to_owned())
            }
            Place::RowOrEnd | Place::Row => self.begin_row(byte),
        }
    }

    fn begin_row(&mut self, byte: u8) -> Result<bool, String> {
        self.place = match byte {
            b'{' | b'[' => Place::Inside(1),
            b',' | b':' | b'}' | b']' => {
                return Err(format!(
                    "{} where a row begins",
                    quoted(&char::from(byte).to_string())
                ));
            }
            b'"' => {
                self.is_in_string = true;
                Place::Word
            }
            _ => Place::Word,
        };
        Ok(false)
    }

    /// Takes a byte around the rows.
    fn outside(&mut self, byte: u8) -> Result<(), String> {
        if self.open.is_empty() {
            let begins = match self.form {
                JsonForm::Array => byte == b'[',
                _ => byte == b'{',
            };
            if !begins {
                return Err("text after the end of the document; remove it".to_owned());
            }
        }
        if self.outside.len() == OUTSIDE_BYTES_MAX {
            return Err("more than 1 MiB of text around the rows; extract them with jq".to_owned());
        }
        self.outside.push(byte);
        match byte {
            b'"' => self.is_in_string = true,
            b'{' => self.open.push(byte),
            b'[' if self.form == JsonForm::Array && self.open.is_empty() => {
                self.open.push(byte);
                self.place = Place::RowOrEnd;
            }
            b'[' => {
                if self.open.iter().all(|bracket| *bracket == b'{') {
                    self.place = Place::Bracket;
                }
                self.open.push(byte);
            }
            b'}' | b']' => {
                self.open.pop();
                if self.open.is_empty() {
                    return self.end_document();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes note of an array of objects, of which a document may have one.
    fn open_rows(&mut self) -> Result<(), String> {
        let key = keys(&innermost(&self.outside)).pop().unwrap_or_default();
        if self.has_rows {
            let (first, second) = (quoted(&self.rows_key), quoted(&key));
            return Err(format!(
                "{first} and {second} are both arrays of objects; extract one of them with jq"
            ));
        }
        self.has_rows = true;
        self.rows_key = key;
        Ok(())
    }

    /// Checks the text around the rows.
    fn end_document(&mut self) -> Result<(), String> {
        let outside = std::mem::take(&mut self.outside);
        let has_rows = std::mem::take(&mut self.has_rows);
        serde_json::from_slice::<IgnoredAny>(&outside).map_err(|error| {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or(&text);
            format!("{what} in the text around the rows")
        })?;
        if self.form == JsonForm::Wrapped && !has_rows {
            return Err("an object without an array of objects".to_owned());
        }
        Ok(())
    }

    /// Blanks out what is around rows.
    fn is_around(&self) -> bool {
        !matches!(self.place, Place::Inside(_) | Place::Word)
    }
}

/// The text from the last bracket that is open, so that its keys are the outermost ones.
fn innermost(text: &[u8]) -> Vec<u8> {
    let without_bracket = text.strip_suffix(b"[").unwrap_or(text);
    let mut open = Vec::new();
    let mut at = 0;
    while at < without_bracket.len() {
        match without_bracket[at] {
            b'{' | b'[' => open.push(at),
            b'}' | b']' => {
                open.pop();
            }
            b'"' => {
                at = string_end(without_bracket, at).unwrap_or(without_bracket.len());
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    without_bracket[open.last().copied().unwrap_or(0)..].to_vec()
}

impl RecordEnds for DocumentEnds {
    fn last_end(&mut self, bytes: &mut [u8], seen: usize) -> Option<usize> {
        let mut last = None;
        let mut at = seen;
        while at < bytes.len() && self.failure.is_none() {
            if self.is_in_string {
                let was_around = self.is_around();
                let from = at;
                at = self.skip_string(bytes, at);
                if was_around {
                    self.outside.extend_from_slice(&bytes[from..at]);
                    blank(&mut bytes[from..at]);
                } else if !self.is_in_string && self.place == Place::Word {
                    // A text is a row of its own.
                    self.place = Place::CommaOrEnd;
                    last = Some(at);
                }
                continue;
            }
            let was_word = self.place == Place::Word;
            match self.take(bytes[at]) {
                Ok(true) => last = Some(at + 1),
                Ok(false) => {
                    if was_word && self.place != Place::Word {
                        last = Some(at);
                    }
                    if self.is_around() {
                        blank(&mut bytes[at..=at]);
                    }
                }
                Err(what) => {
                    let before = memchr::memchr_iter(b'\n', &bytes[seen..at]).count() as u64;
                    let line = self.lines + before + 1;
                    self.failure = Some(Failure { line, what });
                }
            }
            at += 1;
        }
        self.lines += memchr::memchr_iter(b'\n', &bytes[seen..]).count() as u64;
        last
    }

    fn failure(&mut self, is_end: bool) -> Option<Failure> {
        if self.failure.is_none() && is_end {
            let is_whole = match self.form {
                JsonForm::Objects => {
                    matches!(
                        self.place,
                        Place::RowOrEnd | Place::CommaOrEnd | Place::Word
                    )
                }
                _ => self.place == Place::Outside && self.open.is_empty(),
            };
            if !is_whole || self.is_in_string {
                let what = "the text ends within it; is the file complete?".to_owned();
                let line = self.lines + 1;
                self.failure = Some(Failure { line, what });
            }
        }
        self.failure.clone()
    }
}

impl DocumentEnds {
    /// The index after the string in which `at` stands, or the end of `bytes`.
    fn skip_string(&mut self, bytes: &[u8], mut at: usize) -> usize {
        while at < bytes.len() {
            if self.is_escaped {
                self.is_escaped = false;
                at += 1;
                continue;
            }
            let Some(index) = memchr::memchr2(b'"', b'\\', &bytes[at..]) else {
                return bytes.len();
            };
            at += index + 1;
            if bytes[at - 1] == b'"' {
                self.is_in_string = false;
                return at;
            }
            self.is_escaped = true;
        }
        at
    }
}

/// Keeps line breaks alone.
fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests;
