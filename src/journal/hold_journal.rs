//! The segments of an open journal: read from any event on, and deleted from the front.
//!
//! `open` creates it, `appender` adds to it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{Damage, Defect, JournalError};
use super::frame::FrameKind;
use super::identity::{IdentityFile, Reach, RecordError};
use super::options::JournalOptions;
use super::preallocation::is_full;
use super::scan::{FrameScanner, Scanned};
use super::segment;
use super::survey::{EventFrame, open_segment};
use super::vfs::{Access, FileNumber, FileStatus, Vfs, VfsFolder};
use super::watch::{Anchor, Change, check_anchor, check_place, is_same_file};
use crate::core::StoreId;

/// The durable frames of a journal, shared by all readers.
///
/// ```
/// use std::sync::Arc;
///
/// use poh_holdmetrics_rust::journal::{Journal, JournalOptions, RealVfs};
///
/// let folder = tempfile::tempdir()?;
/// let journal = folder.path().join("journal");
/// let opened = Journal::open(Arc::new(RealVfs), &journal, JournalOptions::default())?;
/// assert_eq!(opened.report.torn, None);
/// assert_eq!(opened.journal.last_sequence(), 0, "no event yet; a `Writer` appends them");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Journal {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) folder: PathBuf,
    pub(super) options: JournalOptions,
    /// The store whose journal it is.
    pub(super) store: StoreId,
    /// Where it is recorded how far the journal reached; a copy that a salvage writes records nothing.
    identity: Option<Mutex<IdentityFile>>,
    /// Kept open, so that syncing the folder needs no file descriptor.
    folder_handle: Box<dyn VfsFolder>,
    segments: Mutex<VecDeque<SegmentFile>>,
    /// Number of the last durable event.
    last: AtomicU64,
    /// Bytes of the last segment up to the end of its last frame.
    used: AtomicU64,
    /// What the last segment ends with.
    end: Mutex<Anchor>,
    /// Held while segments are removed.
    removal: Mutex<()>,
}

/// A segment in the folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentFile {
    pub(super) index: u64,
    /// Number of its first event.
    pub(super) first: u64,
    /// Size of the file.
    pub(super) bytes: u64,
    /// Which file it is.
    pub(super) number: Option<FileNumber>,
    /// Checksum of its header, which no other segment has.
    pub(super) header: u32,
}

impl SegmentFile {
    /// What it begins with.
    const fn start(&self) -> Anchor {
        Anchor {
            segment: self.index,
            offset: segment::CHAIN_OFFSET,
            value: self.header,
        }
    }
}

/// How large a journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalSize {
    /// Number of segments.
    pub segments: u64,
    /// Size of all segments.
    pub bytes: u64,
    /// Number of the oldest event in the journal; if there is none, number of the next event.
    pub first_sequence: u64,
    /// Number of the last durable event; if there is none, `first_sequence - 1`.
    pub last_sequence: u64,
}

impl Journal {
    /// A journal with these segments, whose last durable event is number `last`.
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        folder: &Path,
        options: JournalOptions,
        segments: VecDeque<SegmentFile>,
        last: u64,
        identity: (StoreId, Option<IdentityFile>),
    ) -> Result<Self, JournalError> {
        let folder_handle = vfs.open_folder(folder);
        Ok(Self {
            folder_handle: folder_handle.map_err(JournalError::io(folder, "opened"))?,
            vfs,
            folder: folder.to_owned(),
            options,
            store: identity.0,
            identity: identity.1.map(Mutex::new),
            segments: Mutex::new(segments),
            last: AtomicU64::new(last),
            used: AtomicU64::new(0),
            end: Mutex::default(),
            removal: Mutex::new(()),
        })
    }

    /// The store whose journal it is.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// Records, durably, how far the journal reached, unless that is known already. A disk without space is no
    /// error: the record is made at the next call.
    pub fn record_reach(&self) -> Result<(), JournalError> {
        let recorded = self.record(self.reach());
        recorded.or_else(|(path, error)| match error {
            RecordError::Write(error) if is_full(&error) => Ok(()),
            RecordError::Write(error) => Err(JournalError::io(path, "written")(error)),
            RecordError::Sync(error) => Err(JournalError::io(path, "synced")(error)),
        })
    }

    /// The same, with the reason if it was not recorded.
    pub(super) fn record(&self, reach: Reach) -> Result<(), (PathBuf, RecordError)> {
        let Some(identity) = &self.identity else {
            return Ok(());
        };
        let mut file = identity.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = file.record(reach);
        recorded.map_err(|error| (file.path().to_owned(), error))
    }

    /// How far the journal reached.
    pub(super) fn reach(&self) -> Reach {
        let next = self.last_sequence() + 1;
        Reach {
            segment: self.lock().back().map_or(0, |newest| newest.index),
            next,
        }
    }

    /// Passes the frames that contain event `from` and later ones to `visit`, in order, up to the last
    /// event that is durable at the time of the call. The first frame may begin before `from`.
    pub fn replay(
        &self,
        from: u64,
        mut visit: impl FnMut(EventFrame<'_>),
    ) -> Result<(), JournalError> {
        let last = self.last_sequence();
        let segments: Vec<SegmentFile> = self.lock().iter().copied().collect();
        for (position, segment) in segments.iter().enumerate() {
            let following = segments.get(position + 1).map(|next| next.first);
            let end = following.unwrap_or(u64::MAX).min(last + 1);
            if end > from {
                self.replay_segment(*segment, from, end, &mut visit)?;
            }
        }
        Ok(())
    }

    /// Removes the segments that contain no event after `applied`, except the one that is written to.
    /// Returns how many were removed.
    pub fn delete_covered(&self, applied: u64) -> Result<u64, JournalError> {
        let _removal = self.removal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut removed = 0;
        while let Some(index) = self.first_covered(applied) {
            let path = self.folder.join(segment::file_name(index));
            self.vfs
                .remove(&path)
                .map_err(JournalError::io(path, "removed"))?;
            self.lock().pop_front();
            removed += 1;
        }
        if removed > 0 {
            self.sync_folder()?;
        }
        Ok(removed)
    }

    /// Size of the segments that [`Self::delete_covered`] would remove.
    #[must_use]
    pub fn covered_bytes(&self, applied: u64) -> u64 {
        let segments = self.lock();
        let following = segments.iter().skip(1);
        let covered = segments.iter().zip(following);
        let covered = covered.take_while(|(_, next)| next.first <= applied.saturating_add(1));
        covered.map(|(segment, _)| segment.bytes).sum()
    }

    /// About how many bytes the events after number `position` take; within a segment, all events count as
    /// equally large.
    #[must_use]
    pub fn bytes_after(&self, position: u64) -> u64 {
        let segments = self.lock();
        let next = self.last_sequence() + 1;
        let mut bytes = 0;
        for (place, segment) in segments.iter().enumerate() {
            let following = segments.get(place + 1);
            let end = following.map_or(next, |following| following.first);
            let used = following.map_or(self.used.load(Ordering::Acquire), |_| segment.bytes);
            let events = end.saturating_sub(segment.first);
            let after = end.saturating_sub(segment.first.max(position.saturating_add(1)));
            if events > 0 {
                let part = u128::from(used) * u128::from(after) / u128::from(events);
                bytes += u64::try_from(part).unwrap_or(u64::MAX);
            }
        }
        bytes
    }

    /// The segment that contains an event, or will, and the number of the first event of the one after it;
    /// `None` if it was removed.
    pub(super) fn segment_with(&self, sequence: u64) -> Option<(SegmentFile, Option<u64>)> {
        let segments = self.lock();
        let after = segments.partition_point(|segment| segment.first <= sequence);
        let segment = *segments.get(after.checked_sub(1)?)?;
        Some((segment, segments.get(after).map(|next| next.first)))
    }

    /// Whether a segment was removed; waits for a removal that is in progress.
    pub(super) fn is_removed(&self, index: u64) -> bool {
        let _removal = self.removal.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().iter().all(|segment| segment.index != index)
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> JournalSize {
        let segments = self.lock();
        JournalSize {
            segments: segments.len() as u64,
            bytes: segments.iter().map(|segment| segment.bytes).sum(),
            first_sequence: segments.front().map_or(1, |front| front.first),
            last_sequence: self.last_sequence(),
        }
    }

    /// Number of the last durable event.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Fails if a segment is not the file that it was, or not as long, or if the last one does not end with what was
    /// written to it. An older one may also be a copy of itself: it is opened anew for each reader, and some file
    /// systems number a file anew once nothing has it open.
    pub fn check_place(&self) -> Result<(), JournalError> {
        let _removal = self.removal.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the list: a segment that is added meanwhile has an end of its own.
        let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let segments: Vec<SegmentFile> = self.lock().iter().copied().collect();
        for segment in &segments {
            let path = self.folder.join(segment::file_name(segment.index));
            let opened = FileStatus {
                bytes: segment.bytes,
                number: segment.number,
                has_name: true,
            };
            if segment.index == end.segment {
                check_place(&*self.vfs, &path, &opened, segment.bytes)?;
                check_anchor(&*self.vfs, &path, Change::Overwritten, end)?;
            } else if !is_same_file(&*self.vfs, &path, &opened, segment.bytes)? {
                check_anchor(&*self.vfs, &path, Change::Replaced, segment.start())?;
            }
        }
        let Some(identity) = &self.identity else {
            return Ok(());
        };
        let file = identity.lock().unwrap_or_else(PoisonError::into_inner);
        file.check_place(&*self.vfs)
    }

    /// Records what the last segment ends with.
    pub(super) fn set_end(&self, end: Anchor) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// Records that the events up to `last` are durable, in a segment that is `used` up to this offset.
    pub(super) fn advance(&self, last: u64, used: u64) {
        self.used.store(used, Ordering::Release);
        self.last.store(last, Ordering::Release);
    }

    /// Adds a segment after the last one.
    pub(super) fn add(&self, segment: SegmentFile) {
        self.lock().push_back(segment);
    }

    /// Makes the names of the segments durable.
    pub(super) fn sync_folder(&self) -> Result<(), JournalError> {
        self.folder_handle
            .sync()
            .map_err(JournalError::io(&self.folder, "synced"))
    }

    fn first_covered(&self, applied: u64) -> Option<u64> {
        let segments = self.lock();
        let next = segments.get(1)?;
        (next.first <= applied.saturating_add(1)).then_some(segments[0].index)
    }

    /// Passes the frames of one segment that contain events in `from..end` to `visit`.
    fn replay_segment(
        &self,
        segment: SegmentFile,
        from: u64,
        end: u64,
        visit: &mut impl FnMut(EventFrame<'_>),
    ) -> Result<(), JournalError> {
        let path = self.folder.join(segment::file_name(segment.index));
        let opened = open_segment(&*self.vfs, &self.folder, segment.index, Access::Read)?;
        let damaged_at = |offset, defect| {
            JournalError::damaged(
                &self.folder,
                Damage {
                    segment: segment.index,
                    offset,
                    defect,
                },
            )
        };
        let Some(header) = opened.header else {
            return Err(damaged_at(0, Defect::SegmentHeader));
        };
        let scanner = FrameScanner::new(&*opened.file, &header);
        let mut scanner = scanner.map_err(JournalError::io(&path, "read"))?;
        while scanner.next < end {
            let offset = scanner.offset;
            match scanner.read().map_err(JournalError::io(&path, "read"))? {
                Scanned::Frame(header) => {
                    if header.kind == FrameKind::Events && scanner.next > from {
                        visit(EventFrame {
                            first: header.first,
                            count: header.count,
                            payload: scanner.payload(),
                        });
                    }
                }
                Scanned::End | Scanned::Torn(_) => return Err(damaged_at(offset, Defect::Hole)),
                Scanned::Damaged(defect) => return Err(damaged_at(offset, defect)),
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<SegmentFile>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
