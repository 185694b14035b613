//! What a loss of power leaves of a disk in memory, and how a test reads and changes its files.
//!
//! What a crash keeps is chosen by the test: of each sector any of its unsynced versions, of the
//! unsynced names any number of the first ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::faulty::{Content, Disk, FaultyVfs, SECTOR, apply};

impl FaultyVfs {
    /// The `number`-th sync from now on, counted from 1, and all that follows it fails: the process
    /// is as good as gone.
    pub(crate) fn stop_at_sync(&self, number: u64) {
        let mut disk = self.disk();
        disk.stops_at = Some(disk.syncs + number);
    }

    /// What a machine finds that lost power now. `choose(n)` picks one of n possibilities, 0 being
    /// that nothing more was kept and n-1 that everything was.
    pub(crate) fn crash(&self, choose: &mut dyn FnMut(usize) -> usize) -> Self {
        let disk = self.disk();
        let mut names = disk.durable_names.clone();
        let kept = choose(disk.unsynced_names.len() + 1);
        for change in &disk.unsynced_names[..kept] {
            apply(&mut names, change);
        }
        let files: Vec<_> = disk
            .files
            .iter()
            .map(|content| Content::settled(content.after_crash(choose)))
            .collect();
        let folders = names.keys().flat_map(|path| path.ancestors().skip(1));
        Self(Arc::new(Mutex::new(Disk {
            files,
            folders: folders.map(Path::to_owned).collect(),
            durable_names: names.clone(),
            names,
            ..Disk::default()
        })))
    }

    /// A disk of its own with all that is on this one, synced.
    pub(crate) fn image(&self) -> Self {
        self.crash(&mut |possibilities| possibilities - 1)
    }

    /// All files, by path.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.disk().names.keys().cloned().collect()
    }

    /// What a file holds.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let disk = self.disk();
        disk.files[disk.names[path]].now.clone()
    }

    /// Changes a file behind everyone's back.
    pub(crate) fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        let file = disk.names[path];
        let mut bytes = disk.files[file].now.clone();
        change(&mut bytes);
        disk.files[file] = Content::settled(bytes);
    }
}

impl Content {
    fn settled(bytes: Vec<u8>) -> Self {
        Self {
            now: bytes.clone(),
            durable: bytes,
            versions: BTreeMap::new(),
        }
    }

    fn after_crash(&self, choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if self.now.len() != bytes.len() && choose(2) == 1 {
            bytes.resize(self.now.len(), 0);
        }
        for (sector, versions) in &self.versions {
            let kept = choose(versions.len() + 1);
            if let Some(version) = kept.checked_sub(1).map(|kept| &versions[kept]) {
                let start = sector * SECTOR;
                let end = start + version.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[start..end].copy_from_slice(version);
            }
        }
        bytes
    }
}
