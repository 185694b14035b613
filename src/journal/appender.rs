//! Adds frames behind the last one: one write and one sync each, and a new segment where one is
//! full. Owned by whoever writes; knows no queue and no threads but that of `ahead`.
//!
//! A full disk leaves everything as it was. Any other failure leaves open what is on disk, so
//! nothing may be written after it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rand::TryRng;
use rand::rngs::SysRng;

use super::ahead::{Ahead, SUFFIX, is_full, is_out_of_descriptors, write_zeros, zeros};
use super::error::{JournalError, Refused};
use super::frame::{self, Draft, Kind, extent};
use super::hold_journal::{Journal, Segment};
use super::segment::{self, FRAMES, RESERVE, SECTOR};
use super::vfs::VfsFile;

/// Where the next frame goes.
pub(super) struct Place {
    pub(super) file: Box<dyn VfsFile>,
    pub(super) header: segment::Header,
    /// Of the file.
    pub(super) bytes: u64,
    /// Where the next frame starts.
    pub(super) end: u64,
    /// Chain value of the last frame.
    pub(super) chain: u32,
    /// Number of the next event.
    pub(super) next: u64,
    /// Whether the last frame is a seal, or there is none.
    pub(super) is_sealed: bool,
}

/// The end of a journal; there is one for each.
pub struct Appender {
    journal: Arc<Journal>,
    place: Place,
    draft: Draft,
    ahead: Ahead,
    /// Bytes behind the end that a write left when the disk ran full.
    unclean: u64,
    full_since: Option<Instant>,
}

/// Events that are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) first: u64,
    pub(super) bytes: u64,
    pub(super) sync: Duration,
}

/// Why a frame was not added.
#[derive(Debug)]
pub(super) enum AppendError {
    /// Nothing changed.
    DiskFull,
    /// Nothing changed: a new segment was due and no file could be opened.
    NoDescriptors,
    /// What is on disk is not known.
    Failed(JournalError),
}

impl AppendError {
    /// The reason for whoever makes a journal, and so has no sender to try again later.
    pub(super) fn into_journal_error(self, path: &Path, action: &'static str) -> JournalError {
        let source = match self {
            Self::Failed(error) => return error,
            Self::DiskFull => io::ErrorKind::StorageFull.into(),
            Self::NoDescriptors => io::Error::other(Refused::NoDescriptors),
        };
        JournalError::io(path, action)(source)
    }
}

impl Appender {
    /// At the end of what is there.
    pub(super) fn at(journal: Arc<Journal>, place: Place) -> Self {
        let bytes = journal.options.segment_bytes;
        Self {
            ahead: Ahead::new(Arc::clone(&journal.vfs), &journal.folder, bytes),
            journal,
            place,
            draft: Draft::default(),
            unclean: 0,
            full_since: None,
        }
    }

    /// In a new segment of `bytes` in an empty folder.
    pub(super) fn first(journal: Arc<Journal>, bytes: u64) -> Result<Self, JournalError> {
        let header = segment::Header {
            index: 1,
            first: journal.options.first_sequence,
            salt: salt(&journal)?,
            previous: 0,
            file_bytes: Some(bytes),
        };
        let path = journal.folder.join(format!("first{SUFFIX}"));
        let file = zeros(&*journal.vfs, &path, bytes, &AtomicBool::new(false));
        let file = file.map_err(JournalError::io(&path, "made"))?;
        let place = publish(&journal, &path, file, header, bytes);
        let place = place.map_err(|error| error.into_journal_error(&path, "made"))?;
        Ok(Self::at(journal, place))
    }

    /// Begins to make the next segment.
    pub(super) fn allocate_ahead(&mut self) {
        if self.journal.options.allocates_ahead {
            self.ahead.start();
        }
    }

    /// Adds one frame of encoded events, each piece with their number; on disk when this returns.
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
        self.draft.begin();
        for (bytes, events) in pieces {
            self.draft.push(bytes);
            payload_bytes += bytes.len() as u64;
            count += events;
        }
        let written = self.make_room(extent(payload_bytes)).and_then(|()| {
            let first = self.place.next;
            let (bytes, sync) = self.write(Kind::Events, count)?;
            self.journal.advance(self.place.next - 1);
            Ok(Written { first, bytes, sync })
        });
        self.full_since = match written {
            Err(AppendError::DiskFull) => Some(Instant::now()),
            Ok(_) | Err(AppendError::Failed(_) | AppendError::NoDescriptors) => None,
        };
        written
    }

    /// Notes that `count` events are lost which have the next numbers.
    pub(super) fn append_loss(&mut self, count: u32) -> Result<(), AppendError> {
        self.draft.begin();
        self.make_room(extent(0))?;
        self.write(Kind::Lost, count)?;
        self.journal.advance(self.place.next - 1);
        Ok(())
    }

    /// Puts a seal behind the last frame: from then on, whatever happens to a sector of acknowledged
    /// events has something whole behind it and is seen. Needs no room but what each segment keeps
    /// for it.
    pub(super) fn seal(&mut self) -> Result<(), AppendError> {
        if self.place.is_sealed {
            return Ok(());
        }
        self.clean()?;
        self.draft.begin();
        self.write(Kind::Seal, 0)?;
        self.place.is_sealed = true;
        Ok(())
    }

    /// Seals what was found when the journal was opened; a full disk puts it off.
    pub(super) fn seal_unless_full(&mut self) -> Result<(), JournalError> {
        match self.seal() {
            Ok(()) | Err(AppendError::DiskFull | AppendError::NoDescriptors) => Ok(()),
            Err(AppendError::Failed(error)) => Err(error),
        }
    }

    /// Writes the drafted frame at the end and syncs it.
    fn write(&mut self, kind: Kind, count: u32) -> Result<(u64, Duration), AppendError> {
        let header = frame::Header {
            kind,
            payload_bytes: 0,
            count,
            first: self.place.next,
            previous: self.place.chain,
            body_checksum: 0,
        };
        let (bytes, chain) = self.draft.finish(header, self.place.header.salt);
        let length = bytes.len() as u64;
        if let Err(error) = self.place.file.write_at(bytes, self.place.end) {
            self.unclean = length;
            return Err(full_or_failed(&self.path(), "written")(error));
        }
        let started = Instant::now();
        let synced = self.place.file.sync();
        synced.map_err(failed(&self.path(), "synced"))?;
        let sync = started.elapsed();
        self.place.end += length;
        self.place.chain = chain;
        self.place.next += u64::from(count);
        self.place.is_sealed = false;
        Ok((length, sync))
    }

    /// Makes sure that a frame of so many bytes fits behind the end.
    fn make_room(&mut self, bytes: u64) -> Result<(), AppendError> {
        self.clean()?;
        if self.place.end + bytes + RESERVE <= self.place.bytes {
            return Ok(());
        }
        let journal = &*self.journal;
        let needed = (FRAMES + bytes + RESERVE).next_multiple_of(SECTOR);
        let salt = salt(journal).map_err(AppendError::Failed)?;
        let of_its_own = journal.folder.join(format!("large{SUFFIX}"));
        let is_large = needed > journal.options.segment_bytes;
        let (made, path, length) = if is_large {
            let never = AtomicBool::new(false);
            let made = zeros(&*journal.vfs, &of_its_own, needed, &never);
            (made, &*of_its_own, needed)
        } else {
            let made = self.ahead.take();
            (made, self.ahead.path(), journal.options.segment_bytes)
        };
        let file = made.map_err(|error| {
            if is_out_of_descriptors(&error) {
                return AppendError::NoDescriptors;
            }
            full_or_failed(path, "made")(error)
        })?;
        let header = segment::Header {
            index: self.place.header.index + 1,
            first: self.place.next,
            salt,
            previous: self.place.chain,
            file_bytes: Some(length),
        };
        self.place = publish(journal, path, file, header, length)?;
        self.allocate_ahead();
        Ok(())
    }

    /// Clears what a write left behind the end when the disk ran full.
    fn clean(&mut self) -> Result<(), AppendError> {
        if self.unclean > 0 {
            let file = &*self.place.file;
            let never = AtomicBool::new(false);
            let cleared = write_zeros(file, self.place.end, self.unclean, &never);
            cleared.map_err(full_or_failed(&self.path(), "cleared"))?;
            file.sync().map_err(failed(&self.path(), "synced"))?;
            self.unclean = 0;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        let name = segment::file_name(self.place.header.index);
        self.journal.folder.join(name)
    }
}

/// Gives a prepared file its header and its name, and adds it to the journal.
fn publish(
    journal: &Journal,
    path: &Path,
    file: Box<dyn VfsFile>,
    header: segment::Header,
    bytes: u64,
) -> Result<Place, AppendError> {
    // The header is on disk before the name is: a segment without a header is damage.
    let written = file.write_at(&header.bytes(), 0);
    written.map_err(full_or_failed(path, "written"))?;
    file.sync().map_err(failed(path, "synced"))?;
    let named = journal.folder.join(segment::file_name(header.index));
    let renamed = journal.vfs.rename(path, &named);
    renamed.map_err(full_or_failed(&named, "made"))?;
    journal.sync_folder().map_err(AppendError::Failed)?;
    journal.add(Segment {
        index: header.index,
        first: header.first,
        bytes,
    });
    Ok(Place {
        file,
        chain: header.chain(),
        next: header.first,
        header,
        bytes,
        end: FRAMES,
        is_sealed: true,
    })
}

fn salt(journal: &Journal) -> Result<u32, JournalError> {
    let salt = SysRng.try_next_u32();
    salt.map_err(|error| JournalError::io(&journal.folder, "salted")(io::Error::other(error)))
}

/// Room on the disk, or what this user may use of it, may come back; all else is final.
fn full_or_failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> AppendError {
    move |error| {
        if is_full(&error) {
            AppendError::DiskFull
        } else {
            failed(path, action)(error)
        }
    }
}

/// A sync that failed is final whatever the reason: what it left out is not known.
fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> AppendError {
    move |error| AppendError::Failed(JournalError::io(path, action)(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_line::error_line;

    #[test]
    fn a_journal_that_cannot_be_made_says_what_was_missing() {
        let sentence = |error: AppendError| {
            let error = error.into_journal_error(Path::new("journal"), "made");
            error_line(&error)
        };
        let few = sentence(AppendError::NoDescriptors);
        assert_eq!(few, "journal: cannot be made: too many files are open");
        let full = sentence(AppendError::DiskFull);
        assert_eq!(full, "journal: cannot be made: no storage space");
        let broken = JournalError::io("file", "synced")(io::Error::other("broken"));
        let kept = sentence(AppendError::Failed(broken));
        assert_eq!(kept, "file: cannot be synced: broken");
    }
}
