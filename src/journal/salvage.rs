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
    create_folder, damaged_name, finish_salvage, free_number, parent_of, remove_files, replace,
    salvaged_name, segment_indices,
};
use super::hold_journal::Journal;
use super::identity::{Identity, IdentityFile, Reach, new_store, read_identity, set_aside};
use super::options::JournalOptions;
use super::preallocation::is_full;
use super::readable::{JournalPart, ReadReport, read_parts};
use super::segment;
use super::survey::named_store;
use super::vfs::{Access, Vfs};
use crate::core::StoreId;

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
/// numbers do not change, and no number is assigned again up to `acknowledged` (the last event that the state
/// covers), or to where the journal had reached. Its segments get numbers that none had before, for the
/// same reason. The caller holds the lock of the folder.
pub fn salvage(
    vfs: &Arc<dyn Vfs>,
    folder: &Path,
    options: &JournalOptions,
    acknowledged: u64,
) -> Result<SalvagedJournal, JournalError> {
    finish_salvage(&**vfs, folder)?;
    let found = SalvagedIdentity::find(&**vfs, folder, options)?;
    // There may be only a state, and an identity that knows of segments.
    create_folder(&**vfs, folder)?;
    let newest = segment_indices(&**vfs, folder)?.last().copied();
    let parent = parent_of(folder);
    let number = free_number(&**vfs, folder)?;
    let new = parent.join(salvaged_name(folder, number));
    let moved_to = parent.join(damaged_name(folder, number));
    // An interrupted salvage may have left files there.
    create_folder(&**vfs, &new)?;
    remove_files(&**vfs, &new, |_| true)?;

    let mut copy = SalvageCopy {
        vfs,
        folder: &new,
        options,
        store: found.store,
        index: newest.unwrap_or(0).max(found.reach.segment) + 1,
        appender: None,
        payload: Vec::new(),
        count: 0,
        next: 0,
    };
    let known = (acknowledged, found.reach);
    let read = read_parts(&**vfs, folder, known, |part| copy.add(&part));
    let assigned = acknowledged.max(found.reach.next.saturating_sub(1));
    let copied = read.and_then(|report| copy.finish(assigned).map(|()| report));
    let report = match copied {
        Ok(report) => report,
        Err(error) => {
            // The first error is the one to report; the next salvage removes what is left.
            let _ = discard(&**vfs, &new);
            return Err(with_needed_bytes(error, &**vfs, folder, options));
        }
    };

    // Segments that name a store do not get their place before the file that knows it.
    found.complete(&**vfs, folder)?;
    // The damaged journal is renamed only after the copy is finished.
    let moved = vfs.rename(folder, &moved_to);
    moved.map_err(JournalError::io(folder, "renamed"))?;
    replace(&**vfs, &new, folder)?;
    Ok(SalvagedJournal { report, moved_to })
}

/// Which store it is, also if the file that says so is missing or damaged.
struct SalvagedIdentity {
    store: StoreId,
    /// How far the journal had reached, if that is known.
    reach: Reach,
    /// Whether the file is there, and whether it can be read.
    file: IdentityState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IdentityState {
    Whole,
    Missing,
    Damaged,
}

impl SalvagedIdentity {
    fn find(vfs: &dyn Vfs, folder: &Path, options: &JournalOptions) -> Result<Self, JournalError> {
        let (identity, file) = match read_identity(vfs, folder) {
            Ok(Some(identity)) => (Some(identity), IdentityState::Whole),
            Ok(None) => (None, IdentityState::Missing),
            Err(JournalError::IdentityDamaged { .. }) => (None, IdentityState::Damaged),
            Err(error) => return Err(error),
        };
        let store = match named_store(vfs, folder, identity, &options.siblings)? {
            Some(store) => store,
            None => new_store(folder, options.store)?,
        };
        let reach = identity.map(|Identity { reach, .. }| reach);
        Ok(Self {
            store,
            reach: reach.unwrap_or_default(),
            file,
        })
    }

    /// Creates the file if it cannot be read, and keeps a damaged one under another name.
    fn complete(&self, vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
        match self.file {
            IdentityState::Whole => return Ok(()),
            IdentityState::Missing => {}
            IdentityState::Damaged => set_aside(vfs, folder)?,
        }
        IdentityFile::create(vfs, folder, self.store, Reach::default()).map(drop)
    }
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
    store: StoreId,
    /// Number of the first segment.
    index: u64,
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
        let bytes = options.segment_bytes;
        let vfs = Arc::clone(self.vfs);
        // The identity of the store records nothing of a copy that is not in its place.
        let identity = (self.store, None);
        let journal = Journal::new(vfs, self.folder, options, [].into(), first - 1, identity)?;
        let appender = Appender::in_first_segment(Arc::new(journal), self.index, bytes)?;
        self.appender = Some(appender);
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

    /// Ends the copy so that no number up to `assigned` is assigned again.
    fn finish(mut self, assigned: u64) -> Result<(), JournalError> {
        if self.appender.is_none() {
            self.begin(self.options.first_sequence)?;
        }
        self.flush()?;
        self.add_missing((assigned + 1).saturating_sub(self.next))?;
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
