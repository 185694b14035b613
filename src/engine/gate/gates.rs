//! The gates of an engine, and the check of a batch by each of them.
//!
//! The budget of a gate is kept by a timer here and not by the code behind the gate, so that a gate that is stuck
//! costs a batch its budget and, once it is bypassed, nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tracing::{info, warn};

use super::breaker::{Ask, Breaker};
use super::row_batch::{RefusedRow, RowBatch};
use super::verdicts::{judge, refuse_all};
use super::{BEFORE_ACCEPT, Gate, GateOptions, NoAnswer, OnTimeout};
use crate::core::{EventBatch, Micros};
use crate::engine::event_limits::EventLimits;
use crate::telemetry::metrics::{GateMetrics, Metrics};

/// The gates of all pipelines; batches pass them in the order in which their pipelines came.
pub struct Gates {
    /// Read once for each batch: all that an engine without gates pays.
    has_any: AtomicBool,
    current: RwLock<Arc<[Arc<ActiveGate>]>>,
    metrics: Arc<Metrics>,
}

struct ActiveGate {
    options: GateOptions,
    gate: Arc<dyn Gate>,
    breaker: Mutex<Breaker>,
    metrics: GateMetrics,
}

/// Why a batch was not checked.
enum Unchecked {
    TimedOut,
    Failed,
    Bypassed,
}

impl Gates {
    pub(in crate::engine) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            has_any: AtomicBool::new(false),
            current: RwLock::new(Arc::new([])),
            metrics,
        }
    }

    /// Sets the gates of a pipeline, in place of those that it had. Batches that are being checked are checked to
    /// their end by the old ones; batches that were begun without any gate are not checked.
    pub fn set(&self, pipeline: &str, gates: Vec<(GateOptions, Arc<dyn Gate>)>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let others = |active: &&Arc<ActiveGate>| active.options.pipeline != pipeline;
        let mut all: Vec<_> = current.iter().filter(others).cloned().collect();
        for old in current.iter().filter(|active| !others(active)) {
            old.metrics.is_bypassed.set(0);
        }
        all.extend(gates.into_iter().map(|(options, gate)| {
            Arc::new(ActiveGate {
                metrics: self.metrics.gate(&options.pipeline, &options.handler),
                options,
                gate,
                breaker: Mutex::new(Breaker::new()),
            })
        }));
        self.has_any.store(!all.is_empty(), Ordering::Release);
        *current = all.into();
    }

    /// Whether there is a gate.
    pub(in crate::engine) fn has_any(&self) -> bool {
        self.has_any.load(Ordering::Acquire)
    }

    /// The events of `batch` that every gate accepts, and the rows that one refuses. `emitted_by` is the pipeline whose
    /// own events they are: its gates are left out, or it could refuse itself forever.
    pub(in crate::engine) async fn check(
        &self,
        mut batch: RowBatch,
        emitted_by: Option<&str>,
        limits: &EventLimits,
        now: impl Fn() -> Micros,
    ) -> (EventBatch, Vec<RefusedRow>) {
        let mut refused = Vec::new();
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        for active in &*current {
            if batch.events.is_empty() || batch.rows.is_none() {
                break;
            }
            if emitted_by == Some(active.options.pipeline.as_str()) {
                continue;
            }
            let (left, more) = active.check(batch, limits, &now).await;
            if !more.is_empty() {
                self.metrics.refused(BEFORE_ACCEPT, more.len() as u64);
            }
            refused.extend(more);
            batch = left;
        }
        // Each gate refuses in order, but a later one may refuse an earlier row.
        refused.sort_by_key(|row| row.id);
        (batch.events, refused)
    }
}

impl ActiveGate {
    async fn check(
        &self,
        batch: RowBatch,
        limits: &EventLimits,
        now: impl Fn() -> Micros,
    ) -> (RowBatch, Vec<RefusedRow>) {
        let asked = self.breaker().ask(Instant::now());
        if asked == Ask::No {
            return self.unchecked(batch, &Unchecked::Bypassed);
        }
        let RowBatch { events, rows } = batch;
        let events = Arc::new(events);
        let begun = Instant::now();
        let answer = self.gate.check(Arc::clone(&events));
        let answer = tokio::time::timeout(self.options.budget, answer).await;
        self.metrics.seconds.observe(begun.elapsed().as_secs_f64());
        // The code behind a gate that is late may still read the events.
        let events = Arc::try_unwrap(events).unwrap_or_else(|shared| (*shared).clone());
        let batch = RowBatch { events, rows };
        let count = u64::from(batch.events.count());
        let why = match answer {
            Err(_) => Unchecked::TimedOut,
            Ok(Err(NoAnswer)) => Unchecked::Failed,
            Ok(Ok(verdicts)) if verdicts.is_empty() => {
                self.answered();
                self.metrics.accepted.inc_by(count);
                return (batch, Vec::new());
            }
            Ok(Ok(verdicts)) => match judge(&batch, verdicts, &self.options, limits, now()) {
                Err(NoAnswer) => Unchecked::Failed,
                Ok(judged) => {
                    self.answered();
                    let refused: u64 = judged.refused.iter().map(|row| u64::from(row.events)).sum();
                    self.metrics.refused.inc_by(refused);
                    self.metrics.replaced.inc_by(judged.replaced);
                    self.metrics
                        .accepted
                        .inc_by(count - refused - judged.replaced);
                    return (judged.batch, judged.refused);
                }
            },
        };
        let back_off = self.breaker().unanswered(asked, Instant::now());
        if let Some(back_off) = back_off
            && asked == Ask::Yes
        {
            self.metrics.is_bypassed.set(1);
            warn!(
                gate = %self.options,
                back_off_seconds = back_off.as_secs(),
                "The gate gave no answer several times in a row and is bypassed; it is tried again from time to time."
            );
        }
        self.unchecked(batch, &why)
    }

    fn answered(&self) {
        if self.breaker().answered() {
            self.metrics.is_bypassed.set(0);
            info!(gate = %self.options, "The gate answers again and is asked.");
        }
    }

    /// What `on_timeout` says becomes of a batch.
    fn unchecked(&self, batch: RowBatch, why: &Unchecked) -> (RowBatch, Vec<RefusedRow>) {
        let events = u64::from(batch.events.count());
        match why {
            Unchecked::TimedOut => self.metrics.timed_out.inc_by(events),
            Unchecked::Failed => self.metrics.failed.inc_by(events),
            Unchecked::Bypassed => self.metrics.bypassed.inc_by(events),
        }
        match self.options.on_timeout {
            OnTimeout::Accept => (batch, Vec::new()),
            OnTimeout::Refuse => {
                let reason = match why {
                    Unchecked::TimedOut => {
                        format!("no answer within {:?}", self.options.budget)
                    }
                    Unchecked::Failed => "failed".to_owned(),
                    Unchecked::Bypassed => "does not answer and is bypassed".to_owned(),
                };
                let reason = format!("{reason}; send the event again later");
                let refused = refuse_all(&batch, &self.options, &reason);
                (RowBatch::default(), refused)
            }
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
