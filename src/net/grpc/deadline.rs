//! How long a caller waits: the header `grpc-timeout`, and what ends a call that takes longer.
//!
//! The deadline is that of the whole call, its stream of answers included.

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

use super::status::closing;
use super::tally::Tally;

const TIMEOUT: &str = "grpc-timeout";
/// The protocol allows so many digits.
const DIGITS_MAX: usize = 8;

/// How long the caller waits; `None` where it says nothing or nothing that can be read.
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

/// What is said where the time is over.
pub(super) fn exceeded() -> Status {
    Status::deadline_exceeded("the time for this call is over; what was sent may have been taken")
}

/// A body of answers that ends at a deadline, or where the server stops.
pub(in crate::net) struct Bounded<B> {
    /// `None` once it has ended.
    body: Option<B>,
    tally: Tally,
    deadline: Option<Pin<Box<Sleep>>>,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<B> Bounded<B> {
    /// `body` until `deadline`; with `stop`, until that too.
    pub(super) fn new(
        body: B,
        tally: Tally,
        deadline: Option<Instant>,
        stop: Option<WaitForCancellationFutureOwned>,
    ) -> Self {
        Self {
            body: Some(body),
            tally,
            deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            stop: stop.map(Box::pin),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Bounded<B> {
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
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if let Some(Ok(frame)) = &frame
                && let Some(trailers) = frame.trailers_ref()
            {
                this.tally.see(trailers);
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
        this.body = None;
        let mut trailers = HeaderMap::new();
        let is_told = status.add_header(&mut trailers).is_ok();
        this.tally.see(&trailers);
        Poll::Ready(is_told.then(|| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The answer of `call`, or that the deadline came first.
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
