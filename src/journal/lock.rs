//! One process at a time works in a folder.

use std::path::Path;

use super::error::JournalError;
use super::vfs::{Locking, Vfs};
use crate::core::Micros;

/// The name of the file that is locked.
const NAME: &str = "lock";

/// Keeps other processes out of a folder until it is dropped.
pub struct FolderLock(#[expect(dead_code, reason = "it is held, not read")] Box<dyn Send + Sync>);

impl FolderLock {
    /// Locks `folder`, which is made where it is not there; refuses with the name of the process
    /// that has it. `now` is what others will read as this one's start.
    pub fn take(vfs: &dyn Vfs, folder: &Path, now: Micros) -> Result<Self, JournalError> {
        super::hold_journal::make_folder(vfs, folder)?;
        let path = folder.join(NAME);
        let holder = format!("process {} since {now}", std::process::id());
        match vfs
            .lock(&path, &holder)
            .map_err(JournalError::io(&path, "locked"))?
        {
            Locking::Held(lock) => Ok(Self(lock)),
            Locking::HeldBy(holder) => Err(JournalError::Locked {
                folder: folder.to_owned(),
                holder,
            }),
        }
    }
}
