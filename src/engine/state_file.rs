//! The state file of a data folder: created, opened, reopened after an error, salvaged.
//!
//! A new file gets its name only once it is complete, so a crash never leaves an incomplete one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, warn};

use super::error::OpenError;
use super::vfs_backend::VfsBackend;
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
    vfs: Arc<dyn Vfs>,
    folder: PathBuf,
    store: Option<Store>,
}

impl StateFile {
    /// Opens the state of `folder`, if it exists; the first write creates it.
    pub(super) fn open(vfs: Arc<dyn Vfs>, folder: &Path) -> Result<Self, OpenError> {
        let mut state = Self {
            vfs,
            folder: folder.to_owned(),
            store: None,
        };
        state.complete()?;
        if state.names()?.iter().any(|name| name == STATE_FILE) {
            state.store = Some(state.open_store()?);
        }
        Ok(state)
    }

    /// The open state, if it exists.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
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
        // Dropped on an error, because its memory may then differ from what is on disk.
        store.write(entries, applied)?;
        self.store = Some(store);
        Ok(())
    }

    /// Replaces a damaged state by what is readable of it, and renames the damaged file.
    pub(super) fn salvage(vfs: &Arc<dyn Vfs>, folder: &Path) -> Result<Salvaged, OpenError> {
        let state = Self {
            vfs: Arc::clone(vfs),
            folder: folder.to_owned(),
            store: None,
        };
        let path = folder.join(STATE_FILE);
        let damaged = state.file(&path, VfsBackend::open)?;
        let fresh = state.file(&folder.join(NEW), VfsBackend::create)?;
        let salvaged = state::salvage(damaged, fresh, &path)?;
        let names = state.names()?;
        let damaged_name = (1..=u32::MAX)
            .map(|number| format!("{DAMAGED}{number}"))
            .find(|name| !names.contains(name))
            .expect("a free number");
        state.rename(NEW, STATE_FILE_SALVAGED)?;
        state.rename(STATE_FILE, &damaged_name)?;
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
        let names = self.names()?;
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if has(STATE_FILE_SALVAGED) && !has(STATE_FILE) {
            self.rename(STATE_FILE_SALVAGED, STATE_FILE)?;
        }
        Ok(())
    }

    fn open_or_create(&self) -> Result<Store, OpenError> {
        if self.names()?.iter().any(|name| name == STATE_FILE) {
            return self.open_store();
        }
        let file = self.file(&self.folder.join(NEW), VfsBackend::create)?;
        let store = Store::open(file, &self.folder.join(STATE_FILE))?;
        self.rename(NEW, STATE_FILE)?;
        Ok(store)
    }

    fn open_store(&self) -> Result<Store, OpenError> {
        let path = self.folder.join(STATE_FILE);
        let file = self.file(&path, VfsBackend::open)?;
        Ok(Store::open(file, &path)?)
    }

    fn file(
        &self,
        path: &Path,
        open: fn(&dyn Vfs, &Path) -> io::Result<VfsBackend>,
    ) -> Result<VfsBackend, OpenError> {
        open(&*self.vfs, path).map_err(io_error(path, "opened"))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OpenError> {
        let (from, to) = (self.folder.join(from), self.folder.join(to));
        let renamed = self.vfs.rename(&from, &to);
        renamed.map_err(io_error(&from, "renamed"))?;
        let synced = self.vfs.sync_folder(&self.folder);
        synced.map_err(io_error(&self.folder, "synced"))
    }

    fn names(&self) -> Result<Vec<String>, OpenError> {
        let names = self.vfs.list(&self.folder);
        names.map_err(io_error(&self.folder, "listed"))
    }
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io {
        path,
        action,
        source,
    }
}
