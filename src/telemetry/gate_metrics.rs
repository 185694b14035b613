//! The metrics of gates: what became of the events that pipelines check before they are accepted.
//!
//! Part of [`super::metrics`], which registers them; one [`GateMetrics`] holds the series of one gate.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::registrar::Registrar;

/// The families, by pipeline and handler.
pub(super) struct GateFamilies {
    events: IntCounterVec,
    seconds: HistogramVec,
    bypassed: IntGaugeVec,
}

/// The series of one gate.
pub struct GateMetrics {
    /// Events that it accepted as they were.
    pub accepted: IntCounter,
    /// Events that it refused.
    pub refused: IntCounter,
    /// Events that it changed.
    pub replaced: IntCounter,
    /// Events of batches without an answer in time.
    pub timed_out: IntCounter,
    /// Events of batches whose check failed.
    pub failed: IntCounter,
    /// Events of batches about which it was not asked.
    pub bypassed: IntCounter,
    /// Duration of one check.
    pub seconds: Histogram,
    /// 1 while it is not asked.
    pub is_bypassed: IntGauge,
}

impl GateFamilies {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        Self {
            events: registrar.counters(
                "holdmetrics_before_accept_events_total",
                &["pipeline", "handler", "outcome"],
                "Events that before_accept saw: accepted, refused, replaced, or unchecked because it timed_out, failed or was bypassed.",
            ),
            seconds: registrar.histograms(
                "holdmetrics_before_accept_seconds",
                &["pipeline", "handler"],
                "Duration of one check of a batch by before_accept, which delays its acknowledgement.",
            ),
            bypassed: registrar.gauges(
                "holdmetrics_before_accept_bypassed",
                &["pipeline", "handler"],
                "1 while before_accept is not asked, because it gave no answer several times in a row.",
            ),
        }
    }

    pub(super) fn gate(&self, pipeline: &str, handler: &str) -> GateMetrics {
        let events = |outcome| {
            let labels = [pipeline, handler, outcome];
            self.events.with_label_values(&labels)
        };
        let labels = [pipeline, handler];
        GateMetrics {
            accepted: events("accepted"),
            refused: events("refused"),
            replaced: events("replaced"),
            timed_out: events("timed_out"),
            failed: events("failed"),
            bypassed: events("bypassed"),
            seconds: self.seconds.with_label_values(&labels),
            is_bypassed: self.bypassed.with_label_values(&labels),
        }
    }
}
