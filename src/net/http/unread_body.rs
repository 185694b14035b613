//! Reads and discards the rest of a refused request's body before the response is sent, if it is short.
//!
//! In HTTP/2 a response before the end of its request resets the stream, and some clients then report the reset
//! instead of the response; in HTTP/1 it costs the connection.

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

/// A longer rest is not read: its caller is refused at once.
const BYTES_MAX: u64 = 64 << 10;
/// A response waits at most this long for the rest.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Receives the body of a request if it was dropped before its end.
pub(super) struct UnreadBody(Option<oneshot::Receiver<Body>>);

/// The same request, and the handle that receives the unread part of its body.
pub(super) fn track(request: Request) -> (Request, UnreadBody) {
    // With `expect` the client has not sent the body yet, and reading would ask for it.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return (request, UnreadBody(None));
    }
    let (owner, unread) = oneshot::channel();
    let tracked = |body| {
        Body::new(TrackedRequestBody {
            body,
            owner: Some(owner),
        })
    };
    (request.map(tracked), UnreadBody(Some(unread)))
}

impl UnreadBody {
    /// Reads the rest to its end if it is short and arrives soon.
    pub(super) async fn discard(self) {
        let unread = self.0.and_then(|mut unread| unread.try_recv().ok());
        let Some(mut body) = unread.filter(|body| body.size_hint().lower() <= BYTES_MAX) else {
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
        // After the timeout the rest stays unread; the response is the same.
        let _ = tokio::time::timeout(WAIT_MAX, reading).await;
    }
}

/// A body that is sent to its owner when it is dropped.
struct TrackedRequestBody {
    body: Body,
    owner: Option<oneshot::Sender<Body>>,
}

impl HttpBody for TrackedRequestBody {
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

impl Drop for TrackedRequestBody {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            // Fails if the response was sent already.
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
    async fn a_short_rest_is_read_to_its_end_and_a_long_one_is_not() {
        let most = usize::try_from(BYTES_MAX).unwrap() / CHUNK_BYTES;
        for (count, expected) in [(1, 1), (most, most), (1_000_000, most + 1)] {
            let (body, read) = chunks(count);
            let (request, unread) = track(Request::new(body));
            drop(request);
            unread.discard().await;
            assert_eq!(read.load(Ordering::Relaxed), expected);
        }
    }

    #[tokio::test]
    async fn the_rest_begins_where_the_reader_stopped() {
        let (body, read) = chunks(3);
        let (mut request, unread) = track(Request::new(body));
        request.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(read.load(Ordering::Relaxed), 1);
        drop(request);
        unread.discard().await;
        assert_eq!(read.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_rest_that_does_not_arrive_does_not_block_the_response() {
        let never = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        let (request, unread) = track(Request::new(Body::from_stream(never)));
        drop(request);
        unread.discard().await;
    }

    #[tokio::test]
    async fn the_body_of_a_client_that_expects_a_go_ahead_is_not_read() {
        let (body, read) = chunks(1);
        let mut request = Request::new(body);
        let expectation = "100-continue".parse().unwrap();
        request.headers_mut().insert(header::EXPECT, expectation);
        let (request, unread) = track(request);
        drop(request);
        unread.discard().await;
        assert_eq!(read.load(Ordering::Relaxed), 0);
    }
}
