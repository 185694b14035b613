//! The result of a run: throughput, and percentiles of the time to an acknowledgement.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::LoadOptions;
use super::schedule::Counts;

/// The figures of a run; displayed as a table for people, serialised as one JSON object.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    protocol: &'static str,
    connections: u32,
    events: u64,
    accepted: u64,
    refused: u64,
    seconds: f64,
    events_per_second: f64,
    /// From when an event was due to its acknowledgement.
    latency_ms: Latency,
    /// Whether all was sent that was wanted.
    #[serde(skip)]
    pub is_complete: bool,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Report {
    #[expect(
        clippy::cast_precision_loss,
        reason = "figures for people, three digits of them"
    )]
    pub(super) fn new(
        options: &LoadOptions,
        counts: &Counts,
        took: Duration,
        is_complete: bool,
    ) -> Self {
        let at = |quantile| counts.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            protocol: options.protocol.name(),
            connections: options.connections,
            events: counts.sent,
            accepted: counts.accepted,
            refused: counts.refused,
            seconds: took.as_secs_f64(),
            events_per_second: counts.accepted as f64 / took.as_secs_f64(),
            latency_ms: Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: counts.latency.max() as f64 / 1_000.0,
            },
            is_complete,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
        } = self.latency_ms;
        writeln!(
            out,
            "{} over {} connections, {:.2} s\n\
             events    {:>12} accepted, {} refused\n\
             rate      {:>12.0} events/s\n\
             latency   p50 {p50:.2} ms, p90 {p90:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, max {max:.2} ms",
            self.protocol,
            self.connections,
            self.seconds,
            self.accepted,
            self.refused,
            self.events_per_second,
        )
    }
}
