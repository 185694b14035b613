//! The journal of a folder: opened, read from any event on, shortened from the front.
//!
//! Only `appender` adds to it, and `writer` decides when. All of it is read and checked when it is
//! opened, so that damage is named before anything is answered.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ahead::{self, write_zeros};
use super::appender::{Appender, Place};
use super::error::{Damage, Defect, JournalError};
use super::frame::Kind;
use super::options::JournalOptions;
use super::salvage;
use super::scan::{Found, Frames};
use super::segment::{self, FRAMES};
use super::survey::{Frame, SegmentState, Survey, indices, open_segment, survey};
use super::vfs::{Access, Vfs, VfsFolder};

/// The first segment of a new store is small, so that it is there at once.
const FIRST_BYTES: u64 = 1 << 20;

/// Frames on disk, shared by who reads them.
pub struct Journal {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) folder: PathBuf,
    pub(super) options: JournalOptions,
    /// The folder, kept open: a sync of it must not fail because too many files are.
    names: Box<dyn VfsFolder>,
    segments: Mutex<VecDeque<Segment>>,
    /// Number of the last event that is durable.
    last: AtomicU64,
    /// One thread at a time removes segments.
    removal: Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) index: u64,
    pub(super) first: u64,
    pub(super) bytes: u64,
}

/// A journal, its end, and what was found.
pub struct Opened {
    /// For reading.
    pub journal: Arc<Journal>,
    /// For writing; there is one.
    pub appender: Appender,
    /// What was found.
    pub recovered: Recovered,
}

/// What opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Files.
    pub segments: u64,
    /// Frames of events.
    pub frames: u64,
    /// Events in them.
    pub events: u64,
    /// A write that was cut short: the segment, and how many bytes were cut off.
    pub torn: Option<(u64, u64)>,
    /// Whether it was closed in order.
    pub was_closed: bool,
}

/// How large a journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Files.
    pub segments: u64,
    /// Of all files.
    pub bytes: u64,
    /// Number of the oldest event that is still there, or of the next one where there is none.
    pub first_sequence: u64,
    /// Number of the last durable event; `first_sequence - 1` where there is none.
    pub last_sequence: u64,
}

impl Journal {
    /// Opens the journal in `folder`, or makes an empty one; cuts what was never acknowledged and
    /// refuses where something is damaged that was. Who calls this holds the lock of the folder.
    pub fn open(
        vfs: Arc<dyn Vfs>,
        folder: &Path,
        options: JournalOptions,
    ) -> Result<Opened, JournalError> {
        salvage::complete(&*vfs, folder)?;
        make_folder(&*vfs, folder)?;
        remove_leftovers(&*vfs, folder)?;
        let found = survey(&*vfs, folder, |_| ())?;
        if let Some(damage) = found.damages.first() {
            return Err(damaged(folder, damage.clone()));
        }
        let recovered = Recovered {
            segments: found.segments.len() as u64,
            frames: found.segments.iter().map(|segment| segment.frames).sum(),
            events: found.segments.iter().map(|segment| segment.events).sum(),
            torn: found.torn(),
            was_closed: found.segments.last().is_none_or(|last| last.is_sealed),
        };
        let last = found
            .segments
            .last()
            .map_or(options.first_sequence, |last| last.next)
            - 1;
        let names = vfs.open_folder(folder);
        let journal = Arc::new(Self {
            names: names.map_err(JournalError::io(folder, "opened"))?,
            vfs,
            folder: folder.to_owned(),
            options,
            segments: Mutex::new(found.segments.iter().map(Segment::from).collect()),
            last: AtomicU64::new(last),
            removal: Mutex::new(()),
        });
        let mut appender = if let Some(place) = journal.end(&found)? {
            Appender::at(Arc::clone(&journal), place)
        } else {
            let bytes = FIRST_BYTES.min(journal.options.segment_bytes);
            Appender::first(Arc::clone(&journal), bytes)?
        };
        appender.seal_unless_full()?;
        appender.allocate_ahead();
        Ok(Opened {
            journal,
            appender,
            recovered,
        })
    }

    /// Whether there is a segment in `folder`. Who calls this holds the lock of the folder.
    pub fn exists(vfs: &dyn Vfs, folder: &Path) -> Result<bool, JournalError> {
        salvage::complete(vfs, folder)?;
        Ok(!indices(vfs, folder)?.is_empty())
    }

    /// Hands on the frames that hold event `from` and later ones, in order, up to what is durable
    /// when this is called. The first frame may begin before `from`.
    pub fn replay(&self, from: u64, mut visit: impl FnMut(Frame<'_>)) -> Result<(), JournalError> {
        let last = self.last_sequence();
        let segments: Vec<Segment> = self.lock().iter().copied().collect();
        for (position, segment) in segments.iter().enumerate() {
            let following = segments.get(position + 1).map(|next| next.first);
            let end = following.unwrap_or(u64::MAX).min(last + 1);
            if end > from {
                self.replay_segment(*segment, from, end, &mut visit)?;
            }
        }
        Ok(())
    }

    /// Removes the segments that hold no event after `applied`; never the one that is written to.
    /// Returns how many.
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

    /// How large it is.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let segments = self.lock();
        Figures {
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

    /// Events up to this number are durable.
    pub(super) fn advance(&self, last: u64) {
        self.last.store(last, Ordering::Release);
    }

    /// A segment more.
    pub(super) fn add(&self, segment: Segment) {
        self.lock().push_back(segment);
    }

    /// Returns once the names of the segments outlive a loss of power.
    pub(super) fn sync_folder(&self) -> Result<(), JournalError> {
        self.names
            .sync()
            .map_err(JournalError::io(&self.folder, "synced"))
    }

    fn first_covered(&self, applied: u64) -> Option<u64> {
        let segments = self.lock();
        let next = segments.get(1)?;
        (next.first <= applied.saturating_add(1)).then_some(segments[0].index)
    }

    /// Hands on the frames of one segment that hold events from `from` to before `end`.
    fn replay_segment(
        &self,
        segment: Segment,
        from: u64,
        end: u64,
        visit: &mut impl FnMut(Frame<'_>),
    ) -> Result<(), JournalError> {
        let path = self.folder.join(segment::file_name(segment.index));
        let copies = open_segment(&*self.vfs, &self.folder, segment.index, Access::Read)?;
        let at = |offset, defect| {
            damaged(
                &self.folder,
                Damage {
                    segment: segment.index,
                    offset,
                    defect,
                },
            )
        };
        let Some(header) = copies.header else {
            return Err(at(0, Defect::SegmentHeader));
        };
        let frames = Frames::new(&*copies.file, &header);
        let mut frames = frames.map_err(JournalError::io(&path, "read"))?;
        while frames.next < end {
            let offset = frames.offset;
            match frames.read().map_err(JournalError::io(&path, "read"))? {
                Found::Frame(header) => {
                    if header.kind == Kind::Events && frames.next > from {
                        visit(Frame {
                            first: header.first,
                            count: header.count,
                            payload: frames.payload(),
                        });
                    }
                }
                Found::End | Found::Torn(_) => return Err(at(offset, Defect::Hole)),
                Found::Damaged(defect) => return Err(at(offset, defect)),
            }
        }
        Ok(())
    }

    /// Where writing goes on, once what was torn there is gone; `None` in an empty folder.
    fn end(&self, found: &Survey) -> Result<Option<Place>, JournalError> {
        let Some(last) = found.segments.last() else {
            return Ok(None);
        };
        let path = self.folder.join(segment::file_name(last.index));
        let copies = open_segment(&*self.vfs, &self.folder, last.index, Access::Write)?;
        if let SegmentState::Torn { bytes } = last.state {
            let cut = write_zeros(
                &*copies.file,
                last.bytes_used,
                bytes,
                &AtomicBool::new(false),
            );
            let cut = cut.and_then(|()| copies.file.sync());
            cut.map_err(JournalError::io(&path, "cut"))?;
        }
        let header = copies.header.expect("a survey without damage has read it");
        Ok(Some(Place {
            file: copies.file,
            header,
            // What the file has beyond that can go without anyone seeing it.
            bytes: header.file_bytes.unwrap_or(last.bytes),
            end: last.bytes_used.max(FRAMES),
            chain: last.chain,
            next: last.next,
            is_sealed: last.is_sealed,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&super::survey::SegmentSurvey> for Segment {
    fn from(found: &super::survey::SegmentSurvey) -> Self {
        Self {
            index: found.index,
            first: found.first,
            bytes: found.bytes,
        }
    }
}

fn damaged(folder: &Path, damage: Damage) -> JournalError {
    JournalError::Damaged {
        folder: folder.to_owned(),
        damage,
    }
}

/// The folder, and its name in the folder above it.
pub(super) fn make_folder(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    vfs.create_folder(folder).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return JournalError::NotAFolder {
                folder: folder.to_owned(),
            };
        }
        JournalError::io(folder, "made")(error)
    })?;
    match folder.parent() {
        Some(above) if above != Path::new("") => vfs
            .sync_folder(above)
            .map_err(JournalError::io(above, "synced")),
        _ => Ok(()),
    }
}

/// Files that were to become segments.
fn remove_leftovers(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    let names = vfs
        .list(folder)
        .map_err(JournalError::io(folder, "listed"))?;
    for name in names.iter().filter(|name| name.ends_with(ahead::SUFFIX)) {
        let path = folder.join(name);
        vfs.remove(&path)
            .map_err(JournalError::io(path, "removed"))?;
    }
    Ok(())
}
