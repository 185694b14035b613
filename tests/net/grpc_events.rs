//! Events over gRPC, sent by a generated client: one by one, streamed, in columns.

use crate::support::{NOW_SECONDS, Service, hold, within};
use futures_util::StreamExt;
use poh_holdmetrics_rust::net::pb::{Durability, HoldAck, HoldBatch, HoldMsg};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_single_event_is_acknowledged_with_its_number() {
    let service = Service::start().await;
    let mut client = service.client().await;
    for sequence in 1..=3 {
        let answer = within(client.record(hold("T", "h", 0, sequence)))
            .await
            .unwrap();
        let expected = HoldAck {
            sequence: u64::try_from(sequence).unwrap(),
            durability: Durability::Buffered.into(),
            accepted: 1,
            warnings: vec!["W01 epoch-seconds".to_owned()],
            ..HoldAck::default()
        };
        assert_eq!(answer.into_inner(), expected);
    }
    service.end().await;
}

#[tokio::test]
async fn a_refused_event_names_its_field_and_changes_nothing() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let long = "x".repeat(257);
    for (event, field, reason) in [
        (
            hold("", "h", 0, 1),
            "token_id",
            "token_id: missing or empty",
        ),
        (hold("T", "h", 2, 1), "end", "end: before start"),
        (
            hold(&long, "h", 0, 1),
            "token_id",
            "token_id: 257 bytes, the maximum is 256",
        ),
        (
            hold("T", "h", NOW_SECONDS + 301, NOW_SECONDS + 302),
            "start",
            "start: 301 s ahead of the server's clock, the maximum is 300 s",
        ),
    ] {
        let status = within(client.record(event)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), reason);
        let details = status.get_details_bad_request().expect("a BadRequest");
        assert_eq!(details.field_violations[0].field, field);
    }
    assert_eq!(service.sequence().await, 0);
    service.end().await;
}

#[tokio::test]
async fn one_bad_message_does_not_end_a_stream() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let events = vec![
        hold("T", "a", 0, 1),
        hold("T", "", 0, 1),
        hold("T", "b", 0, 1),
    ];
    let answers = within(client.broadcast(tokio_stream::iter(events)))
        .await
        .unwrap();
    let acks: Vec<HoldAck> = within(answers.into_inner().map(Result::unwrap).collect()).await;
    let sequences: Vec<_> = acks
        .iter()
        .map(|ack| (ack.index, ack.sequence, ack.accepted))
        .collect();
    assert_eq!(sequences, [(0, 1, 1), (1, 0, 0), (2, 2, 1)]);
    let refusal = &acks[1].refused[0];
    assert_eq!((refusal.index, refusal.row), (1, None));
    assert_eq!(refusal.reason, "holder_id: missing or empty");
    assert_eq!(acks[1].durability(), Durability::Unspecified);
    assert_eq!(acks[1].refused_total, 1);
    service.end().await;
}

#[tokio::test]
async fn acknowledgements_are_coalesced_on_request() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let events: Vec<HoldMsg> = (0..1_000).map(|end| hold("T", "a", 0, end)).collect();
    let mut request = Request::new(tokio_stream::iter(events));
    request
        .metadata_mut()
        .insert("ack-every", "100".parse().unwrap());
    let answers = within(client.broadcast(request)).await.unwrap();
    let acks: Vec<HoldAck> = within(answers.into_inner().map(Result::unwrap).collect()).await;
    assert!(acks.iter().all(|ack| ack.accepted <= 100));
    assert!(acks.is_sorted_by_key(|ack| ack.index));
    assert_eq!(acks.iter().map(|ack| ack.accepted).sum::<u64>(), 1_000);
    assert_eq!(acks.last().unwrap().sequence, 1_000);
    assert!(acks.len() < 1_000, "{} acknowledgements", acks.len());
    for bad in ["0", "65537", "many"] {
        let mut request = Request::new(tokio_stream::iter(Vec::<HoldMsg>::new()));
        request
            .metadata_mut()
            .insert("ack-every", bad.parse().unwrap());
        let status = within(client.broadcast(request)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{bad}");
    }
    service.end().await;
}

#[tokio::test]
async fn a_sender_that_waits_for_each_acknowledgement_gets_it() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let (sender, receiver) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(receiver));
    request
        .metadata_mut()
        .insert("ack-every", "65536".parse().unwrap());
    sender.send(hold("T", "a", 0, 1)).await.unwrap();
    let mut answers = within(client.broadcast(request))
        .await
        .unwrap()
        .into_inner();
    for index in 0..5 {
        let ack = within(answers.message()).await.unwrap().expect("an answer");
        assert_eq!((ack.index, ack.sequence), (index, index + 1));
        sender.send(hold("T", "a", 0, 2)).await.unwrap();
    }
    drop(sender);
    let last = within(answers.message()).await.unwrap().expect("an answer");
    assert_eq!(last.index, 5);
    assert_eq!(within(answers.message()).await.unwrap(), None);
    service.end().await;
}

#[tokio::test]
async fn a_batch_is_acknowledged_once_with_its_refused_rows() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let good = HoldBatch {
        token_id: vec!["T".to_owned()],
        holder_id: vec!["a".to_owned(), String::new(), "c".to_owned()],
        start_us: vec![0],
        end_us: vec![10, 10, -1],
        ..HoldBatch::default()
    };
    let uneven = HoldBatch {
        start_us: vec![0, 0],
        ..good.clone()
    };
    let batches = vec![good.clone(), uneven, HoldBatch::default(), good];
    let answers = within(client.broadcast_batch(tokio_stream::iter(batches)))
        .await
        .unwrap();
    let acks: Vec<HoldAck> = within(answers.into_inner().map(Result::unwrap).collect()).await;
    let counts: Vec<_> = acks
        .iter()
        .map(|ack| (ack.index, ack.sequence, ack.accepted, ack.refused_total))
        .collect();
    assert_eq!(
        counts,
        [(0, 1, 1, 2), (1, 0, 0, 3), (2, 0, 0, 0), (3, 2, 1, 2)]
    );
    let rows: Vec<_> = acks[3]
        .refused
        .iter()
        .map(|refusal| (refusal.row, refusal.reason.as_str()))
        .collect();
    assert_eq!(
        rows,
        [
            (Some(1), "holder_id: missing or empty"),
            (Some(2), "end: before start")
        ]
    );
    assert_eq!(acks[1].refused[0].row, None);
    assert_eq!(
        acks[1].refused[0].reason,
        "start_us: 2 values in a batch of 3 rows; send none, one, or one per row"
    );
    let refused = "holdmetrics_events_refused_total{reason=\"start_us\"}";
    assert_eq!(service.metrics_line(refused).await.as_deref(), Some("3"));
    service.end().await;
}

/// Sends its bytes as the first field of a message, a text.
type BytesCodec = ProstCodec<Vec<u8>, HoldAck>;

const NO_TEXT: &[u8] = &[0xFF];

fn check_unreadable(status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument);
    let beginning = "message: not valid for hold.proto (";
    assert!(status.message().starts_with(beginning), "{status}");
    let details = status.get_details_bad_request().expect("a BadRequest");
    assert_eq!(details.field_violations[0].field, "message");
}

#[tokio::test]
async fn undecodable_bytes_are_refused_with_the_field_message() {
    let service = Service::start().await;
    let mut client = Grpc::new(service.channel().await);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/poh.HoldMetrics/Record");
    let sent = client.unary(Request::new(NO_TEXT.to_vec()), path, BytesCodec::default());
    check_unreadable(&within(sent).await.unwrap_err());
    service.end().await;
}

#[tokio::test]
async fn an_undecodable_message_ends_its_stream_after_acknowledging_the_events_before_it() {
    let service = Service::start().await;
    let mut client = Grpc::new(service.channel().await);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/poh.HoldMetrics/Broadcast");
    let messages = [b"T".to_vec(), NO_TEXT.to_vec(), b"T".to_vec()];
    let messages = Request::new(tokio_stream::iter(messages));
    let answers = client.streaming(messages, path, BytesCodec::default());
    let mut answers = within(answers).await.unwrap().into_inner();
    let first = within(answers.message()).await.unwrap().expect("an answer");
    assert_eq!(first.refused[0].reason, "holder_id: missing or empty");
    check_unreadable(&within(answers.message()).await.unwrap_err());
    service.end().await;
}
