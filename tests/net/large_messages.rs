//! Large messages of gRPC calls, which are bounded over all callers. `docs/security.md` names these tests.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::faulty::FaultyVfs;
use crate::limits::patient;
use crate::support::{Service, hold, within};
use axum::http::Request;
use bytes::Bytes;
use futures_util::future::{BoxFuture, select_all};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use poh_holdmetrics_rust::config::Limits;
use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{HoldBatch, HoldMsg};
use prost::Message as _;
use tokio::sync::oneshot;
use tokio_stream::StreamExt as _;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The status of a call, over a connection of its own, that announces a message of 900,000 bytes and sends fewer. It
/// breaks off when this is dropped.
fn part_of_a_message(service: &Service, method: &str) -> BoxFuture<'static, Status> {
    let mut sent = vec![0];
    sent.extend(900_000_u32.to_be_bytes());
    sent.resize(800_000, 0);
    let sent = tokio_stream::once(Ok::<_, Infallible>(Frame::data(Bytes::from(sent))));
    let (is_open, end) = oneshot::channel::<()>();
    let rest = futures_util::stream::once(end).filter_map(|_| None);
    let request = Request::post(format!("http://{}/poh.HoldMetrics/{method}", service.grpc))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(StreamBody::new(sent.chain(rest)))
        .unwrap();
    Box::pin(async move {
        let _is_open = is_open;
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return status;
        }
        let all = body.collect().await.unwrap();
        let trailers = all.trailers().expect("the end of the call");
        Status::from_header_map(trailers).expect("a status")
    })
}

/// Messages were bounded one by one alone: each connection could hold 128 of 4 MiB.
#[tokio::test]
async fn large_messages_are_bounded_together() {
    let service = patient(|limits| {
        limits.bodies_bytes_max = 2 << 20;
        limits.message_bytes_max = 1 << 20;
        limits.request_wait_max = Duration::from_secs(8);
    })
    .await;
    let mut client = service.client().await;
    for method in ["Record", "BroadcastBatch", "GetHolder"] {
        let open = (0..3).map(|_| part_of_a_message(&service, method));
        // One of them is refused, whichever arrives last.
        let (status, _, rest) = within(select_all(open)).await;
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "BODIES_FULL");
        assert!(status.get_details_retry_info().is_some());
        // Small ones are not counted.
        within(client.record(hold("T", "a", 0, 1))).await.unwrap();
        drop(rest);
    }
    let large = HoldMsg {
        weight_text: Some("1".repeat(1_000_000)),
        ..hold("T", "a", 0, 1)
    };
    for packing in [None, Some(CompressionEncoding::Zstd)] {
        let mut client = service.client().await;
        if let Some(packing) = packing {
            client = client.send_compressed(packing);
        }
        let status = within(client.record(large.clone())).await.unwrap_err();
        assert_eq!(
            status.code(),
            Code::InvalidArgument,
            "there is room again: {status}"
        );
    }
    service.end().await;
}

/// Senders of large batches over many connections were refused after a second, while those before them went on.
#[tokio::test]
async fn a_large_message_waits_its_turn_if_its_connection_has_no_other() {
    let service = patient(|limits| {
        limits.bodies_bytes_max = 2 << 20;
        limits.message_bytes_max = 1 << 20;
        limits.request_wait_max = Duration::from_secs(60);
    })
    .await;
    // The third one is refused, or waits: the room is taken.
    let open = (0..3).map(|_| part_of_a_message(&service, "Record"));
    let open = tokio::spawn(select_all(open));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut client = service.client().await;
    let large = HoldMsg {
        weight_text: Some("1".repeat(1_000_000)),
        ..hold("T", "a", 0, 1)
    };
    let waiting = tokio::spawn(async move { client.record(large).await });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!waiting.is_finished(), "it is refused too early");
    open.abort();
    let status = within(waiting).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    service.end().await;
}

/// A stream keeps nothing of a large message that was read, compressed or not.
#[tokio::test]
async fn streams_that_have_sent_large_messages_leave_room_for_others() {
    let service = patient(|limits| {
        limits.bodies_bytes_max = 2 << 20;
        limits.message_bytes_max = 1 << 20;
    })
    .await;
    let large = HoldBatch {
        token_id: vec!["T".repeat(900_000)],
        holder_id: vec!["a".to_owned()],
        start_us: vec![0],
        ..HoldBatch::default()
    };
    let small = HoldBatch {
        token_id: vec!["T".to_owned()],
        ..large.clone()
    };
    let mut open = Vec::new();
    for packing in [
        None,
        Some(CompressionEncoding::Gzip),
        Some(CompressionEncoding::Zstd),
    ] {
        for _ in 0..3 {
            let mut client = service.client().await;
            if let Some(packing) = packing {
                client = client.send_compressed(packing);
            }
            let sent = [&small, &large, &large, &small].map(Clone::clone);
            let sent = tokio_stream::iter(sent).chain(tokio_stream::pending());
            let mut acks = within(client.broadcast_batch(sent))
                .await
                .unwrap()
                .into_inner();
            for accepted in [1, 0, 0, 1] {
                let ack = within(acks.message()).await.unwrap().unwrap();
                assert_eq!(ack.accepted, accepted);
            }
            open.push(acks);
        }
    }
    drop(open);
    service.end().await;
}

/// A text of no bytes is two bytes of a message, and 24 in memory: such a batch once took twelve times what was counted.
#[tokio::test]
async fn a_batch_that_unfolds_to_more_than_its_rows_may_is_refused_before_it_is_decoded() {
    let service = patient(|limits| {
        limits.message_bytes_max = 1 << 20;
        limits.batch_events_max = 1_000;
    })
    .await;
    let batch = |rows| HoldBatch {
        token_id: vec!["T".to_owned()],
        holder_id: vec![String::new(); rows],
        start_us: vec![0],
        ..HoldBatch::default()
    };
    let mut client = service.client().await;
    let sent = tokio_stream::iter([batch(1_001), batch(500_000)]);
    let acks = within(client.broadcast_batch(sent)).await.unwrap();
    let mut acks = acks.into_inner();
    let ack = within(acks.message()).await.unwrap().unwrap();
    assert_eq!((ack.accepted, ack.refused_total), (0, 1_001));
    let status = within(acks.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    let expected = "message: its columns take 12000033 bytes once they are read, the maximum is 1232576; \
                    send smaller batches";
    assert_eq!(status.message(), expected);
    service.end().await;
}

/// A short message of columns that unfold to ten times its length was not counted while it waited for the disk.
#[tokio::test(flavor = "multi_thread")]
async fn short_messages_are_counted_with_what_they_unfold_to() {
    let vfs = FaultyVfs::default();
    let mut options = Options {
        vfs: Arc::new(vfs.clone()),
        ..Options::in_folder("/data")
    };
    options.store.queue_bytes_max = 1 << 20;
    let settings = Settings {
        limits: Limits {
            bodies_bytes_max: 2 << 20,
            message_bytes_max: 1 << 20,
            request_wait_max: Duration::from_secs(8),
            ..Limits::default()
        },
        ..Settings::default()
    };
    let service = Service::on(settings, options).await;
    vfs.disk().hangs = true;
    // The queue takes one of them; the others are decoded, and wait for it.
    let batch = HoldBatch {
        token_id: vec!["T".to_owned()],
        holder_id: vec!["a".to_owned(); 13_000],
        start_us: vec![0],
        event_id: vec![String::new(); 13_000],
        ..HoldBatch::default()
    };
    assert!(batch.encoded_len() < 64 << 10);
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut client = service.client().await;
        let sent = tokio_stream::iter([batch.clone()]).chain(tokio_stream::pending());
        open.push(tokio::spawn(
            async move { client.broadcast_batch(sent).await },
        ));
    }
    let large = HoldMsg {
        weight_text: Some("1".repeat(1_000_000)),
        ..hold("T", "a", 0, 1)
    };
    let mut client = service.client().await;
    let mut record = async || {
        let status = within(client.record(large.clone())).await.unwrap_err();
        status.code()
    };
    // It waits for a quarter of the time, and then there is no room for it.
    while record().await != Code::ResourceExhausted {}
    vfs.disk().hangs = false;
    while record().await != Code::InvalidArgument {}
    drop(open);
    service.end().await;
}

#[tokio::test]
async fn a_large_message_of_a_stream_that_does_not_arrive_times_out() {
    let service = patient(|limits| limits.request_wait_max = Duration::from_millis(200)).await;
    let status = within(part_of_a_message(&service, "BroadcastBatch")).await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "message: it did not arrive in time");
    service.end().await;
}
