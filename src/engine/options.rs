//! How an engine works, and what outlives what.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;
use crate::journal::{RealVfs, Vfs};
use crate::telemetry::metrics::Metrics;

/// What outlives what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On disk before it is acknowledged: outlives the process and a loss of power.
    Durable,
    /// In memory alone: ends with the process.
    Buffered,
}

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Journal and state below this folder, which one process at a time may use.
    Folder(PathBuf),
    /// Nowhere: all is gone when the process ends.
    Ephemeral,
}

/// How an engine works; [`Options::new`] has the defaults of the service.
#[derive(Clone)]
pub struct Options {
    /// Where events are kept.
    pub storage: Storage,
    /// What comes in.
    pub gate: Gate,
    /// Bytes of events that may wait to be acknowledged, 4 KiB to 1 GiB.
    pub queue_bytes_max: usize,
    /// Bytes of a segment of the journal, at least 4 KiB.
    pub segment_bytes: u64,
    /// How long after a full disk writing is tried again.
    pub retry_after: Duration,
    /// The state is written once the journal has so many bytes more than it covers.
    pub state_lag_bytes_max: u64,
    /// The state is written once the oldest event that it does not cover is so old.
    pub state_lag_max: Duration,
    /// Keeps what is readable of a damaged journal or state instead of refusing to start.
    pub salvages: bool,
    /// The file system of the folder.
    pub vfs: Arc<dyn Vfs>,
    /// Where the engine counts what it does.
    pub metrics: Arc<Metrics>,
}

impl Options {
    /// The defaults of the service, with metrics of their own.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        Self {
            storage,
            gate: Gate::default(),
            queue_bytes_max: 64 << 20,
            segment_bytes: 64 << 20,
            retry_after: Duration::from_secs(1),
            state_lag_bytes_max: 256 << 20,
            state_lag_max: Duration::from_secs(30),
            salvages: false,
            vfs: Arc::new(RealVfs),
            metrics: Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), "")),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("storage", &self.storage)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .finish_non_exhaustive()
    }
}
