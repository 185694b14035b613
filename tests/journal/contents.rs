//! Opens a journal and lists what it holds: events with their numbers, and segments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use poh_holdmetrics_rust::core::encoding;
use poh_holdmetrics_rust::journal::{
    EventFrame, Journal, JournalError, JournalOptions, OpenedJournal, Vfs,
};

pub(crate) fn folder() -> PathBuf {
    PathBuf::from("/data/journal")
}

/// The holders of the events in `bytes`, in order.
pub(crate) fn holders(bytes: &[u8]) -> Vec<String> {
    encoding::events(bytes)
        .map(|event| event.expect("whole events").holder_id.to_owned())
        .collect()
}

pub(crate) fn open(
    vfs: &(impl Vfs + Clone + 'static),
    options: JournalOptions,
) -> Result<OpenedJournal, JournalError> {
    Journal::open(Arc::new(vfs.clone()), &folder(), options)
}

/// Numbers and holders of all events from `from` on, checked to be without gaps.
pub(crate) fn replayed(journal: &Journal, from: u64) -> Vec<(u64, String)> {
    let mut events = Vec::new();
    journal
        .replay(from, |frame| numbered(&frame, &mut events))
        .expect("it was checked when it was opened");
    events
}

pub(crate) fn numbered(frame: &EventFrame<'_>, events: &mut Vec<(u64, String)>) {
    let all = holders(frame.payload);
    assert_eq!(all.len(), frame.count as usize);
    events.extend((frame.first..).zip(all));
}

/// The segments in a folder of a disk, by index.
pub(crate) fn segments(paths: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    let is_segment = |path: &&PathBuf| {
        path.parent() == Some(folder) && path.extension().is_some_and(|suffix| suffix == "log")
    };
    paths.iter().filter(is_segment).cloned().collect()
}
