//! The state file of a data folder: created, opened, reopened after an error, salvaged.
//!
//! A new file gets its name only once it is complete, so a crash never leaves an incomplete one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, warn};

use super::data_folder::{DataFolder, OpenFiles};
use super::error::OpenError;
use crate::core::StoreId;
use crate::journal::Vfs;
use crate::state::{self, Entry, Salvaged, Store};

/// The state file, in the data folder.
pub(crate) const STATE_FILE: &str = "state.redb";
/// A new file that is not complete yet.
const NEW: &str = "state.redb.new";
/// A complete salvaged state, shortly before it is renamed to [`STATE_FILE`].
pub(crate) const STATE_FILE_SALVAGED: &str = "state.redb.salvaged";
/// A damaged state after a salvage; a number follows.
const DAMAGED: &str = "state.redb.damaged-";

/// The state of a folder, which need not exist yet. The caller holds the lock of the folder.
pub(super) struct StateFile {
    folder: DataFolder,
    store: Option<Store>,
    /// The identity that the file is given with its next write.
    identity: Option<StoreId>,
}

impl StateFile {
    /// Opens the state of `folder`, if it exists; the first write creates it.
    pub(super) fn open(vfs: &Arc<dyn Vfs>, folder: &Path) -> Result<Self, OpenError> {
        let mut state = Self {
            folder: DataFolder::new(vfs, folder),
            store: None,
            identity: None,
        };
        state.complete()?;
        if state.folder.has(STATE_FILE)? {
            state.store = Some(state.open_store()?);
        }
        Ok(state)
    }

    /// The open state, if it exists.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// The file, and the store that it names.
    pub(super) fn named(&self) -> Option<(PathBuf, StoreId)> {
        let named = self.store.as_ref()?.store()?;
        Some((self.folder.path_of(STATE_FILE), named))
    }

    /// What is open of it.
    pub(super) fn open_files(&self) -> &Arc<OpenFiles> {
        self.folder.open_files()
    }

    /// Gives the file this identity with its next write.
    pub(super) fn identify(&mut self, store: StoreId) {
        self.identity = Some(store);
    }

    /// Writes entries; see [`Store::write`]. Creates the state if needed, and reopens it after an error.
    pub(super) fn write<'a>(
        &mut self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        applied: Option<u64>,
    ) -> Result<(), OpenError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.open_or_create()?,
        };
        if let Some(identity) = self.identity {
            store.set_store(identity);
        }
        // Dropped on an error, because its memory may then differ from what is on disk.
        store.write(entries, applied)?;
        self.store = Some(store);
        Ok(())
    }

    /// Replaces a damaged state by what is readable of it, and renames the damaged file.
    pub(super) fn salvage(vfs: &Arc<dyn Vfs>, folder: &Path) -> Result<Salvaged, OpenError> {
        let state = Self {
            folder: DataFolder::new(vfs, folder),
            store: None,
            identity: None,
        };
        let damaged = state.folder.open(STATE_FILE)?;
        let fresh = state.folder.create(NEW)?;
        let salvaged = state::salvage(damaged, fresh, &state.folder.path_of(STATE_FILE))?;
        let damaged_name = state.folder.free_name(DAMAGED)?;
        state.folder.rename(NEW, STATE_FILE_SALVAGED)?;
        state.folder.rename(STATE_FILE, &damaged_name)?;
        state.complete()?;
        warn!(
            kept = salvaged.kept,
            lost = salvaged.lost,
            moved_to = damaged_name,
            "Salvaged the readable part of the state and renamed the damaged file."
        );
        if salvaged.lost != Some(0) {
            error!(
                keys = salvaged.lost,
                "Lost keys of the state; those whose events are still in the journal are restored from it."
            );
        }
        Ok(salvaged)
    }

    /// Performs the last step of a salvage.
    fn complete(&self) -> Result<(), OpenError> {
        if self.folder.has(STATE_FILE_SALVAGED)? && !self.folder.has(STATE_FILE)? {
            self.folder.rename(STATE_FILE_SALVAGED, STATE_FILE)?;
        }
        Ok(())
    }

    fn open_or_create(&self) -> Result<Store, OpenError> {
        if self.folder.has(STATE_FILE)? {
            return self.open_store();
        }
        let file = self.folder.create(NEW)?;
        let store = Store::open(file, &self.folder.path_of(STATE_FILE))?;
        self.folder.rename(NEW, STATE_FILE)?;
        Ok(store)
    }

    fn open_store(&self) -> Result<Store, OpenError> {
        let file = self.folder.open(STATE_FILE)?;
        Ok(Store::open(file, &self.folder.path_of(STATE_FILE))?)
    }
}
