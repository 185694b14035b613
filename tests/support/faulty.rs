//! A disk in memory that loses what was not synced, runs full and fails where a test says so.
//!
//! A folder exists as long as something is in it. What a loss of power leaves is in `crash.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use poh_holdmetrics_rust::journal::{
    Access, FileStatus, HeldLock, LockOutcome, Vfs, VfsFile, VfsFolder,
};

pub(crate) const SECTOR: usize = 512;

/// A disk; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct FaultyVfs(pub(crate) Arc<Mutex<Disk>>);

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) files: Vec<Content>,
    pub(crate) folders: BTreeSet<PathBuf>,
    pub(crate) names: Names,
    pub(crate) durable_names: Names,
    pub(crate) unsynced_names: Vec<NameChange>,
    pub(crate) locked: BTreeMap<PathBuf, String>,
    pub(crate) syncs: u64,
    pub(crate) stops_at: Option<u64>,
    pub(crate) is_stopped: bool,
    pub(crate) fails_at: Option<u64>,
    pub(crate) room: Option<u64>,
    pub(crate) opens_nothing: bool,
    /// Syncs of files do not return.
    pub(crate) hangs: bool,
}

pub(crate) type Names = BTreeMap<PathBuf, usize>;

#[derive(Clone)]
pub(crate) enum NameChange {
    Made(PathBuf, usize),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
}

#[derive(Clone, Default)]
pub(crate) struct Content {
    pub(crate) now: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    /// Of each sector, what it was after each unsynced write.
    pub(crate) versions: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl FaultyVfs {
    /// The `number`-th sync from now on fails once and loses what it was to keep.
    pub(crate) fn fail_at_sync(&self, number: u64) {
        let mut disk = self.disk();
        disk.fails_at = Some(disk.syncs + number);
    }

    /// So many bytes can still be written; `None` for any number.
    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.disk().room = bytes;
    }

    /// Everything on it, for those who look from outside.
    pub(crate) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk, while the machine runs.
    fn running(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk();
        if disk.is_stopped {
            return Err(io::Error::other("the machine has stopped"));
        }
        Ok(disk)
    }

    fn file(&self, file: usize) -> Box<dyn VfsFile> {
        Box::new(FaultyFile {
            vfs: self.clone(),
            file,
        })
    }
}

impl Disk {
    fn open_one(&self) -> io::Result<()> {
        if self.opens_nothing {
            return Err(io::Error::from_raw_os_error(24));
        }
        Ok(())
    }

    fn count_sync(&mut self) -> io::Result<()> {
        self.syncs += 1;
        if self.stops_at == Some(self.syncs) {
            self.is_stopped = true;
            return Err(io::Error::other("the machine has stopped"));
        }
        if self.fails_at == Some(self.syncs) {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    }

    fn status(&self, file: usize) -> FileStatus {
        FileStatus {
            bytes: self.files[file].now.len() as u64,
            number: Some((0, file as u64)),
            has_name: self.names.values().any(|named| *named == file),
        }
    }

    fn rename(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.unsynced_names.push(change);
    }
}

pub(crate) fn apply(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Made(path, file) => {
            names.insert(path.clone(), *file);
        }
        NameChange::Removed(path) => {
            names.remove(path);
        }
        NameChange::Renamed(from, to) => {
            let moved: Vec<_> = names
                .iter()
                .filter_map(|(path, file)| {
                    Some((path.clone(), path.strip_prefix(from).ok()?, *file))
                })
                .map(|(path, rest, file)| {
                    let target = if rest == Path::new("") {
                        to.clone()
                    } else {
                        to.join(rest)
                    };
                    (path, target, file)
                })
                .collect();
            for (path, target, file) in moved {
                names.remove(&path);
                names.insert(target, file);
            }
        }
    }
}

impl Content {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        self.now.resize(self.now.len().max(end), 0);
        self.now[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR..=(end - 1) / SECTOR {
            let start = sector * SECTOR;
            let version = self.now[start..self.now.len().min(start + SECTOR)].to_vec();
            self.versions.entry(sector).or_default().push(version);
        }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Vfs for FaultyVfs {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let above = folder.ancestors().map(Path::to_owned);
        self.running()?.folders.extend(above);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let disk = self.running()?;
        let is_known =
            disk.folders.contains(folder) || disk.names.keys().any(|path| path.starts_with(folder));
        if !is_known {
            return Err(not_found());
        }
        let names = disk.names.keys().chain(&disk.folders);
        let below: BTreeSet<_> = names
            .filter_map(|path| path.strip_prefix(folder).ok()?.iter().next())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        Ok(below.into_iter().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let mut disk = self.running()?;
        disk.open_one()?;
        let file = disk.files.len();
        disk.files.push(Content::default());
        disk.rename(NameChange::Made(path.to_owned(), file));
        Ok(self.file(file))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn VfsFile>> {
        let disk = self.running()?;
        disk.open_one()?;
        let file = *disk.names.get(path).ok_or_else(not_found)?;
        Ok(self.file(file))
    }

    fn status(&self, path: &Path) -> io::Result<FileStatus> {
        let disk = self.running()?;
        let file = *disk.names.get(path).ok_or_else(not_found)?;
        Ok(disk.status(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.running()?;
        let is_folder = disk.folders.remove(from);
        if !is_folder && !disk.names.contains_key(from) {
            return Err(not_found());
        }
        if is_folder {
            disk.folders.insert(to.to_owned());
        }
        disk.rename(NameChange::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.running()?;
        if !disk.names.contains_key(path) {
            return Err(not_found());
        }
        disk.rename(NameChange::Removed(path.to_owned()));
        Ok(())
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        self.running()?.folders.remove(folder);
        Ok(())
    }

    fn open_folder(&self, folder: &Path) -> io::Result<Box<dyn VfsFolder>> {
        self.running()?.open_one()?;
        Ok(Box::new(FaultyFolder {
            vfs: self.clone(),
            folder: folder.to_owned(),
        }))
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<LockOutcome> {
        let folder = path.parent().expect("a lock lies in a folder").to_owned();
        if let Some(other) = self.running()?.locked.get(&folder) {
            return Ok(LockOutcome::HeldBy(other.clone()));
        }
        let file = match self.open(path, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(path)?,
            opened => opened?,
        };
        let mut disk = self.running()?;
        disk.locked.insert(folder.clone(), holder.to_owned());
        let vfs = self.clone();
        Ok(LockOutcome::Acquired(HeldLock {
            file,
            folder: Some(Box::new(Lock { vfs, folder })),
        }))
    }
}

struct FaultyFolder {
    vfs: FaultyVfs,
    folder: PathBuf,
}

impl VfsFolder for FaultyFolder {
    fn sync(&self) -> io::Result<()> {
        let mut disk = self.vfs.running()?;
        disk.count_sync()?;
        let within = |path: &PathBuf| path.parent() == Some(&*self.folder);
        let (synced, rest) = disk
            .unsynced_names
            .drain(..)
            .partition(|change| match change {
                NameChange::Made(path, _) | NameChange::Removed(path) => within(path),
                NameChange::Renamed(from, to) => within(from) || within(to),
            });
        let synced: Vec<NameChange> = synced;
        disk.unsynced_names = rest;
        for change in &synced {
            apply(&mut disk.durable_names, change);
        }
        Ok(())
    }
}

struct Lock {
    vfs: FaultyVfs,
    folder: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.vfs.disk().locked.remove(&self.folder);
    }
}

struct FaultyFile {
    vfs: FaultyVfs,
    file: usize,
}

impl fmt::Debug for FaultyFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FaultyFile({})", self.file)
    }
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a disk in memory is small")
}

impl VfsFile for FaultyFile {
    fn status(&self) -> io::Result<FileStatus> {
        Ok(self.vfs.running()?.status(self.file))
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        let mut disk = self.vfs.running()?;
        let content = &mut disk.files[self.file];
        content.now.resize(index(bytes), 0);
        content.versions.retain(|sector, versions| {
            let kept = index(bytes).saturating_sub(sector * SECTOR);
            for version in versions {
                version.truncate(kept);
            }
            kept > 0
        });
        Ok(())
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let disk = self.vfs.running()?;
        let bytes = &disk.files[self.file].now;
        let start = index(offset).min(bytes.len());
        let found = &bytes[start..bytes.len().min(start + out.len())];
        out[..found.len()].copy_from_slice(found);
        if found.len() < out.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.vfs.running()?;
        let room = disk
            .room
            .map_or(bytes.len(), |room| bytes.len().min(index(room)));
        disk.files[self.file].write(&bytes[..room], index(offset));
        if let Some(left) = &mut disk.room {
            *left -= room as u64;
        }
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        while self.vfs.running()?.hangs {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let mut disk = self.vfs.running()?;
        let counted = disk.count_sync();
        let content = &mut disk.files[self.file];
        match counted {
            Ok(()) => {
                content.durable.clone_from(&content.now);
                content.versions.clear();
                Ok(())
            }
            Err(error) => {
                if error.raw_os_error() == Some(5) {
                    // As Linux does: the pages count as clean, and nobody will write them again.
                    content.versions.clear();
                }
                Err(error)
            }
        }
    }
}
