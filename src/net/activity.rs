//! What a connection waits for, and how long it may: for its caller it waits in bounds, for us it does not.
//!
//! Told by `watched` what its bytes do, and by [`Call`] and [`Held`] what its calls do. Closes nothing; see
//! `connection`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::Version;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::config::Limits;

/// What the caller is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// To ask for the first time.
    First,
    /// To finish the headers that it has begun to send.
    Head,
    /// To take the bytes that were written.
    Taking,
    /// To ask again, or to take more of the answers that it asked for.
    Idle,
}

/// What happens on one connection.
pub(super) struct Activity {
    opened: Instant,
    is_http1: AtomicBool,
    has_begun: AtomicBool,
    /// Calls from their headers to the last byte of their answer.
    open: AtomicUsize,
    /// Those of them that wait for us, and not for the caller to take what there is.
    busy: AtomicUsize,
    /// When the last call ended, or began to wait for the caller.
    quiet_since: Moment,
    /// When headers began to arrive.
    head_since: Moment,
    /// When the socket took no more bytes.
    full_since: Moment,
}

/// Milliseconds after a connection was opened, from 1; 0 is never.
#[derive(Default)]
struct Moment(AtomicU64);

impl Moment {
    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            after => Some(Duration::from_millis(after - 1)),
        }
    }

    fn set(&self, opened: Instant) {
        let after = u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.0.store(after + 1, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            is_http1: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            quiet_since: Moment::default(),
            head_since: Moment::default(),
            full_since: Moment::default(),
        }
    }

    /// What the caller is waited for, and how much longer; `None` while a call waits for us.
    pub(super) fn wait(&self, limits: &Limits) -> Option<(Wait, Duration)> {
        let (wait, since, allowed) = if !self.has_begun.load(Ordering::Relaxed) {
            (Wait::First, Duration::ZERO, limits.header_wait_max)
        } else if let Some(since) = self.full_since.get() {
            (Wait::Taking, since, limits.idle_wait_max)
        } else if let Some(since) = self.head_since.get() {
            (Wait::Head, since, limits.header_wait_max)
        } else if self.busy.load(Ordering::Acquire) > 0 {
            return None;
        } else {
            let since = self.quiet_since.get().unwrap_or_default();
            (Wait::Idle, since, limits.idle_wait_max)
        };
        let left = (since + allowed).saturating_sub(self.opened.elapsed());
        Some((wait, left))
    }

    /// Bytes have arrived. Between two calls of HTTP/1 they are headers; HTTP/2 also says other things.
    pub(super) fn arrived(&self) {
        if self.is_http1.load(Ordering::Relaxed)
            && self.open.load(Ordering::Relaxed) == 0
            && self.head_since.get().is_none()
        {
            self.head_since.set(self.opened);
        }
    }

    /// The socket takes bytes, or it takes none until the caller has.
    pub(super) fn takes(&self, is_taking: bool) {
        match (is_taking, self.full_since.get()) {
            (true, Some(_)) => self.full_since.clear(),
            (false, None) => self.full_since.set(self.opened),
            (true, None) | (false, Some(_)) => {}
        }
    }
}

/// An open call: from its headers to the last byte of its answer.
pub(super) struct Call {
    activity: Arc<Activity>,
    is_busy: bool,
}

impl Call {
    pub(super) fn begin(activity: Arc<Activity>, version: Version) -> Self {
        let is_http1 = version < Version::HTTP_2;
        activity.is_http1.store(is_http1, Ordering::Relaxed);
        activity.head_since.clear();
        activity.open.fetch_add(1, Ordering::Relaxed);
        activity.busy.fetch_add(1, Ordering::AcqRel);
        activity.has_begun.store(true, Ordering::Relaxed);
        Self {
            activity,
            is_busy: true,
        }
    }

    /// From now on the caller is waited for.
    fn rest(&mut self) {
        if std::mem::take(&mut self.is_busy) {
            self.activity.quiet_since.set(self.activity.opened);
            self.activity.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// From now on the caller waits for us.
    fn resume(&mut self) {
        if !std::mem::replace(&mut self.is_busy, true) {
            self.activity.busy.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.rest();
        self.activity.quiet_since.set(self.activity.opened);
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, which keeps its call open.
///
/// It is asked for more only where there is room for more. So whenever it has just given something, its call
/// waits for the caller, whatever the protocol.
pub(super) struct Held<B> {
    body: B,
    call: Call,
}

impl<B> Held<B> {
    pub(super) fn new(body: B, mut call: Call) -> Self {
        call.rest();
        Self { body, call }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        this.call.resume();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_ready() {
            this.call.rest();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http_body_util::Full;

    use super::*;

    fn wait(activity: &Activity) -> Option<Wait> {
        activity.wait(&Limits::default()).map(|(wait, _)| wait)
    }

    #[test]
    fn headers_are_timed_from_their_first_byte_where_only_headers_can_come() {
        for (version, then) in [
            (Version::HTTP_11, Wait::Head),
            (Version::HTTP_2, Wait::Idle),
        ] {
            let activity = Arc::new(Activity::new());
            activity.arrived();
            assert_eq!(wait(&activity), Some(Wait::First));
            let call = Call::begin(Arc::clone(&activity), version);
            activity.arrived();
            assert_eq!(wait(&activity), None, "that was the body of the request");
            drop(call);
            assert_eq!(wait(&activity), Some(Wait::Idle));
            activity.arrived();
            assert_eq!(wait(&activity), Some(then));
            let _next = Call::begin(Arc::clone(&activity), version);
            assert_eq!(wait(&activity), None);
        }
    }

    #[test]
    fn a_call_waits_for_its_caller_once_it_has_given_something() {
        let activity = Arc::new(Activity::new());
        let call = Call::begin(Arc::clone(&activity), Version::HTTP_2);
        let mut held = Held::new(Full::new(Bytes::from_static(b"x")), call);
        assert_eq!(wait(&activity), Some(Wait::Idle));
        let other = Call::begin(Arc::clone(&activity), Version::HTTP_2);
        assert_eq!(wait(&activity), None, "the other one waits for us");
        drop(other);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut held).poll_frame(&mut cx).is_ready());
        assert_eq!(wait(&activity), Some(Wait::Idle));
    }

    #[test]
    fn a_full_socket_is_waited_for_whatever_the_calls_do() {
        let activity = Arc::new(Activity::new());
        let _call = Call::begin(Arc::clone(&activity), Version::HTTP_11);
        activity.takes(false);
        assert_eq!(wait(&activity), Some(Wait::Taking));
        activity.takes(true);
        assert_eq!(wait(&activity), None);
    }
}
