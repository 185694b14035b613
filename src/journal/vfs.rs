//! The file system as the journal uses it: traits, so that a test can simulate a crash at any point.
//!
//! [`super::RealVfs`] is the file system of the machine; that of the tests,
//! `tests/support/faulty.rs`, loses unsynced writes, runs full and fails on demand. A write is durable
//! once [`VfsFile::sync`] has returned, a file name once [`Vfs::sync_folder`] has.

use std::fmt;
use std::io;
use std::path::Path;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and writing.
    Write,
}

/// What a file system says of a file, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Size in bytes.
    pub bytes: u64,
    /// Which file it is; `None` on systems that do not number files.
    pub number: Option<FileNumber>,
    /// Whether a folder names it; an open file may have been removed.
    pub has_name: bool,
}

/// The device of a file, and its number there.
pub type FileNumber = (u64, u64);

/// A file system.
pub trait Vfs: Send + Sync {
    /// Creates a folder and its parents; does nothing if it exists.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;

    /// The names in a folder, in any order; `NotFound` if it does not exist.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Creates an empty file for writing, or truncates an existing one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>>;

    /// Opens an existing file.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn VfsFile>>;

    /// What is known of the file that has this name now.
    fn status(&self, path: &Path) -> io::Result<FileStatus>;

    /// Renames a file or a folder atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;

    /// Opens an existing folder.
    fn open_folder(&self, folder: &Path) -> io::Result<Box<dyn VfsFolder>>;

    /// Returns once the names in a folder survive a loss of power.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.open_folder(folder)?.sync()
    }

    /// Locks the file `path` for this process, creates it if needed, and writes `holder` into it. Where the system
    /// can lock a folder, the folder of the file is locked too, so that the lock does not depend on the name. If
    /// another process holds the lock, returns what that process wrote.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<LockOutcome>;
}

/// An open file, which several threads may use at once.
pub trait VfsFile: Send + Sync + fmt::Debug {
    /// What is known of it.
    fn status(&self) -> io::Result<FileStatus>;

    /// Size in bytes.
    fn size(&self) -> io::Result<u64> {
        Ok(self.status()?.bytes)
    }

    /// Truncates the file, or extends it with zeros.
    fn set_size(&self, bytes: u64) -> io::Result<()>;

    /// Fills `out`; `UnexpectedEof` if the file is too short.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes`; extends the file if needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once all writes survive a loss of power (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

/// An open folder, which can be synced without another file descriptor.
pub trait VfsFolder: Send + Sync {
    /// Returns once the names in it survive a loss of power.
    fn sync(&self) -> io::Result<()>;
}

/// The lock of a folder, held until this is dropped.
pub struct HeldLock {
    /// The locked file.
    pub file: Box<dyn VfsFile>,
    /// The locked folder, if the system can lock folders.
    pub folder: Option<Box<dyn Send + Sync>>,
}

/// The result of [`Vfs::lock`].
pub enum LockOutcome {
    /// This process holds the lock until the value is dropped.
    Acquired(HeldLock),
    /// Another process holds it; this is what it wrote.
    HeldBy(String),
}
