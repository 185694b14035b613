//! The file of the state in its folder: opened, made, opened anew after an error, salvaged.
//!
//! A state file has its name only once it is whole, so a crash while it is made leaves none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{error, warn};

use super::error::OpenError;
use super::state_file::StateFile;
use crate::journal::Vfs;
use crate::state::{self, Entry, Salvaged, Store};

/// The state file, in the data folder.
pub const STATE_FILE: &str = "state.redb";
/// Made and not yet whole.
const NEW: &str = "state.redb.new";
/// A complete salvaged state, shortly before it is renamed to [`STATE_FILE`].
pub const STATE_FILE_SALVAGED: &str = "state.redb.salvaged";
/// What became of a damaged one; a number follows.
const DAMAGED: &str = "state.redb.damaged-";

/// The state of a folder, if there is one yet. Who opens it holds the lock of the folder.
pub(super) struct StateKeeper {
    vfs: Arc<dyn Vfs>,
    folder: PathBuf,
    store: Option<Store>,
}

impl StateKeeper {
    /// Opens the state of `folder`; there is none before the first write.
    pub(super) fn open(vfs: Arc<dyn Vfs>, folder: &Path) -> Result<Self, OpenError> {
        let mut keeper = Self {
            vfs,
            folder: folder.to_owned(),
            store: None,
        };
        keeper.complete()?;
        if keeper.names()?.iter().any(|name| name == STATE_FILE) {
            keeper.store = Some(keeper.open_store()?);
        }
        Ok(keeper)
    }

    /// The state, if there is one.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Writes entries; see [`Store::write`]. Makes the state where there is none, and opens it anew
    /// after an error.
    pub(super) fn write<'a>(
        &mut self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        applied: Option<u64>,
    ) -> Result<(), OpenError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.open_or_make()?,
        };
        // On an error it is dropped: what it holds in memory may not be what is on disk.
        store.write(entries, applied)?;
        self.store = Some(store);
        Ok(())
    }

    /// Puts what is readable of a damaged state in its place and keeps the damaged one aside.
    pub(super) fn salvage(vfs: &Arc<dyn Vfs>, folder: &Path) -> Result<Salvaged, OpenError> {
        let keeper = Self {
            vfs: Arc::clone(vfs),
            folder: folder.to_owned(),
            store: None,
        };
        let path = folder.join(STATE_FILE);
        let damaged = keeper.file(&path, StateFile::open)?;
        let fresh = keeper.file(&folder.join(NEW), StateFile::create)?;
        let salvaged = state::salvage(damaged, fresh, &path)?;
        let names = keeper.names()?;
        let aside = (1..=u32::MAX)
            .map(|number| format!("{DAMAGED}{number}"))
            .find(|name| !names.contains(name))
            .expect("a free number");
        keeper.rename(NEW, STATE_FILE_SALVAGED)?;
        keeper.rename(STATE_FILE, &aside)?;
        keeper.complete()?;
        warn!(
            kept = salvaged.kept,
            lost = salvaged.lost,
            aside,
            "Kept what is readable of the state and moved the damaged file aside."
        );
        if salvaged.lost != Some(0) {
            error!(
                keys = salvaged.lost,
                "Lost keys of the state; those whose events the journal still holds come back."
            );
        }
        Ok(salvaged)
    }

    /// Takes the last step of a salvage.
    fn complete(&self) -> Result<(), OpenError> {
        let names = self.names()?;
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if has(STATE_FILE_SALVAGED) && !has(STATE_FILE) {
            self.rename(STATE_FILE_SALVAGED, STATE_FILE)?;
        }
        Ok(())
    }

    fn open_or_make(&self) -> Result<Store, OpenError> {
        if self.names()?.iter().any(|name| name == STATE_FILE) {
            return self.open_store();
        }
        let file = self.file(&self.folder.join(NEW), StateFile::create)?;
        let store = Store::open(file, &self.folder.join(STATE_FILE))?;
        self.rename(NEW, STATE_FILE)?;
        Ok(store)
    }

    fn open_store(&self) -> Result<Store, OpenError> {
        let path = self.folder.join(STATE_FILE);
        let file = self.file(&path, StateFile::open)?;
        Ok(Store::open(file, &path)?)
    }

    fn file(
        &self,
        path: &Path,
        open: fn(&dyn Vfs, &Path) -> io::Result<StateFile>,
    ) -> Result<StateFile, OpenError> {
        open(&*self.vfs, path).map_err(refused(path, "opened"))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), OpenError> {
        let (from, to) = (self.folder.join(from), self.folder.join(to));
        let renamed = self.vfs.rename(&from, &to);
        renamed.map_err(refused(&from, "renamed"))?;
        let synced = self.vfs.sync_folder(&self.folder);
        synced.map_err(refused(&self.folder, "synced"))
    }

    fn names(&self) -> Result<Vec<String>, OpenError> {
        let names = self.vfs.list(&self.folder);
        names.map_err(refused(&self.folder, "listed"))
    }
}

fn refused(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io {
        path,
        action,
        source,
    }
}
