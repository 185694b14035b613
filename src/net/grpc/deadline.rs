//! Deadlines: reads the header `grpc-timeout`, and ends a call at its deadline.
//!
//! The deadline is that of the whole call, its stream of responses included.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

use super::call_metrics::CallMetrics;
use super::status::{call_ended, closing};
use crate::net::connection::BoxFuture;
use crate::net::lifetime::CallEnd;

const TIMEOUT: &str = "grpc-timeout";
/// The protocol allows at most this many digits.
const DIGITS_MAX: usize = 8;

/// How long the caller waits; `None` if the header is missing or invalid.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty()
        || digits.len() > DIGITS_MAX
        || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let count = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// The status of a call that reached its deadline.
fn exceeded() -> Status {
    Status::deadline_exceeded(
        "deadline exceeded: events that were sent may be stored; it is safe to send them again",
    )
}

/// The body of a response, which ends at a deadline, when the server stops, or when its caller may no longer call.
pub(in crate::net) struct DeadlineBody<B> {
    /// `None` after its end.
    body: Option<B>,
    call_metrics: CallMetrics,
    deadline: Option<Pin<Box<Sleep>>>,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    end: Option<BoxFuture<CallEnd>>,
}

impl<B> DeadlineBody<B> {
    /// Ends `body` at `deadline`, or when `stop` or `end` is ready.
    pub(super) fn new(
        body: B,
        call_metrics: CallMetrics,
        deadline: Option<Instant>,
        stop: Option<WaitForCancellationFutureOwned>,
        end: Option<BoxFuture<CallEnd>>,
    ) -> Self {
        Self {
            body: Some(body),
            call_metrics,
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            stop: stop.map(Box::pin),
            end,
        }
    }
}

impl<B: Body<Data = Bytes>> DeadlineBody<B> {
    fn end_with(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.body = None;
        let mut trailers = HeaderMap::new();
        let is_written = status.add_header(&mut trailers).is_ok();
        self.call_metrics.observe(&trailers);
        Poll::Ready(is_written.then(|| Ok(Frame::trailers(trailers))))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for DeadlineBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        // First, because a stream may always have another frame.
        if let Some(Poll::Ready(end)) = this.end.as_mut().map(|end| end.as_mut().poll(cx)) {
            return this.end_with(&call_ended(end));
        }
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame
                && let Some(trailers) = frame.trailers_ref()
            {
                this.call_metrics.observe(trailers);
            }
            return Poll::Ready(frame);
        }
        let mut is_over = |wait: Option<Pin<&mut dyn Future<Output = ()>>>| {
            wait.is_some_and(|wait| wait.poll(cx).is_ready())
        };
        let status = if is_over(this.deadline.as_mut().map(|sleep| sleep.as_mut() as _)) {
            exceeded()
        } else if is_over(this.stop.as_mut().map(|stop| stop.as_mut() as _)) {
            closing()
        } else {
            return Poll::Pending;
        };
        this.end_with(&status)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The response of `call`, or the status of a call whose deadline came first.
pub(super) async fn within<B: Default>(
    deadline: Option<Instant>,
    call: impl Future<Output = Response<B>>,
) -> Response<B> {
    match deadline {
        None => call.await,
        Some(deadline) => tokio::time::timeout_at(deadline, call)
            .await
            .unwrap_or_else(|_| exceeded().into_http()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, text.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(read("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(read("99999999m"), Some(Duration::from_millis(99_999_999)));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("7n"), Some(Duration::from_nanos(7)));
        for text in ["", "S", "-1S", "+1S", "1", "1s", "123456789S", "1.5S"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }
}
