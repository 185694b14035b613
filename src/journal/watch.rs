//! Whether a file is still where it was opened: under its name, with its length and with what was written to it.
//!
//! A process can go on writing to a file that has no name any more, and nobody will find what it writes. It
//! compares what the system says of the name with what it said of the open file, and reads a few bytes.

use std::io;
use std::path::Path;

use super::error::JournalError;
use super::preallocation::is_out_of_descriptors;
use super::vfs::{Access, FileStatus, Vfs};

/// What happened to a file while it was in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// Nothing has its name.
    #[error("was removed or renamed")]
    Removed,
    /// Another file has its name.
    #[error("was replaced by another file")]
    Replaced,
    /// It is shorter than it was.
    #[error("was cut to {found} bytes, and had {expected}")]
    Cut {
        /// Its size.
        found: u64,
        /// The size that it had.
        expected: u64,
    },
    /// What was written to it is not there.
    #[error("was overwritten")]
    Overwritten,
}

/// Four bytes of a file that do not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The segment whose file it is; 0 if there is none.
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) value: u32,
}

/// Fails unless `path` names the file that had the status `opened`, with at least `bytes` bytes.
pub fn check_place(
    vfs: &dyn Vfs,
    path: &Path,
    opened: &FileStatus,
    bytes: u64,
) -> Result<(), JournalError> {
    if is_same_file(vfs, path, opened, bytes)? {
        Ok(())
    } else {
        Err(changed(path, Change::Replaced))
    }
}

/// Whether `path` names the file that had the status `opened`. Fails if nothing has that name, or if it has fewer
/// than `bytes` bytes.
pub(super) fn is_same_file(
    vfs: &dyn Vfs,
    path: &Path,
    opened: &FileStatus,
    bytes: u64,
) -> Result<bool, JournalError> {
    let found = match vfs.status(path) {
        Err(error) if is_absence(&error) => return Err(changed(path, Change::Removed)),
        found => found.map_err(JournalError::io(path, "looked at"))?,
    };
    check_length(path, found.bytes, bytes)?;
    Ok(found.number == opened.number)
}

/// Fails unless an open file still has a name and at least `bytes` bytes.
pub(super) fn check_open(path: &Path, status: &FileStatus, bytes: u64) -> Result<(), JournalError> {
    if !status.has_name {
        return Err(changed(path, Change::Removed));
    }
    check_length(path, status.bytes, bytes)
}

/// Fails with `change` unless the file has these bytes.
pub(super) fn check_anchor(
    vfs: &dyn Vfs,
    path: &Path,
    change: Change,
    anchor: Anchor,
) -> Result<(), JournalError> {
    let mut bytes = [0; 4];
    let read = vfs
        .open(path, Access::Read)
        .and_then(|file| file.read_at(&mut bytes, anchor.offset));
    match read {
        Ok(()) if u32::from_le_bytes(bytes) == anchor.value => Ok(()),
        Ok(()) => Err(changed(path, change)),
        Err(error) if is_absence(&error) => Err(changed(path, Change::Removed)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(changed(path, change)),
        // Too many files are open: the next look will tell.
        Err(error) if is_out_of_descriptors(&error) => Ok(()),
        Err(error) => Err(JournalError::io(path, "read")(error)),
    }
}

fn check_length(path: &Path, found: u64, expected: u64) -> Result<(), JournalError> {
    if found < expected {
        return Err(changed(path, Change::Cut { found, expected }));
    }
    Ok(())
}

/// Whether an error says that nothing has the name, or that a folder on the way to it is gone.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn changed(path: &Path, change: Change) -> JournalError {
    JournalError::Changed {
        path: path.to_owned(),
        change,
    }
}
