//! What all parts of the host share: the engine, the runtime of the service, the queue, the registry.
//!
//! Made once, before the interpreter; never holds an object of Python.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use super::asked::Asked;
use super::pulse::Pulse;
use super::queue::{Message, Outcome, Queue};
use super::registry::Registry;
use crate::aggregator::KeyHeld;
use crate::engine::Engine;
use crate::engine::gate::Verdicts;
use crate::telemetry::Metrics;

/// Most requests of operators at a time.
const ASKED_MAX: usize = 256;
/// Most checks at a time. Each sender has one, of a batch that it holds anyway, and waits for it.
const CHECKS_MAX: usize = 4_096;

/// Shared by the threads of the host and the tasks of the service.
pub(super) struct HostContext {
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: Arc<Metrics>,
    /// The runtime of the service, on which requests of Python run.
    pub(super) runtime: Handle,
    pub(super) queue: Queue,
    /// Requests of operators, which are answered by JSON texts.
    pub(super) asked: Arc<Asked<String>>,
    /// What was held, for the policies among these requests.
    pub(super) held: DashMap<u64, Vec<KeyHeld>>,
    /// Checks of gates; `None` if the handler gave no answer.
    pub(super) checks: Arc<Asked<Option<Verdicts>>>,
    pub(super) registry: Registry,
    pub(super) pulse: Pulse,
    /// What one consumer may read ahead.
    pub(super) queue_bytes_max: usize,
    /// The largest round to seal, as JSON: what an HTTP body may have.
    pub(super) round_bytes_max: usize,
    /// One round of a pipeline is sealed at a time.
    pub(super) sealing: Arc<Semaphore>,
    /// The settings for Python, as JSON.
    pub(super) settings: String,
    requests: AtomicU64,
    is_loaded: AtomicBool,
    loaded: Notify,
}

impl HostContext {
    pub(super) fn new(
        engine: Arc<Engine>,
        metrics: Arc<Metrics>,
        runtime: Handle,
        queue_bytes_max: usize,
        round_bytes_max: usize,
        settings: String,
    ) -> io::Result<Self> {
        Ok(Self {
            queue: Queue::new(metrics.pipelines.queue_messages.clone())?,
            asked: Arc::new(Asked::new(ASKED_MAX)),
            held: DashMap::default(),
            checks: Arc::new(Asked::new(CHECKS_MAX)),
            registry: Registry::new(Arc::clone(&metrics)),
            pulse: Pulse::default(),
            engine,
            metrics,
            runtime,
            queue_bytes_max,
            round_bytes_max,
            sealing: Arc::new(Semaphore::new(1)),
            settings,
            requests: AtomicU64::new(1),
            is_loaded: AtomicBool::new(false),
            loaded: Notify::new(),
        })
    }

    /// The number of the next request, of either side.
    pub(super) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins `work` for Python; returns the number under which its outcome arrives.
    pub(super) fn begin(
        self: &Arc<Self>,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) -> u64 {
        let request = self.next_request();
        let context = Arc::clone(self);
        self.runtime.spawn(async move {
            let outcome = work.await;
            context.queue.push(Message::Done { request, outcome });
        });
        request
    }

    /// Python has tried to load all pipelines.
    pub(super) fn set_loaded(&self) {
        self.is_loaded.store(true, Ordering::Release);
        self.loaded.notify_waiters();
    }

    /// Resolves once Python has tried to load all pipelines, or has ended.
    pub(super) async fn loaded(&self) {
        let loaded = self.loaded.notified();
        if !self.is_loaded.load(Ordering::Acquire) {
            loaded.await;
        }
    }
}
