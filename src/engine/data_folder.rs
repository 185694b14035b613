//! The files of a data folder that are databases: how they are opened, created and renamed.
//!
//! What is in them is for `state_file` and `feed::cursor_file`. The caller holds the lock of the folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::error::OpenError;
use super::vfs_backend::{BackendFile, VfsBackend};
use crate::journal::{JournalError, Vfs};

/// A data folder.
#[derive(Clone)]
pub(super) struct DataFolder {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    open_files: Arc<OpenFiles>,
}

/// The files that were opened through a [`DataFolder`] and are still open, under the names that they have now.
pub(super) struct OpenFiles {
    vfs: Arc<dyn Vfs>,
    files: Mutex<Vec<(PathBuf, Weak<BackendFile>)>>,
}

impl OpenFiles {
    /// Fails if one of them was removed, replaced or cut.
    pub(super) fn check_place(&self) -> Result<(), JournalError> {
        // Held, so that no file gets another name meanwhile.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(_, file)| file.strong_count() > 0);
        let open = files.iter();
        let mut open = open.filter_map(|(path, file)| Some((path, file.upgrade()?)));
        open.try_for_each(|(path, file)| file.check_place(&*self.vfs, path))
    }

    fn add(&self, path: PathBuf, file: &Arc<BackendFile>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.push((path, Arc::downgrade(file)));
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        self.vfs.rename(from, to)?;
        for (path, _) in files.iter_mut().filter(|(path, _)| path == from) {
            to.clone_into(path);
        }
        Ok(())
    }
}

impl DataFolder {
    pub(super) fn new(vfs: &Arc<dyn Vfs>, path: &Path) -> Self {
        Self {
            vfs: Arc::clone(vfs),
            path: path.to_owned(),
            open_files: Arc::new(OpenFiles {
                vfs: Arc::clone(vfs),
                files: Mutex::default(),
            }),
        }
    }

    /// What is open of it.
    pub(super) fn open_files(&self) -> &Arc<OpenFiles> {
        &self.open_files
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
        let opened = VfsBackend::open(&*self.vfs, &path);
        self.opened(path, opened)
    }

    /// Creates an empty file, or truncates an existing one.
    pub(super) fn create(&self, name: &str) -> Result<VfsBackend, OpenError> {
        let path = self.path_of(name);
        let created = VfsBackend::create(&*self.vfs, &path);
        self.opened(path, created)
    }

    fn opened(
        &self,
        path: PathBuf,
        opened: io::Result<VfsBackend>,
    ) -> Result<VfsBackend, OpenError> {
        let backend = opened.map_err(io_error(&path, "opened"))?;
        self.open_files.add(path, backend.file());
        Ok(backend)
    }

    /// Renames a file, durably.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), OpenError> {
        let (from, to) = (self.path_of(from), self.path_of(to));
        let renamed = self.open_files.rename(&from, &to);
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
