//! Why a state cannot be opened, read or written.
//!
//! The texts name the file and the cure. The cause is the `source` of an error and not part of its text.

use std::error::Error;
use std::path::{Path, PathBuf};

use super::defect::Defect;
use super::metadata;

/// Why a state cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The stored data is not what was written.
    #[error(
        "{}: the state is damaged ({defect}): start once with --salvage, which keeps what is \
         readable and reports what is lost, or restore a backup",
        path.display()
    )]
    Damaged {
        /// The state file.
        path: PathBuf,
        /// The first damage found.
        defect: Defect,
    },
    /// A later version of this program wrote the file.
    #[error(
        "{}: the state has format version {found}, and this program reads versions up to {}: use \
         the version of main_holdmetrics that wrote it",
        path.display(),
        metadata::VERSION
    )]
    Version {
        /// The state file.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
    /// The database or the operating system reported an error.
    #[error("{}: the state cannot be {action}", path.display())]
    Io {
        /// The state file.
        path: PathBuf,
        /// The failed operation, as a past participle.
        action: &'static str,
        /// The error of the database or of the operating system.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StateError {
    /// Wraps an error of the database.
    pub(super) fn io(path: &Path, action: &'static str, error: redb::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source: match error {
                // Unwrapped, because redb would put "I/O error" before its text.
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
    fn the_reason_of_the_operating_system_is_given_in_words() {
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
