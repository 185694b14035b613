//! Loads a data folder into memory: takes its lock, loads cursors and state, and replays the rest of
//! the journal.
//!
//! Facts are sets, so the state may already contain events that are replayed, and several threads may
//! apply frames in any order. Damage is an error, or is salvaged if the options say so; what is lost
//! then is logged as an error.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tracing::{error, info, warn};

use super::applier::decode;
use super::clock::Clock;
use super::error::OpenError;
use super::feed::CursorFile;
use super::options::Options;
use super::rounds::{Rounds, RoundsOptions};
use super::state_file::StateFile;
use crate::aggregator::HoldAggregator;
use crate::core::StoreId;
use crate::core::encoding::claims;
use crate::journal::{
    self, Appender, EventFrame, FolderLock, Journal, JournalOptions, OpenedJournal,
};
use crate::state::{CursorContents, Entry, StateError};

/// The folder of the journal, in the data folder.
pub(crate) const JOURNAL_FOLDER: &str = "journal";
/// Most threads that replay; the disk and the locks limit more of them.
const WORKERS_MAX: usize = 8;

/// What was loaded from a folder.
pub(super) struct Recovered {
    /// The lock of the folder.
    pub(super) lock: FolderLock,
    pub(super) aggregator: HoldAggregator,
    pub(super) journal: Arc<Journal>,
    pub(super) appender: Appender,
    pub(super) state: StateFile,
    pub(super) cursor_file: CursorFile,
    /// What is in it.
    pub(super) cursors: CursorContents,
    pub(super) rounds: Rounds,
    /// Number of the last event that the state covers.
    pub(super) covered: u64,
    /// Bytes that were replayed.
    pub(super) replayed_bytes: u64,
}

/// What was loaded from the state.
struct Loaded {
    aggregator: HoldAggregator,
    state: StateFile,
    applied: u64,
    /// Whether entries are missing, whose events may still be in the journal.
    is_incomplete: bool,
}

/// Loads all that is in the data folder, which may be empty or missing.
pub(super) fn recover(options: &Options, clock: &dyn Clock) -> Result<Recovered, OpenError> {
    let folder = options.store.data_dir.as_path();
    let lock = FolderLock::take(Arc::clone(&options.vfs), folder, clock.now())?;
    let started = Instant::now();
    let (mut cursor_file, cursors) = if options.salvages {
        CursorFile::salvage(&options.vfs, folder)?
    } else {
        CursorFile::open(&options.vfs, folder)?
    };
    let rounds = Rounds::open(&RoundsOptions {
        vfs: &options.vfs,
        data_dir: folder,
        retry_after: options.retry_after,
        salvages: options.salvages,
        leaves_max: options.rounds.leaves_max,
    })?;
    let mut loaded = load_state(folder, options)?;
    let named_by_cursors = cursors.store.map(|store| (cursor_file.path(), store));
    let siblings: Vec<_> = loaded
        .state
        .named()
        .into_iter()
        .chain(named_by_cursors)
        .chain(rounds.named()?)
        .collect();
    let opened = open_journal(folder, options, loaded.applied, siblings)?;
    let store = opened.journal.store();
    lock.name_store(store)?;
    loaded.state.identify(store);
    cursor_file.identify(store);
    if let Some(disk) = rounds.disk() {
        disk.identify(store);
    }
    if opened.report.has_damaged_identity {
        warn!(
            "One of the two copies of the store's identity is damaged. The other one is in use, and may be a second older: \
             a segment that was made since and is missing would not be noticed. Compare the number of events."
        );
    }
    let size = opened.journal.size();
    let from = if loaded.is_incomplete {
        size.first_sequence
    } else {
        loaded.applied + 1
    };
    let replayed = replay(&opened.journal, from, &loaded.aggregator)?;
    if let Some((segment, bytes)) = opened.report.torn {
        warn!(
            segment,
            bytes, "Cut off the last write, which was not finished or was damaged later."
        );
    }
    info!(
        covered_by_state = loaded.applied,
        replayed_events = replayed.events,
        segments = size.segments,
        last_sequence = size.last_sequence,
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "Loaded the state and replayed the journal."
    );
    Ok(Recovered {
        lock,
        aggregator: loaded.aggregator,
        journal: opened.journal,
        appender: opened.appender,
        state: loaded.state,
        cursor_file,
        cursors,
        rounds,
        covered: loaded.applied,
        replayed_bytes: replayed.bytes,
    })
}

fn load_state(folder: &Path, options: &Options) -> Result<Loaded, OpenError> {
    match load(folder, options, false) {
        Err(OpenError::State(StateError::Damaged { .. })) if options.salvages => {
            let salvaged = StateFile::salvage(&options.vfs, folder)?;
            load(folder, options, salvaged.lost != Some(0))
        }
        loaded => loaded,
    }
}

fn load(folder: &Path, options: &Options, is_incomplete: bool) -> Result<Loaded, OpenError> {
    let state = StateFile::open(&options.vfs, folder)?;
    let aggregator = HoldAggregator::new();
    let mut applied = 0;
    if let Some(store) = state.store() {
        store.load(|| {
            let mut restoring = aggregator.restoring();
            move |entry: Entry<'_>| {
                for (token_id, bytes) in entry.keys() {
                    let claims = claims(bytes);
                    let claims = claims.map(|claim| claim.expect("its checksum was right"));
                    restoring.add(entry.holder_id, token_id, claims);
                }
            }
        })?;
        applied = store.contents().applied_sequence;
    }
    Ok(Loaded {
        aggregator,
        state,
        applied,
        is_incomplete,
    })
}

/// Opens the journal after a state that covers the events up to `applied`.
fn open_journal(
    folder: &Path,
    options: &Options,
    applied: u64,
    siblings: Vec<(PathBuf, StoreId)>,
) -> Result<OpenedJournal, OpenError> {
    let path = folder.join(JOURNAL_FOLDER);
    let journal_options = JournalOptions {
        segment_bytes: options.store.segment_bytes,
        retry_after: options.retry_after,
        first_sequence: applied + 1,
        siblings,
        ..JournalOptions::default()
    };
    if applied > 0 && !Journal::exists(&*options.vfs, &path)? {
        if !options.salvages {
            return Err(OpenError::Missing {
                folder: folder.to_owned(),
                applied,
            });
        }
        error!(
            applied,
            "There is no journal: continuing with the state alone; all events after it are lost."
        );
    }
    let open = || Journal::open(Arc::clone(&options.vfs), &path, journal_options.clone());
    let salvage = || -> Result<(), OpenError> {
        let salvaged = journal::salvage(&options.vfs, &path, &journal_options, applied)?;
        for lost in &salvaged.report.lost {
            error!(first = lost.first, last = lost.last, "Lost these events.");
        }
        warn!(
            kept_events = salvaged.report.events,
            moved_to = %salvaged.moved_to.display(),
            "Salvaged the readable part of the journal and renamed the damaged one."
        );
        Ok(())
    };
    let opened = match open() {
        Err(error) if options.salvages && error.is_salvageable() => {
            salvage()?;
            open()?
        }
        opened => opened?,
    };
    let (first, last) = {
        let size = opened.journal.size();
        (size.first_sequence, size.last_sequence)
    };
    if (first..=last + 1).contains(&(applied + 1)) {
        return Ok(opened);
    }
    if !options.salvages {
        let folder = folder.to_owned();
        return Err(if first > applied + 1 {
            OpenError::Gap {
                folder,
                first,
                applied,
            }
        } else {
            OpenError::Behind {
                folder,
                last,
                applied,
            }
        });
    }
    // The events that are in neither are noted in the journal, so that the next start succeeds too.
    drop(opened);
    salvage()?;
    Ok(open()?)
}

/// How much was replayed.
#[derive(Default)]
struct Replayed {
    events: u64,
    bytes: u64,
}

/// Applies all events of the journal from number `from` on.
fn replay(
    journal: &Journal,
    from: u64,
    aggregator: &HoldAggregator,
) -> Result<Replayed, OpenError> {
    let mut replayed = Replayed::default();
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let workers = workers.min(WORKERS_MAX);
    let (frames, waiting) = sync_channel::<Vec<u8>>(workers * 2);
    let waiting = Mutex::new(waiting);
    let next = || {
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.recv().ok()
    };
    let work = || {
        while let Some(payload) = next() {
            let mut events = Vec::new();
            decode(&payload, &mut events);
            aggregator.record_events(&events);
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
        let read = journal.replay(from, |frame: EventFrame<'_>| {
            replayed.events += u64::from(frame.count);
            replayed.bytes += frame.payload.len() as u64;
            // Fails only if every worker has panicked, which the end of the scope propagates.
            let _ = frames.send(frame.payload.to_vec());
        });
        drop(frames);
        read
    })?;
    Ok(replayed)
}
