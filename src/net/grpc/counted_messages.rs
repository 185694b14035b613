//! Large messages of gRPC calls, counted over all callers from before they are read.
//!
//! The body of a request is passed on to `tonic` as it arrives, up to the prefix of a message that is large, or may be
//! once it is unpacked: `tonic` then reserves its bytes. Such a message waits for a short time until they are free, and
//! must arrive within the time of an HTTP body that is read whole. Once it is decoded, it counts by what it takes then,
//! until the next one is read. Small messages are not counted unless that is much: each call has one at most. Decodes
//! nothing; see `unfolded` and `decoder`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::HeaderMap;
use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Body, Frame, Incoming};
use parking_lot::Mutex;
use tokio::time::error::Elapsed;
use tokio::time::{Sleep, sleep, timeout};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Status, Streaming};

use super::status::try_later;
use super::unfolded::{BoundedDecoder, Unfolded};
use crate::net::answer_budget::{BODIES_FULL, BodyBudget, InFlight};
use crate::net::connection::BoxFuture;

/// Messages up to this size are not counted.
const SMALL_BYTES: usize = 64 << 10;
/// How long a message waits for its bytes if its connection has others in hand: it keeps what has arrived of it from
/// other calls of its connection, which may be those that have the bytes.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(1);
/// Otherwise it waits for this part of the time in which messages must arrive: those that have the bytes go on meanwhile.
const ROOM_WAIT_PART: u32 = 4;
/// The byte that says whether a message is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// A byte of gzip stands for so many at most.
const GZIP_UNFOLDS: usize = 1_032;
/// A block of zstd has four bytes, and stands for 128 KiB.
const ZSTD_UNFOLDS: usize = 32 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request whose large messages are counted; clones are the same body.
#[derive(Clone)]
pub(super) struct CountedBody(Arc<Shared>);

struct Shared {
    body: Mutex<Reading>,
    /// Whether a large message was passed on since this was asked last.
    has_passed_large: AtomicBool,
}

/// What is read of a body.
struct Reading {
    body: Incoming,
    budget: BodyBudget,
    framing: Framing,
    sizes: Sizes,
    arrival_max: Duration,
    /// What arrived and was not passed on.
    data: Bytes,
    /// So many of these bytes are the prefix of a message that is counted.
    looked_at: usize,
    /// The bytes that the large message waits for.
    taking: Option<BoxFuture<Result<InFlight, Elapsed>>>,
    /// What `tonic` holds, or a message that was decoded.
    taken: Option<(InFlight, usize)>,
    /// Until when the message must be there.
    arrival: Option<Pin<Box<Sleep>>>,
    /// Whether the end of a large message was passed on.
    has_passed_large: bool,
}

impl CountedBody {
    /// Counts the messages of `body`, of at most `bytes_max` each.
    pub(super) fn new(
        body: Incoming,
        headers: &HeaderMap,
        budget: BodyBudget,
        bytes_max: usize,
        arrival_max: Duration,
    ) -> Self {
        let encoding = headers.get("grpc-encoding");
        let encoding = match encoding.map(axum::http::HeaderValue::as_bytes) {
            Some(b"gzip") => Some(CompressionEncoding::Gzip),
            Some(b"zstd") => Some(CompressionEncoding::Zstd),
            Some(_) | None => None,
        };
        let reading = Reading {
            body,
            budget,
            framing: Framing::default(),
            sizes: Sizes {
                encoding,
                bytes_max,
            },
            arrival_max,
            data: Bytes::new(),
            looked_at: 0,
            taking: None,
            taken: None,
            arrival: None,
            has_passed_large: false,
        };
        Self(Arc::new(Shared {
            body: Mutex::new(reading),
            has_passed_large: AtomicBool::new(false),
        }))
    }

    /// Its messages, from the next one on; none has columns of more than `rows_max` rows and the longest texts.
    fn messages<M: Unfolded>(&self, rows_max: usize) -> Streaming<(M, usize)> {
        let Sizes {
            encoding,
            bytes_max,
        } = self.0.body.lock().sizes;
        let unfolded_max = bytes_max.saturating_add(rows_max.saturating_mul(M::ROW_BYTES));
        let decoder = BoundedDecoder::new(unfolded_max);
        Streaming::new_request(decoder, self.clone(), encoding, Some(bytes_max))
    }
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut reading = self.0.body.lock();
        let frame = reading.poll_frame(cx);
        if std::mem::take(&mut reading.has_passed_large) {
            self.0.has_passed_large.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        let reading = self.0.body.lock();
        reading.data.is_empty() && reading.body.is_end_stream()
    }
}

impl Reading {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(taking) = &mut self.taking {
                let taken = ready!(taking.as_mut().poll(cx));
                self.taking = None;
                let Ok(taken) = taken else {
                    return Poll::Ready(Some(Err(full().into())));
                };
                self.taken = Some((taken, self.framing.bytes));
                self.arrival = Some(Box::pin(sleep(self.arrival_max)));
            }
            if !self.data.is_empty() {
                let was_large = self.framing.is_large;
                let scan = self.framing.scan(&self.data, self.looked_at, self.sizes);
                self.looked_at = scan.looked_at;
                let passed = self.data.split_to(scan.passed);
                if scan.looked_at > 0 {
                    self.begin_large();
                } else if was_large && !self.framing.is_large {
                    self.arrival = None;
                    self.has_passed_large = true;
                }
                if !passed.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(passed))));
                }
                continue;
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                let is_late = |arrival: &mut Pin<Box<Sleep>>| arrival.as_mut().poll(cx).is_ready();
                if self.arrival.as_mut().is_some_and(is_late) {
                    let late = Status::deadline_exceeded("message: it did not arrive in time");
                    return Poll::Ready(Some(Err(late.into())));
                }
                return Poll::Pending;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.data = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// Takes the bytes of the message that begins, unless one before it has taken as many.
    fn begin_large(&mut self) {
        let bytes = self.framing.bytes;
        if self.taken.as_ref().is_some_and(|taken| taken.1 >= bytes) {
            self.arrival = Some(Box::pin(sleep(self.arrival_max)));
            return;
        }
        // What waits has taken nothing, or calls could wait for each other.
        self.taken = None;
        let BodyBudget(budget) = self.budget.clone();
        let wait_max = if budget.is_idle() {
            ROOM_WAIT_MAX.max(self.arrival_max / ROOM_WAIT_PART)
        } else {
            ROOM_WAIT_MAX
        };
        let taking = async move { timeout(wait_max, budget.take(bytes)).await };
        self.taking = Some(Box::pin(taking));
    }
}

/// Too much is being read at once.
fn full() -> Status {
    try_later(
        &"message: too many large ones at once; try again, or send smaller ones",
        Duration::from_secs(1),
        BODIES_FULL,
    )
}

/// How large messages may be once they are unpacked.
#[derive(Clone, Copy)]
struct Sizes {
    encoding: Option<CompressionEncoding>,
    bytes_max: usize,
}

impl Sizes {
    /// The bytes that a message of this prefix may take. `tonic` refuses one that is longer than the maximum, or that
    /// is compressed in no known way.
    fn bytes(self, is_compressed: bool, length: usize) -> usize {
        let unfolds = match (is_compressed, self.encoding) {
            _ if length > self.bytes_max => return 0,
            (true, Some(CompressionEncoding::Gzip)) => GZIP_UNFOLDS,
            (true, Some(_)) => ZSTD_UNFOLDS,
            (false, _) | (true, None) => 0,
        };
        length + length.saturating_mul(unfolds).min(self.bytes_max)
    }
}

/// Where messages begin and end.
#[derive(Default)]
struct Framing {
    prefix: [u8; PREFIX_BYTES],
    prefix_length: usize,
    /// Bytes of the message that are still to come.
    rest: usize,
    /// Whether it is counted.
    is_large: bool,
    /// The bytes that it is counted with.
    bytes: usize,
}

/// How far data was read.
#[derive(Debug, PartialEq, Eq)]
struct Scan {
    /// Bytes that may be passed on.
    passed: usize,
    /// Bytes behind them that are the prefix of a large message.
    looked_at: usize,
}

impl Framing {
    /// Reads `data` from `at` on, up to the beginning or the end of a large message.
    fn scan(&mut self, data: &[u8], mut at: usize, sizes: Sizes) -> Scan {
        while at < data.len() {
            if self.rest > 0 {
                let read = self.rest.min(data.len() - at);
                at += read;
                self.rest -= read;
                if self.rest == 0 && self.is_large {
                    self.is_large = false;
                    break;
                }
                continue;
            }
            let begin = at;
            let read = (PREFIX_BYTES - self.prefix_length).min(data.len() - at);
            self.prefix[self.prefix_length..][..read].copy_from_slice(&data[at..][..read]);
            at += read;
            self.prefix_length += read;
            if self.prefix_length < PREFIX_BYTES {
                break;
            }
            self.prefix_length = 0;
            let [flag, length @ ..] = self.prefix;
            self.rest = u32::from_be_bytes(length) as usize;
            self.bytes = sizes.bytes(flag == 1, self.rest);
            self.is_large = self.bytes > SMALL_BYTES;
            if self.is_large {
                return Scan {
                    passed: begin,
                    looked_at: at - begin,
                };
            }
        }
        Scan {
            passed: at,
            looked_at: 0,
        }
    }
}

/// The messages of a stream. After a large one the buffers that it was read into are not kept.
pub(in crate::net) struct Messages<M> {
    decoded: Streaming<(M, usize)>,
    body: CountedBody,
    rows_max: usize,
    /// Whether the last message is counted.
    is_large: bool,
    /// The last message, if it is short and takes much.
    unfolded: Option<InFlight>,
}

impl<M: Unfolded> Messages<M> {
    /// Those of a request of which the dispatcher counts the body; batches have at most `rows_max` rows.
    pub(super) fn of(request: &Request<Streaming<M>>, rows_max: usize) -> Self {
        let body = request.extensions().get::<CountedBody>().cloned();
        let body = body.expect("the dispatcher adds the body of each stream of events");
        Self {
            // Nothing was read of it.
            decoded: body.messages(rows_max),
            body,
            rows_max,
            is_large: false,
            unfolded: None,
        }
    }
}

impl<M: Unfolded> Stream for Messages<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.is_large) {
            self.body.0.body.lock().taken = None;
        }
        self.unfolded = None;
        let message = ready!(Pin::new(&mut self.decoded).poll_next(cx));
        let Some(Ok((message, bytes))) = message else {
            return Poll::Ready(message.map(|message| message.map(|(message, _)| message)));
        };
        if self.body.0.has_passed_large.load(Ordering::Relaxed) {
            self.body.0.has_passed_large.store(false, Ordering::Relaxed);
            self.is_large = true;
            // Nothing of the next message was passed on.
            self.decoded = self.body.messages(self.rows_max);
            if let Some(taken) = &mut self.body.0.body.lock().taken {
                taken.0.resize(bytes);
                taken.1 = bytes;
            }
        } else if bytes > SMALL_BYTES {
            let BodyBudget(budget) = self.body.0.body.lock().budget.clone();
            self.unfolded = Some(budget.count(bytes));
        }
        Poll::Ready(Some(Ok(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(encoding: Option<CompressionEncoding>) -> Sizes {
        Sizes {
            encoding,
            bytes_max: 4 << 20,
        }
    }

    fn message(flag: u8, length: u32) -> Vec<u8> {
        let mut bytes = vec![flag];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX_BYTES + length as usize, 7);
        bytes
    }

    #[test]
    fn a_large_message_is_separated_from_what_is_around_it_wherever_it_is_cut() {
        let parts = [
            message(0, 3),
            message(0, 100_000),
            message(0, 0),
            message(0, 2),
        ];
        let all = parts.concat();
        let (begin, end) = (parts[0].len(), parts[0].len() + parts[1].len());
        for cut in (1..20).chain([end - 1, end, end + 1, end + 4]) {
            let mut framing = Framing::default();
            let mut stops = Vec::new();
            let mut offset = 0;
            for data in [&all[..cut], &all[cut..]] {
                let (mut data, mut looked_at) = (data, 0);
                while !data.is_empty() {
                    let scan = framing.scan(data, looked_at, sizes(None));
                    (offset, looked_at) = (offset + scan.passed, scan.looked_at);
                    data = &data[scan.passed..];
                    stops.push((offset, scan.looked_at > 0, framing.is_large));
                }
            }
            // The bytes of a prefix that is cut may be passed on: nothing is reserved for them.
            let begins = stops.iter().filter(|stop| stop.1).collect::<Vec<_>>();
            assert_eq!(begins.len(), 1, "{cut}: {stops:?}");
            assert!((begin..begin + PREFIX_BYTES).contains(&begins[0].0));
            assert!(stops.contains(&(end, false, false)), "{cut}: {stops:?}");
            assert_eq!(offset, all.len());
        }
    }

    #[test]
    fn what_a_message_may_unfold_to_is_counted() {
        let gzip = sizes(Some(CompressionEncoding::Gzip));
        let zstd = sizes(Some(CompressionEncoding::Zstd));
        assert_eq!(sizes(None).bytes(false, 1_000), 1_000);
        assert_eq!(gzip.bytes(true, 50), 50 + 50 * 1_032);
        assert_eq!(gzip.bytes(true, 10_000), 10_000 + (4 << 20));
        assert_eq!(zstd.bytes(true, 200), 200 + (4 << 20));
        assert_eq!(zstd.bytes(false, 200), 200);
        assert_eq!(gzip.bytes(true, 5 << 20), 0, "it is refused");
    }
}
