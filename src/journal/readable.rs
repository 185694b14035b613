//! What can still be read of a damaged journal: every whole frame, on both sides of each damage, in
//! order, and by number what is missing between them.
//!
//! It writes nothing and repairs nothing: `salvage` makes a whole journal of what is read here, and
//! `survey` only finds where something is wrong. The semantics allow to go on behind a damage: the
//! answer depends on the set of events alone, so those behind it mean the same without those in it.

use std::path::Path;

use super::error::{Damage, Defect, JournalError};
use super::frame::Kind;
use super::scan::{Found, Frames};
use super::segment;
use super::survey::{Frame, indices, open_segment};
use super::vfs::{Access, Vfs};

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

/// What a journal holds, in order.
pub(super) enum Part<'a> {
    /// The number of its first event.
    Beginning(u64),
    Events(Frame<'a>),
    /// So many events are missing.
    Missing(u64),
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

/// Reads a journal in order, also behind damage. It may begin with any event up to the one after
/// `covered`; where it begins later, those between are lost.
pub(super) fn read<E: From<JournalError>>(
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
