//! Out of a damaged journal: everything that is whole, on both sides of each damage.
//!
//! The semantics allow it: the answer depends on the set of events alone, so those behind a damage
//! mean the same without those in it. What is lost is named, and noted in the new journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::appender::{AppendError, Appender};
use super::error::{Damage, Defect, JournalError};
use super::frame::Kind;
use super::hold_journal::{Journal, make_folder};
use super::options::JournalOptions;
use super::scan::{Found, Frames};
use super::segment;
use super::survey::{Frame, indices, open_segment};
use super::vfs::{Access, Vfs};

/// How much one frame of a salvaged journal holds, in bytes, before the next begins.
const FRAME_BYTES: usize = 1 << 20;

/// Accepted events that cannot be read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Number of the first.
    pub first: u64,
    /// Number of the last; `None` where it was the end of the journal, whose length is not known.
    pub last: Option<u64>,
}

/// What can be read of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readable {
    /// Events that were handed on.
    pub events: u64,
    /// Events that were not, in order; without those that an earlier salvage found lost.
    pub lost: Vec<Lost>,
    /// What is wrong, in order.
    pub damages: Vec<Damage>,
}

/// What a salvage did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// What was kept and what was not.
    pub readable: Readable,
    /// Where the damaged journal lies now, unchanged.
    pub moved_to: PathBuf,
}

/// Hands on every whole frame of events of the journal in `folder`, in order, also behind damage.
/// Events up to `covered` need not be in it. What `visit` fails with ends the reading.
pub fn read_readable<E: From<JournalError>>(
    vfs: &dyn Vfs,
    folder: &Path,
    covered: u64,
    mut visit: impl FnMut(Frame<'_>) -> Result<(), E>,
) -> Result<Readable, E> {
    read(vfs, folder, covered, |part| match part {
        Part::Events(frame) => visit(frame),
        Part::Beginning(_) | Part::Missing(_) => Ok(()),
    })
}

/// Makes a whole journal of what can be read of the one in `folder`, which is moved aside. Event
/// numbers stay; up to `acknowledged` (what the state has seen) none is given again. Who calls this
/// holds the lock of the folder.
pub fn salvage(
    vfs: &Arc<dyn Vfs>,
    folder: &Path,
    options: &JournalOptions,
    acknowledged: u64,
) -> Result<Salvaged, JournalError> {
    complete(&**vfs, folder)?;
    let above = above(folder);
    let names = vfs.list(above).map_err(JournalError::io(above, "listed"))?;
    let is_taken = |number: u32| names.contains(&name(folder, DAMAGED, number));
    let mut number = 1;
    while is_taken(number) {
        number += 1;
    }
    let fresh = above.join(name(folder, SALVAGED, number));
    let moved_to = above.join(name(folder, DAMAGED, number));
    clear(&**vfs, &fresh)?;

    let mut copy = Copy {
        vfs,
        folder: &fresh,
        options,
        appender: None,
        payload: Vec::new(),
        count: 0,
        next: 0,
    };
    let read = read(&**vfs, folder, acknowledged, |part| copy.take(&part));
    let copied = read.and_then(|readable| copy.finish(acknowledged).map(|()| readable));
    let readable = match copied {
        Ok(readable) => readable,
        Err(error) => {
            // Of the two errors the first is told; what cannot be removed, the next salvage clears.
            let _ = discard(&**vfs, &fresh);
            return Err(told(error, &**vfs, folder, options));
        }
    };

    // The old one goes only once the new one is whole; `complete` takes the last step after a crash.
    let moved = vfs.rename(folder, &moved_to);
    moved.map_err(JournalError::io(folder, "moved"))?;
    let placed = vfs.rename(&fresh, folder);
    placed.map_err(JournalError::io(&fresh, "moved"))?;
    vfs.sync_folder(above)
        .map_err(JournalError::io(above, "synced"))?;
    Ok(Salvaged { readable, moved_to })
}

/// Finishes a salvage that was interrupted between its two last steps.
pub(super) fn complete(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    let above = above(folder);
    let Ok(names) = vfs.list(above) else {
        return Ok(());
    };
    let own = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    if own.is_some_and(|own| names.contains(&own)) {
        return Ok(());
    }
    let is_left = |number: &u32| {
        names.contains(&name(folder, DAMAGED, *number))
            && names.contains(&name(folder, SALVAGED, *number))
    };
    let most = u32::try_from(names.len()).unwrap_or(u32::MAX);
    if let Some(number) = (1..=most).find(is_left) {
        let fresh = above.join(name(folder, SALVAGED, number));
        let placed = vfs.rename(&fresh, folder);
        placed.map_err(JournalError::io(&fresh, "moved"))?;
        vfs.sync_folder(above)
            .map_err(JournalError::io(above, "synced"))?;
    }
    Ok(())
}

const SALVAGED: &str = "salvaged";
const DAMAGED: &str = "damaged";

fn name(folder: &Path, what: &str, number: u32) -> String {
    let own = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{own}.{what}-{number}")
}

fn above(folder: &Path) -> &Path {
    match folder.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    }
}

/// Removes what an interrupted salvage left.
fn clear(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    make_folder(vfs, folder)?;
    let names = vfs
        .list(folder)
        .map_err(JournalError::io(folder, "listed"))?;
    for name in names {
        let path = folder.join(name);
        vfs.remove(&path)
            .map_err(JournalError::io(path, "removed"))?;
    }
    Ok(())
}

/// Removes a copy that was not finished.
fn discard(vfs: &dyn Vfs, folder: &Path) -> Result<(), JournalError> {
    clear(vfs, folder)?;
    vfs.remove_folder(folder)
        .map_err(JournalError::io(folder, "removed"))
}

/// Why a copy failed; where it was a full disk, with the room that it needs.
fn told(
    error: JournalError,
    vfs: &dyn Vfs,
    folder: &Path,
    options: &JournalOptions,
) -> JournalError {
    match error {
        JournalError::Io { source, .. }
            if matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) =>
        {
            let sizes = indices(vfs, folder).unwrap_or_default().into_iter();
            let sizes = sizes.filter_map(|index| {
                let path = folder.join(segment::file_name(index));
                vfs.open(&path, Access::Read).ok()?.size().ok()
            });
            // The last segment of the copy is as long as the others, however little is in it.
            JournalError::NoRoom {
                folder: folder.to_owned(),
                bytes: sizes.sum::<u64>() + options.segment_bytes,
            }
        }
        error => error,
    }
}

/// What a journal holds, in order.
enum Part<'a> {
    /// The number of its first event.
    Beginning(u64),
    Events(Frame<'a>),
    /// So many events are missing.
    Missing(u64),
}

impl Readable {
    fn note(&mut self, segment: u64, offset: u64, defect: Defect) {
        self.damages.push(Damage {
            segment,
            offset,
            defect,
        });
    }

    /// What is missing where event `next` is due and `found` comes.
    fn miss(&mut self, next: u64, found: u64) -> Option<Part<'static>> {
        let count = found.checked_sub(next).filter(|count| *count > 0)?;
        self.lost.push(Lost {
            first: next,
            last: Some(found - 1),
        });
        Some(Part::Missing(count))
    }
}

/// Reads a journal in order, also behind damage. It may begin with any event up to the one after
/// `covered`; where it begins later, those between are lost.
fn read<E: From<JournalError>>(
    vfs: &dyn Vfs,
    folder: &Path,
    covered: u64,
    mut visit: impl FnMut(Part<'_>) -> Result<(), E>,
) -> Result<Readable, E> {
    let mut readable = Readable::default();
    let mut expected: Option<u64> = None;
    let mut is_tail_lost = false;
    let mut is_whole_before = false;
    let mut index_before = None;
    let indices = indices(vfs, folder)?;
    for &index in &indices {
        let path = folder.join(segment::file_name(index));
        if let Some(before) = index_before.replace(index)
            && before + 1 != index
        {
            readable.note(before + 1, 0, Defect::SegmentMissing);
            is_whole_before = false;
        }
        let copies = open_segment(vfs, folder, index, Access::Read)?;
        if let Some(offset) = copies.bad {
            readable.note(index, offset, Defect::SegmentHeader);
        }
        let Some(header) = copies.header else {
            is_tail_lost = true;
            is_whole_before = false;
            continue;
        };
        let mut frames =
            Frames::new(&*copies.file, &header).map_err(JournalError::io(&path, "read"))?;
        let mut next = match expected {
            None => {
                let beginning = header.first.min(covered + 1);
                visit(Part::Beginning(beginning))?;
                beginning
            }
            Some(expected) => {
                if header.first > expected && is_whole_before {
                    readable.note(index, 0, Defect::SegmentChain);
                }
                expected
            }
        };
        if let Some(missing) = readable.miss(next, header.first) {
            visit(missing)?;
            next = header.first;
        }
        is_tail_lost = false;
        let damages_before = readable.damages.len();
        loop {
            let offset = frames.offset;
            match frames.read().map_err(JournalError::io(&path, "read"))? {
                Found::End => break,
                Found::Torn(_) => {
                    // Only the journal's last write can be torn.
                    if indices.last() != Some(&index) {
                        readable.note(index, offset, Defect::Hole);
                    }
                    break;
                }
                Found::Damaged(defect) => {
                    readable.note(index, offset, defect);
                    let is_more = frames.skip().map_err(JournalError::io(&path, "read"))?;
                    if !is_more {
                        is_tail_lost = true;
                        break;
                    }
                    frames.next = frames.next.max(next);
                }
                Found::Frame(header) => {
                    if let Some(missing) = readable.miss(next, header.first) {
                        visit(missing)?;
                    }
                    match header.kind {
                        Kind::Events => {
                            readable.events += u64::from(header.count);
                            visit(Part::Events(Frame {
                                first: header.first,
                                count: header.count,
                                payload: frames.payload(),
                            }))?;
                        }
                        Kind::Lost => visit(Part::Missing(header.count.into()))?,
                        Kind::Seal => {}
                    }
                    next = frames.next;
                }
            }
        }
        if let Some(defect) = copies.missing_end() {
            readable.note(index, copies.size, defect);
            is_tail_lost = true;
        }
        expected = Some(next);
        is_whole_before = readable.damages.len() == damages_before;
    }
    if is_tail_lost {
        readable.lost.push(Lost {
            first: expected.unwrap_or(covered + 1),
            last: None,
        });
    }
    Ok(readable)
}

/// The new journal.
struct Copy<'a> {
    vfs: &'a Arc<dyn Vfs>,
    folder: &'a Path,
    options: &'a JournalOptions,
    appender: Option<Appender>,
    /// Events that are not written yet.
    payload: Vec<u8>,
    count: u32,
    /// Number of the event after all that was taken.
    next: u64,
}

impl Copy<'_> {
    fn take(&mut self, part: &Part<'_>) -> Result<(), JournalError> {
        match part {
            Part::Beginning(first) => self.begin(*first),
            Part::Events(frame) => {
                self.payload.extend_from_slice(frame.payload);
                self.count += frame.count;
                self.next += u64::from(frame.count);
                if self.payload.len() >= FRAME_BYTES {
                    self.flush()?;
                }
                Ok(())
            }
            Part::Missing(count) => self.miss(*count),
        }
    }

    fn begin(&mut self, first: u64) -> Result<(), JournalError> {
        let options = JournalOptions {
            first_sequence: first,
            allocates_ahead: false,
            ..self.options.clone()
        };
        let opened = Journal::open(Arc::clone(self.vfs), self.folder, options)?;
        self.appender = Some(opened.appender);
        self.next = first;
        Ok(())
    }

    fn miss(&mut self, mut count: u64) -> Result<(), JournalError> {
        self.flush()?;
        self.next += count;
        while count > 0 {
            let some = u32::try_from(count).unwrap_or(u32::MAX);
            self.append(|appender| appender.append_loss(some))?;
            count -= u64::from(some);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        let (payload, count) = (std::mem::take(&mut self.payload), self.count);
        if count > 0 {
            self.append(|appender| {
                appender
                    .append(std::iter::once((&*payload, count)))
                    .map(|_| ())
            })?;
        }
        self.payload = payload;
        self.payload.clear();
        self.count = 0;
        Ok(())
    }

    fn finish(mut self, acknowledged: u64) -> Result<(), JournalError> {
        if self.appender.is_none() {
            self.begin(self.options.first_sequence)?;
        }
        self.flush()?;
        self.miss((acknowledged + 1).saturating_sub(self.next))?;
        self.append(Appender::seal)
    }

    fn append(
        &mut self,
        write: impl FnOnce(&mut Appender) -> Result<(), AppendError>,
    ) -> Result<(), JournalError> {
        let appender = self
            .appender
            .as_mut()
            .expect("a journal begins before its events");
        write(appender).map_err(|error| match error {
            AppendError::Failed(error) => error,
            AppendError::DiskFull => {
                JournalError::io(self.folder, "written")(io::ErrorKind::StorageFull.into())
            }
            AppendError::NoDescriptors => JournalError::io(self.folder, "written")(
                io::Error::other("too many files are open"),
            ),
        })
    }
}
