//! `kill -9` under load, again and again, over one store: what was acknowledged is there, and
//! nothing that was not sent.
//!
//! `HOLDMETRICS_KILL_ROUNDS` says how often (`make soak` takes 100). Each stream sends one second
//! after the other for a holder of its own, so the holder's stretches tell which events arrived: one
//! stretch from the beginning, at least as long as what was acknowledged, at most as long as what
//! was sent. A lost event is a gap, an invented one is a stretch too long.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{Service, command};
use futures_util::StreamExt;
use poh_holdmetrics_rust::client::{Batch, Client, Message, Target, Upload};
use poh_holdmetrics_rust::core::{Draft, Event, Micros};
use poh_holdmetrics_rust::net::pb;
use tempfile::tempdir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const ROUNDS_VARIABLE: &str = "HOLDMETRICS_KILL_ROUNDS";
const ROUNDS: u64 = 20;
/// Of a stream, unless the process dies before.
const EVENTS_MAX: u64 = 200_000;
const FIRST_SECOND: i64 = 1_600_000_000;
const SECOND_US: i64 = 1_000_000;

/// What one stream has done.
#[derive(Default)]
pub(crate) struct Stream {
    holder: String,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// Seconds that a restart has found; from then on they may not change.
    found: AtomicU64,
}

impl Stream {
    /// The holder that its events are about.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// How many of its events the last check has found.
    pub(crate) fn found(&self) -> u64 {
        self.found.load(Ordering::SeqCst)
    }
}

/// A store that is written behind and cut into small files, so that a kill meets all of it.
pub(crate) fn restless(folder: &Path) -> Service {
    let mut command = command(folder, &[]);
    command
        .env("HOLDMETRICS_STORE_SEGMENT_BYTES", "1MiB")
        .env("HOLDMETRICS_STORE_STATE_LAG_BYTES_MAX", "1MiB")
        .env("HOLDMETRICS_STORE_STATE_LAG_MAX", "100ms");
    Service::spawn(command)
}

pub(crate) async fn client(service: &Service) -> Client {
    let target = Target {
        url: format!("http://{}", service.grpc),
        ..Target::default()
    };
    Client::connect(&target).await.expect("it listens")
}

fn event(holder: &str, second: u64) -> Draft<'_> {
    let at = |second: i64| Micros::new((FIRST_SECOND + second) * SECOND_US).ok();
    let second = i64::try_from(second).expect("a count of seconds");
    Draft {
        token_id: "T",
        holder_id: holder,
        start: at(second),
        end: at(second + 1),
        ..Draft::default()
    }
}

/// The second that an event of a stream is about.
pub(crate) fn event_second(event: &Event<'_>) -> u64 {
    let at = event.claim.instant().expect("a closed hold").get();
    u64::try_from(at / SECOND_US - FIRST_SECOND).expect("from the first second on")
}

/// Sends until the connection breaks; counts before it sends, and after an acknowledgement came.
async fn send(mut client: Client, stream: Arc<Stream>, per_message: u64) {
    let counted = Arc::clone(&stream);
    let acks: Result<Upload, _> = if per_message == 1 {
        let (out, outgoing) = mpsc::channel(64);
        tokio::spawn(async move {
            for second in 0..EVENTS_MAX {
                counted.sent.store(second + 1, Ordering::SeqCst);
                let event = event(&counted.holder, second).check().expect("an event");
                if out.send(Message::from(&event)).await.is_err() {
                    return;
                }
            }
        });
        client.broadcast(ReceiverStream::new(outgoing), 1).await
    } else {
        let (out, outgoing) = mpsc::channel(2);
        tokio::spawn(async move {
            for first in (0..EVENTS_MAX).step_by(usize::try_from(per_message).expect("few")) {
                let mut batch = Batch::default();
                for second in first..first + per_message {
                    batch.push(&event(&counted.holder, second).check().expect("an event"));
                }
                counted.sent.store(first + per_message, Ordering::SeqCst);
                if out.send(batch).await.is_err() {
                    return;
                }
            }
        });
        client.broadcast_batch(ReceiverStream::new(outgoing)).await
    };
    // The process may die before the stream stands.
    let Ok(Upload { mut acks, .. }) = acks else {
        return;
    };
    while let Some(Ok(ack)) = acks.next().await {
        assert!(ack.is_durable && ack.refused.is_empty(), "{ack:?}");
        let before = stream.acknowledged.load(Ordering::SeqCst);
        stream
            .acknowledged
            .store(before + ack.accepted, Ordering::SeqCst);
    }
}

/// Fails where a holder's stretches are not what its stream allows.
pub(crate) async fn check(service: &Service, streams: &[Arc<Stream>]) {
    let mut client = service.client().await;
    for stream in streams {
        let (sent, acknowledged) = (
            stream.sent.load(Ordering::SeqCst),
            stream.acknowledged.load(Ordering::SeqCst),
        );
        let request = pb::GetHolderRequest {
            holder_id: stream.holder.clone(),
            ..Default::default()
        };
        let found = match client.get_holder(request).await {
            Ok(report) => seconds(&stream.holder, &report.into_inner()),
            Err(status) => {
                assert_eq!(status.code(), tonic::Code::NotFound, "{status}");
                0
            }
        };
        let holder = &stream.holder;
        assert!(
            (acknowledged..=sent).contains(&found),
            "{holder}: {acknowledged} acknowledged, {sent} sent, {found} found"
        );
        let before = stream.found.swap(found, Ordering::SeqCst);
        assert!(
            before == 0 || before == found,
            "{holder}: {before} found once, {found} now"
        );
    }
}

/// How many seconds a holder has, in one stretch from the first.
fn seconds(holder: &str, report: &pb::HolderReport) -> u64 {
    let [key] = &report.keys[..] else {
        panic!("{holder}: one token, not {:?}", report.keys);
    };
    let [stretch] = &key.segments[..] else {
        panic!("{holder}: events are missing between {:?}", key.segments);
    };
    let start = stretch.start.as_ref().expect("a start").seconds;
    let end = stretch.end.as_ref().expect("an end").seconds;
    assert_eq!(
        start, FIRST_SECOND,
        "{holder}: the first events are missing"
    );
    u64::try_from(end - start).expect("forward in time")
}

/// Streams of one round, under way.
pub(crate) async fn under_load(
    service: &Service,
    round: u64,
) -> (Vec<Arc<Stream>>, Vec<tokio::task::JoinHandle<()>>) {
    let (mut streams, mut tasks) = (Vec::new(), Vec::new());
    for (number, per_message) in [1, 1, 50].into_iter().enumerate() {
        let stream = Arc::new(Stream {
            holder: format!("round-{round:03}-stream-{number}"),
            ..Stream::default()
        });
        streams.push(Arc::clone(&stream));
        tasks.push(tokio::spawn(send(
            client(service).await,
            stream,
            per_message,
        )));
    }
    // How long a process lives is drawn anew in each round: it ends in all of its doings.
    tokio::time::sleep(Duration::from_millis(20 + round * 7_919 % 280)).await;
    (streams, tasks)
}

fn acknowledged(streams: &[Arc<Stream>]) -> u64 {
    let counts = streams
        .iter()
        .map(|stream| stream.acknowledged.load(Ordering::SeqCst));
    counts.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_after_kill_9_every_acknowledged_event_is_there_and_none_that_was_not_sent() {
    let rounds = std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |text| {
        text.parse().expect("HOLDMETRICS_KILL_ROUNDS is a number")
    });
    let folder = tempdir().expect("a folder");
    let mut streams: Vec<Arc<Stream>> = Vec::new();
    for round in 0..rounds {
        let service = restless(folder.path());
        check(&service, &streams).await;
        let (more, tasks) = under_load(&service, round).await;
        service.kill();
        for task in tasks {
            task.await.expect("a sender sees the end of its stream");
        }
        streams.extend(more);
    }
    check(&restless(folder.path()), &streams).await;
    let acknowledged = acknowledged(&streams);
    println!("{rounds} rounds, {acknowledged} events acknowledged");
    assert!(acknowledged > rounds, "the rounds were under load");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_in_time_and_keeps_every_acknowledged_event() {
    let folder = tempdir().expect("a folder");
    let mut streams: Vec<Arc<Stream>> = Vec::new();
    for round in 0..3 {
        let service = restless(folder.path());
        check(&service, &streams).await;
        let (more, tasks) = under_load(&service, round).await;
        service.signal("TERM");
        let ended = service.wait(Duration::from_secs(9));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        for task in tasks {
            task.await.expect("a sender sees the end of its stream");
        }
        streams.extend(more);
    }
    check(&restless(folder.path()), &streams).await;
    assert!(acknowledged(&streams) > 3, "the rounds were under load");
}
