//! What a journal asks of a file system: a port, so that a crash is a value that a test can choose.
//!
//! [`super::RealVfs`] is the machine's; the one of the tests, `tests/support/faulty.rs`, loses what was
//! not synced, runs full and fails where a test says so. A write counts as done once
//! [`VfsFile::sync`] has returned, a name once [`Vfs::sync_folder`] has.

use std::fmt;
use std::io;
use std::path::Path;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Looking.
    Read,
    /// Looking and changing.
    Write,
}

/// A file system, or what behaves like one.
pub trait Vfs: Send + Sync {
    /// Makes a folder and those above it; nothing where it is there.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// The names in a folder, in any order; `NotFound` where there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// A new, empty file for writing; what had that name is gone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;

    /// A file that is there.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn VfsFile>>;

    /// Gives a file or a folder another name, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;

    /// A folder that is there.
    fn open_folder(&self, folder: &Path) -> io::Result<Box<dyn VfsFolder>>;

    /// Returns once the names in a folder outlive a loss of power.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.open_folder(folder)?.sync()
    }

    /// Locks the file `path` for this process, made where it is not there, and writes `holder`
    /// into it; or says what the process has written there that holds it.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking>;
}

/// An open file; several threads may use it at once.
pub trait VfsFile: Send + Sync + fmt::Debug {
    /// Bytes.
    fn size(&self) -> io::Result<u64>;

    /// Cuts, or adds zeros.
    fn set_size(&self, bytes: u64) -> io::Result<()>;

    /// Fills `out`; `UnexpectedEof` where the file ends before.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes`, beyond the end too.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once what was written outlives a loss of power (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

/// An open folder: who keeps one needs no further descriptor to sync it.
pub trait VfsFolder: Send + Sync {
    /// Returns once the names in it outlive a loss of power.
    fn sync(&self) -> io::Result<()>;
}

/// What came of locking.
pub enum Locking {
    /// This process holds the lock until the value is dropped.
    Held(Box<dyn Send + Sync>),
    /// Another one does; this is what it wrote.
    HeldBy(String),
}
