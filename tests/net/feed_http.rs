//! `GET /feed`: what was acknowledged, as lines.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use poh_holdmetrics_rust::config::Limits;
use poh_holdmetrics_rust::engine::{Start, WhenFull};
use poh_holdmetrics_rust::net::Settings;
use serde_json::{Value, json};

use crate::support::{HttpAnswer, Service, line, send, within};

const NDJSON: &str = "application/x-ndjson";

/// The lines of an answer, and the number up to which it covers.
fn read(answer: &HttpAnswer) -> (Vec<Value>, u64) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), NDJSON);
    let text = answer.text();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (
        lines.collect(),
        answer.header("x-last-sequence").parse().unwrap(),
    )
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    let number = |line: &Value| line["sequence"].as_u64().expect("a number");
    lines.iter().map(number).collect()
}

/// Stores events of these holders.
async fn store(service: &Service, holders: &[&str]) {
    let body: String = holders
        .iter()
        .map(|holder| line(holder, 5) + "\n")
        .collect();
    let stored = service.post(NDJSON, body).await;
    assert_eq!(stored.json()["accepted"], holders.len());
}

#[tokio::test]
async fn the_lines_of_the_feed_can_be_stored_again() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let events = [
        json!({"token_id": "T", "holder_id": "a \"b\"", "start": 1, "end": "2025-01-01T00:00:00.000001Z", "weight": "0.000000000000000001"}),
        json!({"token_id": "T", "holder_id": "b", "start": -1, "event_id": "e", "revision": 3, "seq": 7}),
        json!({"token_id": "T", "holder_id": "b", "event_id": "gone", "retract": true}),
        json!({"token_id": "T", "from_id": "b", "to_id": "c", "at": 5, "amount": "2.5", "event_id": "t:1"}),
    ];
    let body = events.map(|event| event.to_string()).join("\n");
    assert_eq!(service.post(NDJSON, body).await.json()["accepted"], 4);
    let answer = service.get("/feed?from=1").await;
    let (lines, last) = read(&answer);
    // A transfer is two changes.
    assert_eq!(numbers(&lines), [1, 2, 3, 4, 5]);
    assert_eq!(last, 5);
    assert_eq!(answer.header("x-newest-sequence"), "5");
    assert_eq!(answer.header("x-from-facts"), "false");
    assert_eq!(
        lines[1],
        json!({"token_id": "T", "holder_id": "b", "start": "1969-12-31T23:59:59.999Z", "weight": "1",
            "event_id": "e", "revision": 3, "seq": 7, "sequence": 2})
    );

    let other = tempfile::tempdir().unwrap();
    let copy = Service::stored_in(other.path()).await;
    let stored = copy.post(NDJSON, answer.body.clone()).await.json();
    assert_eq!(
        (&stored["accepted"], &stored["refused_total"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(read(&copy.get("/feed?from=1").await).0, lines);
    service.end().await;
    copy.end().await;
}

#[tokio::test]
async fn pages_follow_each_other_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    store(&service, &["a", "b", "a", "c", "a"]).await;
    let mut from = 1;
    let mut pages = Vec::new();
    loop {
        let answer = service.get(&format!("/feed?from={from}&limit=2")).await;
        let (lines, last) = read(&answer);
        if lines.is_empty() {
            assert_eq!(last, 5);
            break;
        }
        pages.push(numbers(&lines));
        from = last + 1;
    }
    assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5]]);
    // What is not wanted is covered all the same.
    let (lines, last) = read(&service.get("/feed?from=1&limit=2&holder=a").await);
    assert_eq!((numbers(&lines), last), (vec![1, 3], 3));
    let (lines, last) = read(&service.get("/feed?from=1&token=X*").await);
    assert_eq!((numbers(&lines), last), (vec![], 5));
    // Without a beginning it is the end.
    let (lines, last) = read(&service.get("/feed").await);
    assert_eq!((numbers(&lines), last), (vec![], 5));
    service.end().await;
}

#[tokio::test]
async fn a_consumer_continues_after_its_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    store(&service, &["a", "b", "c"]).await;
    let get = async |query: &str| {
        let path = format!("/feed?consumer=billing&from=1&{query}");
        let (lines, _) = read(&service.get(&path).await);
        numbers(&lines)
    };
    assert_eq!(get("limit=2").await, [1, 2]);
    // Nothing is acknowledged yet.
    assert_eq!(get("limit=2").await, [1, 2]);
    assert_eq!(get("ack=2").await, [3]);
    assert_eq!(get("").await, [3]);
    assert_eq!(get("ack=3").await, Vec::<u64>::new());
    let reports = service.engine().feed().consumers();
    let report = reports.iter().find(|report| report.name == "billing");
    let report = report.expect("it is kept");
    assert_eq!((report.position, report.is_open), (3, false));

    let ahead = service
        .get("/feed?consumer=billing&ack=4")
        .await
        .problem(400);
    assert_eq!(
        ahead["detail"],
        "ack: 4 was not acknowledged yet, the last event is 3"
    );
    let opened = service
        .engine()
        .feed()
        .open("billing", Start::Now, WhenFull::Lag);
    let _opened = opened.expect("nobody reads");
    let busy = service.get("/feed?consumer=billing").await.problem(409);
    assert_eq!(busy["field"], "consumer");
    service.end().await;
}

#[tokio::test]
async fn the_cursor_of_a_consumer_is_removed_unless_somebody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    store(&service, &["a", "b"]).await;
    let remove = async |name: &str| {
        let path = format!("/admin/consumers/{name}");
        let request = service.request("DELETE", &path);
        send(request.body(Full::<Bytes>::default()).unwrap()).await
    };
    let feed = service.engine().feed();
    let reading = feed.open("store/save", Start::Beginning, WhenFull::Lag);
    let reading = reading.expect("nobody reads");
    let busy = remove("store%2Fsave").await.problem(409);
    assert_eq!(
        busy["detail"],
        "consumer: \"store/save\" is in use: close it first, or choose another name"
    );
    drop(reading);
    assert_eq!(feed.consumers().len(), 1);
    assert_eq!(remove("store%2Fsave").await.status, 204);
    assert_eq!(feed.consumers(), []);
    let gone = remove("store%2Fsave").await.problem(404);
    assert_eq!(gone["field"], "name");
    let detail = gone["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("name: there is no consumer \"store/save\"; "),
        "{detail}"
    );
    service.end().await;
    // The removal is durable.
    let service = Service::stored_in(folder.path()).await;
    assert_eq!(service.engine().feed().consumers(), []);
    service.end().await;
}

#[tokio::test]
async fn facts_are_sent_whole_and_then_events_follow() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    store(&service, &["a", "a", "b", "c"]).await;
    for query in [
        "from=beginning&limit=1",
        "from=beginning&limit=1&consumer=c",
    ] {
        let answer = service.get(&format!("/feed?{query}")).await;
        assert_eq!(answer.header("x-from-facts"), "true");
        let (lines, last) = read(&answer);
        assert_eq!((numbers(&lines), last), (vec![4, 4, 4], 4), "{query}");
    }
    let compressed = service
        .request("GET", "/feed?from=beginning")
        .header("accept-encoding", "zstd");
    let answer = send(compressed.body(Full::<Bytes>::default()).unwrap()).await;
    assert_eq!(answer.header("content-encoding"), "zstd");
    let plain = zstd::decode_all(&*answer.body).expect("it is whole");
    let plain = String::from_utf8(plain).expect("text");
    assert_eq!(plain.lines().count(), 3);
    // Without an acknowledgement they come again; events that come meanwhile do not prevent one.
    store(&service, &["d"]).await;
    let answer = service.get("/feed?consumer=c&holder=d").await;
    let (lines, last) = read(&answer);
    assert_eq!((numbers(&lines), last), (vec![5], 5));
    assert_eq!(answer.header("x-from-facts"), "true");
    store(&service, &["e"]).await;
    let answer = service.get("/feed?consumer=c&ack=5").await;
    assert_eq!(answer.header("x-from-facts"), "false");
    assert_eq!(numbers(&read(&answer).0), [6]);
    // A new consumer that acknowledges something begins there.
    let answer = service.get("/feed?consumer=new&ack=4").await;
    assert_eq!(numbers(&read(&answer).0), [5, 6]);
    service.end().await;
}

/// Whether somebody reads under this name.
fn is_open(service: &Service, name: &str) -> bool {
    let reports = service.engine().feed().consumers();
    reports
        .iter()
        .any(|report| report.name == name && report.is_open)
}

#[tokio::test]
async fn a_request_waits_for_the_first_event_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let waiting = service.get("/feed?wait=20s&holder=b&consumer=w");
    let storing = async {
        while !is_open(&service, "w") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        store(&service, &["a"]).await;
        store(&service, &["b"]).await;
    };
    let (answer, ()) = within(async { tokio::join!(waiting, storing) }).await;
    let (lines, last) = read(&answer);
    assert_eq!((numbers(&lines), last), (vec![2], 2));
    // Without an event it answers at the end of its time, which the server limits.
    let limits = Limits {
        request_wait_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let hasty = Service::with(Settings {
        limits,
        ..Settings::default()
    })
    .await;
    let (lines, last) = read(&within(hasty.get("/feed?wait=1h")).await);
    assert_eq!((numbers(&lines), last), (vec![], 0));
    hasty.end().await;
    // A server that stops answers with what it has.
    let waiting = service.get("/feed?wait=20s&consumer=w&ack=2");
    let stopping = async {
        while !is_open(&service, "w") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.stop().await;
    };
    let (answer, ()) = within(async { tokio::join!(waiting, stopping) }).await;
    assert_eq!(read(&answer).1, 2);
    service.end().await;
}

#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    for (query, field, detail) in [
        (
            "from=0",
            "from",
            "from: must be a sequence number from 1, beginning or now, not \"0\"",
        ),
        (
            "from=%2B1",
            "from",
            "from: must be a sequence number from 1, ",
        ),
        (
            "from=2",
            "from",
            "from: 2 was not acknowledged yet, the last event is 0",
        ),
        (
            "ack=1",
            "ack",
            "ack: no position is kept without a consumer; name one",
        ),
        (
            "ack=-1",
            "ack",
            "ack: must be a sequence number, not \"-1\"",
        ),
        (
            "wait=soon",
            "wait",
            "wait: must be a time such as 500ms or 30s, not \"soon\"",
        ),
        (
            "limit=0",
            "limit",
            "limit: must be an integer from 1 to 10000",
        ),
        (
            "consumer=",
            "consumer",
            "consumer: empty; leave the parameter out",
        ),
        (
            "consumer=a/b",
            "consumer",
            "consumer: \"a/b\" belongs to a pipeline",
        ),
        (
            "consumer=a%00",
            "consumer",
            "consumer: \"a\\0\" is not a name",
        ),
    ] {
        let problem = service.get(&format!("/feed?{query}")).await.problem(400);
        assert_eq!(problem["field"], field, "{query}");
        let found = problem["detail"].as_str().unwrap();
        assert!(found.starts_with(detail), "{query}: {found}");
    }
    service.end().await;
}
