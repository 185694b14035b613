//! A file of a [`Vfs`] as the storage backend of a state.
//!
//! The state thus uses the same file system as the journal, also the one of the tests that loses power.

use std::io;
use std::path::Path;

use crate::journal::{Access, Vfs, VfsFile};
use crate::state::StorageBackend;

/// A file in which a state is stored.
#[derive(Debug)]
pub(super) struct VfsBackend(Box<dyn VfsFile>);

impl VfsBackend {
    /// Opens the file at `path`, or creates it.
    pub(super) fn open(vfs: &dyn Vfs, path: &Path) -> io::Result<Self> {
        match vfs.open(path, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(vfs, path),
            opened => opened.map(Self),
        }
    }

    /// Creates an empty file, or truncates an existing one.
    pub(super) fn create(vfs: &dyn Vfs, path: &Path) -> io::Result<Self> {
        let file = vfs.create(path)?;
        if let Some(folder) = path.parent() {
            vfs.sync_folder(folder)?;
        }
        Ok(Self(file))
    }
}

impl StorageBackend for VfsBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_size(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(data, offset)
    }
}
