//! Makes the next segment's file before it is needed: full length, all zeros, synced.
//!
//! A full disk is met here and not in the middle of a frame, and a sync never has to write down
//! where new blocks lie. The file has another name until it gets its header.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::vfs::{Vfs, VfsFile};

/// What a file that is no segment yet ends with; leftovers are removed when a journal is opened.
pub(super) const SUFFIX: &str = ".new";
const PIECE: usize = 1 << 20;

/// The next file, or the thread that is at work on it.
pub(super) struct Ahead {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    bytes: u64,
    stop: Arc<AtomicBool>,
    coming: Option<JoinHandle<io::Result<Box<dyn VfsFile>>>>,
}

impl Ahead {
    /// For files of `bytes` in `folder`; nothing is made yet.
    pub(super) fn new(vfs: Arc<dyn Vfs>, folder: &Path, bytes: u64) -> Self {
        Self {
            vfs,
            path: folder.join(format!("next{SUFFIX}")),
            bytes,
            stop: Arc::default(),
            coming: None,
        }
    }

    /// Where the file lies until it gets its name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file on another thread. Where no thread can be had, [`Self::take`] makes it.
    pub(super) fn start(&mut self) {
        if self.coming.is_some() {
            return;
        }
        let (vfs, path, bytes) = (Arc::clone(&self.vfs), self.path.clone(), self.bytes);
        let stop = Arc::clone(&self.stop);
        let work = move || zeros(&*vfs, &path, bytes, &stop);
        self.coming = thread::Builder::new()
            .name("journal-ahead".into())
            .spawn(work)
            .ok();
    }

    /// The file; waits for it where it is not ready, and makes it where none was begun or it failed.
    pub(super) fn take(&mut self) -> io::Result<Box<dyn VfsFile>> {
        match self.coming.take().map(JoinHandle::join) {
            Some(Ok(Ok(file))) => Ok(file),
            Some(Ok(Err(error))) if !is_full(&error) && !is_out_of_descriptors(&error) => {
                Err(error)
            }
            // There may be room by now.
            Some(Ok(Err(_)) | Err(_)) | None => {
                zeros(&*self.vfs, &self.path, self.bytes, &self.stop)
            }
        }
    }
}

impl Drop for Ahead {
    /// Nobody writes below a folder that is given free.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Ok(file))) = self.coming.take().map(JoinHandle::join) {
            drop(file);
            // What stays is removed when the journal is opened again.
            let _ = self.vfs.remove(&self.path);
        }
    }
}

/// Whether room on the disk, or what this user may use of it, is what is missing.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether no file can be opened because this process or the machine has too many open.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let codes: &[i32] = if cfg!(windows) { &[4] } else { &[23, 24] };
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// A synced file of `bytes` zeros; removed again where that fails.
pub(super) fn zeros(
    vfs: &dyn Vfs,
    path: &Path,
    bytes: u64,
    stop: &AtomicBool,
) -> io::Result<Box<dyn VfsFile>> {
    let made = vfs.create(path).and_then(|file| {
        // Piece by piece: the syncs of the journal wait for what the disk has to write before them.
        for offset in (0..bytes).step_by(PIECE) {
            write_zeros(&*file, offset, (bytes - offset).min(PIECE as u64), stop)?;
            file.sync()?;
        }
        Ok(file)
    });
    if made.is_err() {
        // It takes room that someone else may need; the first error is the one to report.
        let _ = vfs.remove(path);
    }
    made
}

/// Writes `bytes` zeros at `offset`, until `stop` is set.
pub(super) fn write_zeros(
    file: &dyn VfsFile,
    mut offset: u64,
    bytes: u64,
    stop: &AtomicBool,
) -> io::Result<()> {
    static ZEROS: [u8; PIECE] = [0; PIECE];
    let end = offset + bytes;
    while offset < end {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let piece = usize::try_from(end - offset).map_or(PIECE, |rest| rest.min(PIECE));
        file.write_at(&ZEROS[..piece], offset)?;
        offset += piece as u64;
    }
    Ok(())
}
