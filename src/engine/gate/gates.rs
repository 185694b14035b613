//! The gates of an engine, and the check of a batch by each of them.
//!
//! The budget of a gate is kept by a timer here and not by the code behind the gate, so that a gate that is stuck
//! costs a batch its budget and, once it is bypassed, nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tracing::{info, warn};

use super::breaker::{Ask, Breaker};
use super::chosen::Chosen;
use super::row_batch::{RefusedRow, RowBatch};
use super::verdicts::judge;
use super::{BEFORE_ACCEPT, Gate, GateOptions, NoAnswer, OnTimeout, Verdicts};
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

/// What operators see of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateReport {
    /// Whose it is, and its limits.
    pub options: GateOptions,
    /// Whether it is not asked, because it gave no answer several times in a row.
    pub is_bypassed: bool,
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

    /// All gates, in the order in which they are asked.
    #[must_use]
    pub fn reports(&self) -> Vec<GateReport> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let report = |active: &Arc<ActiveGate>| GateReport {
            options: active.options.clone(),
            is_bypassed: active.breaker().is_open(),
        };
        current.iter().map(report).collect()
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
        let chosen = Chosen::new(&batch.events, &self.options);
        if chosen.events.is_empty() {
            return (batch, Vec::new());
        }
        let judged = |verdicts| judge(&batch, verdicts, &self.options, limits, now());
        let why = match self.asked(&chosen).await {
            Err(why) => why,
            Ok(verdicts) => match chosen.in_batch(verdicts).and_then(judged) {
                Ok(judged) => {
                    let refused: u64 = judged.refused.iter().map(|row| u64::from(row.events)).sum();
                    let changed = refused + judged.replaced;
                    let accepted = u64::from(chosen.events.count()).saturating_sub(changed);
                    self.metrics.refused.inc_by(refused);
                    self.metrics.replaced.inc_by(judged.replaced);
                    self.metrics.accepted.inc_by(accepted);
                    return (judged.batch, judged.refused);
                }
                Err(NoAnswer) => Unchecked::Failed,
            },
        };
        self.count_unchecked(&chosen, &why);
        if self.options.on_timeout == OnTimeout::Accept {
            return (batch, Vec::new());
        }
        let reason = format!("{}; send the event again later", self.reason(&why));
        let judged = judged(chosen.refused(&reason));
        let mut judged = judged.expect("each verdict is for an event of the batch");
        for row in &mut judged.refused {
            row.is_unchecked = true;
        }
        (judged.batch, judged.refused)
    }

    /// The verdicts of the gate within its budget.
    async fn asked(&self, chosen: &Chosen) -> Result<Verdicts, Unchecked> {
        let asked = self.breaker().ask(Instant::now());
        if asked == Ask::No {
            return Err(Unchecked::Bypassed);
        }
        let begun = Instant::now();
        let answer = self.gate.check(Arc::clone(&chosen.events));
        let answer = tokio::time::timeout(self.options.budget, answer).await;
        self.metrics.seconds.observe(begun.elapsed().as_secs_f64());
        let why = match answer {
            Ok(Ok(verdicts)) => {
                if self.breaker().answered() {
                    self.metrics.is_bypassed.set(0);
                    info!(gate = %self.options, "The gate answers again and is asked.");
                }
                return Ok(verdicts);
            }
            Ok(Err(NoAnswer)) => Unchecked::Failed,
            Err(_) => Unchecked::TimedOut,
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
        Err(why)
    }

    fn count_unchecked(&self, chosen: &Chosen, why: &Unchecked) {
        let counter = match why {
            Unchecked::TimedOut => &self.metrics.timed_out,
            Unchecked::Failed => &self.metrics.failed,
            Unchecked::Bypassed => &self.metrics.bypassed,
        };
        counter.inc_by(u64::from(chosen.events.count()));
    }

    fn reason(&self, why: &Unchecked) -> String {
        match why {
            Unchecked::TimedOut => format!("no answer within {:?}", self.options.budget),
            Unchecked::Failed => "failed".to_owned(),
            Unchecked::Bypassed => "does not answer and is bypassed".to_owned(),
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
