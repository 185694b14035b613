//! What can be damaged in a journal, why a journal cannot be used, and why events are not written.
//!
//! The texts name the file and the cure. The cause is the `source` of an error and not part of its text.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity::IDENTITY_VERSION;
use super::segment;
use super::watch::Change;
use crate::core::StoreId;

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// A copy of the header of a segment has the wrong checksum.
    #[error("the segment header was changed after it was written")]
    SegmentHeader,
    /// The header of a segment does not match its file name.
    #[error("the header is that of segment {found}")]
    SegmentIndex {
        /// The index in the header.
        found: u64,
    },
    /// The file of a segment is shorter than it was created.
    #[error("the file has {found} bytes, its header says {expected}")]
    SegmentLength {
        /// Size of the file.
        found: u64,
        /// Size according to the header.
        expected: u64,
    },
    /// A segment does not continue where the one before it ends.
    #[error("the segment does not continue the one before it")]
    SegmentChain,
    /// A segment is missing between two others, or at the beginning.
    #[error("the segment is missing")]
    SegmentMissing,
    /// The newest segments are missing: the identity of the store knows of them.
    #[error("the segment is missing, and the journal had reached event {reached}")]
    NewestMissing {
        /// The last event that was on disk, at least.
        reached: u64,
    },
    /// The last segment ends before an event that was on disk.
    #[error("the journal ends with event {found}, and had reached event {reached}")]
    EndMissing {
        /// The last event that is there.
        found: u64,
        /// The last event that was on disk, at least.
        reached: u64,
    },
    /// The header of a frame has the wrong checksum.
    #[error("the frame header was changed after it was written")]
    Header,
    /// A frame does not continue the one before it.
    #[error("the frame does not continue the one before it")]
    Chain,
    /// The number of a frame's first event is wrong.
    #[error("the frame begins with event {found}, expected {expected}")]
    Sequence {
        /// The number in the frame.
        found: u64,
        /// The number after the last event of the frame before.
        expected: u64,
    },
    /// A frame is longer than the rest of its segment.
    #[error("the {bytes} bytes of the frame exceed the segment")]
    Length {
        /// Size of the frame.
        bytes: u64,
    },
    /// The payload of a frame has the wrong checksum.
    #[error("the frame's checksum is {found:#010x}, expected {expected:#010x}")]
    Checksum {
        /// Checksum of the bytes in the file.
        found: u32,
        /// Checksum in the header.
        expected: u32,
    },
    /// Written sectors are zero, although there are frames after them.
    #[error("the data written here is gone")]
    Hole,
}

/// A defect and its position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment {segment}, byte {offset}: {defect}")]
pub struct Damage {
    /// Index of the segment.
    pub segment: u64,
    /// Offset in its file.
    pub offset: u64,
    /// What is damaged.
    pub defect: Defect,
}

impl Damage {
    /// The file that is damaged.
    pub(crate) fn path_in(&self, folder: &Path) -> PathBuf {
        folder.join(segment::file_name(self.segment))
    }
}

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system reported an error.
    #[error("{}: cannot be {action}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The failed operation, as a past participle.
        action: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Acknowledged data is not as it was written.
    #[error(
        "{}: the journal is damaged ({damage}): `main_holdmetrics journal salvage`, or a start with \
         `serve --salvage`, keeps what is readable and reports what is lost; nothing was changed",
        damage.path_in(folder).display()
    )]
    Damaged {
        /// The folder of the journal.
        folder: PathBuf,
        /// The first damage.
        damage: Damage,
    },
    /// A file of the store is not the one that this process uses.
    #[error("{}: the file {change} while the service used it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        change: Change,
    },
    /// A later version of this program wrote the journal.
    #[error(
        "{}: segment {segment} has format version {found}, and this program reads versions up to {}: use \
         the version of main_holdmetrics that wrote it",
        folder.display(),
        segment::VERSION
    )]
    Version {
        /// The folder of the journal.
        folder: PathBuf,
        /// Index of the segment.
        segment: u64,
        /// Its format version.
        found: u32,
    },
    /// A file belongs to another store than the others.
    #[error(
        "{}: belongs to store {found}, and the folder to store {expected}: files of two stores are mixed; \
         restore all files of the folder from one backup; nothing was changed",
        path.display()
    )]
    OtherStore {
        /// The file.
        path: PathBuf,
        /// The store that it names.
        found: StoreId,
        /// The store that the others name.
        expected: StoreId,
    },
    /// The file of the store's identity is missing, although others name the store.
    #[error(
        "{}: the file is missing, and the others belong to store {store}: restore it with them, or start once \
         with `serve --salvage`, which makes it anew without knowing how far the journal had reached; nothing \
         was changed",
        path.display()
    )]
    IdentityMissing {
        /// The file.
        path: PathBuf,
        /// The store that others name.
        store: StoreId,
    },
    /// No copy of the store's identity is as it was written.
    #[error(
        "{}: the identity of the store was changed after it was written: restore the file, or start once with \
         `serve --salvage`, which makes it anew without knowing how far the journal had reached; nothing was \
         changed",
        path.display()
    )]
    IdentityDamaged {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote the file of the store's identity.
    #[error(
        "{}: the file has format version {found}, and this program reads version {}: use the version of \
         main_holdmetrics that wrote it",
        path.display(),
        IDENTITY_VERSION
    )]
    IdentityVersion {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
    },
    /// The copy that a salvage writes does not fit on the disk.
    #[error(
        "{}: the disk has no space for a copy of the journal: free {bytes} bytes and try again; \
         nothing was changed",
        folder.display()
    )]
    NoSpace {
        /// The folder of the journal.
        folder: PathBuf,
        /// Needed at most.
        bytes: u64,
    },
    /// The path is a file.
    #[error("{}: is a file, and the store needs a folder: choose another path", folder.display())]
    NotAFolder {
        /// The path.
        folder: PathBuf,
    },
    /// Another process has locked the folder.
    #[error("{}: in use by {holder}: stop it first, or choose another folder", folder.display())]
    Locked {
        /// The locked folder.
        folder: PathBuf,
        /// What the other process wrote into the lock file.
        holder: String,
    },
}

impl JournalError {
    /// Adds the path and the failed operation to an error of the operating system.
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

    /// Whether a salvage is a way on.
    pub(crate) const fn is_salvageable(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. } | Self::IdentityMissing { .. } | Self::IdentityDamaged { .. }
        )
    }

    /// The journal in `folder` is damaged.
    pub(super) fn damaged(folder: &Path, damage: Damage) -> Self {
        Self::Damaged {
            folder: folder.to_owned(),
            damage,
        }
    }
}

/// Why events were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The disk is full. Nothing was written and no number was assigned; later events may succeed.
    #[error("the disk is full")]
    DiskFull,
    /// A new segment was needed and too many files are open. Nothing was written and no number was
    /// assigned; later events may succeed.
    #[error("too many files are open")]
    NoDescriptors,
    /// A write or a sync failed, and what is on disk is unknown until the journal is opened again.
    #[error("{0}")]
    Poisoned(Arc<str>),
    /// The writer accepts nothing more.
    #[error("the journal is closed")]
    Closed,
}
