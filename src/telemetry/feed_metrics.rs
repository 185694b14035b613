//! The metrics of the feed and its consumers, with their names and help texts.
//!
//! A part of [`super::Metrics`]. The gauges of consumers are read at each scrape; a consumer that is gone
//! leaves none behind.

use prometheus::{GaugeVec, Histogram, IntCounter, IntGauge, IntGaugeVec};

use super::registrar::Registrar;

/// One consumer of the feed, at a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerGauges {
    /// Its name, the value of the label.
    pub name: String,
    /// Acknowledged events that it has not committed.
    pub lag_events: u64,
    /// Their bytes.
    pub lag_bytes: u64,
    /// Age of the oldest one, in seconds.
    pub lag_seconds: f64,
    /// Whether it must start again from the facts.
    pub is_detached: bool,
}

/// The metrics of the feed.
pub struct FeedMetrics {
    /// Duration of one write of cursors, in seconds.
    pub commit: Histogram,
    /// Writes of cursors that failed.
    pub commit_failures: IntCounter,
    /// How often a consumer was detached.
    pub detachments: IntCounter,
    /// Events that consumers have skipped.
    pub shed_events: IntCounter,
    lag_limit_bytes: IntGauge,
    lag_events: IntGaugeVec,
    lag_bytes: IntGaugeVec,
    lag_seconds: GaugeVec,
    detached: IntGaugeVec,
}

impl FeedMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        const CONSUMER: &[&str] = &["consumer"];
        Self {
            commit: registrar.histogram(
                "holdmetrics_feed_commit_seconds",
                "Duration of one write of cursors and values of pipelines, which covers all that waited.",
            ),
            commit_failures: registrar.counter(
                "holdmetrics_feed_commit_failures_total",
                "Writes of cursors that failed; a restart repeats what was not committed.",
            ),
            detachments: registrar.counter(
                "holdmetrics_feed_detachments_total",
                "How often a consumer had to start again from the facts, because its events were gone.",
            ),
            shed_events: registrar.counter(
                "holdmetrics_feed_shed_events_total",
                "Events skipped by consumers that have no cursor and were too slow.",
            ),
            lag_limit_bytes: registrar.gauge(
                "holdmetrics_feed_lag_limit_bytes",
                "Bytes of the journal that are kept for a consumer that lags (pipelines.lag_bytes_max).",
            ),
            lag_events: registrar.gauges(
                "holdmetrics_feed_lag_events",
                CONSUMER,
                "Acknowledged events that a consumer has not committed.",
            ),
            lag_bytes: registrar.gauges(
                "holdmetrics_feed_lag_bytes",
                CONSUMER,
                "About how many bytes these events take in the journal.",
            ),
            lag_seconds: registrar.gauges_of_seconds(
                "holdmetrics_feed_lag_seconds",
                CONSUMER,
                "Age of the oldest of these events, counted from the start of the process at the earliest.",
            ),
            detached: registrar.gauges(
                "holdmetrics_feed_detached",
                CONSUMER,
                "1 for a consumer that is detached, and will start again from the facts; 0 otherwise.",
            ),
        }
    }

    pub(super) fn set(&self, lag_bytes_max: u64, consumers: &[ConsumerGauges]) {
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.lag_limit_bytes.set(whole(lag_bytes_max));
        for family in [&self.lag_events, &self.lag_bytes, &self.detached] {
            family.reset();
        }
        self.lag_seconds.reset();
        for consumer in consumers {
            let name = &[consumer.name.as_str()];
            let set = |family: &IntGaugeVec, value| family.with_label_values(name).set(value);
            set(&self.lag_events, whole(consumer.lag_events));
            set(&self.lag_bytes, whole(consumer.lag_bytes));
            set(&self.detached, i64::from(consumer.is_detached));
            let seconds = self.lag_seconds.with_label_values(name);
            seconds.set(consumer.lag_seconds);
        }
    }
}
