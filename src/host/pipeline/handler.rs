//! What is known of one handler: counters, the call that runs, its state, its last failure.
//!
//! Python writes, operators and the watchdog read, also if Python is stuck: everything is an atomic or is locked
//! for the length of a copy, and never while the interpreter is waited for.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::telemetry::pipeline_metrics::{COUNTED, HandlerMetrics};

/// One handler of one pipeline.
pub(super) struct HandlerRecord {
    pub(super) pipeline: Box<str>,
    pub(super) name: Box<str>,
    kind: Box<str>,
    metrics: HandlerMetrics,
    /// Times are microseconds since then, plus 1.
    origin: Instant,
    /// When the last call began; 0 if none runs.
    began: AtomicU64,
    /// Calls that run.
    running: AtomicU32,
    state: Mutex<(String, String)>,
    failure: Mutex<Option<Failure>>,
}

/// The last exception.
struct Failure {
    at: Instant,
    traceback: String,
}

impl HandlerRecord {
    pub(super) fn new(
        (pipeline, name): (&str, &str),
        kind: &str,
        metrics: HandlerMetrics,
        origin: Instant,
    ) -> Self {
        Self {
            pipeline: pipeline.into(),
            name: name.into(),
            kind: kind.into(),
            metrics,
            origin,
            began: AtomicU64::new(0),
            running: AtomicU32::new(0),
            state: Mutex::new(("running".into(), String::new())),
            failure: Mutex::default(),
        }
    }

    /// A call has begun.
    pub(super) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.began.store(self.now(), Ordering::Release);
    }

    /// A call has ended well. Calls that overlap are all timed from the last that began.
    pub(super) fn end(&self, events: u64) {
        self.ended();
        self.metrics.events.inc_by(events);
    }

    /// A call has ended in an exception.
    pub(super) fn failed(&self, traceback: &str) {
        self.ended();
        self.metrics.failures.inc();
        *self.failure.lock() = Some(Failure {
            at: Instant::now(),
            traceback: traceback.to_owned(),
        });
    }

    /// Adds to the counter of this name; `false` if there is none.
    pub(super) fn count(&self, word: &str, by: u64) -> bool {
        let place = COUNTED.iter().position(|known| *known == word);
        if let Some(place) = place {
            self.metrics.counted[place].inc_by(by);
        }
        place.is_some()
    }

    /// The state from now on.
    pub(super) fn set_state(&self, state: &str, detail: &str) {
        *self.state.lock() = (state.to_owned(), detail.to_owned());
    }

    /// For how long the last call has run; `None` if none runs.
    pub(super) fn running_for(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Acquire);
        (began > 0).then(|| Duration::from_micros(self.now().saturating_sub(began)))
    }

    /// What operators see.
    pub(super) fn report(&self) -> Value {
        let calls = self.metrics.calls.get();
        let (state, detail) = self.state.lock().clone();
        let failure = self.failure.lock().as_ref().map(|failure| {
            json!({
                "seconds_ago": failure.at.elapsed().as_secs_f64(),
                "traceback": failure.traceback,
            })
        });
        let counted = COUNTED.iter().zip(&self.metrics.counted);
        let counted = counted.filter(|(_, counter)| counter.get() > 0);
        let counted: serde_json::Map<_, _> = counted
            .map(|(word, counter)| ((*word).to_owned(), counter.get().into()))
            .collect();
        let mean = (calls > 0).then(|| {
            #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
            let calls = calls as f64;
            self.metrics.duration.get_sample_sum() / calls
        });
        json!({
            "name": self.name,
            "kind": self.kind,
            "state": state,
            "detail": detail,
            "calls": calls,
            "failures": self.metrics.failures.get(),
            "events": self.metrics.events.get(),
            "running": self.running.load(Ordering::Relaxed),
            "running_for_seconds": self.running_for().map(|time| time.as_secs_f64()),
            "mean_seconds": mean,
            "outcomes": counted,
            "last_failure": failure,
        })
    }

    fn ended(&self) {
        let took = self.running_for();
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.began.store(0, Ordering::Release);
        }
        self.metrics.calls.inc();
        self.metrics
            .duration
            .observe(took.unwrap_or_default().as_secs_f64());
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).map_or(u64::MAX, |micros| micros + 1)
    }
}
