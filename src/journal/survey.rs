//! Reads all segments and says what each holds and what is wrong. Changes nothing: opening, looking
//! and checking see a journal through the same eyes.

use std::io;
use std::path::Path;

use super::error::{Damage, Defect, JournalError};
use super::frame::Kind;
use super::scan::{Found, Frames};
use super::segment::{self, FRAMES, HeaderError, SECTOR, SECTOR_BYTES};
use super::vfs::{Access, Vfs, VfsFile};

/// Accepted events as one commit put them on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Number of the first event.
    pub first: u64,
    /// Events.
    pub count: u32,
    /// The events; see [`crate::core::encoding`].
    pub payload: &'a [u8],
}

/// A segment as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSurvey {
    /// Counted from 1 over the life of the store.
    pub index: u64,
    /// Number of the first event that goes into it.
    pub first: u64,
    /// Number of the event after the last one that was read.
    pub next: u64,
    /// Frames of events.
    pub frames: u64,
    /// Events in them.
    pub events: u64,
    /// Events that an earlier salvage found lost.
    pub lost: u64,
    /// Of the file.
    pub bytes: u64,
    /// Up to the last whole frame.
    pub bytes_used: u64,
    /// How it ends.
    pub state: SegmentState,
    pub(super) chain: u32,
    pub(super) is_sealed: bool,
}

/// How a segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// With a whole frame.
    Whole,
    /// With so many bytes of a write that was cut short, or damaged later: nobody can tell which.
    Torn {
        /// From its first byte to its last one that was written.
        bytes: u64,
    },
    /// With something that was acknowledged and is not what it was.
    Damaged(Damage),
}

/// A journal as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// By index.
    pub segments: Vec<SegmentSurvey>,
    /// Everything that is wrong, at most a place per segment and per gap between segments.
    pub damages: Vec<Damage>,
}

/// Reads the journal in `folder` and hands on each frame of events that is whole, in order, up to
/// the first damage of each segment.
pub fn survey(
    vfs: &dyn Vfs,
    folder: &Path,
    mut visit: impl FnMut(Frame<'_>),
) -> Result<Survey, JournalError> {
    let mut survey = Survey::default();
    let indices = indices(vfs, folder)?;
    for (position, &index) in indices.iter().enumerate() {
        let is_last = position + 1 == indices.len();
        survey.read(vfs, folder, index, is_last, &mut visit)?;
    }
    Ok(survey)
}

/// The indices of the segments in a folder, ascending; a folder that is not there has none.
pub(super) fn indices(vfs: &dyn Vfs, folder: &Path) -> Result<Vec<u64>, JournalError> {
    let names = match vfs.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(JournalError::io(folder, "listed"))?,
    };
    let mut indices: Vec<_> = names
        .iter()
        .filter_map(|name| segment::index_of(name))
        .collect();
    indices.sort_unstable();
    Ok(indices)
}

/// A segment's file, and what the two copies of its header say.
pub(super) struct Copies {
    pub(super) file: Box<dyn VfsFile>,
    /// Bytes that the file has.
    pub(super) size: u64,
    /// The one that is whole; `None` where neither is.
    pub(super) header: Option<segment::Header>,
    /// Where one is that is not.
    pub(super) bad: Option<u64>,
}

impl Copies {
    /// A file is never made shorter, so one that is was cut, or not copied to its end. Nothing else
    /// tells where the cut is between two frames.
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
) -> Result<Copies, JournalError> {
    let path = folder.join(segment::file_name(index));
    let file = vfs
        .open(&path, access)
        .map_err(JournalError::io(&path, "opened"))?;
    let size = file.size().map_err(JournalError::io(&path, "read"))?;
    let mut copies = Copies {
        file,
        size,
        header: None,
        bad: None,
    };
    for offset in [SECTOR, 0] {
        let mut sector = [0; SECTOR_BYTES];
        match copies.file.read_at(&mut sector, offset) {
            Ok(()) => {}
            // A file that was cut: the rest of it is as if it were zero.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(JournalError::io(path, "read")(error)),
        }
        match segment::Header::parse(&sector) {
            Ok(header) => copies.header = Some(header),
            Err(HeaderError::Checksum) => copies.bad = Some(offset),
            Err(HeaderError::Version(found)) => {
                return Err(JournalError::Version {
                    folder: folder.to_owned(),
                    segment: index,
                    found,
                });
            }
        }
    }
    Ok(copies)
}

impl Survey {
    /// Bytes of a torn tail and the segment that has it.
    #[must_use]
    pub fn torn(&self) -> Option<(u64, u64)> {
        self.segments.last().and_then(|last| match last.state {
            SegmentState::Torn { bytes } => Some((last.index, bytes)),
            SegmentState::Whole | SegmentState::Damaged(_) => None,
        })
    }

    fn read(
        &mut self,
        vfs: &dyn Vfs,
        folder: &Path,
        index: u64,
        is_last: bool,
        visit: &mut impl FnMut(Frame<'_>),
    ) -> Result<(), JournalError> {
        let path = folder.join(segment::file_name(index));
        let copies = open_segment(vfs, folder, index, Access::Read)?;
        let before = self.segments.last().cloned();
        if let Some(expected) = before.as_ref().map(|before| before.index + 1)
            && expected != index
        {
            self.note(expected, 0, Defect::SegmentMissing);
        }
        let bytes = copies.size;
        let mut found = SegmentSurvey {
            index,
            first: 0,
            next: 0,
            frames: 0,
            events: 0,
            lost: 0,
            bytes,
            bytes_used: FRAMES.min(bytes),
            state: SegmentState::Whole,
            chain: 0,
            is_sealed: true,
        };
        let missing_end = copies.missing_end().map(|defect| (bytes, defect));
        let bad_header = copies.bad.map(|offset| (offset, Defect::SegmentHeader));
        // A file that was cut explains all else.
        let mut defect = missing_end.or(bad_header);
        if let Some(header) = copies.header {
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
            let frames = Frames::new(&*copies.file, &header);
            let read = frames.and_then(|frames| found.read_frames(frames, visit));
            let ending = read.map_err(JournalError::io(&path, "read"))?;
            match ending {
                Found::Torn(bytes) if is_last => found.state = SegmentState::Torn { bytes },
                Found::Torn(_) => defect = defect.or(Some((found.bytes_used, Defect::Hole))),
                Found::Damaged(other) => defect = defect.or(Some((found.bytes_used, other))),
                Found::End | Found::Frame(_) => {}
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
    /// Counts the frames of this segment; gives back what stands behind the last.
    fn read_frames(
        &mut self,
        mut frames: Frames<'_>,
        visit: &mut impl FnMut(Frame<'_>),
    ) -> io::Result<Found> {
        let ending = loop {
            let header = match frames.read()? {
                Found::Frame(header) => header,
                ending => break ending,
            };
            self.is_sealed = header.kind == Kind::Seal;
            match header.kind {
                Kind::Events => {
                    self.frames += 1;
                    self.events += u64::from(header.count);
                    visit(Frame {
                        first: header.first,
                        count: header.count,
                        payload: frames.payload(),
                    });
                }
                Kind::Lost => self.lost += u64::from(header.count),
                Kind::Seal => {}
            }
        };
        self.next = frames.next;
        self.chain = frames.chain;
        self.bytes_used = frames.offset;
        Ok(ending)
    }
}
