//! The metrics of pipelines and of the interpreter in which they run.
//!
//! One set of handles for each handler, so that counting is an atomic addition. What operators record
//! themselves is in [`super::own_metrics`].

use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};

use super::own_metrics::OwnMetrics;
use super::registrar::Registrar;

/// What is counted of a handler beside its calls.
pub const COUNTED: [&str; 8] = [
    "skipped",
    "shed",
    "retried",
    "dead_lettered",
    "emitted",
    "refused",
    "timed_out",
    "left_behind",
];

/// All metrics of pipelines.
pub struct PipelineMetrics {
    calls: IntCounterVec,
    failures: IntCounterVec,
    events: IntCounterVec,
    counted: IntCounterVec,
    handler: HistogramVec,
    /// Messages that wait for Python.
    pub queue_messages: IntGauge,
    /// How long the event loop of Python has not answered, in seconds.
    pub stuck_seconds: Gauge,
    /// Time to get the interpreter lock, in seconds.
    pub lock_wait: Histogram,
    /// How late the event loop of Python runs a call that is due, in seconds.
    pub loop_lag: Histogram,
    /// Pauses of Python's garbage collection, in seconds.
    pub collection: Histogram,
    /// What handlers record themselves.
    pub own: OwnMetrics,
}

/// The metrics of one handler.
#[derive(Clone)]
pub struct HandlerMetrics {
    /// Calls that have ended.
    pub calls: IntCounter,
    /// Those of them that ended in an exception.
    pub failures: IntCounter,
    /// Events handled.
    pub events: IntCounter,
    /// Duration of the calls, in seconds.
    pub duration: Histogram,
    /// In the order of [`COUNTED`].
    pub counted: [IntCounter; COUNTED.len()],
}

impl PipelineMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        const OF_A_HANDLER: &[&str] = &["pipeline", "handler"];
        Self {
            calls: registrar.counters(
                "holdmetrics_pipeline_calls_total",
                OF_A_HANDLER,
                "Calls of handlers that have ended, by pipeline and handler.",
            ),
            failures: registrar.counters(
                "holdmetrics_pipeline_failures_total",
                OF_A_HANDLER,
                "Calls of handlers that ended in an exception.",
            ),
            events: registrar.counters(
                "holdmetrics_pipeline_events_total",
                OF_A_HANDLER,
                "Events that handlers have handled.",
            ),
            counted: registrar.counters(
                "holdmetrics_pipeline_outcomes_total",
                &["pipeline", "handler", "outcome"],
                "Events that were skipped, shed, dead_lettered, emitted or refused, calls that were retried or \
                 timed_out, and tasks left_behind.",
            ),
            handler: registrar.histograms(
                "holdmetrics_pipeline_handler_seconds",
                OF_A_HANDLER,
                "Duration of the calls of handlers.",
            ),
            queue_messages: registrar.gauge(
                "holdmetrics_python_queue_messages",
                "Messages of the service that wait for Python.",
            ),
            stuck_seconds: registrar.gauge_of_seconds(
                "holdmetrics_python_stuck_seconds",
                "How long the event loop of Python has not answered; 0 if it answers.",
            ),
            lock_wait: registrar.histogram(
                "holdmetrics_python_lock_wait_seconds",
                "Time to get the interpreter lock, measured by a thread that asks for it from time to time.",
            ),
            loop_lag: registrar.histogram(
                "holdmetrics_python_loop_lag_seconds",
                "How late the event loop of Python runs a call that is due.",
            ),
            collection: registrar.histogram(
                "holdmetrics_python_collection_seconds",
                "Pauses of the garbage collection of Python.",
            ),
            own: OwnMetrics::new(registrar.registry.clone()),
        }
    }

    /// The metrics of one handler, at zero if it is new.
    #[must_use]
    pub fn handler(&self, pipeline: &str, handler: &str) -> HandlerMetrics {
        let labels = [pipeline, handler];
        HandlerMetrics {
            calls: self.calls.with_label_values(&labels),
            failures: self.failures.with_label_values(&labels),
            events: self.events.with_label_values(&labels),
            duration: self.handler.with_label_values(&labels),
            counted: COUNTED.map(|word| self.counted.with_label_values(&[pipeline, handler, word])),
        }
    }
}
