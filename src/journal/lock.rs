//! The lock of a folder: only one process at a time uses it.
//!
//! The operating system holds it and releases it when the process ends; no file has to be removed.

use std::path::Path;

use super::error::JournalError;
use super::folder::create_folder;
use super::vfs::{LockOutcome, Vfs};
use crate::core::Micros;

/// Name of the lock file.
const LOCK_FILE: &str = "lock";

/// The lock of a folder, released when it is dropped.
pub struct FolderLock(#[expect(dead_code, reason = "it is held, not read")] Box<dyn Send + Sync>);

impl FolderLock {
    /// Locks `folder`, which is created if it does not exist. If another process holds the lock, the
    /// error names it. `now` is shown to other processes as the start of this one.
    pub fn take(vfs: &dyn Vfs, folder: &Path, now: Micros) -> Result<Self, JournalError> {
        create_folder(vfs, folder)?;
        let path = folder.join(LOCK_FILE);
        let holder = format!("process {} since {now}", std::process::id());
        match vfs
            .lock(&path, &holder)
            .map_err(JournalError::io(&path, "locked"))?
        {
            LockOutcome::Acquired(lock) => Ok(Self(lock)),
            LockOutcome::HeldBy(holder) => Err(JournalError::Locked {
                folder: folder.to_owned(),
                holder,
            }),
        }
    }
}
