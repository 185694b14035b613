//! From a folder to an engine's memory: the lock, the state, and the rest of the journal.
//!
//! Facts are sets, so the state may already know events that are replayed, and frames may be applied
//! on several threads in any order. What is damaged is refused, or salvaged where that is asked for;
//! what is lost then is logged as an error, so that no level of the log hides it.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tracing::{error, info, warn};

use super::applier::decode;
use super::clock::Clock;
use super::error::OpenError;
use super::options::Options;
use super::state_keeper::StateKeeper;
use crate::aggregator::HoldAggregator;
use crate::core::encoding::claims;
use crate::journal::{
    self, Appender, EventFrame, FolderLock, Journal, JournalError, JournalOptions, OpenedJournal,
};
use crate::state::{Entry, StateError};

/// The folder of the journal, in the data folder.
pub const JOURNAL_FOLDER: &str = "journal";
/// Threads that replay; more of them meet at the disk and at the locks.
const WORKERS_MAX: usize = 8;

/// What was in a folder.
pub(super) struct Recovered {
    /// Keeps other processes out.
    pub(super) lock: FolderLock,
    pub(super) aggregator: HoldAggregator,
    pub(super) journal: Arc<Journal>,
    pub(super) appender: Appender,
    pub(super) keeper: StateKeeper,
    /// Events that the state covers.
    pub(super) covered: u64,
    /// Bytes that were replayed.
    pub(super) replayed_bytes: u64,
}

/// What the state gave.
struct Loaded {
    aggregator: HoldAggregator,
    keeper: StateKeeper,
    applied: u64,
    /// Entries are missing; the journal may still have their events.
    is_incomplete: bool,
}

/// Loads all that is in the data folder, which may be empty or missing.
pub(super) fn recover(options: &Options, clock: &dyn Clock) -> Result<Recovered, OpenError> {
    let folder = options.store.data_dir.as_path();
    let lock = FolderLock::take(&*options.vfs, folder, clock.now())?;
    let started = Instant::now();
    let loaded = load_state(folder, options)?;
    let opened = open_journal(folder, options, loaded.applied)?;
    let figures = opened.journal.size();
    let from = if loaded.is_incomplete {
        figures.first_sequence
    } else {
        loaded.applied + 1
    };
    let replayed = replay(&opened.journal, from, &loaded.aggregator)?;
    if let Some((segment, bytes)) = opened.report.torn {
        warn!(
            segment,
            bytes, "Cut off the last write, which was not finished, or was damaged later."
        );
    }
    info!(
        covered_by_state = loaded.applied,
        replayed_events = replayed.events,
        segments = figures.segments,
        last_sequence = figures.last_sequence,
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "Loaded the state and replayed the journal."
    );
    Ok(Recovered {
        lock,
        aggregator: loaded.aggregator,
        journal: opened.journal,
        appender: opened.appender,
        keeper: loaded.keeper,
        covered: loaded.applied,
        replayed_bytes: replayed.bytes,
    })
}

fn load_state(folder: &Path, options: &Options) -> Result<Loaded, OpenError> {
    match load(folder, options, false) {
        Err(OpenError::State(StateError::Damaged { .. })) if options.salvages => {
            let salvaged = StateKeeper::salvage(&options.vfs, folder)?;
            load(folder, options, salvaged.lost != Some(0))
        }
        loaded => loaded,
    }
}

fn load(folder: &Path, options: &Options, is_incomplete: bool) -> Result<Loaded, OpenError> {
    let keeper = StateKeeper::open(Arc::clone(&options.vfs), folder)?;
    let aggregator = HoldAggregator::new();
    let mut applied = 0;
    if let Some(store) = keeper.store() {
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
        keeper,
        applied,
        is_incomplete,
    })
}

/// Opens the journal as the continuation of a state that covers the events up to `applied`.
fn open_journal(
    folder: &Path,
    options: &Options,
    applied: u64,
) -> Result<OpenedJournal, OpenError> {
    let path = folder.join(JOURNAL_FOLDER);
    let journal_options = JournalOptions {
        segment_bytes: options.store.segment_bytes,
        retry_after: options.retry_after,
        first_sequence: applied + 1,
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
            "There is no journal: went on with the state alone; what came after it is lost."
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
            "Kept what is readable of the journal and moved the damaged one aside."
        );
        Ok(())
    };
    let opened = match open() {
        Err(JournalError::Damaged { .. }) if options.salvages => {
            salvage()?;
            open()?
        }
        opened => opened?,
    };
    let (first, last) = {
        let figures = opened.journal.size();
        (figures.first_sequence, figures.last_sequence)
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
    // What is missing between the two is noted in the journal, so that the next start goes on as well.
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

/// Applies all events from number `from` on.
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
            // Fails only where every worker has panicked, which the end of the scope passes on.
            let _ = frames.send(frame.payload.to_vec());
        });
        drop(frames);
        read
    })?;
    Ok(replayed)
}
