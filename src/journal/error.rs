//! What can be wrong with a journal, and why events are not taken.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::segment;

/// What is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// A copy of a segment's header was changed after it was written.
    #[error("the segment's header was changed after it was written")]
    SegmentHeader,
    /// A segment's header contradicts its file's name.
    #[error("the header is that of segment {found}")]
    SegmentIndex {
        /// What the header says.
        found: u64,
    },
    /// A segment's file is shorter than it was made.
    #[error("the file has {found} bytes, and its header says {expected}")]
    SegmentLength {
        /// Bytes that it has.
        found: u64,
        /// Bytes that it was made with.
        expected: u64,
    },
    /// A segment does not go on where the one before it ends.
    #[error("it does not continue the segment before it")]
    SegmentChain,
    /// A segment between others is not there, or the first ones are not.
    #[error("the segment is missing")]
    SegmentMissing,
    /// The header of a frame was changed after it was written.
    #[error("the frame's header was changed after it was written")]
    Header,
    /// A frame does not continue the frame before it.
    #[error("the frame does not continue the one before it")]
    Chain,
    /// A frame's first event has the wrong number.
    #[error("the frame begins with event {found}, expected {expected}")]
    Sequence {
        /// What the frame says.
        found: u64,
        /// One more than the last event before.
        expected: u64,
    },
    /// A frame is longer than its segment.
    #[error("the frame's {bytes} bytes go beyond the end of the segment")]
    Length {
        /// Of the frame.
        bytes: u64,
    },
    /// The body of a frame was changed after it was written.
    #[error("the frame's checksum is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// Of what is there.
        found: u32,
        /// Of what was written.
        expected: u32,
    },
    /// Sectors are empty that were written, for there is something behind them.
    #[error("what was written here is gone")]
    Hole,
}

/// A defect and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment {segment}, byte {offset}: {defect}")]
pub struct Damage {
    /// Index of the segment.
    pub segment: u64,
    /// Where in its file.
    pub offset: u64,
    /// What is wrong there.
    pub defect: Defect,
}

/// Why a journal cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refuses.
    #[error("{}: cannot be {action}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// What was acknowledged is not there as it was written.
    #[error(
        "{}: the journal is damaged ({damage}): `main_holdmetrics journal salvage`, or a start with \
         `serve --salvage`, keeps what is readable and says what is lost; nothing was changed",
        folder.join(segment::file_name(damage.segment)).display()
    )]
    Damaged {
        /// Of the journal.
        folder: PathBuf,
        /// The first place.
        damage: Damage,
    },
    /// It was written by a later version of this program.
    #[error(
        "{}: segment {segment} has format version {found}, and this program reads version 1: use \
         the version of main_holdmetrics that wrote it",
        folder.display()
    )]
    Version {
        /// Of the journal.
        folder: PathBuf,
        /// Its index.
        segment: u64,
        /// Its version.
        found: u32,
    },
    /// A salvage copies what is readable, and there is no room for the copy.
    #[error(
        "{}: there is no room on the disk for a whole copy of the journal: make {bytes} bytes free \
         and try again; it is as it was",
        folder.display()
    )]
    NoRoom {
        /// Of the journal.
        folder: PathBuf,
        /// At most so many are needed.
        bytes: u64,
    },
    /// A folder is wanted.
    #[error("{}: is a file, and the store needs a folder: name another one", folder.display())]
    NotAFolder {
        /// What is no folder.
        folder: PathBuf,
    },
    /// Another process works there.
    #[error("{}: in use by {holder}: stop it first, or choose another folder", folder.display())]
    Locked {
        /// What is locked.
        folder: PathBuf,
        /// What the other process says of itself.
        holder: String,
    },
}

impl JournalError {
    /// Names what could not be done.
    pub(super) fn io(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }
}

/// Why events were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No room on the disk. Nothing was taken and no number used; later events may pass.
    #[error("the disk is full")]
    DiskFull,
    /// A new segment was due and too many files are open. Nothing was taken and no number used;
    /// later events may pass.
    #[error("too many files are open")]
    NoDescriptors,
    /// A write or a sync failed, and what is on disk is known only after a new start.
    #[error("{0}")]
    Poisoned(Arc<str>),
    /// More bytes wait than may.
    #[error("the queue is full")]
    QueueFull,
    /// The writer takes nothing more.
    #[error("the journal is closed")]
    Closed,
}
