//! Patterns for ids: `*` stands for any text, `?` for one character, everything else for itself.
//!
//! There are no escapes, sets or alternatives, so that a pattern means the same in every language.

/// A pattern for ids.
///
/// ```
/// use poh_holdmetrics_rust::core::Glob;
///
/// let punks = Glob::new("punk/*");
/// assert!(punks.matches("punk/7804") && !punks.matches("ape/1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: Box<str>,
    form: Form,
}

/// What a pattern is made of; the frequent forms are compared without backtracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Neither `*` nor `?`.
    Text,
    /// A text and one `*` behind it.
    Prefix,
    /// Anything else.
    Mixed,
}

impl Glob {
    /// The pattern that is written like this; every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let is_text = |text: &str| !text.contains(['*', '?']);
        let form = if is_text(pattern) {
            Form::Text
        } else if pattern.strip_suffix('*').is_some_and(is_text) {
            Form::Prefix
        } else {
            Form::Mixed
        };
        Self {
            pattern: pattern.into(),
            form,
        }
    }

    /// Whether the whole of `text` is of this form.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self.form {
            Form::Text => *self.pattern == *text,
            Form::Prefix => text.starts_with(&self.pattern[..self.pattern.len() - 1]),
            Form::Mixed => matches(&self.pattern, text),
        }
    }
}

/// Only the last `*` that was passed can have to take more: what the ones before it took may stay, because the
/// rest of the text could have been left to the last one.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last `*`, and where the text begins that it has not taken yet.
    let mut last_star = None;
    loop {
        let mut rest = pattern.clone();
        let wanted = rest.next();
        if wanted == Some('*') {
            last_star = Some((rest.clone(), text.clone()));
            pattern = rest;
            continue;
        }
        let mut text_rest = text.clone();
        match (wanted, text_rest.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                (pattern, text) = (rest, text_rest);
            }
            (None | Some(_), _) => {
                let Some((after_star, untaken)) = &mut last_star else {
                    return false;
                };
                if untaken.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), untaken.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, without any care for time.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['*', rest @ ..], text) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            (['?', rest @ ..], [_, text @ ..]) => naive(rest, text),
            ([wanted, rest @ ..], [found, text @ ..]) => wanted == found && naive(rest, text),
            ([_, ..], []) => false,
        }
    }

    #[test]
    fn a_pattern_covers_the_whole_text() {
        for (pattern, text, expected) in [
            ("punk/1", "punk/1", true),
            ("punk/1", "punk/12", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("punk/*", "punk/", true),
            ("punk/*", "punk", false),
            ("*/1", "a/b/1", true),
            ("?", "é", true),
            ("?", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("[a]", "a", false),
            ("[a]", "[a]", true),
            ("A", "a", false),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                expected,
                "{pattern} {text}"
            );
        }
    }

    proptest! {
        #[test]
        fn patterns_mean_what_their_definition_says(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = naive(&letters(&pattern), &letters(&text));
            prop_assert_eq!(Glob::new(&pattern).matches(&text), expected);
        }
    }
}
