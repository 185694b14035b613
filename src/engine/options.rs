//! The options of an engine: two sections of the settings, and what only its host decides.
//!
//! `config` has the defaults and limits of the settings.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Intake, Pipelines, Questions, Rounds, Store};
use crate::journal::{JournalOptions, RealVfs, Vfs};
use crate::telemetry::metrics::Metrics;

/// What an acknowledged event survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk: it survives the end of the process and loss of power.
    Durable,
    /// It is in memory: it ends with the process.
    Buffered,
}

/// How an engine works.
#[derive(Clone)]
pub struct Options {
    /// Where events are stored, and how much may wait in memory.
    pub store: Store,
    /// Which events are accepted.
    pub intake: Intake,
    /// What is kept for the next pages of leaderboards.
    pub questions: Questions,
    /// How large a round may be.
    pub rounds: Rounds,
    /// Bytes of the journal that are kept for a consumer of the feed that lags.
    pub lag_bytes_max: u64,
    /// Bytes of acknowledged events that are in memory for consumers of the feed.
    pub recent_bytes_max: usize,
    /// How long after a full disk the next write is tried.
    pub retry_after: Duration,
    /// Whether to keep what is readable of a damaged journal or state, instead of refusing to open it.
    pub salvages: bool,
    /// The file system of the folder.
    pub vfs: Arc<dyn Vfs>,
    /// Where the engine counts what it does.
    pub metrics: Arc<Metrics>,
}

impl Options {
    /// Those of a service with these settings, with metrics of their own.
    #[must_use]
    pub fn new(store: Store, intake: Intake) -> Self {
        Self {
            store,
            intake,
            questions: Questions::default(),
            rounds: Rounds::default(),
            lag_bytes_max: Pipelines::default().lag_bytes_max,
            recent_bytes_max: 32 << 20,
            retry_after: JournalOptions::default().retry_after,
            salvages: false,
            vfs: Arc::new(RealVfs),
            metrics: Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), "")),
        }
    }

    /// Journal and state below `folder`, which one process at a time may use; all else as by default.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        let store = Store {
            data_dir: folder.into(),
            ..Store::default()
        };
        Self::new(store, Intake::default())
    }

    /// Nothing on disk: everything is lost when the process ends; all else as by default.
    #[must_use]
    pub fn in_memory() -> Self {
        let store = Store {
            ephemeral: true,
            ..Store::default()
        };
        Self::new(store, Intake::default())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("store", &self.store)
            .field("intake", &self.intake)
            .finish_non_exhaustive()
    }
}
