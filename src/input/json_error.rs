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
