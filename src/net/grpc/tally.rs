//! Counts a gRPC call once it has ended, however that was.

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use tonic::Code;
use tracing::{Span, debug};

use crate::net::code_name::code_name;
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
        let code = code_name(self.code.unwrap_or(Code::Cancelled));
        let took = self.since.elapsed();
        self.metrics.grpc_ended(self.method, code, took);
        debug!(parent: &self.span, code, took_us = took.as_micros(), "A gRPC call ended.");
    }
}
