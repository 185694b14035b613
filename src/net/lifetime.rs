//! How long a call may stay open: until its API key is revoked, or its stream has reached the maximum age.
//!
//! A call that is short ends before either. That the server stops is not decided here: handlers end their streams
//! then by themselves, after they have acknowledged what they read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::access::{Access, Caller, Need};
use super::connection::BoxFuture;

/// Why a call ends before its caller ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallEnd {
    /// Its key is no longer in the file of keys, or has lost the scope.
    #[error(
        "authorization: the API key was revoked while the call was open; events that were sent may be stored, and \
         it is safe to send them again"
    )]
    Revoked,
    /// It has been open for `limits.stream_age_max`.
    #[error(
        "the call was open for the maximum time (limits.stream_age_max): call again; events that were sent may be \
         stored, and it is safe to send them again"
    )]
    Aged,
}

impl CallEnd {
    /// The name by which programs know it.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Revoked => "KEY_REVOKED",
            Self::Aged => "STREAM_AGE",
        }
    }
}

/// Resolves when the call of `caller` must end.
pub(super) fn end_of_call(
    access: &Access,
    caller: Caller,
    need: Need,
    age_max: Duration,
) -> BoxFuture<CallEnd> {
    let access = access.clone();
    Box::pin(async move {
        tokio::select! {
            () = access.revoked(&caller, need) => CallEnd::Revoked,
            () = tokio::time::sleep(age_max) => CallEnd::Aged,
        }
    })
}

/// The body of a response that breaks off when its call must end, so that it does not seem complete.
pub(super) struct MortalBody<B> {
    body: B,
    end: BoxFuture<CallEnd>,
}

impl<B> MortalBody<B> {
    /// Breaks `body` off when `end` resolves.
    pub(super) fn new(body: B, end: BoxFuture<CallEnd>) -> Self {
        Self { body, end }
    }
}

impl<B> Body for MortalBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(end) = self.end.as_mut().poll(cx) {
            return Poll::Ready(Some(Err(io::Error::other(end).into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map(|frame| frame.map(|read| read.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
