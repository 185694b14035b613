//! Why the file of cursors cannot be opened, read or written.
//!
//! The texts name the file and the cure. The cause is the `source` of an error and not part of its text.

use std::error::Error;
use std::path::PathBuf;

use super::cursor_record;
use super::defect::Defect;
use super::error::StateError;

/// Why the file of cursors cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The stored data is not what was written.
    #[error(
        "{}: the file of cursors is damaged ({defect}): start once with `serve --salvage`, which moves it \
         aside and lets every consumer begin again with the facts in the state, or restore a backup",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first damage found.
        defect: Defect,
    },
    /// A later version of this program wrote the file.
    #[error(
        "{}: the file of cursors has format version {found}, and this program reads versions up to {}: use the \
         version of main_holdmetrics that wrote it",
        path.display(),
        cursor_record::VERSION
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
    /// The database or the operating system reported an error.
    #[error("{}: the file of cursors cannot be {action}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The failed operation, as a past participle.
        action: &'static str,
        /// The error of the database or of the operating system.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl From<StateError> for CursorError {
    /// Both files are redb databases, and the same code tells their damage from other errors.
    fn from(error: StateError) -> Self {
        match error {
            StateError::Damaged { path, defect } => Self::Damaged { path, defect },
            StateError::Version { path, found } => Self::Version { path, found },
            StateError::Io {
                path,
                action,
                source,
            } => Self::Io {
                path,
                action,
                source,
            },
        }
    }
}
