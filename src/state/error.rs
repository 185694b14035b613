//! Why a state cannot be used.

use std::path::PathBuf;

use crate::reason::plain;

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
    #[error("{}: the state cannot be {action} ({})", path.display(), words(source))]
    Io {
        /// Of the state.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system or the store says.
        source: Box<redb::Error>,
    },
}

/// What the system says, where it is the system that refuses.
fn words(error: &redb::Error) -> String {
    match error {
        redb::Error::Io(source) => plain(source),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_system_s_reason_is_told_in_words() {
        let refused = |source: redb::Error| StateError::Io {
            path: "state.redb".into(),
            action: "written",
            source: Box::new(source),
        };
        let full = io::Error::from_raw_os_error(if cfg!(windows) { 112 } else { 28 });
        let sentence = refused(redb::Error::Io(full)).to_string();
        assert!(sentence.contains("space"), "{sentence}");
        assert!(!sentence.contains("os error"), "{sentence}");
        assert!(!sentence.contains("I/O"), "{sentence}");
        let other = refused(redb::Error::DatabaseAlreadyOpen).to_string();
        assert!(other.ends_with(&format!("({})", redb::Error::DatabaseAlreadyOpen)));
    }
}
