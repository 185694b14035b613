//! What is wrong with text that is not JSON, and where, in the words of its parser.

use std::fmt;
use std::str::Utf8Error;

/// An error and its position. In a text of one line the position is a column only: such a text is usually
/// a line of a file, whose number the reader of the file adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    what: Box<str>,
    line: usize,
    column: usize,
}

impl From<&serde_json::Error> for JsonError {
    fn from(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let position = format!(" at line {line} column {column}");
        Self {
            what: text.strip_suffix(&position).unwrap_or(&text).into(),
            line,
            column,
        }
    }
}

impl JsonError {
    /// The error of a parser of `text`; its words are ours if the text is of a kind that is known.
    pub(super) fn in_text(text: &str, error: &serde_json::Error) -> Self {
        let mut error = Self::from(error);
        let line_start = text
            .split_inclusive('\n')
            .take(error.line.saturating_sub(1))
            .map(str::len)
            .sum::<usize>();
        let mut at = line_start + error.column.saturating_sub(1);
        if at > line_start && text.as_bytes().get(at - 1) == Some(&b'-') {
            // The parser blames what follows the sign.
            at -= 1;
            error.column -= 1;
        }
        let what = text.get(at..).and_then(known_mistake);
        what.map_or(error.clone(), |what| Self {
            what: what.into(),
            ..error
        })
    }

    /// The text is not UTF-8.
    pub(super) fn not_utf8(text: &[u8], error: Utf8Error) -> Self {
        let before = &text[..error.valid_up_to()];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        Self {
            what: "not UTF-8 text".into(),
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start + 1,
        }
    }
}

/// What is wrong with text that is not JSON from here on, and the cure.
fn known_mistake(rest: &str) -> Option<String> {
    const WORDS: [&str; 9] = [
        "NaN",
        "Infinity",
        "-Infinity",
        "None",
        "True",
        "False",
        "undefined",
        "NULL",
        "Null",
    ];
    let end = rest.find(|letter: char| !(letter.is_ascii_alphabetic() || letter == '-'));
    let word = &rest[..end.unwrap_or(rest.len())];
    if WORDS.contains(&word) {
        return Some(format!(
            "{word}, which JSON does not have (write null, true or false)"
        ));
    }
    let after_comma = rest.strip_prefix(',').map(str::trim_start);
    if after_comma.is_some_and(|after| after.is_empty() || after.starts_with('{')) {
        return Some(
            "a comma after the object (remove it, or put all objects into [ and ])".to_owned(),
        );
    }
    rest.starts_with('\'')
        .then(|| "single quotes (JSON has double quotes)".to_owned())
}

impl fmt::Display for JsonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at ", self.what)?;
        if self.line > 1 {
            write!(out, "line {} ", self.line)?;
        }
        write!(out, "column {}", self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_mistakes_are_named_with_their_cure() {
        for (text, expected) in [
            (
                r#"{"a":NaN}"#,
                "NaN, which JSON does not have (write null, true or false) at column 6",
            ),
            (
                r#"{"a":[1, None]}"#,
                "None, which JSON does not have (write null, true or false) at column 10",
            ),
            (
                r#"{"a":-Infinity}"#,
                "-Infinity, which JSON does not have (write null, true or false) at column 6",
            ),
            (
                r#"{"a":1},"#,
                "a comma after the object (remove it, or put all objects into [ and ]) at column 8",
            ),
            (
                "{'a':1}",
                "single quotes (JSON has double quotes) at column 2",
            ),
            (r#"{"a":1"#, "EOF while parsing an object at column 6"),
        ] {
            let error = serde_json::from_str::<serde::de::IgnoredAny>(text).unwrap_err();
            assert_eq!(
                JsonError::in_text(text, &error).to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_reported_with_its_position() {
        for (text, expected) in [
            (&b"{\"a\":\"\xff\"}"[..], "not UTF-8 text at column 7"),
            (b"{\n\"\xff\"}", "not UTF-8 text at line 2 column 2"),
            (b"\n\xff", "not UTF-8 text at line 2 column 1"),
        ] {
            let error = str::from_utf8(text).unwrap_err();
            assert_eq!(JsonError::not_utf8(text, error).to_string(), expected);
        }
    }
}
