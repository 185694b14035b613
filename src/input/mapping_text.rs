//! Mappings of columns and words for values, as people write them on the command line and in mapping files.
//!
//! `holder_id=user,start=Timestamp,token_id="APE"`: a field, and its column or its text in quotes. Every
//! message quotes what it is about and names the cure; nothing is read from files here.

use super::options::{CONSTANT_FIELDS, FIELDS, Found};
use super::{Delimiter, FieldSource, FieldSources, InputFormat, TokenKind};
use crate::core::TimeUnit;
use crate::excerpt::quoted;

impl FieldSources {
    /// Adds the assignments of `text`.
    ///
    /// # Errors
    /// One line that says what cannot be read.
    pub fn assign(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (field, after) = rest
                .split_once('=')
                .ok_or_else(|| format!("{} names no column; write field=column", quoted(rest)))?;
            let inner = after.trim_start().strip_prefix('"');
            let (source, after) = if let Some(inner) = inner {
                let (text, after) = inner
                    .split_once('"')
                    .ok_or_else(|| format!("{} has no closing quote", quoted(after)))?;
                (FieldSource::Constant(text.to_owned()), after.trim_start())
            } else {
                let end = after.find(',').unwrap_or(after.len());
                let (column, after) = after.split_at(end);
                (FieldSource::Column(column.to_owned()), after)
            };
            self.set(field.trim(), source)?;
            rest = match after.strip_prefix(',') {
                Some(more) => more.trim_start(),
                None if after.is_empty() => after,
                None => {
                    return Err(format!(
                        "{} follows a closing quote; write a comma before it",
                        quoted(after)
                    ));
                }
            };
        }
        Ok(())
    }

    /// Reads `field` from `source`.
    ///
    /// # Errors
    /// One line that says why that cannot be.
    pub fn set(&mut self, field: &str, source: FieldSource) -> Result<(), String> {
        let Some(field) = FIELDS.into_iter().find(|known| *known == field) else {
            let (field, fields) = (quoted(field), FIELDS.join(", "));
            return Err(format!("unknown field {field}; the fields are {fields}"));
        };
        if self.get(field).is_some() {
            return Err(format!("{field} is given twice; keep one of them"));
        }
        match &source {
            FieldSource::Column(column) if column.is_empty() => {
                return Err(format!("{field} names no column; write {field}=column"));
            }
            FieldSource::Constant(_) if !CONSTANT_FIELDS.contains(&field) => {
                let fields = CONSTANT_FIELDS.join(", ");
                return Err(format!(
                    "{field} cannot be one text for all rows; that can be {fields}"
                ));
            }
            FieldSource::Constant(text) if text.is_empty() => {
                return Err(format!("{field} is an empty text; write {field}=\"text\""));
            }
            FieldSource::Constant(text)
                if text.contains(['"', '\\']) || text.contains(char::is_control) =>
            {
                let text = quoted(text);
                return Err(format!(
                    "{field}: {text} has a quote, a backslash or a control character"
                ));
            }
            FieldSource::Column(_) | FieldSource::Constant(_) => {}
        }
        let found = match source {
            FieldSource::Column(column) => Found::Column(column),
            FieldSource::Constant(text) => Found::Json(format!("\"{text}\"")),
        };
        let is_taken =
            |known: &&(&str, Found)| matches!(found, Found::Column(_)) && known.1 == found;
        if let Some((other, _)) = self.0.iter().find(is_taken) {
            return Err(format!(
                "{other} and {field} are read from one column; name one for each"
            ));
        }
        self.0.push((field, found));
        Ok(())
    }
}

/// The format that a word stands for.
///
/// # Errors
/// One line that lists the words.
pub(super) fn input_format(text: &str) -> Result<InputFormat, String> {
    let found = InputFormat::all().find(|format| format.name() == text);
    found.ok_or_else(|| {
        let words: Vec<_> = InputFormat::all().map(InputFormat::name).collect();
        unknown("input_format: unknown format", text, &words)
    })
}

/// The kind of tokens of this word.
///
/// # Errors
/// One line that lists the kinds.
pub(super) fn token_kind(text: &str) -> Result<TokenKind, String> {
    let found = TokenKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| {
        let words = TokenKind::ALL.map(TokenKind::name);
        unknown("token_kind: unknown kind", text, &words)
    })
}

fn unknown(what: &str, text: &str, words: &[&str]) -> String {
    let (text, words) = (quoted(text), words.join(", "));
    format!("{what} {text}; write one of {words}")
}

/// The unit that `s`, `ms`, `us` or `ns` stands for.
///
/// # Errors
/// One line that lists the units.
pub(crate) fn time_unit(text: &str) -> Result<TimeUnit, String> {
    Ok(match text {
        "s" => TimeUnit::Seconds,
        "ms" => TimeUnit::Millis,
        "us" => TimeUnit::Micros,
        "ns" => TimeUnit::Nanos,
        _ => {
            return Err(format!(
                "unknown unit {}; write s, ms, us or ns",
                quoted(text)
            ));
        }
    })
}

/// The text that [`time_unit`] reads.
pub(crate) const fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Seconds => "s",
        TimeUnit::Millis => "ms",
        TimeUnit::Micros => "us",
        TimeUnit::Nanos => "ns",
    }
}

/// The delimiter that a character or `tab` stands for.
///
/// # Errors
/// One line that lists the delimiters.
pub(crate) fn delimiter(text: &str) -> Result<Delimiter, String> {
    Ok(match text {
        "," => Delimiter::Comma,
        ";" => Delimiter::Semicolon,
        "\t" | "\\t" | "tab" => Delimiter::Tab,
        "|" => Delimiter::Pipe,
        _ => {
            let text = quoted(text);
            return Err(format!("unknown delimiter {text}; write , ; | or tab"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(text: &str) -> Result<FieldSources, String> {
        let mut sources = FieldSources::default();
        sources.assign(text).map(|()| sources)
    }

    #[test]
    fn fields_are_assigned_columns_and_texts() {
        let sources =
            assigned("holder_id=user id, start =Time (UTC) ,token_id=\"A,P=E\" , end=to ").unwrap();
        assert_eq!(sources.column("holder_id"), Some("user id"));
        assert_eq!(sources.column("start"), Some("Time (UTC) "));
        assert_eq!(sources.column("end"), Some("to "));
        assert_eq!(sources.column("weight"), Some("weight"));
        assert_eq!(sources.column("token_id"), None);
        assert_eq!(sources.constant("token_id"), Some("A,P=E"));
    }

    #[test]
    fn a_mapping_that_cannot_be_meant_is_refused() {
        for (text, expected) in [
            ("user", "\"user\" names no column; write field=column"),
            (
                "holder=a",
                "unknown field \"holder\"; the fields are token_id, holder_id, start",
            ),
            ("start=", "start names no column; write start=column"),
            (
                "start=\"1\"",
                "start cannot be one text for all rows; that can be token_id",
            ),
            (
                "token_id=\"\"",
                "token_id is an empty text; write token_id=\"text\"",
            ),
            ("token_id=\"a", "\"\\\"a\" has no closing quote"),
            (
                "token_id=\"a\"b",
                "\"b\" follows a closing quote; write a comma before it",
            ),
            ("start=a,start=b", "start is given twice; keep one of them"),
            (
                "start=a,end=a",
                "start and end are read from one column; name one for each",
            ),
        ] {
            let error = assigned(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
