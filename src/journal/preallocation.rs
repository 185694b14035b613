//! Creates the file of the next segment before it is needed: full length, all zeros, synced.
//!
//! A full disk is thus detected before a frame is written, and a sync of a frame never has to
//! allocate blocks. The file has a temporary name until it gets its header.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::segment::UNFINISHED_SUFFIX;
use super::vfs::{Vfs, VfsFile};

/// How much is written between two syncs.
const CHUNK_BYTES: usize = 1 << 20;

/// The file of the next segment, or the thread that creates it.
pub(super) struct Preallocation {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    bytes: u64,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<Box<dyn VfsFile>>>>,
}

impl Preallocation {
    /// For files of `bytes` in `folder`. Creates none yet.
    pub(super) fn new(vfs: Arc<dyn Vfs>, folder: &Path, bytes: u64) -> Self {
        Self {
            vfs,
            path: folder.join(format!("next{UNFINISHED_SUFFIX}")),
            bytes,
            stop: Arc::default(),
            thread: None,
        }
    }

    /// The temporary path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts a thread that creates the file. If no thread can be started, [`Self::take`] creates it.
    pub(super) fn start(&mut self) {
        if self.thread.is_some() {
            return;
        }
        let (vfs, path, bytes) = (Arc::clone(&self.vfs), self.path.clone(), self.bytes);
        let stop = Arc::clone(&self.stop);
        let work = move || create_zeroed(&*vfs, &path, bytes, &stop);
        self.thread = thread::Builder::new()
            .name("journal-alloc".into())
            .spawn(work)
            .ok();
    }

    /// The file. Waits for the thread; creates the file if none was started or the thread failed for
    /// lack of space or file descriptors, which may be available by now.
    pub(super) fn take(&mut self) -> io::Result<Box<dyn VfsFile>> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Ok(file))) => Ok(file),
            Some(Ok(Err(error))) if !is_full(&error) && !is_out_of_descriptors(&error) => {
                Err(error)
            }
            Some(Ok(Err(_)) | Err(_)) | None => {
                create_zeroed(&*self.vfs, &self.path, self.bytes, &self.stop)
            }
        }
    }
}

impl Drop for Preallocation {
    /// Stops the thread, because nothing may be written after the lock of the folder is released.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Ok(file))) = self.thread.take().map(JoinHandle::join) {
            drop(file);
            // If this fails, the file is removed when the journal is opened again.
            let _ = self.vfs.remove(&self.path);
        }
    }
}

/// Whether the disk is full, the quota of the user is used up, or a file may not be longer (ulimit -f).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Whether this process or the whole machine has too many open files.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let codes: &[i32] = if cfg!(windows) { &[4] } else { &[23, 24] };
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// Creates a synced file of `bytes` zeros; removes it again if that fails.
pub(super) fn create_zeroed(
    vfs: &dyn Vfs,
    path: &Path,
    bytes: u64,
    stop: &AtomicBool,
) -> io::Result<Box<dyn VfsFile>> {
    let created = vfs.create(path).and_then(|file| {
        // In chunks: a sync of the journal waits for whatever the disk has queued before it.
        for offset in (0..bytes).step_by(CHUNK_BYTES) {
            let chunk = (bytes - offset).min(CHUNK_BYTES as u64);
            write_zeros(&*file, offset, chunk, stop)?;
            file.sync()?;
        }
        Ok(file)
    });
    if created.is_err() {
        // It takes space that the journal may need; the first error is the one to report.
        let _ = vfs.remove(path);
    }
    created
}

/// Writes `bytes` zeros at `offset`, until `stop` is set.
pub(super) fn write_zeros(
    file: &dyn VfsFile,
    mut offset: u64,
    bytes: u64,
    stop: &AtomicBool,
) -> io::Result<()> {
    static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];
    let end = offset + bytes;
    while offset < end {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let chunk = usize::try_from(end - offset).map_or(CHUNK_BYTES, |rest| rest.min(CHUNK_BYTES));
        file.write_at(&ZEROS[..chunk], offset)?;
        offset += chunk as u64;
    }
    Ok(())
}
