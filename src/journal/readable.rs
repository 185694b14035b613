//! Reads what is readable of a damaged journal: every valid frame before and after each damage, in
//! order, and the numbers of the events that are missing between them.
//!
//! It changes nothing: `salvage` writes a new journal from what is read here. Reading on after damage is
//! correct, because the answer depends only on the set of events: the later ones mean the same without
//! the lost ones.

use std::path::Path;

use super::error::{Damage, Defect, JournalError};
use super::folder::segment_indices;
use super::frame::FrameKind;
use super::identity::{Reach, read_identity};
use super::scan::{FrameScanner, Scanned};
use super::segment;
use super::survey::{EventFrame, open_segment};
use super::vfs::{Access, Vfs};

/// A range of accepted events that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostEvents {
    /// Number of the first event.
    pub first: u64,
    /// Number of the last event; `None` if the end of the journal is lost, whose length is unknown.
    pub last: Option<u64>,
}

/// What was read of a damaged journal, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Number of events that were read.
    pub events: u64,
    /// Events that were not, in order; without those that an earlier salvage noted as lost.
    pub lost: Vec<LostEvents>,
    /// All damage, in order.
    pub damages: Vec<Damage>,
}

/// A part of a journal.
pub(super) enum JournalPart<'a> {
    /// The number of the first event.
    Start(u64),
    /// A valid frame of events.
    Events(EventFrame<'a>),
    /// So many events are missing.
    Missing(u64),
}

/// Passes every valid frame of events of the journal in `folder` to `visit`, in order, also those after
/// damage. Events up to `covered` need not be in the journal. An error of `visit` ends the reading.
pub fn read_damaged<E: From<JournalError>>(
    vfs: &dyn Vfs,
    folder: &Path,
    covered: u64,
    mut visit: impl FnMut(EventFrame<'_>) -> Result<(), E>,
) -> Result<ReadReport, E> {
    let reach = known_reach(vfs, folder)?;
    read_parts(vfs, folder, (covered, reach), |part| match part {
        JournalPart::Events(frame) => visit(frame),
        JournalPart::Start(_) | JournalPart::Missing(_) => Ok(()),
    })
}

/// Reads a journal in order, also after damage. The journal may begin with any event up to the one
/// after `covered`; if it begins later, the events between are lost, and so are those up to `reach` if it ends before.
pub(super) fn read_parts<E: From<JournalError>>(
    vfs: &dyn Vfs,
    folder: &Path,
    (covered, reach): (u64, Reach),
    mut visit: impl FnMut(JournalPart<'_>) -> Result<(), E>,
) -> Result<ReadReport, E> {
    let mut report = ReadReport::default();
    let mut expected: Option<u64> = None;
    let mut is_tail_lost = false;
    let mut is_whole_before = false;
    let mut index_before = None;
    let indices = segment_indices(vfs, folder)?;
    for &index in &indices {
        let path = folder.join(segment::file_name(index));
        if let Some(before) = index_before.replace(index)
            && before + 1 != index
        {
            report.add_damage(before + 1, 0, Defect::SegmentMissing);
            is_whole_before = false;
        }
        let opened = open_segment(vfs, folder, index, Access::Read)?;
        if let Some(offset) = opened.damaged_copy {
            report.add_damage(index, offset, Defect::SegmentHeader);
        }
        let Some(header) = opened.header else {
            is_tail_lost = true;
            is_whole_before = false;
            continue;
        };
        let scanner =
            FrameScanner::new(&*opened.file, &header).map_err(JournalError::io(&path, "read"))?;
        let mut next = match expected {
            None => {
                let start = header.first.min(covered + 1);
                visit(JournalPart::Start(start))?;
                start
            }
            Some(expected) => {
                if header.first > expected && is_whole_before {
                    report.add_damage(index, 0, Defect::SegmentChain);
                }
                expected
            }
        };
        if let Some(missing) = report.add_missing(next, header.first) {
            visit(missing)?;
            next = header.first;
        }
        let damages_before = report.damages.len();
        let is_last = indices.last() == Some(&index);
        let read = SegmentPart {
            index,
            path: &path,
            is_last,
        };
        (next, is_tail_lost) = read.frames(scanner, next, &mut report, &mut visit)?;
        if let Some(defect) = opened.missing_end() {
            report.add_damage(index, opened.size, defect);
            is_tail_lost = true;
        }
        expected = Some(next);
        is_whole_before = report.damages.len() == damages_before;
    }
    let next = expected.unwrap_or(covered + 1);
    let newest = indices.last().copied().unwrap_or(0);
    is_tail_lost |= report.add_missing_end(reach, newest, next, is_tail_lost);
    if is_tail_lost {
        report.lost.push(LostEvents {
            first: next,
            last: None,
        });
    }
    Ok(report)
}

/// A segment whose frames are read.
struct SegmentPart<'a> {
    index: u64,
    path: &'a Path,
    is_last: bool,
}

impl SegmentPart<'_> {
    /// Visits the frames from the sequence number `next`; returns the number behind them, and whether what follows
    /// is lost.
    fn frames<E: From<JournalError>>(
        &self,
        mut scanner: FrameScanner<'_>,
        mut next: u64,
        report: &mut ReadReport,
        visit: &mut impl FnMut(JournalPart<'_>) -> Result<(), E>,
    ) -> Result<(u64, bool), E> {
        let failed = || JournalError::io(self.path, "read");
        loop {
            let offset = scanner.offset;
            match scanner.read().map_err(failed())? {
                Scanned::End => return Ok((next, false)),
                Scanned::Torn(_) => {
                    // Only the last write of the journal can be torn.
                    if !self.is_last {
                        report.add_damage(self.index, offset, Defect::Hole);
                    }
                    return Ok((next, false));
                }
                Scanned::Damaged(defect) => {
                    report.add_damage(self.index, offset, defect);
                    if !scanner.skip().map_err(failed())? {
                        return Ok((next, true));
                    }
                    scanner.next = scanner.next.max(next);
                }
                Scanned::Frame(header) => {
                    if let Some(missing) = report.add_missing(next, header.first) {
                        visit(missing)?;
                    }
                    match header.kind {
                        FrameKind::Events => {
                            report.events += u64::from(header.count);
                            visit(JournalPart::Events(EventFrame {
                                first: header.first,
                                count: header.count,
                                payload: scanner.payload(),
                            }))?;
                        }
                        FrameKind::Lost => visit(JournalPart::Missing(header.count.into()))?,
                        FrameKind::Seal => {}
                    }
                    next = scanner.next;
                }
            }
        }
    }
}

/// How far the journal had reached, as far as that is known.
fn known_reach(vfs: &dyn Vfs, folder: &Path) -> Result<Reach, JournalError> {
    match read_identity(vfs, folder) {
        // What is readable of the journal is independent of it.
        Err(JournalError::IdentityDamaged { .. }) => Ok(Reach::default()),
        read => Ok(read?.map(|identity| identity.reach).unwrap_or_default()),
    }
}

impl ReadReport {
    fn add_damage(&mut self, segment: u64, offset: u64, defect: Defect) {
        self.damages.push(Damage {
            segment,
            offset,
            defect,
        });
    }

    /// Records the damage of a journal whose newest segment and next event are before those that it had reached, unless
    /// its end is damaged anyway. Returns whether there is any.
    fn add_missing_end(&mut self, reach: Reach, newest: u64, next: u64, is_known: bool) -> bool {
        let reached = reach.next.saturating_sub(1);
        if newest < reach.segment {
            let missing = if newest == 0 {
                reach.segment
            } else {
                newest + 1
            };
            self.add_damage(missing, 0, Defect::NewestMissing { reached });
            return true;
        }
        let is_short = next < reach.next && !is_known;
        if is_short {
            let found = next.saturating_sub(1);
            self.add_damage(newest, 0, Defect::EndMissing { found, reached });
        }
        is_short
    }

    /// Records the events from `next` to before `found` as lost, if there are any.
    fn add_missing(&mut self, next: u64, found: u64) -> Option<JournalPart<'static>> {
        let count = found.checked_sub(next).filter(|count| *count > 0)?;
        self.lost.push(LostEvents {
            first: next,
            last: Some(found - 1),
        });
        Some(JournalPart::Missing(count))
    }
}
