//! Why a configuration is refused; each text names the place and the cure.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::origin::Origin;

/// Characters of an offending text that a message shows.
const SHOWN_MAX: usize = 40;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or unreadable.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The name of the file does not tell its format.
    #[error("{}: unknown format; the name of a configuration file ends in .toml, .yaml or .yml", .0.display())]
    Extension(PathBuf),
    /// The file is not valid TOML or YAML.
    #[error("{}: line {line}: {detail}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What the parser says, on one line.
        detail: String,
    },
    /// A file names a setting that does not exist.
    #[error("{origin}: unknown setting {}{}", shown(name), Suggestion(nearest.as_deref()))]
    UnknownSetting {
        /// Where it is.
        origin: Origin,
        /// As it was written.
        name: String,
        /// The setting that was probably meant.
        nearest: Option<String>,
    },
    /// A variable that looks like one of ours does not exist.
    #[error("{}: unknown variable{}", name.escape_debug(), Suggestion(nearest.as_deref()))]
    UnknownVariable {
        /// As it was written.
        name: String,
        /// The variable that was probably meant.
        nearest: Option<String>,
    },
    /// A value is invalid or out of bounds.
    #[error("{origin}: {name}: \"{}\" is not {expected}", shown(text))]
    Value {
        /// Where it is.
        origin: Origin,
        /// The setting.
        name: &'static str,
        /// As it was written.
        text: String,
        /// What it must be.
        expected: String,
    },
    /// One layer sets a value twice, by different names.
    #[error("{second}: {name} is already set by {first}; remove one of the two")]
    SetTwice {
        /// The setting.
        name: &'static str,
        /// Where it is set first.
        first: Origin,
        /// Where it is set again.
        second: Origin,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// The end of a message about an unknown name.
struct Suggestion<'a>(Option<&'a str>);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(out, "; did you mean {name}?"),
            None => out.write_str("; `main_holdmetrics config print` lists all settings"),
        }
    }
}

/// The beginning of `text`, with control characters and quotes escaped.
fn shown(text: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| !letter.is_control() && !matches!(letter, '"' | '\\');
    if text.chars().count() <= SHOWN_MAX && text.chars().all(is_plain) {
        return text.into();
    }
    let mut shown: String = text
        .chars()
        .take(SHOWN_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offending_text_is_escaped_and_cut() {
        assert_eq!(shown("a port"), "a port");
        assert_eq!(shown("a\n\"b\""), "a\\n\\\"b\\\"");
        let long = "ä".repeat(41);
        assert_eq!(shown(&long), format!("{}...", "ä".repeat(40)));
        assert_eq!(shown(&long[..80]), "ä".repeat(40));
    }
}
