//! The files of a data folder that are databases: how they are opened, created and renamed.
//!
//! What is in them is for `state_file` and `feed::cursor_file`. The caller holds the lock of the folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::OpenError;
use super::vfs_backend::VfsBackend;
use crate::journal::Vfs;

/// A data folder.
#[derive(Clone)]
pub(super) struct DataFolder {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
}

impl DataFolder {
    pub(super) fn new(vfs: &Arc<dyn Vfs>, path: &Path) -> Self {
        Self {
            vfs: Arc::clone(vfs),
            path: path.to_owned(),
        }
    }

    /// The path of a file.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> Result<bool, OpenError> {
        Ok(self.names()?.iter().any(|known| known == name))
    }

    /// Opens a file, or creates it.
    pub(super) fn open(&self, name: &str) -> Result<VfsBackend, OpenError> {
        let path = self.path_of(name);
        VfsBackend::open(&*self.vfs, &path).map_err(io_error(&path, "opened"))
    }

    /// Creates an empty file, or truncates an existing one.
    pub(super) fn create(&self, name: &str) -> Result<VfsBackend, OpenError> {
        let path = self.path_of(name);
        VfsBackend::create(&*self.vfs, &path).map_err(io_error(&path, "opened"))
    }

    /// Renames a file, durably.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), OpenError> {
        let (from, to) = (self.path_of(from), self.path_of(to));
        let renamed = self.vfs.rename(&from, &to);
        renamed.map_err(io_error(&from, "renamed"))?;
        let synced = self.vfs.sync_folder(&self.path);
        synced.map_err(io_error(&self.path, "synced"))
    }

    /// The first of `prefix1`, `prefix2` and so on that no file has.
    pub(super) fn free_name(&self, prefix: &str) -> Result<String, OpenError> {
        let names = self.names()?;
        let mut numbered = (1..=u32::MAX).map(|number| format!("{prefix}{number}"));
        let free = numbered.find(|name| !names.contains(name));
        Ok(free.expect("a free number"))
    }

    fn names(&self) -> Result<Vec<String>, OpenError> {
        let names = self.vfs.list(&self.path);
        names.map_err(io_error(&self.path, "listed"))
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
