//! The lock of a folder: only one process at a time uses it.
//!
//! The operating system holds it and releases it when the process ends; no file has to be removed. It locks the folder
//! itself if it can, so that a lock file that someone removes does not let a second process in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::JournalError;
use super::folder::create_folder;
use super::vfs::{FileStatus, HeldLock, LockOutcome, Vfs};
use super::watch::check_place;
use crate::core::{Micros, StoreId};

/// Name of the lock file.
const LOCK_FILE: &str = "lock";

/// The lock of a folder, released when it is dropped.
pub struct FolderLock {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    held: HeldLock,
    /// The lock file as it was locked.
    locked: FileStatus,
    holder: String,
}

impl FolderLock {
    /// Locks `folder`, which is created if it does not exist. If another process holds the lock, the
    /// error names it. `now` is shown to other processes as the start of this one.
    pub fn take(vfs: Arc<dyn Vfs>, folder: &Path, now: Micros) -> Result<Self, JournalError> {
        create_folder(&*vfs, folder)?;
        let path = folder.join(LOCK_FILE);
        let holder = format!("process {} since {now}", std::process::id());
        match vfs
            .lock(&path, &holder)
            .map_err(JournalError::io(&path, "locked"))?
        {
            LockOutcome::Acquired(held) => {
                let locked = held.file.status();
                let locked = locked.map_err(JournalError::io(&path, "locked"))?;
                Ok(Self {
                    vfs,
                    path,
                    held,
                    locked,
                    holder,
                })
            }
            LockOutcome::HeldBy(holder) => Err(JournalError::Locked {
                folder: folder.to_owned(),
                holder,
            }),
        }
    }

    /// Adds the store to what other processes are told.
    pub fn name_store(&self, store: StoreId) -> Result<(), JournalError> {
        let text = format!("{}, store {store}", self.holder);
        let written = self.held.file.write_at(text.as_bytes(), 0);
        written.map_err(JournalError::io(&self.path, "written"))
    }

    /// Fails if the lock file was removed or replaced, so that another process may have locked another one.
    pub fn check_place(&self) -> Result<(), JournalError> {
        check_place(&*self.vfs, &self.path, &self.locked, 0)
    }
}
