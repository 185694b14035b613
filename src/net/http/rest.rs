//! What a refused caller still sends: read and thrown away before the refusal, where it is little.
//!
//! Over HTTP/2 an answer that comes before the end of its request resets the stream, and some clients then
//! report the reset instead of the answer; over HTTP/1 it costs the connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// A longer rest is not worth reading: its caller is refused at once.
const BYTES_MAX: u64 = 64 << 10;
/// No refusal waits longer for the rest.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Where a body comes back to that was not read to its end.
pub(super) struct Rest(Option<oneshot::Receiver<Body>>);

/// The same request, and the rest of its body once it is dropped.
pub(super) fn lend(request: Request) -> (Request, Rest) {
    // Who asks whether to send at all is told so by the refusal; reading would ask for the body.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return (request, Rest(None));
    }
    let (owner, rest) = oneshot::channel();
    let lent = |body| {
        Body::new(Lent {
            body,
            owner: Some(owner),
        })
    };
    (request.map(lent), Rest(Some(rest)))
}

impl Rest {
    /// Reads what is left, if that is little and comes soon.
    pub(super) async fn throw_away(self) {
        let rest = self.0.and_then(|mut rest| rest.try_recv().ok());
        let Some(mut body) = rest.filter(|body| body.size_hint().lower() <= BYTES_MAX) else {
            return;
        };
        let reading = async {
            let mut left = BYTES_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(fewer) = left.checked_sub(bytes) else {
                    return;
                };
                left = fewer;
            }
        };
        // What does not come in time is left unread; the refusal stands either way.
        let _ = tokio::time::timeout(WAIT_MAX, reading).await;
    }
}

/// A body that goes back to its owner where it is dropped before its end.
struct Lent {
    body: Body,
    owner: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            // Nobody waits for it where the answer has gone already.
            let _ = owner.send(std::mem::take(&mut self.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const CHUNK_BYTES: usize = 1_000;

    /// A body of so many chunks, and how many of them were read.
    fn chunks(count: usize) -> (Body, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let chunks = futures_util::stream::iter((0..count).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(&[b' '; CHUNK_BYTES]))
        }));
        (Body::from_stream(chunks), read)
    }

    #[tokio::test]
    async fn a_small_rest_is_read_to_its_end_and_a_long_one_is_left() {
        let most = usize::try_from(BYTES_MAX).unwrap() / CHUNK_BYTES;
        for (count, expected) in [(1, 1), (most, most), (1_000_000, most + 1)] {
            let (body, read) = chunks(count);
            let (request, rest) = lend(Request::new(body));
            drop(request);
            rest.throw_away().await;
            assert_eq!(read.load(Ordering::Relaxed), expected);
        }
    }

    #[tokio::test]
    async fn the_rest_begins_where_the_reader_stopped() {
        let (body, read) = chunks(3);
        let (mut request, rest) = lend(Request::new(body));
        request.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(read.load(Ordering::Relaxed), 1);
        drop(request);
        rest.throw_away().await;
        assert_eq!(read.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_rest_that_does_not_come_holds_no_refusal_up() {
        let never = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        let (request, rest) = lend(Request::new(Body::from_stream(never)));
        drop(request);
        rest.throw_away().await;
    }

    #[tokio::test]
    async fn a_caller_who_asks_first_is_not_asked_for_its_body() {
        let (body, read) = chunks(1);
        let mut request = Request::new(body);
        let expectation = "100-continue".parse().unwrap();
        request.headers_mut().insert(header::EXPECT, expectation);
        let (request, rest) = lend(request);
        drop(request);
        rest.throw_away().await;
        assert_eq!(read.load(Ordering::Relaxed), 0);
    }
}
