//! Traces and logs one request, of any protocol.
//!
//! A request joins the trace of its caller. Its end is logged at a level that tells failures of the
//! server from those of the caller. At most a few such lines per second are logged; the rest are logged
//! at debug level.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::Status;
use tracing::{Span, Value, debug, info, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The headers of the W3C trace context.
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";
/// Lines of one kind per second.
const LINES_MAX: u64 = 10;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server failed.
    Fault,
    /// The deadline of the caller passed: an error in the trace, but not in the log.
    Late,
    /// The caller was not authorized.
    Denied,
    /// It was answered, or the request was invalid.
    Answered,
}

/// Makes `span` a child of the trace in the headers of the caller. Must be called before the first event
/// in the span; does nothing if traces are not exported.
pub(crate) fn join_trace<'h>(span: &Span, header: impl Fn(&str) -> Option<&'h str>) {
    let Some(parent) = header(TRACE_PARENT) else {
        return;
    };
    let state = header(TRACE_STATE);
    let caller =
        global::get_text_map_propagator(|format| format.extract(&Caller { parent, state }));
    // Fails if there is no layer that exports traces.
    let _ = span.set_parent(caller);
}

/// Sets the status `code` of the span, under the attribute `name` that the conventions of the protocol
/// define.
pub(crate) fn mark_code(span: &Span, name: &'static str, code: i64) {
    span.set_attribute(name, code);
}

/// Logs the end of a request, and sets the status of its span if the server failed.
pub(crate) fn ended(span: &Span, outcome: Outcome, code: impl Value, took: Duration) {
    static FAULTS: Throttle = Throttle::new();
    static DENIALS: Throttle = Throttle::new();
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if matches!(outcome, Outcome::Fault | Outcome::Late) {
        span.set_status(Status::error(""));
    }
    match outcome {
        Outcome::Fault if FAULTS.admits(now_seconds()) => {
            warn!(parent: span, code, took_us, "A request failed because of the server.");
        }
        Outcome::Denied if DENIALS.admits(now_seconds()) => {
            info!(parent: span, code, took_us, "A caller was not authorized.");
        }
        Outcome::Fault | Outcome::Late | Outcome::Denied | Outcome::Answered => {
            debug!(parent: span, code, took_us, "A request ended.");
        }
    }
}

/// Seconds since the first call, from a monotonic clock.
fn now_seconds() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_secs()
}

/// Admits a few lines per second. The upper half is the second, the lower half counts the lines.
struct Throttle(AtomicU64);

impl Throttle {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn admits(&self, second: u64) -> bool {
        let begun = second << 32;
        let counted = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                let seen = if seen >> 32 == second { seen } else { begun };
                (seen - begun < LINES_MAX).then_some(seen + 1)
            });
        counted.is_ok()
    }
}

/// The trace context of a caller.
struct Caller<'h> {
    parent: &'h str,
    state: Option<&'h str>,
}

impl Extractor for Caller<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            TRACE_PARENT => Some(self.parent),
            TRACE_STATE => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_PARENT, TRACE_STATE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_a_few_lines_a_second() {
        let throttle = Throttle::new();
        for second in [0, 1, 7] {
            let admitted = (0..1_000).filter(|_| throttle.admits(second)).count();
            assert_eq!(admitted as u64, LINES_MAX);
        }
    }
}
