//! Reads all segments and reports what each contains and what is damaged. Changes nothing; opening,
//! `journal inspect` and `journal verify` all use it.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{Damage, Defect, JournalError};
use super::folder::segment_indices;
use super::frame::FrameKind;
use super::identity::{Identity, path_beside, read_identity};
use super::layout::{SECTOR, SECTOR_BYTES};
use super::scan::{FrameScanner, Scanned};
use super::segment::{self, FRAMES_OFFSET, HeaderError, SegmentHeader};
use super::vfs::{Access, FileNumber, FileStatus, Vfs, VfsFile};
use crate::core::StoreId;

/// A frame of accepted events, written by one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFrame<'a> {
    /// Number of the first event.
    pub first: u64,
    /// Number of events.
    pub count: u32,
    /// The events, encoded; see [`crate::core::encoding`].
    pub payload: &'a [u8],
}

/// What a segment contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentSurvey {
    /// Counted from 1 over the life of the store.
    pub index: u64,
    /// Number of its first event.
    pub first: u64,
    /// Number of the event after the last one that was read.
    pub next: u64,
    /// Number of frames that contain events.
    pub frames: u64,
    /// Number of events in them.
    pub events: u64,
    /// Number of events that an earlier salvage noted as lost.
    pub lost: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Bytes up to the end of the last valid frame.
    pub bytes_used: u64,
    /// How it ends.
    pub state: SegmentState,
    pub(super) chain: u32,
    pub(super) is_sealed: bool,
    pub(super) number: Option<FileNumber>,
    /// Checksum of its header.
    pub(super) header: u32,
    /// Offset of the last frame.
    pub(super) last_frame: Option<u64>,
}

/// How a segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SegmentState {
    /// With a valid frame.
    Whole,
    /// With a write that was not finished, or was damaged later: the two cannot be distinguished.
    Torn {
        /// Bytes up to the last one written.
        bytes: u64,
    },
    /// With damage to acknowledged data.
    Damaged(Damage),
}

/// What a journal contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Which store it is, and how far the journal reached; stores of older versions have no such file.
    pub identity: Option<Identity>,
    /// By index.
    pub segments: Vec<SegmentSurvey>,
    /// All damage found, at most one per segment and per gap between segments.
    pub damages: Vec<Damage>,
    /// The store that identity and segments name.
    named: Option<StoreId>,
}

/// Reads the journal in `folder`, each segment up to the first damage in it.
pub(crate) fn survey(vfs: &dyn Vfs, folder: &Path) -> Result<Survey, JournalError> {
    let identity = read_identity(vfs, folder)?;
    let mut survey = Survey {
        identity,
        // Before all of it is read, which takes long.
        named: named_store(vfs, folder, identity, &[])?,
        ..Survey::default()
    };
    survey.check_store(folder, &[])?;
    let indices = segment_indices(vfs, folder)?;
    for (position, &index) in indices.iter().enumerate() {
        let is_last = position + 1 == indices.len();
        survey.read(vfs, folder, index, is_last)?;
    }
    survey.check_reach();
    Ok(survey)
}

/// An open segment whose header was read.
pub(super) struct OpenedSegment {
    pub(super) file: Box<dyn VfsFile>,
    /// Size of the file.
    pub(super) size: u64,
    pub(super) number: Option<FileNumber>,
    /// A valid copy of the header; `None` if both copies are damaged.
    pub(super) header: Option<SegmentHeader>,
    /// Offset of a damaged copy of the header.
    pub(super) damaged_copy: Option<u64>,
}

impl OpenedSegment {
    /// The defect of a file that was truncated, or not copied completely. The size is the only sign
    /// of a cut between two frames, because the writer never shortens a file.
    pub(super) fn missing_end(&self) -> Option<Defect> {
        let expected = self.header?.file_bytes?;
        let found = self.size;
        (found < expected).then_some(Defect::SegmentLength { found, expected })
    }
}

/// Opens a segment and reads its header.
pub(super) fn open_segment(
    vfs: &dyn Vfs,
    folder: &Path,
    index: u64,
    access: Access,
) -> Result<OpenedSegment, JournalError> {
    let path = folder.join(segment::file_name(index));
    let file = vfs
        .open(&path, access)
        .map_err(JournalError::io(&path, "opened"))?;
    let status = file.status().map_err(JournalError::io(&path, "read"))?;
    let FileStatus {
        bytes: size,
        number,
        ..
    } = status;
    let mut opened = OpenedSegment {
        file,
        size,
        number,
        header: None,
        damaged_copy: None,
    };
    for offset in [SECTOR, 0] {
        let mut sector = [0; SECTOR_BYTES];
        let parsed = match opened.file.read_at(&mut sector, offset) {
            Ok(()) => SegmentHeader::parse(&sector),
            // The file is too short, which also counts as damage if each missing byte was zero.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(HeaderError::Checksum)
            }
            Err(error) => return Err(JournalError::io(path, "read")(error)),
        };
        match parsed {
            Ok(header) => opened.header = Some(header),
            Err(HeaderError::Checksum) => opened.damaged_copy = Some(offset),
            Err(HeaderError::Version(found)) => {
                return Err(JournalError::Version {
                    folder: folder.to_owned(),
                    segment: index,
                    found,
                });
            }
        }
    }
    Ok(opened)
}

/// The store that the files of a folder name; `None` if none does. Fails if they name different ones.
pub(super) fn named_store(
    vfs: &dyn Vfs,
    folder: &Path,
    identity: Option<Identity>,
    siblings: &[(PathBuf, StoreId)],
) -> Result<Option<StoreId>, JournalError> {
    let mut named: Vec<_> = identity
        .map(|identity| (path_beside(folder), identity.store))
        .into_iter()
        .collect();
    for index in segment_indices(vfs, folder)? {
        let opened = open_segment(vfs, folder, index, Access::Read)?;
        let store = opened.header.and_then(|header| header.store);
        named.extend(store.map(|store| (folder.join(segment::file_name(index)), store)));
    }
    named.extend_from_slice(siblings);
    one_store(named)
}

/// The store that files name; `None` if there are none. Fails if they name different ones.
fn one_store(named: Vec<(PathBuf, StoreId)>) -> Result<Option<StoreId>, JournalError> {
    let expected = named.first().map(|(_, store)| *store);
    let other = named
        .into_iter()
        .find(|(_, store)| Some(*store) != expected);
    match (expected, other) {
        (Some(expected), Some((path, found))) => Err(JournalError::OtherStore {
            path,
            found,
            expected,
        }),
        (expected, _) => Ok(expected),
    }
}

impl Survey {
    /// The segment with an unfinished write, and the bytes of that write.
    #[must_use]
    pub(crate) fn torn(&self) -> Option<(u64, u64)> {
        self.segments.last().and_then(|last| match last.state {
            SegmentState::Torn { bytes } => Some((last.index, bytes)),
            SegmentState::Whole | SegmentState::Damaged(_) => None,
        })
    }

    /// The store that the files name.
    pub(crate) const fn store(&self) -> Option<StoreId> {
        self.named
    }

    /// Fails if segments, identity or `siblings` name different stores, or if there is no identity although
    /// another file names the store.
    pub(crate) fn check_store(
        &self,
        folder: &Path,
        siblings: &[(PathBuf, StoreId)],
    ) -> Result<(), JournalError> {
        let here = self.named.map(|store| (folder.to_owned(), store));
        let named = here.into_iter().chain(siblings.iter().cloned());
        match (one_store(named.collect())?, self.identity) {
            (Some(store), None) => Err(JournalError::IdentityMissing {
                path: path_beside(folder),
                store,
            }),
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Compares where the journal ends with how far it had reached.
    fn check_reach(&mut self) {
        let Some(Identity { reach, .. }) = self.identity else {
            return;
        };
        let reached = reach.next.saturating_sub(1);
        let last = self.segments.last();
        let index = last.map_or(0, |last| last.index);
        if index < reach.segment {
            let missing = if index == 0 { reach.segment } else { index + 1 };
            self.note(missing, 0, Defect::NewestMissing { reached });
        } else if let Some(last) = last
            && last.next < reach.next
            && !matches!(last.state, SegmentState::Damaged(_))
        {
            let found = last.next.saturating_sub(1);
            let (index, offset) = (last.index, last.bytes_used);
            self.note(index, offset, Defect::EndMissing { found, reached });
        }
    }

    fn read(
        &mut self,
        vfs: &dyn Vfs,
        folder: &Path,
        index: u64,
        is_last: bool,
    ) -> Result<(), JournalError> {
        let path = folder.join(segment::file_name(index));
        let opened = open_segment(vfs, folder, index, Access::Read)?;
        let before = self.segments.last().cloned();
        if let Some(expected) = before.as_ref().map(|before| before.index + 1)
            && expected != index
        {
            self.note(expected, 0, Defect::SegmentMissing);
        }
        let bytes = opened.size;
        let mut found = SegmentSurvey {
            index,
            first: 0,
            next: 0,
            frames: 0,
            events: 0,
            lost: 0,
            bytes,
            bytes_used: FRAMES_OFFSET.min(bytes),
            state: SegmentState::Whole,
            chain: 0,
            is_sealed: true,
            number: opened.number,
            header: opened.header.map_or(0, |header| header.chain()),
            last_frame: None,
        };
        let missing_end = opened.missing_end().map(|defect| (bytes, defect));
        let bad_header = opened
            .damaged_copy
            .map(|offset| (offset, Defect::SegmentHeader));
        // A truncated file is the cause of any other defect.
        let mut defect = missing_end.or(bad_header);
        if let Some(header) = opened.header {
            found.first = header.first;
            let follows = before.as_ref().is_none_or(|before| {
                before.index + 1 != index
                    || before.state != SegmentState::Whole
                    || (before.chain, before.next) == (header.previous, header.first)
            });
            if header.index != index {
                defect = defect.or(Some((
                    0,
                    Defect::SegmentIndex {
                        found: header.index,
                    },
                )));
            } else if !follows {
                defect = defect.or(Some((0, Defect::SegmentChain)));
            }
            let scanner = FrameScanner::new(&*opened.file, &header);
            let read = scanner.and_then(|scanner| found.read_frames(scanner));
            let ending = read.map_err(JournalError::io(&path, "read"))?;
            match ending {
                Scanned::Torn(bytes) if is_last => found.state = SegmentState::Torn { bytes },
                Scanned::Torn(_) => defect = defect.or(Some((found.bytes_used, Defect::Hole))),
                Scanned::Damaged(other) => defect = defect.or(Some((found.bytes_used, other))),
                Scanned::End | Scanned::Frame(_) => {}
            }
        }
        if let Some((offset, defect)) = defect {
            self.note(index, offset, defect.clone());
            found.state = SegmentState::Damaged(Damage {
                segment: index,
                offset,
                defect,
            });
        }
        self.segments.push(found);
        Ok(())
    }

    fn note(&mut self, segment: u64, offset: u64, defect: Defect) {
        self.damages.push(Damage {
            segment,
            offset,
            defect,
        });
    }
}

impl SegmentSurvey {
    /// Counts the frames of this segment; returns what follows the last one.
    fn read_frames(&mut self, mut scanner: FrameScanner<'_>) -> io::Result<Scanned> {
        let ending = loop {
            let offset = scanner.offset;
            let header = match scanner.read()? {
                Scanned::Frame(header) => header,
                ending => break ending,
            };
            self.last_frame = Some(offset);
            self.is_sealed = header.kind == FrameKind::Seal;
            match header.kind {
                FrameKind::Events => {
                    self.frames += 1;
                    self.events += u64::from(header.count);
                }
                FrameKind::Lost => self.lost += u64::from(header.count),
                FrameKind::Seal => {}
            }
        };
        self.next = scanner.next;
        self.chain = scanner.chain;
        self.bytes_used = scanner.offset;
        Ok(ending)
    }
}
