//! Journals on a disk that loses what was not synced, and what can happen to their files.

use std::path::{Path, PathBuf};

use poh_holdmetrics_rust::journal::{Journal, JournalError};

use crate::contents::{folder, holders, open, replayed, segments};
use crate::faulty::FaultyVfs;
use crate::journal_writer::{batch, options, submit, writer};

/// Writes one batch after the other, up to the first that fails; the holders that were acknowledged.
pub(crate) fn write(vfs: &FaultyVfs, batches: &[(u64, usize)], is_closed: bool) -> Vec<String> {
    let Ok(opened) = open(vfs, options()) else {
        return Vec::new();
    };
    let mut acknowledged = holders_of(&opened.journal);
    let (writer, outcomes) = writer(opened);
    for (number, &(count, padding)) in batches.iter().enumerate() {
        let number = number as u64 + 1_000 * acknowledged.len() as u64;
        let batch = batch(number, count, padding);
        let sent = holders(batch.bytes());
        if submit(&writer, &outcomes, number, batch).is_err() {
            return acknowledged;
        }
        acknowledged.extend(sent);
    }
    if !is_closed {
        // Nothing after this reaches the disk, as if the process were gone.
        vfs.stop_at_sync(1);
    }
    writer.close();
    acknowledged
}

pub(crate) fn holders_of(journal: &Journal) -> Vec<String> {
    let events = replayed(journal, 1);
    let numbers: Vec<_> = events.iter().map(|(number, _)| *number).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64));
    events.into_iter().map(|(_, holder)| holder).collect()
}

/// A disk with a journal of some segments.
pub(crate) fn disk(is_closed: bool) -> (FaultyVfs, Vec<String>) {
    let vfs = FaultyVfs::default();
    let acknowledged = write(
        &vfs,
        &[(1, 0), (3, 240), (2, 700), (1, 300), (4, 200)],
        is_closed,
    );
    assert_eq!(acknowledged.len(), 11);
    // What was not synced is gone: the seal that a stopped machine did not get to the disk.
    (vfs.crash(&mut |_| 0), acknowledged)
}

pub(crate) fn opened_holders(vfs: &FaultyVfs) -> Result<Vec<String>, JournalError> {
    open(vfs, options()).map(|opened| holders_of(&opened.journal))
}

/// Zeroes each sector in turn and opens what is left.
pub(crate) fn each_zeroed_sector(vfs: &FaultyVfs, mut judge: impl FnMut(PathBuf, u64, &FaultyVfs)) {
    for path in segments(&vfs.paths(), &folder()) {
        let whole = vfs.bytes(&path);
        for (sector, bytes) in whole.chunks(512).enumerate() {
            if bytes.iter().any(|byte| *byte != 0) {
                let image = vfs.image();
                image.change(&path, |bytes| {
                    bytes[sector * 512..(sector + 1) * 512].fill(0);
                });
                judge(path.clone(), sector as u64, &image);
            }
        }
    }
}

/// What a copy leaves that was not finished: the first `length` bytes of one file.
pub(crate) fn cut(vfs: &FaultyVfs, path: &Path, length: usize) -> FaultyVfs {
    let image = vfs.image();
    image.change(path, |bytes| bytes.truncate(length));
    image
}

impl FaultyVfs {
    /// From now on files and folders can be opened, or too many of them are open.
    pub(crate) fn set_opening(&self, is_possible: bool) {
        self.disk().opens_nothing = !is_possible;
    }

    /// Syncs so far, failed ones too.
    pub(crate) fn syncs(&self) -> u64 {
        self.disk().syncs
    }
}
