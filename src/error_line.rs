//! An error and its causes as one line of text, for a log, a stored reason or standard error.
//!
//! An error of this crate states what failed and exposes the cause as `source`; nothing but this
//! function joins the two. It adds no file name and no cure.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

/// `error: cause: cause of the cause`, on one line. A cause that the text before it already ends
/// with is left out, because errors of other crates often print their cause and expose it, too.
pub(crate) fn error_line(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    let mut before = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !before.ends_with(&text) {
            let separator = if line.is_empty() { "" } else { ": " };
            let text = cause
                .downcast_ref()
                .map_or_else(|| text.clone(), system_words);
            for (index, part) in text.lines().enumerate() {
                let separator = if index == 0 { separator } else { " " };
                write!(line, "{separator}{}", part.trim()).expect("a string takes every write");
            }
        }
        before = text;
        next = cause.source();
    }
    line
}

/// What the operating system says, without the number that the standard library adds.
fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("a.jsonl: cannot be opened")]
    struct Unopened {
        source: io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {source}")]
    struct Repeats {
        source: Unopened,
    }

    fn full() -> io::Error {
        io::Error::from_raw_os_error(if cfg!(windows) { 112 } else { 28 })
    }

    #[test]
    fn a_chain_is_one_line_that_ends_with_the_words_of_the_system() {
        assert!(full().to_string().contains("os error"));
        let line = error_line(&Unopened { source: full() });
        assert!(line.starts_with("a.jsonl: cannot be opened: "), "{line}");
        assert!(line.contains("space"), "{line}");
        assert!(!line.contains("os error"), "{line}");
        assert_eq!(line, line.to_lowercase());
    }

    #[test]
    fn what_is_not_of_the_system_keeps_its_letters_and_comes_on_one_line() {
        let source = io::Error::other("It stopped\n  here");
        assert_eq!(
            error_line(&Unopened { source }),
            "a.jsonl: cannot be opened: It stopped here"
        );
    }

    #[test]
    fn a_cause_that_was_printed_already_is_not_printed_again() {
        let source = Unopened {
            source: io::Error::other("broken"),
        };
        assert_eq!(
            error_line(&Repeats { source }),
            "outer: a.jsonl: cannot be opened: broken"
        );
    }
}
