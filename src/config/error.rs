//! Why a configuration is refused; each text names the place and the cure.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::origin::Origin;
use crate::excerpt::{literal, quoted};

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
    #[error("{origin}: unknown setting {}{}", literal(name), Suggestion(nearest.as_deref()))]
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
    #[error("{origin}: {name}: {} is not {expected}", quoted(text))]
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
