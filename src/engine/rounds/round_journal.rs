//! The records of rounds on disk: a journal of their own, in the format of that of events, from which nothing is ever
//! removed; in memory if the engine stores nothing.
//!
//! It is created with the first round, so that a folder without rounds stays as it is, and belongs to the store of the
//! events. What a record means is in `record`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tracing::{error, warn};

use crate::core::StoreId;
use crate::engine::error::OpenError;
use crate::engine::recovery::JOURNAL_FOLDER as EVENTS_FOLDER;
use crate::error_line::error_line;
use crate::journal::{
    self, Appender, Journal, JournalError, JournalOptions, OpenedJournal, TailReader, Vfs,
    WriteError, is_full, named_beside,
};

/// The folder of rounds, in the data folder; their journal and its identity are in it.
pub(super) const ROUNDS_FOLDER: &str = "rounds";
const JOURNAL_FOLDER: &str = "journal";
/// What the log says when nothing more can be stored.
const FAILED: &str = "The journal of rounds failed; no round is sealed until a restart.";
/// A larger record gets a segment of its own.
const SEGMENT_BYTES: u64 = 1 << 20;

/// Where records are.
pub(super) enum RoundJournal {
    Disk(Arc<Disk>),
    /// The records themselves.
    Memory(Mutex<Vec<Arc<[u8]>>>),
}

/// A folder that may not have a journal of rounds yet.
pub(in crate::engine) struct Disk {
    vfs: Arc<dyn Vfs>,
    data_dir: PathBuf,
    /// Of the journal.
    folder: PathBuf,
    retry_after: Duration,
    /// The store of the events, once it is known.
    store: OnceLock<StoreId>,
    journal: OnceLock<Arc<Journal>>,
    writing: Mutex<Writing>,
}

enum Writing {
    /// Nothing was written yet.
    NotCreated,
    Open(Box<Appender>),
    /// What is on disk is unknown until a restart.
    Failed(Arc<str>),
    /// The engine is closed.
    Closed,
}

impl RoundJournal {
    pub(super) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }

    /// Opens the journal of `data_dir`, if there is one, and passes its records to `visit`. The caller holds the lock
    /// of the folder.
    pub(super) fn open(
        vfs: &Arc<dyn Vfs>,
        data_dir: &Path,
        retry_after: Duration,
        salvages: bool,
        mut visit: impl FnMut(u64, &[u8]),
    ) -> Result<Self, OpenError> {
        let disk = Disk {
            vfs: Arc::clone(vfs),
            data_dir: data_dir.to_owned(),
            folder: folder_of(data_dir),
            retry_after,
            store: OnceLock::new(),
            journal: OnceLock::new(),
            writing: Mutex::new(Writing::NotCreated),
        };
        // A damaged identity is refused when the journal of events is opened.
        let events = named_beside(&**vfs, &data_dir.join(EVENTS_FOLDER));
        if let Ok(Some((_, store))) = events {
            disk.check_store(store)?;
            disk.identify(store);
        }
        if Journal::existed(&**vfs, &disk.folder)? {
            let opened = match disk.open_journal() {
                Err(error) if salvages && error.is_salvageable() => {
                    disk.salvage()?;
                    disk.open_journal()?
                }
                opened => opened.map_err(refused)?,
            };
            if let Some((segment, bytes)) = opened.report.torn {
                warn!(
                    segment,
                    bytes, "Cut off a round that was not sealed completely."
                );
            }
            let replayed = opened
                .journal
                .replay(1, |frame| visit(frame.first, frame.payload));
            replayed.map_err(refused)?;
            disk.keep(opened);
        }
        Ok(Self::Disk(Arc::new(disk)))
    }

    /// The store that the journal names, and the file that says so; `None` if there is no journal yet.
    pub(super) fn named(&self) -> Result<Option<(PathBuf, StoreId)>, JournalError> {
        match self {
            Self::Memory(_) => Ok(None),
            Self::Disk(disk) => named_beside(&*disk.vfs, &disk.folder),
        }
    }

    /// The folder, for the watch over the files of the store; `None` if nothing is stored.
    pub(super) fn disk(&self) -> Option<Arc<Disk>> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(disk) => Some(Arc::clone(disk)),
        }
    }

    /// Stores a record and returns its number; it is durable then. Blocks.
    pub(super) fn append(&self, record: Vec<u8>) -> Result<u64, WriteError> {
        match self {
            Self::Memory(records) => {
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                records.push(record.into());
                Ok(records.len() as u64)
            }
            Self::Disk(disk) => disk.append(&record),
        }
    }

    /// The record of this number. Blocks.
    pub(super) fn record(&self, number: u64) -> Result<Arc<[u8]>, JournalError> {
        match self {
            Self::Memory(records) => {
                let records = records.lock().unwrap_or_else(PoisonError::into_inner);
                let place = usize::try_from(number - 1).expect("it was in memory");
                Ok(Arc::clone(&records[place]))
            }
            Self::Disk(disk) => {
                let journal = disk.journal.get().expect("a record has a journal");
                let mut record = None;
                let mut reader = TailReader::new(journal, number);
                reader.read(number, 1, |frame| record = Some(frame.payload.into()))?;
                Ok(record.expect("no segment with records is removed"))
            }
        }
    }

    /// Accepts nothing more; waits for a record that is being written.
    pub(super) fn close(&self) {
        if let Self::Disk(disk) = self {
            *disk.lock() = Writing::Closed;
        }
    }
}

impl Disk {
    /// Fails if the journal belongs to another store; before it is opened, which finishes what a crash has left.
    fn check_store(&self, expected: StoreId) -> Result<(), JournalError> {
        match named_beside(&*self.vfs, &self.folder) {
            Ok(Some((path, found))) if found != expected => Err(JournalError::OtherStore {
                path,
                found,
                expected,
            }),
            // What cannot be read is refused when it is opened.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Tells a journal that is yet to be created which store it is a part of.
    pub(in crate::engine) fn identify(&self, store: StoreId) {
        let _ = self.store.set(store);
    }

    /// Stops sealing if a file of the journal was removed, replaced or changed: what was sealed next would not be where a
    /// start looks for it. Skipped while a record is written, whose writer looks itself.
    pub(in crate::engine) fn look(&self) {
        let Ok(mut writing) = self.writing.try_lock() else {
            return;
        };
        let (Writing::Open(_), Some(journal)) = (&*writing, self.journal.get()) else {
            return;
        };
        if let Err(error) = journal.check_place() {
            let reason: Arc<str> = error_line(&error).into();
            error!(%reason, "{FAILED}");
            *writing = Writing::Failed(reason);
        }
    }

    fn options(&self) -> JournalOptions {
        JournalOptions {
            store: self.store.get().copied(),
            segment_bytes: SEGMENT_BYTES,
            preallocates: false,
            retry_after: self.retry_after,
            first_sequence: 1,
            ..JournalOptions::default()
        }
    }

    /// Makes the folder of rounds durable; the journal does so for what is in it.
    fn create_folder(&self) -> Result<(), JournalError> {
        let rounds = self.data_dir.join(ROUNDS_FOLDER);
        let created = self.vfs.create_folder(&rounds);
        let synced = created.and_then(|()| self.vfs.sync_folder(&self.data_dir));
        synced.map_err(|source| JournalError::Io {
            path: rounds,
            action: "created",
            source,
        })
    }

    fn open_journal(&self) -> Result<OpenedJournal, JournalError> {
        Journal::open(Arc::clone(&self.vfs), &self.folder, self.options())
    }

    fn keep(&self, opened: OpenedJournal) {
        let _ = self.journal.set(opened.journal);
        *self.lock() = Writing::Open(Box::new(opened.appender));
    }

    fn salvage(&self) -> Result<(), JournalError> {
        let salvaged = journal::salvage(&self.vfs, &self.folder, &self.options(), 0)?;
        for lost in &salvaged.report.lost {
            error!(first = lost.first, last = lost.last, "Lost these rounds.");
        }
        warn!(
            kept_rounds = salvaged.report.events,
            moved_to = %salvaged.moved_to.display(),
            "Salvaged the readable rounds and renamed their damaged journal."
        );
        Ok(())
    }

    fn append(&self, record: &[u8]) -> Result<u64, WriteError> {
        let mut writing = self.lock();
        if matches!(*writing, Writing::NotCreated) {
            // A folder that is left incomplete by an error is completed by the next attempt.
            let opened = self.create_folder().and_then(|()| self.open_journal());
            let opened = opened.map_err(|error| not_created(&error))?;
            let _ = self.journal.set(opened.journal);
            *writing = Writing::Open(Box::new(opened.appender));
        }
        let appended = match &mut *writing {
            Writing::Open(appender) => appender.append_record(record),
            Writing::Failed(reason) => Err(WriteError::Poisoned(Arc::clone(reason))),
            Writing::NotCreated | Writing::Closed => Err(WriteError::Closed),
        };
        if let Err(WriteError::Poisoned(reason)) = &appended {
            error!(%reason, "{FAILED}");
            *writing = Writing::Failed(Arc::clone(reason));
        }
        appended
    }

    fn lock(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of the journal of rounds in a data folder.
pub(crate) fn folder_of(data_dir: &Path) -> PathBuf {
    data_dir.join(ROUNDS_FOLDER).join(JOURNAL_FOLDER)
}

/// Why the journal is not opened: damage has another cure than that of the journal of events.
pub(super) fn refused(error: JournalError) -> OpenError {
    match error {
        JournalError::Damaged { folder, damage } => OpenError::RoundsDamaged { folder, damage },
        other => other.into(),
    }
}

/// Why the journal was not created.
fn not_created(error: &JournalError) -> WriteError {
    match error {
        JournalError::Io { source, .. } if is_full(source) => WriteError::DiskFull,
        other => WriteError::Poisoned(error_line(other).into()),
    }
}
