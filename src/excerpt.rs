//! Offending text as messages show it: escaped, and cut to a length that fits in a sentence.
//!
//! Knows no module; every module may use it.

/// Characters that are quoted before the text is cut.
const CHARACTERS_MAX: usize = 40;

/// The text in double quotes, control characters escaped; what is beyond 40 characters becomes `...`.
pub(crate) fn quoted(text: &str) -> String {
    let end = text.char_indices().nth(CHARACTERS_MAX);
    match end {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", &text[..end]),
    }
}

/// A number or another literal, without quotes of ours; cut and escaped in the same way.
pub(crate) fn literal(text: &str) -> String {
    let mut letters = text.chars();
    let mut shown = String::new();
    for letter in letters.by_ref().take(CHARACTERS_MAX) {
        match letter {
            // Part of the literal, as in the text of JSON.
            '"' | '\\' | '\'' => shown.push(letter),
            other => shown.extend(other.escape_debug()),
        }
    }
    if letters.next().is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_keep_their_own_quotes() {
        assert_eq!(literal("[1,\n \"a\\u00e9\"]"), r#"[1,\n "a\u00e9"]"#);
        let long = "7".repeat(CHARACTERS_MAX);
        assert_eq!(literal(&long), long);
        assert_eq!(literal(&format!("{long}7")), format!("{long}..."));
    }

    #[test]
    fn long_text_is_cut_between_characters_and_control_characters_are_escaped() {
        assert_eq!(quoted("a\n\u{1b}\"é"), r#""a\n\u{1b}\"é""#);
        let exact = "é".repeat(CHARACTERS_MAX);
        assert_eq!(quoted(&exact), format!("\"{exact}\""));
        assert_eq!(quoted(&format!("{exact}x")), format!("\"{exact}\"..."));
    }
}
