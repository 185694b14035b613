//! The folder of a journal: how it is created, which segments are in it, and the folders beside it
//! that a salvage creates.
//!
//! It reads names only; what is in the files is for `survey`.

use std::io;
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::segment;
use super::vfs::Vfs;

/// Creates the folder and makes its name in the parent folder durable.
pub(super) fn create_folder(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    vfs.create_folder(folder).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return JournalError::NotAFolder {
                folder: folder.to_owned(),
            };
        }
        JournalError::io(folder, "created")(error)
    })?;
    match folder.parent() {
        Some(parent) if parent != Path::new("") => vfs
            .sync_folder(parent)
            .map_err(JournalError::io(parent, "synced")),
        _ => Ok(()),
    }
}

/// The indices of the segments in a folder, ascending; none if the folder does not exist.
pub(super) fn segment_indices(vfs: &dyn Vfs, folder: &Path) -> Result<Vec<u64>, JournalError> {
    let names = match vfs.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(JournalError::NotAFolder {
                folder: folder.to_owned(),
            });
        }
        names => names.map_err(JournalError::io(folder, "listed"))?,
    };
    let mut indices: Vec<_> = names
        .iter()
        .filter_map(|name| segment::index_of(name))
        .collect();
    indices.sort_unstable();
    Ok(indices)
}

/// Removes the files whose name satisfies `is_removed`.
pub(super) fn remove_files(
    vfs: &dyn Vfs,
    folder: &Path,
    is_removed: impl Fn(&str) -> bool,
) -> Result<(), JournalError> {
    let names = vfs
        .list(folder)
        .map_err(JournalError::io(folder, "listed"))?;
    for name in names.iter().filter(|name| is_removed(name)) {
        let path = folder.join(name);
        vfs.remove(&path)
            .map_err(JournalError::io(path, "removed"))?;
    }
    Ok(())
}

/// The parent folder.
pub(super) fn parent_of(folder: &Path) -> &Path {
    match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Name of the new journal of a salvage until it replaces the damaged one, in the same parent folder.
pub(super) fn salvaged_name(folder: &Path, number: u32) -> String {
    numbered_name(folder, "salvaged", number)
}

/// Name of the damaged journal after a salvage, in the same parent folder.
pub(super) fn damaged_name(folder: &Path, number: u32) -> String {
    numbered_name(folder, "damaged", number)
}

/// A path beside `path` that no file has, for a damaged file that is kept.
pub(super) fn damaged_path(vfs: &dyn Vfs, path: &Path) -> Result<PathBuf, JournalError> {
    let number = free_number(vfs, path)?;
    Ok(parent_of(path).join(damaged_name(path, number)))
}

/// The first number whose [`damaged_name`] no file has.
pub(super) fn free_number(vfs: &dyn Vfs, path: &Path) -> Result<u32, JournalError> {
    let parent = parent_of(path);
    let names = vfs
        .list(parent)
        .map_err(JournalError::io(parent, "listed"))?;
    let mut numbers = 1..=u32::MAX;
    let free = numbers.find(|number| !names.contains(&damaged_name(path, *number)));
    Ok(free.expect("a free number"))
}

fn numbered_name(folder: &Path, kind: &str, number: u32) -> String {
    let own = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{own}.{kind}-{number}")
}

/// Renames the new journal of a salvage to `folder`, if the process ended between the last two steps
/// of the salvage.
pub(super) fn finish_salvage(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    let parent = parent_of(folder);
    let Ok(names) = vfs.list(parent) else {
        return Ok(());
    };
    let own = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    if own.is_some_and(|own| names.contains(&own)) {
        return Ok(());
    }
    let is_unfinished = |number: &u32| {
        names.contains(&damaged_name(folder, *number))
            && names.contains(&salvaged_name(folder, *number))
    };
    let most = u32::try_from(names.len()).unwrap_or(u32::MAX);
    match (1..=most).find(is_unfinished) {
        Some(number) => replace(vfs, &parent.join(salvaged_name(folder, number)), folder),
        None => Ok(()),
    }
}

/// Renames the folder of a new journal to `folder`, durably.
pub(super) fn replace(vfs: &dyn Vfs, new: &Path, folder: &Path) -> Result<(), JournalError> {
    let renamed = vfs.rename(new, folder);
    renamed.map_err(JournalError::io(new, "renamed"))?;
    let parent = parent_of(folder);
    vfs.sync_folder(parent)
        .map_err(JournalError::io(parent, "synced"))
}
