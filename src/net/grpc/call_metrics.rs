//! Measures a gRPC call: counts, times and logs it when it has ended, in whatever way.

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use tonic::Code;
use tracing::Span;

use crate::net::code_name::code_name;
use crate::telemetry::call::{self, Outcome};
use crate::telemetry::metrics::Metrics;

const STATUS: &str = "grpc-status";

/// A call in progress; counted when it is dropped.
pub(super) struct CallMetrics {
    metrics: Arc<Metrics>,
    method: &'static str,
    is_stream: bool,
    since: Instant,
    /// `None` until the status was sent; a call that ends without one was cancelled.
    code: Option<Code>,
    span: Span,
}

impl CallMetrics {
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

    /// Looks for the status in the headers or trailers of the response.
    pub(super) fn observe(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(STATUS) {
            self.code = Some(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for CallMetrics {
    fn drop(&mut self) {
        if self.is_stream {
            self.metrics.streams.dec();
        }
        let code = self.code.unwrap_or(Code::Cancelled);
        let (name, took) = (code_name(code), self.since.elapsed());
        self.metrics.grpc_ended(self.method, name, took);
        call::mark_code(
            &self.span,
            "rpc.grpc.status_code",
            i64::from(i32::from(code)),
        );
        call::ended(&self.span, outcome(code), name, took);
    }
}

/// How the log classifies a status code. A call to an unknown method is an error of its caller.
const fn outcome(code: Code) -> Outcome {
    match code {
        Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss => Outcome::Fault,
        Code::DeadlineExceeded => Outcome::Late,
        Code::Unauthenticated | Code::PermissionDenied => Outcome::Denied,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented => Outcome::Answered,
    }
}
