//! What a connection is waiting for, and for how much longer: only waits for the client have a limit.
//!
//! `observed_io` reports what happens to its bytes, [`OpenCall`] and [`TrackedBody`] what happens to its calls.
//! Closes nothing; see `connection`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::http::Version;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::answer_budget::{AnswerBudget, Counted, InFlight, PartBudget};
use crate::config::Limits;

/// A client that reads takes at least this much in the time that it has; pings and their answers take less.
const PROGRESS_BYTES: usize = 16 << 10;
/// A part of a stream is counted if it has at least this size.
const COUNTED_BYTES_MIN: usize = 16 << 10;

/// What the client must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Send its first request.
    First,
    /// Finish the headers that it has begun to send.
    Headers,
    /// Read the bytes that were written.
    Reading,
    /// Send another request, or read more of its responses.
    Idle,
}

/// What happens on one connection.
pub(super) struct Activity {
    opened: Instant,
    is_http1: AtomicBool,
    has_begun: AtomicBool,
    /// Calls from their headers to the last byte of their response.
    open: AtomicUsize,
    /// Open calls that wait for the server, not for the client to read.
    busy: AtomicUsize,
    /// When the last call ended, or began to wait for the client.
    quiet_since: Moment,
    /// When headers began to arrive.
    headers_since: Moment,
    /// When the send buffer of the socket became full.
    full_since: Moment,
    /// Whole answers that the client has not taken, and parts of streams.
    answers: AtomicUsize,
    parts: AtomicUsize,
    /// When the client last took something of them.
    taken_at: Moment,
    /// What it took since then.
    taken_bytes: AtomicUsize,
}

/// Milliseconds since the connection was opened, plus 1; 0 means never.
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
            headers_since: Moment::default(),
            full_since: Moment::default(),
            answers: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            taken_at: Moment::default(),
            taken_bytes: AtomicUsize::new(0),
        }
    }

    /// What the client must do, and how much time is left; `None` while a call waits for the server. Parts of streams
    /// may wait for a slow client, unless the memory for answers `is_scarce`.
    pub(super) fn wait(&self, limits: &Limits, is_scarce: bool) -> Option<(Wait, Duration)> {
        let in_flight = |answers: &AtomicUsize| answers.load(Ordering::Acquire) > 0;
        let holds_memory = in_flight(&self.answers) || (is_scarce && in_flight(&self.parts));
        let (wait, since, allowed) = if !self.has_begun.load(Ordering::Relaxed) {
            (Wait::First, Duration::ZERO, limits.header_wait_max)
        } else if let Some(since) = self.taken_at.get().filter(|_| holds_memory) {
            (Wait::Reading, since, limits.unread_wait_max)
        } else if let Some(since) = self.full_since.get() {
            (Wait::Reading, since, limits.idle_wait_max)
        } else if let Some(since) = self.headers_since.get() {
            (Wait::Headers, since, limits.header_wait_max)
        } else if self.busy.load(Ordering::Acquire) > 0 {
            return None;
        } else {
            let since = self.quiet_since.get().unwrap_or_default();
            (Wait::Idle, since, limits.idle_wait_max)
        };
        let left = (since + allowed).saturating_sub(self.opened.elapsed());
        Some((wait, left))
    }

    /// Whether the protocol is HTTP/1, or not known yet.
    pub(super) fn may_be_http1(&self) -> bool {
        self.is_http1.load(Ordering::Relaxed) || !self.has_begun.load(Ordering::Relaxed)
    }

    /// Bytes have arrived. Between two calls of HTTP/1 they are headers; in HTTP/2 they may be control frames.
    pub(super) fn received(&self) {
        if self.is_http1.load(Ordering::Relaxed)
            && self.open.load(Ordering::Relaxed) == 0
            && self.headers_since.get().is_none()
        {
            self.headers_since.set(self.opened);
        }
    }

    /// So many bytes were written to the socket.
    pub(super) fn sent(&self, bytes: usize) {
        let before = self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes >= PROGRESS_BYTES {
            self.taken_bytes.store(0, Ordering::Relaxed);
            self.taken_at.set(self.opened);
        }
    }

    /// A write has completed, or it waits because the send buffer is full.
    pub(super) fn wrote(&self, is_complete: bool) {
        match (is_complete, self.full_since.get()) {
            (true, Some(_)) => self.full_since.clear(),
            (false, None) => self.full_since.set(self.opened),
            (true, None) | (false, Some(_)) => {}
        }
    }
}

/// An open call, from its headers to the last byte of its response.
pub(super) struct OpenCall {
    activity: Arc<Activity>,
    is_busy: bool,
}

impl OpenCall {
    pub(super) fn begin(activity: Arc<Activity>, version: Version) -> Self {
        let is_http1 = version < Version::HTTP_2;
        activity.is_http1.store(is_http1, Ordering::Relaxed);
        activity.headers_since.clear();
        activity.open.fetch_add(1, Ordering::Relaxed);
        activity.busy.fetch_add(1, Ordering::AcqRel);
        activity.has_begun.store(true, Ordering::Relaxed);
        Self {
            activity,
            is_busy: true,
        }
    }

    /// From now on the call waits for the client.
    fn wait_for_client(&mut self) {
        if std::mem::take(&mut self.is_busy) {
            self.activity.quiet_since.set(self.activity.opened);
            self.activity.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// From now on the call waits for the server.
    fn wait_for_server(&mut self) {
        if !std::mem::replace(&mut self.is_busy, true) {
            self.activity.busy.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.wait_for_client();
        self.activity.quiet_since.set(self.activity.opened);
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a response, which keeps its call open.
///
/// It is polled only if there is room to send more. So once it has returned a frame its call waits for the
/// client, in both protocols.
pub(super) struct TrackedBody<B> {
    body: B,
    call: OpenCall,
    counting: Counting,
}

/// How the bytes of a body are counted until they are sent.
enum Counting {
    Not,
    Whole(Arc<Untaken>),
    Parts {
        budget: PartBudget,
        /// What is held beside the parts keeps the caller under the same limit as they do.
        _held: Option<Untaken>,
    },
}

impl<B> TrackedBody<B> {
    /// A body of `call`, which is `counted` within `budget` if it says how.
    pub(super) fn new(
        body: B,
        mut call: OpenCall,
        counted: Option<Counted>,
        budget: &AnswerBudget,
    ) -> Self {
        call.wait_for_client();
        let counting = match counted {
            None => Counting::Not,
            Some(Counted::Parts(held)) => {
                let activity = &call.activity;
                let held = held.map(|held| Untaken::new(Arc::clone(activity), false, held));
                Counting::Parts {
                    budget: PartBudget::new(budget),
                    _held: held,
                }
            }
            Some(Counted::Whole(in_flight)) => {
                let activity = Arc::clone(&call.activity);
                Counting::Whole(Arc::new(Untaken::new(activity, true, in_flight)))
            }
        };
        Self {
            body,
            call,
            counting,
        }
    }
}

/// Bytes that the client has not taken yet.
struct Untaken {
    activity: Arc<Activity>,
    is_whole: bool,
    _in_flight: Arc<InFlight>,
}

impl Untaken {
    fn new(activity: Arc<Activity>, is_whole: bool, in_flight: Arc<InFlight>) -> Self {
        let untaken = Self {
            activity,
            is_whole,
            _in_flight: in_flight,
        };
        let activity = &untaken.activity;
        activity.taken_at.set(activity.opened);
        untaken.number().fetch_add(1, Ordering::AcqRel);
        untaken
    }

    fn number(&self) -> &AtomicUsize {
        if self.is_whole {
            &self.activity.answers
        } else {
            &self.activity.parts
        }
    }
}

impl Drop for Untaken {
    fn drop(&mut self) {
        self.activity.taken_at.set(self.activity.opened);
        self.number().fetch_sub(1, Ordering::AcqRel);
    }
}

impl<B> TrackedBody<B> {
    /// The frame, counted until its bytes are sent.
    fn counted(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let untaken = |bytes: &Bytes| match &self.counting {
            Counting::Whole(untaken) => Some(Arc::clone(untaken)),
            Counting::Parts { budget, .. } if bytes.len() >= COUNTED_BYTES_MIN => {
                let in_flight = Arc::new(budget.count(bytes.len()));
                let activity = Arc::clone(&self.call.activity);
                Some(Arc::new(Untaken::new(activity, false, in_flight)))
            }
            Counting::Not | Counting::Parts { .. } => None,
        };
        frame.map_data(|bytes| match untaken(&bytes) {
            Some(untaken) => Bytes::from_owner(CountedBytes {
                bytes,
                _untaken: untaken,
            }),
            None => bytes,
        })
    }
}

/// Bytes that stay counted for as long as a copy of them waits to be sent.
struct CountedBytes {
    bytes: Bytes,
    _untaken: Arc<Untaken>,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for TrackedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if let Counting::Parts { budget, .. } = &mut this.counting {
            ready!(budget.poll_room(cx));
        }
        this.call.wait_for_server();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_ready() {
            this.call.wait_for_client();
        }
        polled.map(|frame| frame.map(|frame| frame.map(|frame| this.counted(frame))))
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
    use crate::net::byte_account::Account;

    fn budget() -> AnswerBudget {
        AnswerBudget::new(1 << 20, Account::new(1 << 20))
    }

    /// What is allowed to pass until the client has taken something.
    fn reading(activity: &Activity, is_scarce: bool) -> Option<Duration> {
        let limits = Limits {
            unread_wait_max: Duration::from_secs(7_000),
            ..Limits::default()
        };
        let (wait, left) = activity.wait(&limits, is_scarce)?;
        (wait == Wait::Reading).then_some(left)
    }

    #[test]
    fn an_answer_is_waited_for_until_its_last_byte_is_sent() {
        for (counted, is_scarce, is_timed) in [
            (Counted::Whole(Arc::new(budget().count(1))), false, true),
            (Counted::Parts(None), false, false),
            (Counted::Parts(None), true, true),
        ] {
            let activity = Arc::new(Activity::new());
            let call = OpenCall::begin(Arc::clone(&activity), Version::HTTP_2);
            let full = Full::new(Bytes::from(vec![0; COUNTED_BYTES_MIN]));
            let mut body = TrackedBody::new(full, call, Some(counted), &budget());
            let mut cx = Context::from_waker(Waker::noop());
            let frame = Pin::new(&mut body).poll_frame(&mut cx);
            let Poll::Ready(Some(Ok(frame))) = frame else {
                panic!("it is there");
            };
            drop(body);
            let rest = frame.into_data().expect("data").split_off(9);
            assert_eq!(reading(&activity, is_scarce).is_some(), is_timed);
            drop(rest);
            assert_eq!(reading(&activity, is_scarce), None);
        }
    }

    #[test]
    fn what_a_stream_holds_is_waited_for_only_if_memory_is_scarce() {
        let activity = Arc::new(Activity::new());
        let call = OpenCall::begin(Arc::clone(&activity), Version::HTTP_2);
        let held = Some(Arc::new(budget().count(1)));
        let body = TrackedBody::new(
            Full::new(Bytes::new()),
            call,
            Some(Counted::Parts(held)),
            &budget(),
        );
        assert_eq!(reading(&activity, false), None);
        assert!(reading(&activity, true).is_some());
        drop(body);
        assert_eq!(reading(&activity, true), None);
    }

    #[test]
    fn a_client_that_takes_little_by_little_is_given_time() {
        let activity = Arc::new(Activity::new());
        let _call = OpenCall::begin(Arc::clone(&activity), Version::HTTP_2);
        let in_flight = Arc::new(budget().count(1));
        let untaken = Untaken::new(Arc::clone(&activity), true, in_flight);
        let pause = || std::thread::sleep(Duration::from_millis(20));
        pause();
        let before = reading(&activity, false).expect("it is to be read");
        activity.sent(PROGRESS_BYTES - 1);
        assert!(reading(&activity, false).expect("pings are not progress") <= before);
        activity.sent(1);
        assert!(reading(&activity, false).expect("it is still to be read") > before);
        drop(untaken);
    }

    fn wait(activity: &Activity) -> Option<Wait> {
        activity
            .wait(&Limits::default(), false)
            .map(|(wait, _)| wait)
    }

    #[test]
    fn headers_are_timed_from_their_first_byte_if_only_headers_can_come() {
        for (version, then) in [
            (Version::HTTP_11, Wait::Headers),
            (Version::HTTP_2, Wait::Idle),
        ] {
            let activity = Arc::new(Activity::new());
            activity.received();
            assert_eq!(wait(&activity), Some(Wait::First));
            let call = OpenCall::begin(Arc::clone(&activity), version);
            activity.received();
            assert_eq!(wait(&activity), None, "that was the body of the request");
            drop(call);
            assert_eq!(wait(&activity), Some(Wait::Idle));
            activity.received();
            assert_eq!(wait(&activity), Some(then));
            let _next = OpenCall::begin(Arc::clone(&activity), version);
            assert_eq!(wait(&activity), None);
        }
    }

    #[test]
    fn a_call_waits_for_its_client_once_it_has_returned_a_frame() {
        let activity = Arc::new(Activity::new());
        let call = OpenCall::begin(Arc::clone(&activity), Version::HTTP_2);
        let full = Full::new(Bytes::from_static(b"x"));
        let mut body = TrackedBody::new(full, call, None, &budget());
        assert_eq!(wait(&activity), Some(Wait::Idle));
        let other = OpenCall::begin(Arc::clone(&activity), Version::HTTP_2);
        assert_eq!(wait(&activity), None, "the other one waits for the server");
        drop(other);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        assert_eq!(wait(&activity), Some(Wait::Idle));
    }

    #[test]
    fn a_full_send_buffer_counts_as_waiting_whatever_the_calls_do() {
        let activity = Arc::new(Activity::new());
        let _call = OpenCall::begin(Arc::clone(&activity), Version::HTTP_11);
        activity.wrote(false);
        assert_eq!(wait(&activity), Some(Wait::Reading));
        activity.wrote(true);
        assert_eq!(wait(&activity), None);
    }
}
