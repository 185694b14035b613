//! Makes a whole journal of a damaged one: a copy of what is readable, which takes its place, while
//! the damaged one is moved aside as it was.
//!
//! It does not look for damage: `readable` says what there is and what is missing, in order, and the
//! copy gets its frames through an `appender` like any other journal. What is lost is noted in it, so
//! that event numbers stay. A crash leaves the damaged journal in its place, or the whole copy beside
//! it: then [`complete`] takes the last step.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::appender::{AppendError, Appender};
use super::error::JournalError;
use super::hold_journal::{Journal, make_folder};
use super::options::JournalOptions;
use super::readable::{Part, Readable, read};
use super::segment;
use super::survey::indices;
use super::vfs::{Access, Vfs};

/// How much one frame of a salvaged journal holds, in bytes, before the next begins.
const FRAME_BYTES: usize = 1 << 20;

/// What a salvage did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// What was kept and what was not.
    pub readable: Readable,
    /// Where the damaged journal lies now, unchanged.
    pub moved_to: PathBuf,
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
        write(appender).map_err(|error| error.into_journal_error(self.folder, "written"))
    }
}
