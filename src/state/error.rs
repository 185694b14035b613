//! Why a state cannot be used.

use std::error::Error;
use std::path::{Path, PathBuf};

/// What is wrong with a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The tree of pages is not what was written.
    #[error("its pages are not what was written: {0}")]
    Pages(String),
    /// An entry was changed after it was written.
    #[error("an entry was changed after it was written")]
    Entry,
    /// What it says of itself was changed, or is missing.
    #[error("what it says of itself was changed or is missing")]
    Meta,
    /// Entries are missing, or there twice.
    #[error("{found} entries are there, and {expected} were written")]
    Count {
        /// Entries that are there.
        found: u64,
        /// Entries that were written.
        expected: u64,
    },
    /// The entries are as many as were written, and not the same.
    #[error("its entries are not those that were written")]
    Sum,
}

/// Why a state cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// What was stored is not there as it was written.
    #[error(
        "{}: the state is damaged ({defect}): start once with --salvage, which keeps what is \
         readable and says what is lost, or restore a backup",
        path.display()
    )]
    Damaged {
        /// Of the state.
        path: PathBuf,
        /// What is wrong.
        defect: Defect,
    },
    /// It was written by another version of this program.
    #[error(
        "{}: the state has format version {found}, and this program reads up to version {}: use \
         the version of main_holdmetrics that wrote it",
        path.display(),
        super::meta::VERSION
    )]
    Version {
        /// Of the state.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The system refuses.
    #[error("{}: the state cannot be {action}", path.display())]
    Io {
        /// Of the state.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system or the store says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StateError {
    /// An error of the system, or of the store below.
    pub(super) fn io(path: &Path, action: &'static str, error: redb::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source: match error {
                // Its words alone: the store below would put "I/O error" before them.
                redb::Error::Io(source) => source.into(),
                other => other.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error_line::error_line;

    #[test]
    fn the_reason_of_the_system_is_told_in_its_words() {
        let refused =
            |error: redb::Error| error_line(&StateError::io("state".as_ref(), "written", error));
        let full = io::Error::from_raw_os_error(if cfg!(windows) { 112 } else { 28 });
        let line = refused(redb::Error::Io(full));
        assert!(
            line.starts_with("state: the state cannot be written: "),
            "{line}"
        );
        assert!(line.contains("space"), "{line}");
        assert!(!line.contains("os error"), "{line}");
        assert!(!line.contains("I/O"), "{line}");
        let other = refused(redb::Error::DatabaseAlreadyOpen);
        assert!(other.ends_with(&format!(": {}", redb::Error::DatabaseAlreadyOpen)));
    }
}
