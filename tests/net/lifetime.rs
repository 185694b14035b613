//! Calls that may not stay open: their key was revoked, or they are too old. `docs/security.md` names these tests.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;
use poh_holdmetrics_rust::config::{Keys, Limits, Scope};
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::WatchRequest;
use tempfile::TempDir;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use crate::access::{entry, feed_start, with_key, write_keys};
use crate::support::{HttpAnswer, Service, hold, line, send, within};

const KEY: &str = "a-key-of-a-test";

/// The first key, which has these scopes, and another one.
fn entries(scopes: &[Scope]) -> [String; 2] {
    [
        entry("first", KEY, scopes),
        entry("second", "another-key", &[Scope::Read]),
    ]
}

async fn started(folder: &TempDir, stream_age_max: Duration) -> Service {
    Service::with(Settings {
        keys: Keys {
            file: Some(write_keys(folder, &entries(&[Scope::Read, Scope::Write]))),
            ..Keys::default()
        },
        limits: Limits {
            stream_age_max,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await
}

fn endless<T>(first: T) -> impl Stream<Item = T> {
    stream::iter([first]).chain(stream::pending())
}

/// How a watch, a feed and a stream of events end that their caller keeps open; what was sent is acknowledged first.
async fn ends(service: &Service) -> [Status; 3] {
    let mut client = service.client().await;
    let watch = within(client.watch(with_key(WatchRequest::default(), KEY)));
    let mut watch = watch.await.unwrap().into_inner();
    within(watch.message()).await.unwrap();
    let feed = within(client.feed(with_key(endless(feed_start("")), KEY)));
    let mut feed = feed.await.unwrap().into_inner();
    within(feed.message()).await.unwrap();
    let sent = within(client.broadcast(with_key(endless(hold("T", "a", 0, 1)), KEY)));
    let mut sent = sent.await.unwrap().into_inner();
    assert_eq!(within(sent.message()).await.unwrap().unwrap().accepted, 1);
    // The event that was sent is still on its way to the others.
    let (a, b, c) = tokio::join!(end(watch), end(feed), end(sent));
    [a, b, c]
}

/// How a stream ends, whatever it yields before.
async fn end<T>(mut responses: Streaming<T>) -> Status {
    within(async {
        loop {
            match responses.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended well"),
                Err(status) => break status,
            }
        }
    })
    .await
}

/// The answer to lines that do not end.
async fn endless_lines(service: &Service) -> HttpAnswer {
    let first = Ok::<_, std::io::Error>(Frame::data(Bytes::from(line("h", 1) + "\n")));
    let body = StreamBody::new(Box::pin(endless(first)));
    let request = service
        .request("POST", "/hold")
        .header("content-type", "application/x-ndjson")
        .header("authorization", format!("Bearer {KEY}"));
    send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn a_revoked_key_ends_the_streams_that_it_opened() {
    let folder = tempfile::tempdir().unwrap();
    let service = started(&folder, Limits::default().stream_age_max).await;
    let revoke = async |entries: &[String]| {
        tokio::time::sleep(Duration::from_millis(300)).await;
        write_keys(&folder, entries);
    };
    // The key is gone; for the second time it has lost its scopes.
    let others = &entries(&[])[1..];
    let (ended, ()) = tokio::join!(ends(&service), revoke(others));
    for status in ended {
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "KEY_REVOKED");
    }
    write_keys(&folder, &entries(&[Scope::Write]));
    within(async {
        while may_not_write(&service).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let without = entries(&[Scope::Metrics]);
    let (answer, ()) = tokio::join!(endless_lines(&service), revoke(&without));
    assert_eq!(answer.problem(401)["field"], "authorization");
    service.end().await;
}

/// Whether the key may not write yet.
async fn may_not_write(service: &Service) -> bool {
    let request = with_key(hold("T", "a", 0, 1), KEY);
    within(service.client().await.record(request))
        .await
        .is_err()
}

#[tokio::test]
async fn streams_have_a_maximum_age() {
    let folder = tempfile::tempdir().unwrap();
    let service = started(&folder, Duration::from_secs(1)).await;
    for status in ends(&service).await {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        let info = status.get_details_error_info().expect("a reason");
        assert_eq!(info.reason, "STREAM_AGE");
    }
    let answer = endless_lines(&service).await;
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), "1");
    service.end().await;
}
