//! The file of cursors in a data folder: created with the first cursor, reopened after an error, moved aside
//! by a salvage.
//!
//! A new file gets its name only once it is complete, so a crash never leaves an incomplete one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::error;

use crate::core::StoreId;
use crate::engine::data_folder::{DataFolder, OpenFiles};
use crate::engine::error::OpenError;
use crate::error_line::error_line;
use crate::journal::Vfs;
use crate::state::{CursorChanges, CursorContents, CursorError, CursorStore};

/// The file of cursors, in the data folder.
pub(crate) const CURSOR_FILE: &str = "cursors.redb";
/// A new file that is not complete yet.
const NEW: &str = "cursors.redb.new";
/// A complete new file of a salvage, shortly before it is renamed to [`CURSOR_FILE`].
pub(crate) const CURSOR_FILE_SALVAGED: &str = "cursors.redb.salvaged";
/// A damaged file after a salvage; a number follows.
const DAMAGED: &str = "cursors.redb.damaged-";

/// The cursors of a folder, whose file need not exist yet. The caller holds the lock of the folder.
pub(crate) struct CursorFile {
    folder: DataFolder,
    store: Option<CursorStore>,
    /// The identity that the file is given with its next write.
    identity: Option<StoreId>,
}

impl CursorFile {
    /// Opens the file of `folder`, if it exists, and returns what is in it; the first write creates it.
    pub(crate) fn open(
        vfs: &Arc<dyn Vfs>,
        folder: &Path,
    ) -> Result<(Self, CursorContents), OpenError> {
        let mut file = Self {
            folder: DataFolder::new(vfs, folder),
            store: None,
            identity: None,
        };
        // The last step of a salvage that was interrupted.
        if file.folder.has(CURSOR_FILE_SALVAGED)? && !file.folder.has(CURSOR_FILE)? {
            file.folder.rename(CURSOR_FILE_SALVAGED, CURSOR_FILE)?;
        }
        let mut contents = CursorContents::default();
        if file.folder.has(CURSOR_FILE)? {
            let (store, found) = file.open_store()?;
            file.store = Some(store);
            contents = found;
        }
        Ok((file, contents))
    }

    /// The same; a damaged file is moved aside, and consumers that it may have known begin with the facts.
    pub(in crate::engine) fn salvage(
        vfs: &Arc<dyn Vfs>,
        folder: &Path,
    ) -> Result<(Self, CursorContents), OpenError> {
        let damage = match Self::open(vfs, folder) {
            Err(OpenError::Cursors(damage @ CursorError::Damaged { .. })) => damage,
            opened => return opened,
        };
        let data = DataFolder::new(vfs, folder);
        let damaged_name = data.free_name(DAMAGED)?;
        // The new file is complete before the damaged one is moved, and says that cursors are missing.
        let (mut store, _) = CursorStore::open(data.create(NEW)?, &data.path_of(NEW))?;
        store.write_incomplete()?;
        drop(store);
        data.rename(NEW, CURSOR_FILE_SALVAGED)?;
        data.rename(CURSOR_FILE, &damaged_name)?;
        error!(
            damage = %error_line(&damage),
            moved_to = damaged_name,
            "Lost the cursors and the states of pipelines: every consumer begins again with the facts."
        );
        Self::open(vfs, folder)
    }

    /// Its path.
    pub(in crate::engine) fn path(&self) -> PathBuf {
        self.folder.path_of(CURSOR_FILE)
    }

    /// What is open of it.
    pub(in crate::engine) fn open_files(&self) -> &Arc<OpenFiles> {
        self.folder.open_files()
    }

    /// Gives the file this identity with its next write.
    pub(in crate::engine) fn identify(&mut self, store: StoreId) {
        self.identity = Some(store);
    }

    /// Writes changes in one transaction; creates the file if needed, and reopens it after an error.
    pub(crate) fn write(&mut self, changes: &CursorChanges) -> Result<(), OpenError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.open_or_create()?,
        };
        if let Some(identity) = self.identity {
            store.set_store(identity);
        }
        // Dropped on an error, because its memory may then differ from what is on disk.
        store.write(changes)?;
        self.store = Some(store);
        Ok(())
    }

    fn open_or_create(&self) -> Result<CursorStore, OpenError> {
        if self.folder.has(CURSOR_FILE)? {
            return Ok(self.open_store()?.0);
        }
        let file = self.folder.create(NEW)?;
        let (store, _) = CursorStore::open(file, &self.folder.path_of(CURSOR_FILE))?;
        self.folder.rename(NEW, CURSOR_FILE)?;
        Ok(store)
    }

    fn open_store(&self) -> Result<(CursorStore, CursorContents), OpenError> {
        let file = self.folder.open(CURSOR_FILE)?;
        Ok(CursorStore::open(file, &self.folder.path_of(CURSOR_FILE))?)
    }
}
