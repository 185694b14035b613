//! Opens copies of the files of state and cursors, so that reading them never changes them.
//!
//! redb writes to a database when it opens it, for example to repair it after a crash. The copy is in a
//! temporary folder (`TMPDIR`) and is removed when the value is dropped. A file system that can share
//! blocks between files copies no data.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::engine::{CURSOR_FILE, CURSOR_FILE_SALVAGED, STATE_FILE, STATE_FILE_SALVAGED};
use crate::state::{
    self, CursorContents, CursorError, CursorStore, FileBackend, Salvaged, StateError, Store,
};

const STATE_NAMES: [&str; 2] = [STATE_FILE, STATE_FILE_SALVAGED];
const CURSOR_NAMES: [&str; 2] = [CURSOR_FILE, CURSOR_FILE_SALVAGED];

/// An opened copy of a state.
pub(super) struct StateCopy {
    /// Declared before the folder, because it is closed before the folder is removed.
    store: Store,
    _folder: TempDir,
}

impl StateCopy {
    /// Copies and opens the state in `data`; `None` if none was written yet.
    pub(super) fn open(data: &Path) -> Result<Option<Self>, StateCopyError> {
        let Some((folder, copy)) = copy(data, STATE_NAMES)? else {
            return Ok(None);
        };
        let store = open(&copy, data)?;
        Ok(Some(Self {
            store,
            _folder: folder,
        }))
    }

    /// Copies the damaged state in `data` and salvages what is readable of it; `None` if there is no
    /// state. Returns also how much was salvaged.
    pub(super) fn salvage(data: &Path) -> Result<Option<(Self, Salvaged)>, StateCopyError> {
        let Some((folder, copy)) = copy(data, STATE_NAMES)? else {
            return Ok(None);
        };
        let path = data.join(STATE_FILE);
        let fresh = folder.path().join("salvaged.redb");
        let salvaged = state::salvage(backend(&copy)?, backend(&fresh)?, &path)?;
        let store = open(&fresh, data)?;
        let copy = Self {
            store,
            _folder: folder,
        };
        Ok(Some((copy, salvaged)))
    }

    /// The state.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

/// Why state or cursors cannot be read from a copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateCopyError {
    /// The copy cannot be opened, or is damaged.
    #[error(transparent)]
    State(#[from] StateError),
    /// The same, of the file of cursors.
    #[error(transparent)]
    Cursors(#[from] CursorError),
    /// The copy does not fit on the disk of the temporary folder.
    #[error(
        "{}: the file is read from a copy, and {} has no space for its {bytes} bytes: set TMPDIR to a \
         folder with more space",
        path.display(),
        folder.display()
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// Where the copy was to be.
        folder: PathBuf,
        /// Size of the file.
        bytes: u64,
    },
    /// The copy cannot be made for another reason.
    #[error("{}: cannot be copied to {}", path.display(), folder.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Where the copy was to be.
        folder: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// What is in the file of cursors in `data`, read from a copy; nothing if none was written yet.
pub(super) fn cursors(data: &Path) -> Result<CursorContents, StateCopyError> {
    let Some((_folder, copy)) = copy(data, CURSOR_NAMES)? else {
        return Ok(CursorContents::default());
    };
    let (_, contents) = CursorStore::open(backend(&copy)?, &data.join(CURSOR_FILE))?;
    Ok(contents)
}

/// Copies a file of `data` into a new temporary folder. A salvage that was interrupted before its last
/// step has left the file under the second name.
fn copy(data: &Path, names: [&str; 2]) -> Result<Option<(TempDir, PathBuf)>, StateCopyError> {
    let found = names.map(|name| data.join(name));
    let Some(path) = found.into_iter().find(|path| path.is_file()) else {
        return Ok(None);
    };
    let made = tempfile::Builder::new().prefix("holdmetrics-").tempdir();
    let folder = made.map_err(|source| StateCopyError::Io {
        path: path.clone(),
        folder: std::env::temp_dir(),
        source,
    })?;
    let copy = folder.path().join(names[0]);
    match fs::copy(&path, &copy).and_then(|_| make_writable(&copy)) {
        Ok(()) => Ok(Some((folder, copy))),
        Err(error) => Err(copy_error(path, std::env::temp_dir(), error)),
    }
}

fn copy_error(path: PathBuf, folder: PathBuf, source: io::Error) -> StateCopyError {
    let is_full = matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    match fs::metadata(&path) {
        Ok(metadata) if is_full => StateCopyError::NoRoom {
            bytes: metadata.len(),
            path,
            folder,
        },
        Ok(_) | Err(_) => StateCopyError::Io {
            path,
            folder,
            source,
        },
    }
}

/// A copy has the permissions of its original, which may be read-only.
fn make_writable(copy: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(copy)?.permissions();
    if permissions.readonly() {
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "only this user has access to the temporary folder"
        )]
        permissions.set_readonly(false);
        fs::set_permissions(copy, permissions)?;
    }
    Ok(())
}

/// Opens the copy of the state in `data`, which messages name.
fn open(copy: &Path, data: &Path) -> Result<Store, StateCopyError> {
    Ok(Store::open(backend(copy)?, &data.join(STATE_FILE))?)
}

fn backend(path: &Path) -> Result<FileBackend, StateCopyError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options
        .open(path)
        .and_then(|file| FileBackend::new(file).map_err(io::Error::other));
    file.map_err(|source| StateCopyError::Io {
        path: path.to_owned(),
        folder: std::env::temp_dir(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_does_not_fit_names_its_size_and_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STATE_FILE);
        fs::write(&path, [0; 5_000]).unwrap();
        let full = io::ErrorKind::StorageFull.into();
        let error = copy_error(path.clone(), "/small".into(), full);
        let text = error.to_string();
        assert!(
            text.contains("/small has no space for its 5000 bytes"),
            "{text}"
        );
        assert!(text.contains("set TMPDIR"), "{text}");
        let denied = io::ErrorKind::PermissionDenied.into();
        let error = copy_error(path, "/small".into(), denied);
        assert!(matches!(error, StateCopyError::Io { .. }));
    }
}
