//! Why a configuration is refused; each text is one sentence that names the place and the cure.

use std::io;
use std::path::PathBuf;

use super::load::Origin;
use super::nearest::Hint;
use crate::reason::plain;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("{}: cannot be read ({})", path.display(), plain(cause))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file's name does not tell what it holds.
    #[error("{}: a configuration ends in .toml, .yaml or .yml", .0.display())]
    Extension(PathBuf),
    /// The file is no TOML or YAML.
    #[error("{}: line {line}: {detail}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What the parser says, on one line.
        detail: String,
    },
    /// A key that nobody knows.
    #[error("{origin}: {key} is no setting{hint}")]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// As it was written.
        key: String,
        /// The nearest that is one.
        hint: Hint,
    },
    /// A value that is none, or out of bounds.
    #[error("{origin}: {key}: {text:?} is not {form}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// Which setting.
        key: &'static str,
        /// As it was written.
        text: String,
        /// What it must be.
        form: String,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}
