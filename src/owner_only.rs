//! Files and folders for their owner alone: ids of holders may be names of people, and keys are secrets.
//!
//! On Unix by their mode; on Windows by a list of rights for the owner, the system and its administrators that
//! inherits nothing from the folder above. What exists already keeps the rights that it has.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(windows)]
use crate::windows;

/// Creates `folder`, and those above it that are missing.
///
/// # Errors
/// What the system says.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    #[cfg(unix)]
    let created = {
        use std::os::unix::fs::DirBuilderExt;

        fs::DirBuilder::new().mode(0o700).create(folder)
    };
    #[cfg(not(unix))]
    let created = fs::create_dir(folder);
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        #[cfg(windows)]
        Ok(()) => {
            windows::close_to_others(folder, windows::RIGHTS_OF_FOLDERS);
            Ok(())
        }
        created => created,
    }
}

/// Opens `path` with `options`; if that creates it, for its owner alone.
///
/// # Errors
/// What the system says.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(windows)]
    let is_new = !path.exists();
    let file = options.open(path)?;
    #[cfg(windows)]
    if is_new {
        windows::close_to_others(path, windows::RIGHTS_OF_FILES);
    }
    Ok(file)
}
