//! Opens a journal: reads and checks all of it, cuts off an unfinished last write, and positions the
//! appender after the last frame.
//!
//! Every frame is read, so that damage is reported before anything is answered.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::appender::{Appender, WritePosition};
use super::error::JournalError;
use super::folder::{create_folder, finish_salvage, remove_files, segment_indices};
use super::hold_journal::{Journal, SegmentFile};
use super::identity::{IdentityFile, Reach, has_identity, new_store};
use super::options::JournalOptions;
use super::preallocation::write_zeros;
use super::segment::{self, FRAMES_OFFSET, UNFINISHED_SUFFIX};
use super::survey::{SegmentState, SegmentSurvey, open_segment, survey};
use super::vfs::{Access, FileNumber, Vfs};

/// Size of the first segment, small so that a new store is ready at once.
const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

/// An open journal.
pub struct OpenedJournal {
    /// For reading.
    pub journal: Arc<Journal>,
    /// For writing; there is only one.
    pub appender: Appender,
    /// What was found.
    pub report: OpenReport,
}

/// What opening a journal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// Number of segments.
    pub segments: u64,
    /// Number of frames that contain events.
    pub frames: u64,
    /// Number of events in them.
    pub events: u64,
    /// An unfinished write: its segment, and the number of bytes that were cut off.
    pub torn: Option<(u64, u64)>,
    /// Whether one of the two copies of the store's identity was changed after it was written.
    pub has_damaged_identity: bool,
    /// Whether the journal was closed in order.
    pub was_closed: bool,
}

impl Journal {
    /// Opens the journal in `folder`, or creates an empty one. Cuts off a write that was never
    /// acknowledged; fails if acknowledged data is damaged. The caller holds the lock of the folder.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        folder: &Path,
        options: JournalOptions,
    ) -> Result<OpenedJournal, JournalError> {
        finish_salvage(&*vfs, folder)?;
        let found = survey(&*vfs, folder)?;
        found.check_store(folder, &options.siblings)?;
        if let Some(damage) = found.damages.first() {
            return Err(JournalError::damaged(folder, damage.clone()));
        }
        create_folder(&*vfs, folder)?;
        remove_files(&*vfs, folder, |name| name.ends_with(UNFINISHED_SUFFIX))?;
        let report = OpenReport {
            segments: found.segments.len() as u64,
            frames: found.segments.iter().map(|segment| segment.frames).sum(),
            events: found.segments.iter().map(|segment| segment.events).sum(),
            torn: found.torn(),
            has_damaged_identity: found
                .identity
                .is_some_and(|identity| identity.has_damaged_copy),
            was_closed: found.segments.last().is_none_or(|last| last.is_sealed),
        };
        let next = found
            .segments
            .last()
            .map_or(options.first_sequence, |last| last.next);
        let segments = found.segments.iter().map(|segment| SegmentFile {
            index: segment.index,
            first: segment.first,
            bytes: segment.bytes,
            number: segment.number,
            header: segment.header,
        });
        let mut segments: VecDeque<_> = segments.collect();
        let identity = if found.identity.is_some() {
            IdentityFile::open(&*vfs, folder)?
        } else {
            // Before any segment names the store, so that a crash leaves none without it.
            let newest = found.segments.last().map_or(0, |last| last.index);
            let reach = Reach {
                segment: newest,
                next,
            };
            let store = new_store(folder, options.store)?;
            IdentityFile::create(&*vfs, folder, store, reach)?
        };
        let identity = (identity.known.store, Some(identity));
        let mut position = None;
        if let (Some(last), Some(read)) = (segments.back_mut(), found.segments.last()) {
            let (writable, number) = write_position(&*vfs, folder, read)?;
            last.number = number;
            position = Some(writable);
        }
        let journal = Journal::new(vfs, folder, options, segments, next - 1, identity)?;
        let journal = Arc::new(journal);
        let mut appender = if let Some(position) = position {
            Appender::at(Arc::clone(&journal), position)
        } else {
            let bytes = FIRST_SEGMENT_BYTES.min(journal.options.segment_bytes);
            Appender::in_first_segment(Arc::clone(&journal), 1, bytes)?
        };
        appender.seal_unless_full()?;
        appender.record_reach()?;
        appender.preallocate();
        Ok(OpenedJournal {
            journal,
            appender,
            report,
        })
    }

    /// Whether there is a segment in `folder`. The caller holds the lock of the folder.
    pub fn exists(vfs: &dyn Vfs, folder: &Path) -> Result<bool, JournalError> {
        finish_salvage(vfs, folder)?;
        Ok(!segment_indices(vfs, folder)?.is_empty())
    }

    /// Whether there is a segment, or the file beside the journal that knows of some. The caller holds the lock of
    /// the folder.
    pub(crate) fn existed(vfs: &dyn Vfs, folder: &Path) -> Result<bool, JournalError> {
        let exists = Self::exists(vfs, folder)?;
        Ok(exists || has_identity(vfs, folder)?)
    }
}

/// The position after the last frame of the last segment, with an unfinished write overwritten, and which file it is:
/// the one that stays open, which some file systems number otherwise than the one that was read.
fn write_position(
    vfs: &dyn Vfs,
    folder: &Path,
    last: &SegmentSurvey,
) -> Result<(WritePosition, Option<FileNumber>), JournalError> {
    let path = folder.join(segment::file_name(last.index));
    let opened = open_segment(vfs, folder, last.index, Access::Write)?;
    if let SegmentState::Torn { bytes } = last.state {
        let never = AtomicBool::new(false);
        let cut = write_zeros(&*opened.file, last.bytes_used, bytes, &never);
        let cut = cut.and_then(|()| opened.file.sync());
        cut.map_err(JournalError::io(&path, "cut"))?;
    }
    let header = opened.header.expect("a survey without damage has read it");
    let position = WritePosition {
        file: opened.file,
        header,
        // Bytes beyond that length are not protected by the header, and are not used.
        bytes: header.file_bytes.unwrap_or(last.bytes),
        end: last.bytes_used.max(FRAMES_OFFSET),
        chain: last.chain,
        last_frame: last.last_frame,
        next: last.next,
        is_sealed: last.is_sealed,
    };
    Ok((position, opened.number))
}
