//! A file of a [`Vfs`] as the storage backend of a state.
//!
//! The state thus uses the same file system as the journal, also the one of the tests that loses power.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::journal::{Access, JournalError, Vfs, VfsFile, check_place};
use crate::state::StorageBackend;

/// A file in which a state is stored.
#[derive(Debug)]
pub(super) struct VfsBackend(Arc<BackendFile>);

/// The open file, and the size that it has at least.
#[derive(Debug)]
pub(super) struct BackendFile {
    file: Box<dyn VfsFile>,
    bytes: AtomicU64,
}

impl BackendFile {
    /// Fails if the file was removed from `path`, replaced or cut.
    pub(super) fn check_place(&self, vfs: &dyn Vfs, path: &Path) -> Result<(), JournalError> {
        let opened = self.file.status();
        let opened = opened.map_err(|source| JournalError::Io {
            path: path.to_owned(),
            action: "looked at",
            source,
        })?;
        match check_place(vfs, path, &opened, self.bytes.load(Ordering::Acquire)) {
            // The database has just made it smaller.
            Err(_) if opened.bytes >= self.bytes.load(Ordering::Acquire) => {
                check_place(vfs, path, &opened, self.bytes.load(Ordering::Acquire))
            }
            checked => checked,
        }
    }
}

impl VfsBackend {
    /// Opens the file at `path`, or creates it.
    pub(super) fn open(vfs: &dyn Vfs, path: &Path) -> io::Result<Self> {
        match vfs.open(path, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(vfs, path),
            opened => Self::of(opened?),
        }
    }

    /// Creates an empty file, or truncates an existing one.
    pub(super) fn create(vfs: &dyn Vfs, path: &Path) -> io::Result<Self> {
        let file = vfs.create(path)?;
        if let Some(folder) = path.parent() {
            vfs.sync_folder(folder)?;
        }
        Self::of(file)
    }

    fn of(file: Box<dyn VfsFile>) -> io::Result<Self> {
        let bytes = AtomicU64::new(file.size()?);
        Ok(Self(Arc::new(BackendFile { file, bytes })))
    }

    /// The open file.
    pub(super) fn file(&self) -> &Arc<BackendFile> {
        &self.0
    }
}

impl StorageBackend for VfsBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.file.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.file.read_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // It is never shorter than what is recorded.
        self.0.bytes.fetch_min(len, Ordering::AcqRel);
        self.0.file.set_size(len)?;
        self.0.bytes.store(len, Ordering::Release);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.file.write_at(data, offset)
    }
}
