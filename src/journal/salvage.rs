//! Replaces a damaged journal by an undamaged copy of what is readable, and keeps the damaged one
//! under another name.
//!
//! `readable` reads the damaged journal; the copy is written by an `appender` like any other journal.
//! Lost events are noted in the copy, so that event numbers do not change. After a crash, either the
//! damaged journal is still in its place, or the finished copy is beside it and the next open performs
//! the last step (`folder::finish_salvage`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::appender::{AppendError, Appender};
use super::error::JournalError;
use super::folder::{
    create_folder, damaged_name, finish_salvage, parent_of, remove_files, replace, salvaged_name,
    segment_indices,
};
use super::hold_journal::Journal;
use super::options::JournalOptions;
use super::preallocation::is_full;
use super::readable::{JournalPart, ReadReport, read_parts};
use super::segment;
use super::vfs::{Access, Vfs};

/// Payload of a frame of the copy, in bytes, from which on the next frame begins.
const FRAME_BYTES: usize = 1 << 20;

/// The result of a salvage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvagedJournal {
    /// What was copied and what was not.
    pub report: ReadReport,
    /// Where the damaged journal is now, unchanged.
    pub moved_to: PathBuf,
}

/// Replaces the journal in `folder` by a copy of what is readable, and renames the damaged one. Event
/// numbers do not change, and no number up to `acknowledged` (the last event that the state covers) is
/// assigned again. The caller holds the lock of the folder.
pub fn salvage(
    vfs: &Arc<dyn Vfs>,
    folder: &Path,
    options: &JournalOptions,
    acknowledged: u64,
) -> Result<SalvagedJournal, JournalError> {
    finish_salvage(&**vfs, folder)?;
    let parent = parent_of(folder);
    let names = vfs
        .list(parent)
        .map_err(JournalError::io(parent, "listed"))?;
    let mut number = 1;
    while names.contains(&damaged_name(folder, number)) {
        number += 1;
    }
    let new = parent.join(salvaged_name(folder, number));
    let moved_to = parent.join(damaged_name(folder, number));
    // An interrupted salvage may have left files there.
    create_folder(&**vfs, &new)?;
    remove_files(&**vfs, &new, |_| true)?;

    let mut copy = SalvageCopy {
        vfs,
        folder: &new,
        options,
        appender: None,
        payload: Vec::new(),
        count: 0,
        next: 0,
    };
    let read = read_parts(&**vfs, folder, acknowledged, |part| copy.add(&part));
    let copied = read.and_then(|report| copy.finish(acknowledged).map(|()| report));
    let report = match copied {
        Ok(report) => report,
        Err(error) => {
            // The first error is the one to report; the next salvage removes what is left.
            let _ = discard(&**vfs, &new);
            return Err(with_needed_bytes(error, &**vfs, folder, options));
        }
    };

    // The damaged journal is renamed only after the copy is finished.
    let moved = vfs.rename(folder, &moved_to);
    moved.map_err(JournalError::io(folder, "renamed"))?;
    replace(&**vfs, &new, folder)?;
    Ok(SalvagedJournal { report, moved_to })
}

/// Removes an unfinished copy.
fn discard(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    remove_files(vfs, folder, |_| true)?;
    vfs.remove_folder(folder)
        .map_err(JournalError::io(folder, "removed"))
}

/// Replaces the error of a full disk by one that says how much space is needed.
fn with_needed_bytes(
    error: JournalError,
    vfs: &dyn Vfs,
    folder: &Path,
    options: &JournalOptions,
) -> JournalError {
    match error {
        JournalError::Io { source, .. } if is_full(&source) => {
            let indices = segment_indices(vfs, folder).unwrap_or_default().into_iter();
            let sizes = indices.filter_map(|index| {
                let path = folder.join(segment::file_name(index));
                vfs.open(&path, Access::Read).ok()?.size().ok()
            });
            // The last segment of the copy has full length, however little is in it.
            JournalError::NoSpace {
                folder: folder.to_owned(),
                bytes: sizes.sum::<u64>() + options.segment_bytes,
            }
        }
        error => error,
    }
}

/// The new journal while it is written.
struct SalvageCopy<'a> {
    vfs: &'a Arc<dyn Vfs>,
    folder: &'a Path,
    options: &'a JournalOptions,
    appender: Option<Appender>,
    /// Events of the next frame.
    payload: Vec<u8>,
    /// Number of events in `payload`.
    count: u32,
    /// Number of the next event.
    next: u64,
}

impl SalvageCopy<'_> {
    fn add(&mut self, part: &JournalPart<'_>) -> Result<(), JournalError> {
        match part {
            JournalPart::Start(first) => self.begin(*first),
            JournalPart::Events(frame) => {
                self.payload.extend_from_slice(frame.payload);
                self.count += frame.count;
                self.next += u64::from(frame.count);
                if self.payload.len() >= FRAME_BYTES {
                    self.flush()?;
                }
                Ok(())
            }
            JournalPart::Missing(count) => self.add_missing(*count),
        }
    }

    fn begin(&mut self, first: u64) -> Result<(), JournalError> {
        let options = JournalOptions {
            first_sequence: first,
            preallocates: false,
            ..self.options.clone()
        };
        let opened = Journal::open(Arc::clone(self.vfs), self.folder, options)?;
        self.appender = Some(opened.appender);
        self.next = first;
        Ok(())
    }

    fn add_missing(&mut self, mut count: u64) -> Result<(), JournalError> {
        self.flush()?;
        self.next += count;
        while count > 0 {
            let some = u32::try_from(count).unwrap_or(u32::MAX);
            self.append(|appender| appender.append_lost(some))?;
            count -= u64::from(some);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        let (payload, count) = (std::mem::take(&mut self.payload), self.count);
        if count > 0 {
            self.append(|appender| {
                appender
                    .append(std::iter::once((&*payload, count)))
                    .map(|_| ())
            })?;
        }
        self.payload = payload;
        self.payload.clear();
        self.count = 0;
        Ok(())
    }

    fn finish(mut self, acknowledged: u64) -> Result<(), JournalError> {
        if self.appender.is_none() {
            self.begin(self.options.first_sequence)?;
        }
        self.flush()?;
        self.add_missing((acknowledged + 1).saturating_sub(self.next))?;
        self.append(Appender::seal)
    }

    fn append(
        &mut self,
        write: impl FnOnce(&mut Appender) -> Result<(), AppendError>,
    ) -> Result<(), JournalError> {
        let appender = self
            .appender
            .as_mut()
            .expect("a journal starts before its events");
        write(appender).map_err(|error| error.into_journal_error(self.folder, "written"))
    }
}
