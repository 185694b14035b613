//! What is wrong with a text that is no JSON, and where, in the words of its parser.

use std::fmt;
use std::str::Utf8Error;

/// A fault and its place. The place within a text of one line is a column alone: such a text is mostly a
/// line of a file, whose number the reader of the file knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFault {
    what: Box<str>,
    line: usize,
    column: usize,
}

impl From<&serde_json::Error> for JsonFault {
    fn from(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        Self {
            what: text.strip_suffix(&place).unwrap_or(&text).into(),
            line,
            column,
        }
    }
}

impl JsonFault {
    /// Of a text that is no UTF-8.
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

impl fmt::Display for JsonFault {
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
    fn a_text_that_is_no_utf8_is_told_by_its_place() {
        for (text, expected) in [
            (&b"{\"a\":\"\xff\"}"[..], "not UTF-8 text at column 7"),
            (b"{\n\"\xff\"}", "not UTF-8 text at line 2 column 2"),
            (b"\n\xff", "not UTF-8 text at line 2 column 1"),
        ] {
            let error = str::from_utf8(text).unwrap_err();
            assert_eq!(JsonFault::not_utf8(text, error).to_string(), expected);
        }
    }
}
