//! Whether a file is what its list gives: the document is written again and compared, byte for byte.
//!
//! White space between the values of JSON does not count. So every hash, proof, sum and count of a file is checked in
//! one way, whatever its format, and nothing that was changed goes unnoticed.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::excerpt::literal;

/// Where the text of a tree comes from, for [`Difference::said`].
pub(super) const LIST_GIVES: &str = "its list gives";

/// A place where a file is not what its list gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// In the text without white space.
    offset: usize,
    found: String,
    expected: String,
}

/// The JSON without white space between its values.
pub(super) fn compact(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = blanks(text).next() else {
        return text.into();
    };
    let mut kept = Vec::with_capacity(text.len());
    kept.extend_from_slice(&text[..first]);
    let mut next = first + 1;
    for blank in blanks(text).skip(1) {
        kept.extend_from_slice(&text[next..blank]);
        next = blank + 1;
    }
    kept.extend_from_slice(&text[next..]);
    kept.into()
}

/// Where white space stands that is not in a string.
fn blanks(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => return Some(at - 1),
                b'"' => at = end_of_string(text, at),
                _ => {}
            }
        }
        None
    })
}

/// The place after the quote that ends the string which begins before `at`.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += found + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        at = (at + 1).min(text.len());
    }
    text.len()
}

/// Compares what `write` writes with `text`, which is compact.
pub(super) fn difference(
    text: &[u8],
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Option<Difference> {
    let mut comparing = Comparing {
        text,
        offset: 0,
        difference: None,
    };
    let written = write(&mut comparing);
    if comparing.difference.is_some() {
        return comparing.difference;
    }
    written.expect("only a difference ends the comparison");
    let rest = &text[comparing.offset..];
    (!rest.is_empty()).then(|| Difference {
        offset: comparing.offset,
        found: shown(rest),
        expected: "the end".into(),
    })
}

struct Comparing<'a> {
    text: &'a [u8],
    offset: usize,
    difference: Option<Difference>,
}

impl Write for Comparing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let rest = &self.text[self.offset..];
        if rest.starts_with(bytes) {
            self.offset += bytes.len();
            return Ok(bytes.len());
        }
        let equal = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        // Some of what is equal before it, so that one sees what it is part of.
        let end = self.offset + equal;
        let begin = end.saturating_sub(12);
        let before = &self.text[begin..end];
        let context = before
            .iter()
            .rposition(|byte| b"[]{},:".contains(byte))
            .map_or(before, |mark| &before[mark + 1..]);
        let with_context = |bytes: &[u8]| shown(&[context, &bytes[..bytes.len().min(64)]].concat());
        let ends = end == self.text.len();
        self.difference = Some(Difference {
            offset: end,
            found: if ends {
                "the end".into()
            } else {
                with_context(&rest[equal..])
            },
            expected: with_context(&bytes[equal..]),
        });
        Err(io::Error::other("the file differs"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    literal(&String::from_utf8_lossy(&bytes[..bytes.len().min(64)]))
}

impl Difference {
    /// In words; `text` is the file as it was read, and `origin` says where the right text comes from.
    pub(super) fn said(&self, text: &[u8], origin: &str) -> String {
        let mut offset = self.offset;
        for blank in blanks(text) {
            if blank > offset {
                break;
            }
            offset += 1;
        }
        let before = &text[..offset.min(text.len())];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
        format!(
            "line {line}, column {column}: {} stands where {origin} {} (the file was changed, or written by a tool that \
             computes something else)",
            self.found, self.expected
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, expected: &str) -> Option<String> {
        let compacted = compact(text.as_bytes());
        let found = difference(&compacted, |out| out.write_all(expected.as_bytes()));
        found.map(|difference| difference.said(text.as_bytes(), LIST_GIVES))
    }

    #[test]
    fn white_space_between_values_does_not_count() {
        let expected = r#"{"a b":["\" c","d"]}"#;
        assert_eq!(
            said("{ \"a b\" :\n\t[\"\\\" c\", \"d\"]\r\n}\n", expected),
            None
        );
        assert!(said(r#"{"a b":["\"c","d"]}"#, expected).is_some());
    }

    #[test]
    fn the_first_difference_is_named_by_its_line() {
        let said = said("{\n \"a\": 12,\n \"b\": 34\n}", r#"{"a":12,"b":35}"#).unwrap();
        assert!(
            said.starts_with("line 3, column 8: 34} stands where its list gives 35}"),
            "{said}"
        );
    }

    #[test]
    fn an_end_too_early_or_too_late_is_told() {
        assert!(
            said("[1", "[1]")
                .unwrap()
                .contains("the end stands where its list gives 1]")
        );
        assert!(
            said("[1]]", "[1]")
                .unwrap()
                .contains("] stands where its list gives the end")
        );
    }
}
