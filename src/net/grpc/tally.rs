//! Counts a gRPC call once it has ended, however that was.

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use tonic::Code;
use tracing::{Span, debug};

use crate::telemetry::metrics::Metrics;

const STATUS: &str = "grpc-status";

/// A call that is being answered; counted when it is dropped.
pub(super) struct Tally {
    metrics: Arc<Metrics>,
    method: &'static str,
    is_stream: bool,
    since: Instant,
    /// `None` until the caller is told; a call that ends without was cancelled.
    code: Option<Code>,
    span: Span,
}

impl Tally {
    pub(super) fn begin(
        metrics: Arc<Metrics>,
        method: &'static str,
        is_stream: bool,
        span: Span,
    ) -> Self {
        if is_stream {
            metrics.streams.inc();
        }
        Self {
            metrics,
            method,
            is_stream,
            since: Instant::now(),
            code: None,
            span,
        }
    }

    /// Headers or trailers of the answer, which may hold its status.
    pub(super) fn see(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(STATUS) {
            self.code = Some(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if self.is_stream {
            self.metrics.streams.dec();
        }
        let code = name(self.code.unwrap_or(Code::Cancelled));
        let took = self.since.elapsed();
        self.metrics.grpc_ended(self.method, code, took);
        debug!(parent: &self.span, code, took_us = took.as_micros(), "A gRPC call ended.");
    }
}

/// As the protocol writes it.
const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
