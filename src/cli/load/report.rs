//! What a run came to: throughput and percentiles of the time to an acknowledgement.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::plan::Tally;
use super::{Arguments, Protocol};
use crate::cli::failure::Failure;

/// A run in figures.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    protocol: &'static str,
    connections: u32,
    events: u64,
    accepted: u64,
    refused: u64,
    seconds: f64,
    events_per_second: f64,
    /// From when an event was due to its acknowledgement.
    latency_ms: Latency,
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
    pub(super) fn new(arguments: &Arguments, tally: &Tally, took: Duration) -> Self {
        let at = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            protocol: match arguments.protocol {
                Protocol::GrpcStream => "grpc-stream",
                Protocol::GrpcBatch => "grpc-batch",
                Protocol::GrpcUnary => "grpc-unary",
                Protocol::Http => "http",
            },
            connections: arguments.connections,
            events: tally.sent,
            accepted: tally.accepted,
            refused: tally.refused,
            seconds: took.as_secs_f64(),
            events_per_second: tally.accepted as f64 / took.as_secs_f64(),
            latency_ms: Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: tally.latency.max() as f64 / 1_000.0,
            },
        }
    }

    pub(super) fn print(&self, is_json: bool) -> Result<(), Failure> {
        let text = if is_json {
            serde_json::to_string(self).expect("figures are JSON") + "\n"
        } else {
            self.table()
        };
        io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(Failure::output(None))
    }

    fn table(&self) -> String {
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
        } = self.latency_ms;
        format!(
            "{} over {} connections, {:.2} s\n\
             events    {:>12} accepted, {} refused\n\
             rate      {:>12.0} events/s\n\
             latency   p50 {p50:.2} ms, p90 {p90:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, max {max:.2} ms\n",
            self.protocol,
            self.connections,
            self.seconds,
            self.accepted,
            self.refused,
            self.events_per_second,
        )
    }
}
