//! What the system says of a failure, as people read it: a room of its own, for every other may ask it.
//!
//! It names no file and no cure; the sentence around it does.

use std::io;

/// The words alone, without the number that the standard library adds.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_words_and_no_number() {
        let full = io::Error::from_raw_os_error(if cfg!(windows) { 112 } else { 28 });
        assert!(full.to_string().contains("os error"));
        let words = plain(&full);
        assert!(words.contains("space"), "{words}");
        assert!(!words.contains("os error"), "{words}");
        assert_eq!(words, words.to_lowercase());
        assert_eq!(plain(&io::Error::other("It stopped")), "It stopped");
    }
}
