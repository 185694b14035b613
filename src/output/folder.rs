//! A folder of files that appears under its name only when all of it is on disk.
//!
//! A folder that has files already is never changed: one cannot be replaced in one step.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder that is being written.
pub(crate) struct FolderDestination {
    draft: TempDir,
    path: PathBuf,
}

impl FolderDestination {
    /// The folder `path`, which must not exist, or be empty.
    ///
    /// # Errors
    /// If it has files, or nothing can be written beside it.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let has_files = match fs::read_dir(path) {
            Ok(mut found) => found.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if has_files {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the folder exists and is not empty (name a new one, or remove it)",
            ));
        }
        let beside = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let draft = tempfile::Builder::new()
            .prefix(".holdmetrics-")
            .tempdir_in(beside)?;
        Ok(Self {
            draft,
            path: path.to_owned(),
        })
    }

    /// Writes a file of the folder. May be called from several threads.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.draft.path().join(name))?;
        file.write_all(bytes)?;
        // One call for the whole file system is faster than one for each of a million files.
        if cfg!(not(target_os = "linux")) {
            file.sync_all()?;
        }
        Ok(())
    }

    /// Puts the folder in its place; without this call it is deleted.
    ///
    /// # Errors
    /// If the last bytes do not reach the disk, or the folder cannot be put in its place.
    pub(crate) fn finish(self) -> io::Result<()> {
        let draft = self.draft.path();
        #[cfg(target_os = "linux")]
        rustix::fs::syncfs(File::open(draft)?)?;
        // Temporary folders are closed to others.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(draft, fs::Permissions::from_mode(0o755))?;
        }
        #[cfg(not(unix))]
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(draft, &self.path)?;
        // It is no longer there.
        let _ = self.draft.keep();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all_and_none_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shards");
        let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
        let abandoned = FolderDestination::new(&path).unwrap();
        abandoned.write("00.json", b"{}").unwrap();
        drop(abandoned);
        assert_eq!(names(folder.path()), 0);
        fs::create_dir(&path).unwrap();
        let finished = FolderDestination::new(&path).unwrap();
        finished.write("00.json", b"{}").unwrap();
        assert_eq!(names(&path), 0);
        finished.finish().unwrap();
        assert_eq!(fs::read(path.join("00.json")).unwrap(), b"{}");
        assert_eq!(names(folder.path()), 1);
        let again = FolderDestination::new(&path).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
