//! The file `identity` beside the folder of a journal: which store it is, and how far the journal reached.
//!
//! The knowledge that a segment exists is here too, because a segment that is missing takes its own header
//! with it. Two copies are written in turn, in different blocks of the disk, so that an interrupted write
//! leaves the other one. `docs/journal-format.md` specifies the bytes.

use std::io;
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;

use super::error::JournalError;
use super::folder::{damaged_path, parent_of};
use super::layout::{SECTOR_BYTES, u32_at, u64_at};
use super::segment::UNFINISHED_SUFFIX;
use super::vfs::{Access, Vfs, VfsFile};
use super::watch::check_place;
use crate::core::StoreId;

/// The name of the file, in the data folder.
pub(super) const IDENTITY_FILE: &str = "identity";
/// The only format version.
pub(super) const IDENTITY_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"holdstor";
/// Offset of the second copy: a disk that loses a whole block of this size loses only one.
const COPY_OFFSET: u64 = 4_096;
const CHECKSUM_OFFSET: usize = SECTOR_BYTES - 4;

/// How far a journal reached, at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The newest segment that exists; 0 before the first one.
    pub(crate) segment: u64,
    /// Every event before this number was on disk.
    pub(crate) next: u64,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The store.
    pub(crate) store: StoreId,
    /// Recorded with each new segment, and from time to time.
    pub(crate) reach: Reach,
    /// Counts the writes of the file; the higher copy is valid.
    generation: u64,
    /// Whether only one copy can be read.
    pub(crate) has_damaged_copy: bool,
}

/// The open file.
pub(super) struct IdentityFile {
    path: PathBuf,
    file: Box<dyn VfsFile>,
    pub(super) known: Identity,
}

/// Reads the file beside the journal in `folder`; `None` if it does not exist.
pub(super) fn read_identity(
    vfs: &dyn Vfs,
    folder: &Path,
) -> Result<Option<Identity>, JournalError> {
    let path = path_beside(folder);
    let file = match vfs.open(&path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(JournalError::io(&path, "opened"))?,
    };
    parse_copies(&*file, &path).map(Some)
}

/// Whether there is such a file, whatever is in it.
pub(super) fn has_identity(vfs: &dyn Vfs, folder: &Path) -> Result<bool, JournalError> {
    let path = path_beside(folder);
    match vfs.status(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found
            .map(|_| true)
            .map_err(JournalError::io(&path, "looked at")),
    }
}

/// The store that the file beside the journal in `folder` names; `None` if there is no such file.
pub(crate) fn named_beside(
    vfs: &dyn Vfs,
    folder: &Path,
) -> Result<Option<(PathBuf, StoreId)>, JournalError> {
    let identity = read_identity(vfs, folder)?;
    Ok(identity.map(|identity| (path_beside(folder), identity.store)))
}

/// The identity of a new journal: that of the store which it is a part of, or a random one.
pub(super) fn new_store(folder: &Path, part_of: Option<StoreId>) -> Result<StoreId, JournalError> {
    part_of.map_or_else(|| random_store(folder), Ok)
}

/// A random identity for a new store.
pub(crate) fn random_store(folder: &Path) -> Result<StoreId, JournalError> {
    let mut bytes = [0; 16];
    loop {
        let filled = SysRng.try_fill_bytes(&mut bytes);
        filled.map_err(|error| {
            JournalError::io(folder, "given a random identity")(io::Error::other(error))
        })?;
        if let Some(store) = StoreId::from_bytes(bytes) {
            return Ok(store);
        }
    }
}

/// Moves a file that cannot be read aside, under a name that no file has.
pub(super) fn set_aside(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    let path = path_beside(folder);
    let moved = vfs.rename(&path, &damaged_path(vfs, &path)?);
    moved.map_err(JournalError::io(path, "renamed"))
}

impl IdentityFile {
    /// Creates the file beside the journal in `folder`, durably.
    pub(super) fn create(
        vfs: &dyn Vfs,
        folder: &Path,
        store: StoreId,
        reach: Reach,
    ) -> Result<Self, JournalError> {
        let path = path_beside(folder);
        let known = Identity {
            store,
            reach,
            generation: 0,
            has_damaged_copy: false,
        };
        let unfinished = parent_of(folder).join(format!("{IDENTITY_FILE}{UNFINISHED_SUFFIX}"));
        let created = vfs.create(&unfinished).and_then(|file| {
            file.write_at(&known.bytes(), 0)?;
            file.write_at(&known.bytes(), COPY_OFFSET)?;
            file.sync()?;
            vfs.rename(&unfinished, &path)?;
            vfs.sync_folder(parent_of(folder))?;
            Ok(file)
        });
        let file = created.map_err(JournalError::io(&path, "created"))?;
        Ok(Self { path, file, known })
    }

    /// Opens the file for writing.
    pub(super) fn open(vfs: &dyn Vfs, folder: &Path) -> Result<Self, JournalError> {
        let path = path_beside(folder);
        let file = vfs.open(&path, Access::Write);
        let file = file.map_err(JournalError::io(&path, "opened"))?;
        let known = parse_copies(&*file, &path)?;
        Ok(Self { path, file, known })
    }

    /// Records that the journal reached so far, durably, unless that is known. The record never goes back.
    pub(super) fn record(&mut self, reach: Reach) -> Result<(), RecordError> {
        let known = self.known.reach;
        let reach = Reach {
            segment: known.segment.max(reach.segment),
            next: known.next.max(reach.next),
        };
        if reach == known && !self.known.has_damaged_copy {
            return Ok(());
        }
        let next = Identity {
            reach,
            generation: self.known.generation + 1,
            has_damaged_copy: false,
            ..self.known
        };
        let offset = if next.generation.is_multiple_of(2) {
            0
        } else {
            COPY_OFFSET
        };
        self.file
            .write_at(&next.bytes(), offset)
            .map_err(RecordError::Write)?;
        self.file.sync().map_err(RecordError::Sync)?;
        self.known = next;
        Ok(())
    }

    /// Fails if the file was removed, replaced or cut.
    pub(super) fn check_place(&self, vfs: &dyn Vfs) -> Result<(), JournalError> {
        let opened = self.file.status();
        let opened = opened.map_err(JournalError::io(&self.path, "looked at"))?;
        check_place(vfs, &self.path, &opened, COPY_OFFSET + SECTOR_BYTES as u64)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Why a reach was not recorded.
#[derive(Debug)]
pub(super) enum RecordError {
    /// Nothing changed on disk that a start would believe.
    Write(io::Error),
    /// What is on disk is unknown.
    Sync(io::Error),
}

impl Identity {
    fn bytes(&self) -> [u8; SECTOR_BYTES] {
        let mut bytes = [0; SECTOR_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&IDENTITY_VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.store.bytes());
        bytes[32..40].copy_from_slice(&self.generation.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.reach.segment.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.reach.next.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_OFFSET]);
        bytes[CHECKSUM_OFFSET..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Parses one copy; `Err` is the number of a version that this program does not know.
    fn parse(bytes: &[u8; SECTOR_BYTES]) -> Result<Option<Self>, u32> {
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_OFFSET]);
        if bytes[..8] != MAGIC || checksum != u32_at(bytes, CHECKSUM_OFFSET) {
            return Ok(None);
        }
        let version = u32_at(bytes, 8);
        if version != IDENTITY_VERSION {
            return Err(version);
        }
        let store = bytes[16..].first_chunk().copied();
        let store = store.and_then(StoreId::from_bytes);
        Ok(store.map(|store| Self {
            store,
            generation: u64_at(bytes, 32),
            reach: Reach {
                segment: u64_at(bytes, 40),
                next: u64_at(bytes, 48),
            },
            has_damaged_copy: false,
        }))
    }
}

fn parse_copies(file: &dyn VfsFile, path: &Path) -> Result<Identity, JournalError> {
    let mut valid = Vec::new();
    for offset in [0, COPY_OFFSET] {
        let mut sector = [0; SECTOR_BYTES];
        match file.read_at(&mut sector, offset) {
            Ok(()) => {}
            // The file is too short; what is missing counts as zero.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(JournalError::io(path, "read")(error)),
        }
        let parsed = Identity::parse(&sector);
        valid.extend(parsed.map_err(|found| JournalError::IdentityVersion {
            path: path.to_owned(),
            found,
        })?);
    }
    let has_damaged_copy = valid.len() < 2;
    let newest = valid.into_iter().max_by_key(|copy| copy.generation);
    newest
        .map(|copy| Identity {
            has_damaged_copy,
            ..copy
        })
        .ok_or_else(|| JournalError::IdentityDamaged {
            path: path.to_owned(),
        })
}

/// The path of the file that belongs to the journal in `folder`.
pub(super) fn path_beside(folder: &Path) -> PathBuf {
    parent_of(folder).join(IDENTITY_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_copy_is_detected() {
        let known = Identity {
            store: StoreId::from_bytes([9; 16]).unwrap(),
            reach: Reach {
                segment: 3,
                next: 70,
            },
            generation: 5,
            has_damaged_copy: false,
        };
        let bytes = known.bytes();
        assert_eq!(Identity::parse(&bytes), Ok(Some(known)));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Identity::parse(&flipped), Ok(None), "{bit}");
        }
    }
}
