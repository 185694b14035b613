//! Where the value of a setting came from: the layers, and the place within each.

use std::fmt;
use std::mem::discriminant;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody chose it.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line, without dashes.
    Flag(&'static str),
}

impl Origin {
    /// Whether both are of the same layer.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { path, line } => write!(out, "{}: line {line}", path.display()),
            Self::Variable(name) => out.write_str(name),
            Self::Flag(name) => write!(out, "--{name}"),
        }
    }
}
