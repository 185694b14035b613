//! Reads a journal from any event on while it is written, a piece at a time, and keeps its place between
//! the pieces.
//!
//! It verifies every frame as a replay does and reads none that is not durable. Between two pieces it holds no
//! file open, so that a removed segment takes no space.

use std::io;
use std::sync::Arc;

use super::error::{Damage, Defect, JournalError};
use super::frame::FrameKind;
use super::hold_journal::{Journal, SegmentFile};
use super::scan::{FrameScanner, Scanned};
use super::segment;
use super::survey::{EventFrame, open_segment};
use super::vfs::Access;

/// A reader of one journal.
pub struct TailReader {
    journal: Arc<Journal>,
    /// Number of the next event.
    next: u64,
    /// Where its frame begins, once a frame was read.
    place: Option<Place>,
}

/// The end of a frame.
#[derive(Clone, Copy)]
struct Place {
    segment: u64,
    offset: u64,
    /// Chain value of the frame.
    chain: u32,
    /// Number of the event after it.
    next: u64,
}

/// How a piece ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailRead {
    /// After frames, or after the last event that was asked for.
    Read,
    /// The segment of the next event was removed.
    Removed,
}

impl TailReader {
    /// Begins with event `from`; the first frame may begin before it.
    #[must_use]
    pub fn new(journal: &Arc<Journal>, from: u64) -> Self {
        Self {
            journal: Arc::clone(journal),
            next: from,
            place: None,
        }
    }

    /// Number of the next event.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Passes frames to `visit`, in order, up to event `last` and until their payloads have `bytes_max` bytes;
    /// at least one, unless `last` comes before. Events that a salvage noted as lost are passed over.
    pub fn read(
        &mut self,
        last: u64,
        bytes_max: usize,
        mut visit: impl FnMut(EventFrame<'_>),
    ) -> Result<TailRead, JournalError> {
        let last = last.min(self.journal.last_sequence());
        let mut bytes = 0;
        while self.next <= last && (bytes == 0 || bytes < bytes_max) {
            let Some((segment, following)) = self.journal.segment_with(self.next) else {
                return Ok(TailRead::Removed);
            };
            let end = following.unwrap_or(u64::MAX).min(last + 1);
            let read = self.read_segment(segment, end, |frame| {
                bytes += frame.payload.len();
                visit(frame);
                bytes < bytes_max
            });
            match read {
                Err(JournalError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound
                        && self.journal.is_removed(segment.index) =>
                {
                    return Ok(TailRead::Removed);
                }
                read => read?,
            }
        }
        Ok(TailRead::Read)
    }

    /// Reads the frames with events in `self.next..end`, until `visit` returns that it has enough.
    fn read_segment(
        &mut self,
        segment: SegmentFile,
        end: u64,
        mut visit: impl FnMut(EventFrame<'_>) -> bool,
    ) -> Result<(), JournalError> {
        let journal = Arc::clone(&self.journal);
        let path = journal.folder.join(segment::file_name(segment.index));
        let opened = open_segment(&*journal.vfs, &journal.folder, segment.index, Access::Read)?;
        let damaged_at = |offset, defect| {
            let segment = segment.index;
            let damage = Damage {
                segment,
                offset,
                defect,
            };
            JournalError::damaged(&journal.folder, damage)
        };
        let Some(header) = opened.header else {
            return Err(damaged_at(0, Defect::SegmentHeader));
        };
        let scanner = FrameScanner::new(&*opened.file, &header);
        let mut scanner = scanner.map_err(JournalError::io(&path, "read"))?;
        let place = self.place.filter(|place| place.segment == segment.index);
        if let Some(place) = place {
            (scanner.offset, scanner.chain, scanner.next) = (place.offset, place.chain, place.next);
        }
        while scanner.next < end {
            let offset = scanner.offset;
            let header = match scanner.read().map_err(JournalError::io(&path, "read"))? {
                Scanned::Frame(header) => header,
                Scanned::End | Scanned::Torn(_) => return Err(damaged_at(offset, Defect::Hole)),
                Scanned::Damaged(defect) => return Err(damaged_at(offset, defect)),
            };
            self.place = Some(Place {
                segment: segment.index,
                offset: scanner.offset,
                chain: scanner.chain,
                next: scanner.next,
            });
            if scanner.next <= self.next {
                continue;
            }
            self.next = scanner.next;
            let wants_more = header.kind != FrameKind::Events
                || visit(EventFrame {
                    first: header.first,
                    count: header.count,
                    payload: scanner.payload(),
                });
            if !wants_more {
                break;
            }
        }
        Ok(())
    }
}
