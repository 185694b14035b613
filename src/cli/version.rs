//! `--version --verbose`: what this program was built from.
//!
//! `--version` alone is clap's. Nothing is booted; `doctor` shows what is used on a machine.

use std::ffi::OsString;
use std::fmt::Write as _;

/// Set by `make bundle`.
const COMMIT: Option<&str> = option_env!("HOLDMETRICS_COMMIT");

/// Whether the arguments ask for it.
pub(super) fn is_asked(words: &[OsString]) -> bool {
    let is_version = |word: &OsString| word == "--version" || word == "-V";
    matches!(words, [one, other] if (is_version(one) && other == "--verbose")
        || (one == "--verbose" && is_version(other)))
}

/// The text, without a line feed at its end.
pub(super) fn text() -> String {
    let mut text = format!("main_holdmetrics {}", env!("CARGO_PKG_VERSION"));
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let features = if cfg!(feature = "py-embed") {
        "py-embed"
    } else {
        "none"
    };
    let mut line = |name: &str, value: &str| {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{name:<16}{value}");
    };
    line("commit", COMMIT.unwrap_or("not recorded"));
    line("system", &system);
    line("features", features);
    python(&mut line);
    text
}

/// The library of the interpreter, and the packages of a bundle beside this program.
#[cfg(feature = "py-embed")]
fn python(line: &mut impl FnMut(&str, &str)) {
    line("Python", &crate::host::interpreter::library_version());
    for package in crate::host::runtime::bundled_packages() {
        line("package", &package);
    }
}

#[cfg(not(feature = "py-embed"))]
fn python(line: &mut impl FnMut(&str, &str)) {
    line("Python", "none");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_by_both_words_in_either_order() {
        let asked =
            |words: &[&str]| is_asked(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(asked(&["--version", "--verbose"]) && asked(&["--verbose", "-V"]));
        for words in [
            &["--version"][..],
            &["--verbose"],
            &["score", "--version", "--verbose"],
        ] {
            assert!(!asked(words), "{words:?}");
        }
        assert!(text().contains("\ncommit  "));
    }
}
