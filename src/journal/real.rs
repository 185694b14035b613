//! The file system of the machine, through the standard library.
//!
//! The operating system holds the lock of a file and releases it when the process ends, however it
//! ends.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use super::vfs::{Access, FileStatus, HeldLock, LockOutcome, Vfs, VfsFile, VfsFolder};
use crate::owner_only;

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealVfs;

impl Vfs for RealVfs {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        owner_only::create_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        Ok(Box::new(RealFile(owner_only::open(&mut options, path)?)))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn VfsFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Write);
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        Ok(status_of(&fs::metadata(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        patiently(|| fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        patiently(|| fs::remove_file(path))
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        fs::remove_dir(folder)
    }

    fn open_folder(&self, folder: &Path) -> io::Result<Box<dyn VfsFolder>> {
        Ok(Box::new(RealFolder::open(folder)?))
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<LockOutcome> {
        let Ok(folder) = lock_folder(path.parent().unwrap_or(Path::new(".")))? else {
            let other = fs::read_to_string(path)
                .ok()
                .filter(|text| !text.is_empty());
            return Ok(LockOutcome::HeldBy(other.unwrap_or_else(unknown_holder)));
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = owner_only::open(&mut options, path)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                file.write_all(holder.as_bytes())?;
                Ok(LockOutcome::Acquired(HeldLock {
                    file: Box::new(RealFile(file)),
                    folder,
                }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                // Some systems do not let other processes read a locked file.
                if file.read_to_string(&mut other).is_err() || other.is_empty() {
                    other = unknown_holder();
                }
                Ok(LockOutcome::HeldBy(other))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Changes a name. On Windows, a virus scanner or an indexer that has the file open for a moment refuses it,
/// so that it is tried again for two seconds.
fn patiently(change: impl Fn() -> io::Result<()>) -> io::Result<()> {
    #[cfg(windows)]
    for _ in 0..100 {
        match change() {
            // ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION
            Err(error) if matches!(error.raw_os_error(), Some(5 | 32)) => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            result => return result,
        }
    }
    change()
}

fn unknown_holder() -> String {
    "another process".to_owned()
}

/// Another process holds the lock.
struct Held;

/// Locks a folder itself, whatever its files are called; `None` if its file system cannot, as some that are reached
/// over a network: then the lock file alone counts.
#[cfg(unix)]
fn lock_folder(folder: &Path) -> io::Result<Result<Option<Box<dyn Send + Sync>>, Held>> {
    let opened = File::open(folder)?;
    match opened.try_lock() {
        Ok(()) => Ok(Ok(Some(Box::new(opened)))),
        Err(TryLockError::WouldBlock) => Ok(Err(Held)),
        Err(TryLockError::Error(_)) => Ok(Ok(None)),
    }
}

/// Windows cannot open folders as files.
#[cfg(not(unix))]
fn lock_folder(_folder: &Path) -> io::Result<Result<Option<Box<dyn Send + Sync>>, Held>> {
    Ok(Ok(None))
}

#[cfg(unix)]
fn status_of(metadata: &Metadata) -> FileStatus {
    use std::os::unix::fs::MetadataExt;
    FileStatus {
        bytes: metadata.len(),
        number: Some((metadata.dev(), metadata.ino())),
        has_name: metadata.nlink() > 0,
    }
}

/// The standard library does not say which file it is on Windows; names, lengths and contents are compared all the same.
#[cfg(not(unix))]
fn status_of(metadata: &Metadata) -> FileStatus {
    FileStatus {
        bytes: metadata.len(),
        number: None,
        has_name: true,
    }
}

struct RealFolder(File);

impl RealFolder {
    #[cfg(unix)]
    fn open(folder: &Path) -> io::Result<Self> {
        File::open(folder).map(Self)
    }

    /// With the right to write, without which Windows flushes nothing.
    #[cfg(windows)]
    fn open(folder: &Path) -> io::Result<Self> {
        const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

        let mut options = OpenOptions::new();
        std::os::windows::fs::OpenOptionsExt::custom_flags(
            options.read(true).write(true),
            FILE_FLAG_BACKUP_SEMANTICS,
        );
        options.open(folder).map(Self)
    }
}

impl VfsFolder for RealFolder {
    fn sync(&self) -> io::Result<()> {
        match self.0.sync_all() {
            // ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED: a file system that writes names at once or not at all.
            #[cfg(windows)]
            Err(error) if matches!(error.raw_os_error(), Some(1 | 50)) => Ok(()),
            synced => synced,
        }
    }
}

#[derive(Debug)]
struct RealFile(File);

impl VfsFile for RealFile {
    fn status(&self) -> io::Result<FileStatus> {
        Ok(status_of(&self.0.metadata()?))
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    #[cfg(unix)]
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, out, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !out.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(&self.0, out, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out = &mut out[read..];
            offset += read as u64;
        }
        Ok(())
    }

    #[cfg(windows)]
    fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
            offset += written as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
