//! How one call stands in traces and in the log, whichever protocol it came by.
//!
//! A call joins the trace of its caller, and its end is logged at a level that says whose fault a failure
//! is. A flood of failing calls is no flood of lines: beyond a few a second they are logged as details.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::Status;
use tracing::{Span, Value, debug, info, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// What the caller says of its trace, as W3C has it.
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";
/// Lines of one kind in one second.
const LINES_MAX: u64 = 10;

/// How a call ended, as far as the log must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server did not do what it should.
    Fault,
    /// The time that the caller gave was over: an error of the trace, and no news for the log.
    Late,
    /// The caller was not let in.
    Denied,
    /// It was answered, or the caller is to blame.
    Answered,
}

/// Makes `span` a part of the trace that the caller names in its headers. Without an export nothing
/// is joined, and after the first event in a span it is too late.
pub fn join_trace<'h>(span: &Span, header: impl Fn(&str) -> Option<&'h str>) {
    let Some(parent) = header(TRACE_PARENT) else {
        return;
    };
    let state = header(TRACE_STATE);
    let caller =
        global::get_text_map_propagator(|format| format.extract(&Caller { parent, state }));
    // Without an export there is no layer to tell.
    let _ = span.set_parent(caller);
}

/// Tells the trace alone: `code` under the `name` that the conventions of its protocol give it.
pub fn mark_code(span: &Span, name: &'static str, code: i64) {
    span.set_attribute(name, code);
}

/// Logs the end of a call, and marks its span where the server did not answer as it should.
pub fn ended(span: &Span, outcome: Outcome, code: impl Value, took: Duration) {
    static FAULTS: Throttle = Throttle::new();
    static DENIALS: Throttle = Throttle::new();
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if matches!(outcome, Outcome::Fault | Outcome::Late) {
        span.set_status(Status::error(""));
    }
    match outcome {
        Outcome::Fault if FAULTS.admits(now_seconds()) => {
            warn!(parent: span, code, took_us, "A call failed on the side of the server.");
        }
        Outcome::Denied if DENIALS.admits(now_seconds()) => {
            info!(parent: span, code, took_us, "A caller was not let in.");
        }
        Outcome::Fault | Outcome::Late | Outcome::Denied | Outcome::Answered => {
            debug!(parent: span, code, took_us, "A call ended.");
        }
    }
}

/// Since the first call; any clock that does not go back will do.
fn now_seconds() -> u64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_secs()
}

/// Lets a few lines a second through. The second stands in the upper half, the lines in the lower.
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

/// What a caller says of its trace.
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
