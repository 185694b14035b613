//! Appends frames to a journal, with one write and one sync each, and starts a new segment when one is
//! full. The only thread it knows is that of `preallocation`.
//!
//! After an error because of a full disk, everything is as before. After any other error, what is on
//! disk is unknown, and nothing more may be written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rand::TryRng;
use rand::rngs::SysRng;

use super::error::{JournalError, WriteError};
use super::frame::{self, FrameBuffer, FrameHeader, FrameKind, extent};
use super::hold_journal::{Journal, SegmentFile};
use super::identity::{Reach, RecordError};
use super::layout::SECTOR;
use super::preallocation::{
    Preallocation, create_zeroed, is_full, is_out_of_descriptors, write_zeros,
};
use super::segment::{
    self, FRAMES_OFFSET, SEAL_RESERVE, SegmentHeader, UNFINISHED_SUFFIX, VERSION,
};
use super::vfs::VfsFile;
use super::watch::{Anchor, check_open};
use crate::error_line::error_line;

/// Where the next frame is written.
pub(super) struct WritePosition {
    /// The last segment.
    pub(super) file: Box<dyn VfsFile>,
    pub(super) header: SegmentHeader,
    /// Size of the file.
    pub(super) bytes: u64,
    /// Offset of the next frame.
    pub(super) end: u64,
    /// Chain value of the last frame.
    pub(super) chain: u32,
    /// Offset of the last frame, if there is one.
    pub(super) last_frame: Option<u64>,
    /// Number of the next event.
    pub(super) next: u64,
    /// Whether the last frame is a seal, or there is no frame.
    pub(super) is_sealed: bool,
}

/// Writes to the end of a journal; there is only one for each journal.
pub struct Appender {
    journal: Arc<Journal>,
    position: WritePosition,
    buffer: FrameBuffer,
    preallocation: Preallocation,
    /// Whether the identity of the store knows of the last segment.
    is_recorded: bool,
    /// Bytes after the end that may not be zero since a write failed.
    dirty_bytes: u64,
    full_since: Option<Instant>,
}

/// A frame that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) first: u64,
    pub(super) bytes: u64,
    pub(super) sync: Duration,
}

/// Why a frame was not appended.
#[derive(Debug)]
pub(super) enum AppendError {
    /// The disk is full; nothing changed.
    DiskFull,
    /// A new segment was needed and no file could be opened; nothing changed.
    NoDescriptors,
    /// What is on disk is unknown.
    Failed(JournalError),
}

impl AppendError {
    /// The error for a caller that creates a journal and does not retry.
    pub(super) fn into_journal_error(self, path: &Path, action: &'static str) -> JournalError {
        let source = match self {
            Self::Failed(error) => return error,
            Self::DiskFull => io::ErrorKind::StorageFull.into(),
            Self::NoDescriptors => io::Error::other(WriteError::NoDescriptors),
        };
        JournalError::io(path, action)(source)
    }

    /// The error for a caller that may retry.
    fn into_write_error(self) -> WriteError {
        match self {
            Self::DiskFull => WriteError::DiskFull,
            Self::NoDescriptors => WriteError::NoDescriptors,
            Self::Failed(error) => WriteError::Poisoned(error_line(&error).into()),
        }
    }
}

impl WritePosition {
    /// What the segment ends with: the checksum of the last frame's header, or of its own.
    fn anchor(&self) -> Anchor {
        Anchor {
            segment: self.header.index,
            offset: self
                .last_frame
                .map_or(segment::CHAIN_OFFSET, |offset| offset + frame::CHAIN_OFFSET),
            value: self.chain,
        }
    }
}

impl Appender {
    /// Continues an existing journal.
    pub(super) fn at(journal: Arc<Journal>, position: WritePosition) -> Self {
        let bytes = journal.options.segment_bytes;
        journal.advance(position.next - 1, position.end);
        journal.set_end(position.anchor());
        Self {
            preallocation: Preallocation::new(Arc::clone(&journal.vfs), &journal.folder, bytes),
            journal,
            position,
            is_recorded: false,
            buffer: FrameBuffer::default(),
            dirty_bytes: 0,
            full_since: None,
        }
    }

    /// Creates the first segment, number `index`, with a size of `bytes`.
    pub(super) fn in_first_segment(
        journal: Arc<Journal>,
        index: u64,
        bytes: u64,
    ) -> Result<Self, JournalError> {
        let header = SegmentHeader {
            version: VERSION,
            index,
            first: journal.options.first_sequence,
            salt: salt(&journal)?,
            previous: 0,
            file_bytes: Some(bytes),
            store: Some(journal.store),
        };
        let path = journal.folder.join(format!("first{UNFINISHED_SUFFIX}"));
        let file = create_zeroed(&*journal.vfs, &path, bytes, &AtomicBool::new(false));
        let file = file.map_err(JournalError::io(&path, "created"))?;
        let position = publish(&journal, &path, file, header, bytes);
        let position = position.map_err(|error| error.into_journal_error(&path, "created"))?;
        Ok(Self::at(journal, position))
    }

    /// Begins to create the next segment.
    pub(super) fn preallocate(&mut self) {
        if self.journal.options.preallocates {
            self.preallocation.start();
        }
    }

    /// Appends one frame of encoded events, given as pieces with their number of events. It is on disk
    /// when this returns.
    pub(super) fn append<'a>(
        &mut self,
        pieces: impl Iterator<Item = (&'a [u8], u32)>,
    ) -> Result<Written, AppendError> {
        if let Some(since) = self.full_since
            && since.elapsed() < self.journal.options.retry_after
        {
            return Err(AppendError::DiskFull);
        }
        let mut count = 0;
        let mut payload_bytes = 0;
        self.buffer.begin();
        for (bytes, events) in pieces {
            self.buffer.push(bytes);
            payload_bytes += bytes.len() as u64;
            count += events;
        }
        let written = self.ensure_space(extent(payload_bytes)).and_then(|()| {
            let first = self.position.next;
            let (bytes, sync) = self.write(FrameKind::Events, count)?;
            self.advance();
            Ok(Written { first, bytes, sync })
        });
        self.full_since = match written {
            Err(AppendError::DiskFull) => Some(Instant::now()),
            Ok(_) | Err(AppendError::Failed(_) | AppendError::NoDescriptors) => None,
        };
        written
    }

    /// Appends a frame of one record that is not an event, and a seal, so that damage to it is never taken for an
    /// unfinished write; then records how far the journal reached. It is on disk when this returns its number.
    pub fn append_record(&mut self, record: &[u8]) -> Result<u64, WriteError> {
        let written = self.append(std::iter::once((record, 1)));
        // The next record may be far smaller.
        self.buffer = FrameBuffer::default();
        let first = written.map_err(AppendError::into_write_error)?.first;
        self.seal().map_err(AppendError::into_write_error)?;
        let recorded = self.record_reach().map_err(AppendError::Failed);
        recorded.map_err(AppendError::into_write_error)?;
        Ok(first)
    }

    /// Notes that the next `count` events are lost.
    pub(super) fn append_lost(&mut self, count: u32) -> Result<(), AppendError> {
        self.buffer.begin();
        self.ensure_space(extent(0))?;
        self.write(FrameKind::Lost, count)?;
        self.advance();
        Ok(())
    }

    /// Writes a seal after the last frame: from then on, damage to any acknowledged event is followed
    /// by a valid frame and so cannot be taken for an unfinished write. The space for it is reserved in
    /// each segment.
    pub(super) fn seal(&mut self) -> Result<(), AppendError> {
        if self.position.is_sealed {
            return Ok(());
        }
        self.clear_dirty_bytes()?;
        self.buffer.begin();
        self.write(FrameKind::Seal, 0)?;
        self.position.is_sealed = true;
        Ok(())
    }

    /// Seals the journal unless the disk is full.
    pub(super) fn seal_unless_full(&mut self) -> Result<(), JournalError> {
        match self.seal() {
            Ok(()) | Err(AppendError::DiskFull | AppendError::NoDescriptors) => Ok(()),
            Err(AppendError::Failed(error)) => Err(error),
        }
    }

    /// Publishes that everything up to the end is durable.
    fn advance(&self) {
        let last = self.position.next - 1;
        self.journal.advance(last, self.position.end);
    }

    /// Writes the frame in the buffer to the end and syncs it.
    fn write(&mut self, kind: FrameKind, count: u32) -> Result<(u64, Duration), AppendError> {
        let header = FrameHeader {
            kind,
            payload_bytes: 0,
            count,
            first: self.position.next,
            previous: self.position.chain,
            body_checksum: 0,
        };
        let (bytes, chain) = self.buffer.finish(header, self.position.header.salt);
        let length = bytes.len() as u64;
        if let Err(error) = self.position.file.write_at(bytes, self.position.end) {
            self.dirty_bytes = length;
            return Err(full_or_failed(&self.path(), "written")(error));
        }
        let started = Instant::now();
        let synced = self.position.file.sync();
        synced.map_err(failed(&self.path(), "synced"))?;
        let sync = started.elapsed();
        self.check_open()?;
        self.position.last_frame = Some(self.position.end);
        self.position.end += length;
        self.position.chain = chain;
        self.journal.set_end(self.position.anchor());
        self.position.next += u64::from(count);
        self.position.is_sealed = false;
        Ok((length, sync))
    }

    /// Fails if the segment was removed or cut, so that nobody would find what was written to it.
    fn check_open(&self) -> Result<(), AppendError> {
        let status = self.position.file.status();
        let status = status.map_err(failed(&self.path(), "looked at"))?;
        check_open(&self.path(), &status, self.position.bytes).map_err(AppendError::Failed)
    }

    /// Makes sure that the segment has space for a frame of so many bytes, and the current format version, by
    /// which an older program tells a later one from damage; starts a new segment if not.
    fn ensure_space(&mut self, bytes: u64) -> Result<(), AppendError> {
        self.clear_dirty_bytes()?;
        let is_current = self.position.header.version == VERSION;
        if is_current && self.position.end + bytes + SEAL_RESERVE <= self.position.bytes {
            return self.record_segment();
        }
        let journal = &*self.journal;
        let needed = (FRAMES_OFFSET + bytes + SEAL_RESERVE).next_multiple_of(SECTOR);
        let salt = salt(journal).map_err(AppendError::Failed)?;
        let large_path = journal.folder.join(format!("large{UNFINISHED_SUFFIX}"));
        let is_large = needed > journal.options.segment_bytes;
        let (created, path, length) = if is_large {
            let never = AtomicBool::new(false);
            let created = create_zeroed(&*journal.vfs, &large_path, needed, &never);
            (created, &*large_path, needed)
        } else {
            let created = self.preallocation.take();
            let path = self.preallocation.path();
            (created, path, journal.options.segment_bytes)
        };
        let file = created.map_err(|error| {
            if is_out_of_descriptors(&error) {
                return AppendError::NoDescriptors;
            }
            full_or_failed(path, "created")(error)
        })?;
        let header = SegmentHeader {
            version: VERSION,
            index: self.position.header.index + 1,
            first: self.position.next,
            salt,
            previous: self.position.chain,
            file_bytes: Some(length),
            store: Some(journal.store),
        };
        self.position = publish(journal, path, file, header, length)?;
        journal.set_end(self.position.anchor());
        self.is_recorded = false;
        self.preallocate();
        self.record_segment()
    }

    /// Makes sure that the identity of the store knows of the last segment before it holds an event: if its file is
    /// lost, that is known.
    fn record_segment(&mut self) -> Result<(), AppendError> {
        if self.is_recorded {
            return Ok(());
        }
        let recorded = self.journal.record(Reach {
            segment: self.position.header.index,
            next: self.position.next,
        });
        recorded.map_err(|(path, error)| match error {
            RecordError::Write(error) => full_or_failed(&path, "written")(error),
            RecordError::Sync(error) => failed(&path, "synced")(error),
        })?;
        self.is_recorded = true;
        Ok(())
    }

    /// Records how far the journal reached, as [`Journal::record_reach`].
    pub(super) fn record_reach(&self) -> Result<(), JournalError> {
        self.journal.record_reach()
    }

    /// Overwrites with zeros what a failed write left after the end.
    fn clear_dirty_bytes(&mut self) -> Result<(), AppendError> {
        if self.dirty_bytes > 0 {
            let file = &*self.position.file;
            let never = AtomicBool::new(false);
            let cleared = write_zeros(file, self.position.end, self.dirty_bytes, &never);
            cleared.map_err(full_or_failed(&self.path(), "cleared"))?;
            file.sync().map_err(failed(&self.path(), "synced"))?;
            self.dirty_bytes = 0;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        let name = segment::file_name(self.position.header.index);
        self.journal.folder.join(name)
    }
}

/// Writes the header of a preallocated file, renames it, and adds it to the journal.
fn publish(
    journal: &Journal,
    path: &Path,
    file: Box<dyn VfsFile>,
    header: SegmentHeader,
    bytes: u64,
) -> Result<WritePosition, AppendError> {
    // The header must be durable before the name, because a segment without a header is damage.
    let written = file.write_at(&header.bytes(), 0);
    written.map_err(full_or_failed(path, "written"))?;
    file.sync().map_err(failed(path, "synced"))?;
    let named = journal.folder.join(segment::file_name(header.index));
    let renamed = journal.vfs.rename(path, &named);
    renamed.map_err(full_or_failed(&named, "created"))?;
    journal.sync_folder().map_err(AppendError::Failed)?;
    let status = file.status().map_err(failed(&named, "looked at"))?;
    journal.add(SegmentFile {
        index: header.index,
        first: header.first,
        bytes,
        number: status.number,
        header: header.chain(),
    });
    Ok(WritePosition {
        file,
        chain: header.chain(),
        last_frame: None,
        next: header.first,
        header,
        bytes,
        end: FRAMES_OFFSET,
        is_sealed: true,
    })
}

fn salt(journal: &Journal) -> Result<u32, JournalError> {
    let salt = SysRng.try_next_u32();
    salt.map_err(|error| {
        JournalError::io(&journal.folder, "given a random salt")(io::Error::other(error))
    })
}

/// A full disk is a passing condition; any other error is final.
fn full_or_failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> AppendError {
    move |error| {
        if is_full(&error) {
            AppendError::DiskFull
        } else {
            failed(path, action)(error)
        }
    }
}

/// A failed sync is final whatever the reason, because what it wrote is unknown.
fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> AppendError {
    move |error| AppendError::Failed(JournalError::io(path, action)(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_cannot_be_created_reports_the_cause() {
        let sentence = |error: AppendError| {
            let error = error.into_journal_error(Path::new("journal"), "created");
            error_line(&error)
        };
        let few = sentence(AppendError::NoDescriptors);
        assert_eq!(few, "journal: cannot be created: too many files are open");
        let full = sentence(AppendError::DiskFull);
        assert_eq!(full, "journal: cannot be created: no storage space");
        let broken = JournalError::io("file", "synced")(io::Error::other("broken"));
        let kept = sentence(AppendError::Failed(broken));
        assert_eq!(kept, "file: cannot be synced: broken");
    }
}
