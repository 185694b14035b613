//! `POST /hold`, called by a plain HTTP client: one event, arrays, lines, compressed bodies.

use crate::support::{HttpAnswer, Service, line, send, within};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use poh_holdmetrics_rust::config::Limits;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::HoldBatch;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// As an array, and as lines; of gRPC each batch is answered in the same way.
#[tokio::test]
async fn what_is_probably_not_meant_is_answered_by_code() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let at = "2024-12-01T00:00:00Z";
    let start = |holder: &str, weight: u32| json!({"token_id": "T", "holder_id": holder, "start": at, "weight": weight});
    let named = |weight: u32| json!({"token_id": "T", "holder_id": "e", "start": at, "weight": weight, "event_id": "e"});
    let early = json!({"token_id": "T", "holder_id": "a", "start": 1_733_011_200});
    for (events, expected) in [
        (vec![start("a", 1), start("b", 1), start("a", 1)], vec![]),
        (vec![early.clone()], vec!["W01 epoch-seconds"]),
        (vec![early, start("a", 1)], vec![]),
        (
            vec![start("c", 1), start("C", 1)],
            vec!["W02 ids-differ-by-case"],
        ),
        (vec![start("d", 1), start("d", 2)], vec!["W03 ties"]),
        (vec![named(1), named(2)], vec!["W04 conflicting-facts"]),
    ] {
        let lines: Vec<_> = events.iter().map(ToString::to_string).collect();
        let as_array = service.post(JSON, json!(events).to_string()).await;
        assert_eq!(as_array.json()["warnings"], json!(expected), "{events:?}");
        let as_lines = service.post(LINES, lines.join("\n") + "\n").await;
        assert_eq!(as_lines.json()["warnings"], json!(expected), "{events:?}");
        let text = |field: &str| {
            events
                .iter()
                .map(|event| event[field].as_str().unwrap_or("").to_owned())
                .collect()
        };
        let start_us = |event: &Value| {
            event["start"]
                .as_i64()
                .map_or(1_733_011_200_000_000, |ms| ms * 1_000)
        };
        let batch = HoldBatch {
            token_id: vec!["T".to_owned()],
            holder_id: text("holder_id"),
            start_us: events.iter().map(start_us).collect(),
            weight: events
                .iter()
                .map(|event| event["weight"].as_f64().unwrap_or(1.0))
                .collect(),
            event_id: text("event_id"),
            ..HoldBatch::default()
        };
        let acks = within(client.broadcast_batch(futures_util::stream::iter([batch]))).await;
        let ack = within(acks.expect("a stream").into_inner().message()).await;
        assert_eq!(
            ack.expect("an answer").expect("one").warnings,
            expected,
            "{events:?}"
        );
    }
}

#[tokio::test]
async fn one_event_is_stored_or_refused_by_its_field() {
    let service = Service::start().await;
    let taken = service.post(JSON, line("a", 1)).await;
    assert_eq!(taken.status, 200);
    let expected = json!({
        "accepted": 1, "refused_total": 0, "refused": [], "sequence": 1, "durability": "BUFFERED",
        "warnings": ["W01 epoch-seconds"],
    });
    assert_eq!(taken.json(), expected);
    for (body, field, detail) in [
        (
            r#"{"holder_id":"h","start":0}"#,
            json!("token_id"),
            "token_id: missing or empty",
        ),
        (
            r#"{"token_id":"T","holder_id":"h","start":5,"end":1}"#,
            json!("end"),
            "end: before start; found 1",
        ),
        (
            r#"{"rows":[],"next":null}"#,
            json!("token_id"),
            "token_id: missing or empty (no key is that of a field; the keys are rows, an empty array, next)",
        ),
        (
            r#"{"token_id":"T","holder_id":"a\ud800","start":0}"#,
            json!("holder_id"),
            "holder_id: not text (it has half of a surrogate pair, which UTF-8 cannot encode); found \"a\\ud800\"",
        ),
        // Files have options for these, a service has none.
        (
            r#"{"token_id":"T","holder_id":"h","start":"2024-07-21T00:00:00"}"#,
            json!("start"),
            "start: no UTC offset (end it with Z or an offset like +02:00); found \"2024-07-21T00:00:00\"",
        ),
        (
            r#"{"token_id":"T","holder_id":"h","start":1735689900001}"#,
            json!("start"),
            "start: 301 s ahead of the server's clock, the maximum is 300 s",
        ),
        (
            "5",
            json!(null),
            "the body is not an object; found 5; send one event as an object, or several as an array of objects",
        ),
        (
            "",
            json!(null),
            "the body is empty; send one event as an object, or several as an array of objects",
        ),
    ] {
        let problem = service.post(JSON, body).await.problem(400);
        assert_eq!(problem["field"], field, "{body}");
        assert_eq!(problem["detail"], detail, "{body}");
    }
    assert_eq!(service.sequence().await, 1);
    service.end().await;
}

#[tokio::test]
async fn text_that_is_not_json_is_refused_with_its_place() {
    let service = Service::start().await;
    for (body, detail) in [
        ("{", "EOF while parsing an object at column 1"),
        ("{\n  \"a\" 1}", "expected `:` at line 2 column 7"),
        ("[{]", "key must be a string at column 3"),
    ] {
        let problem = service.post(JSON, body).await.problem(400);
        assert_eq!(problem["field"], json!(null), "{body}");
        let detail = format!("the body is not JSON: {detail}");
        assert_eq!(problem["detail"], detail, "{body}");
    }
    let taken = service.post(LINES, "{\"x\"").await.json();
    assert_eq!(
        taken["refused"],
        json!([{
            "line": 1, "field": null,
            "reason": "not JSON: EOF while parsing an object at column 4",
        }])
    );
    service.end().await;
}

#[tokio::test]
async fn a_transfer_counts_once_and_takes_a_number_for_each_holder() {
    let service = Service::start().await;
    let mint = json!({"token_id": "T", "to_id": "a", "at": 0, "amount": "10", "event_id": "1"});
    let taken = service.post(JSON, mint.to_string()).await.json();
    assert_eq!(
        (&taken["accepted"], &taken["sequence"]),
        (&json!(1), &json!(1))
    );
    let long = "x".repeat(257);
    let lines = [
        json!({"token_id": "T", "from_id": "a", "to_id": "b", "at": 10_000, "amount": 4, "event_id": "2"}),
        json!({"token_id": "T", "from_id": "a", "to_id": long, "at": 10_000, "amount": 4, "event_id": "3"}),
        json!({"token_id": "T", "holder_id": "b", "at": 15_000, "delta": "-1.5", "event_id": "4"}),
        json!({"token_id": "T", "holder_id": "mark", "start": 10_000, "seq": 2}),
        json!({"token_id": "T", "holder_id": "mark", "end": 10_000, "seq": 1}),
    ];
    let text = lines.map(|line| line.to_string()).join("\n");
    let request = service
        .request("POST", "/transfers")
        .header("content-type", LINES);
    let taken = send(request.body(Full::from(text)).unwrap()).await.json();
    assert_eq!(
        (&taken["accepted"], &taken["sequence"]),
        (&json!(4), &json!(6))
    );
    assert_eq!(
        taken["refused"],
        json!([{"line": 2, "field": "to_id", "reason": "to_id: 257 bytes, the maximum is 256"}])
    );
    let answer = service.get("/stats?as_of=20000").await.json();
    let scores: Vec<_> = answer["holders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["holder_id"].as_str().unwrap(),
                row["score"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(scores, [("a", "160"), ("b", "32.5"), ("mark", "10")]);
    service.end().await;
}

#[tokio::test]
async fn a_refused_change_or_transfer_names_its_field() {
    let service = Service::start().await;
    for (event, field, detail) in [
        (
            json!({"token_id": "T", "holder_id": "a", "at": 0, "delta": 1}),
            "event_id",
            "event_id: missing (a change of balance needs one)",
        ),
        (
            json!({"token_id": "T", "holder_id": "a", "at": 1_735_689_900_001_i64, "delta": 1, "event_id": "e"}),
            "at",
            "at: 301 s ahead of the server's clock, the maximum is 300 s",
        ),
        (
            json!({"token_id": "T", "from_id": "a", "to_id": "b", "at": 0, "event_id": "e"}),
            "amount",
            "amount: missing (a transfer needs one)",
        ),
        (
            json!({"token_id": "T", "from_id": "a", "holder_id": "b", "at": 0, "amount": 1, "event_id": "e"}),
            "holder_id",
            "holder_id: given for a transfer (a transfer has from_id, to_id, at and amount instead)",
        ),
    ] {
        let problem = service.post(JSON, event.to_string()).await.problem(400);
        assert_eq!(problem["field"], field, "{event}");
        assert_eq!(problem["detail"], detail, "{event}");
    }
    assert_eq!(service.sequence().await, 0);
    service.end().await;
}

#[tokio::test]
async fn refused_events_of_an_array_are_listed_by_index() {
    let service = Service::start().await;
    let body = format!("[{}, {{\"start\": 0}}, 7, {}]", line("a", 1), line("b", 1));
    let taken = service.post(JSON, body).await.json();
    assert_eq!(taken["accepted"], 2);
    assert_eq!(taken["sequence"], 2);
    assert_eq!(
        taken["refused"],
        json!([
            {"index": 1, "field": "token_id", "reason": "token_id: missing or empty"},
            {"index": 2, "field": null, "reason": "not an object; found 7"},
        ])
    );
    service.end().await;
}

#[tokio::test]
async fn lines_may_be_split_anywhere_and_arrive_slowly() {
    let service = Service::start().await;
    let text = format!("{}\n\n  \n{{\"x\"\n{}", line("a", 1), line("ü", 2));
    let chunks: Vec<_> = text
        .as_bytes()
        .chunks(3)
        .map(|chunk| Ok::<_, std::io::Error>(Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    let body = StreamBody::new(futures_util::stream::iter(chunks).then(async |chunk| {
        tokio::task::yield_now().await;
        chunk
    }));
    let request = service
        .request("POST", "/hold")
        .header("content-type", LINES);
    let taken = send(request.body(BodyExt::boxed_unsync(body)).unwrap()).await;
    assert_eq!(taken.status, 200);
    let taken = taken.json();
    assert_eq!(
        (&taken["accepted"], &taken["refused_total"]),
        (&json!(2), &json!(1))
    );
    let refused = &taken["refused"][0];
    assert_eq!(
        (&refused["line"], &refused["field"]),
        (&json!(4), &json!(null))
    );
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.starts_with("not JSON"), "{reason}");
    service.end().await;
}

/// Its room in the queue was once kept for as long as a caller sent nothing: so many callers held up all others.
#[tokio::test]
async fn what_was_read_is_stored_while_its_body_waits_for_more() {
    let service = Service::start().await;
    let lines = [line("a", 1), line("b", 2)];
    let chunk = |text: &str| Frame::data(Bytes::from(format!("{text}\n")));
    let (more, rest) = tokio::sync::oneshot::channel();
    let [first, last] = lines.map(|text| Ok::<_, std::io::Error>(chunk(&text)));
    let rest = futures_util::stream::once(async move {
        rest.await.expect("asked for");
        last
    });
    let body = StreamBody::new(futures_util::stream::iter([first]).chain(rest));
    let request = service
        .request("POST", "/hold")
        .header("content-type", LINES);
    let request = request.body(BodyExt::boxed_unsync(body)).unwrap();
    let sent = tokio::spawn(send(request));
    within(async { while service.get("/stats").await.json()["sequence"] != 1 {} }).await;
    more.send(()).unwrap();
    assert_eq!(within(sent).await.unwrap().json()["accepted"], 2);
    service.end().await;
}

#[tokio::test]
async fn many_lines_are_stored_in_many_batches() {
    let service = Service::start().await;
    let text: String = (1..=30_000)
        .map(|seconds| line("a", seconds) + "\n")
        .collect();
    let taken = service.post(LINES, text).await.json();
    assert_eq!(
        (&taken["accepted"], &taken["sequence"]),
        (&json!(30_000), &json!(30_000))
    );
    let holder = service
        .get("/holders/a?as_of=2024-01-01T00:00:00Z")
        .await
        .json();
    assert_eq!(holder["score"], "30000");
    service.end().await;
}

/// The bytes as one gzip member.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}

/// The bytes as one zstd frame.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 9).unwrap()
}

async fn post(
    service: &Service,
    content_type: &str,
    packing: &str,
    body: impl Into<Bytes>,
) -> HttpAnswer {
    let request = service
        .request("POST", "/hold")
        .header("content-type", content_type)
        .header("content-encoding", packing);
    send(request.body(Full::new(body.into())).unwrap()).await
}

#[tokio::test]
async fn decompressed_bodies_are_limited() {
    let service = Service::with(Settings {
        limits: Limits {
            message_bytes_max: 10_000,
            stream_bytes_max: 20_000,
            line_bytes_max: 200,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let event = line("a", 1).into_bytes();
    assert_eq!(post(&service, JSON, "gzip", gzip(&event)).await.status, 200);
    assert_eq!(
        post(&service, LINES, "zstd", zstd(&event)).await.status,
        200
    );
    assert_eq!(
        post(&service, JSON, "identity", event.clone()).await.status,
        200
    );

    // A few dozen bytes that decompress to a million.
    let bomb = vec![b' '; 1_000_000];
    let answer = post(&service, JSON, "gzip", gzip(&bomb)).await;
    answer.problem(413);
    let mut lines = event.clone();
    lines.push(b'\n');
    lines.extend(&bomb);
    let problem = post(&service, LINES, "zstd", zstd(&lines))
        .await
        .problem(413);
    assert_eq!(problem["accepted"], 0);

    let problem = post(&service, JSON, "gzip", event).await.problem(400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("the body cannot be read")
    );

    let long = format!("{}\n{}", "x".repeat(201), line("a", 1));
    let taken = service.post(LINES, long).await.json();
    assert_eq!(taken["accepted"], 1);
    assert_eq!(
        taken["refused"][0]["reason"],
        "a line may have at most 200 bytes"
    );
    let counted = "holdmetrics_events_refused_total{reason=\"line\"}";
    assert_eq!(service.metrics_line(counted).await.as_deref(), Some("1"));
    service.end().await;
}

#[tokio::test]
async fn all_members_of_a_compressed_body_are_read() {
    let service = Service::start().await;
    let rows = [line("a", 1) + "\n", line("b", 2) + "\n", line("c", 3)];
    for (packing, pack) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        let members: Vec<Vec<u8>> = rows.iter().map(|row| pack(row.as_bytes())).collect();
        let taken = post(&service, LINES, packing, members.concat()).await;
        assert_eq!(taken.json()["accepted"], 3, "{packing}");
        // However they are cut.
        let whole = members.concat();
        for at in [
            1,
            members[0].len() - 1,
            members[0].len(),
            members[0].len() + 1,
        ] {
            let pieces = [&whole[..at], &whole[at..]]
                .map(|piece| Ok::<_, std::io::Error>(Frame::data(Bytes::copy_from_slice(piece))));
            let body = StreamBody::new(futures_util::stream::iter(pieces));
            let request = service
                .request("POST", "/hold")
                .header("content-type", LINES)
                .header("content-encoding", packing);
            let taken = send(request.body(BodyExt::boxed_unsync(body)).unwrap()).await;
            assert_eq!(taken.json()["accepted"], 3, "{packing} cut at {at}");
        }
    }
    service.end().await;
}

#[tokio::test]
async fn a_compressed_body_followed_by_other_bytes_is_refused() {
    let service = Service::start().await;
    let event = line("a", 1);
    for (packing, member) in [
        ("gzip", gzip(event.as_bytes())),
        ("zstd", zstd(event.as_bytes())),
    ] {
        let half = &member[..member.len() / 2];
        for rest in [&b"x"[..], b"garbage behind the end", b"\0\0\0\0", half] {
            let body = [&member, rest].concat();
            let problem = post(&service, JSON, packing, body.clone())
                .await
                .problem(400);
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with("the body cannot be read"), "{detail}");
            let problem = post(&service, LINES, packing, body).await.problem(400);
            assert_eq!(problem["accepted"], 0);
        }
    }
    assert_eq!(service.sequence().await, 0);
    service.end().await;
}

#[tokio::test]
async fn the_window_of_zstd_is_limited() {
    // One raw block behind a header that asks for a window of 2^log bytes (RFC 8878, 3.1.1).
    let frame = |log: u8, bytes: &[u8]| {
        let size = u32::try_from(bytes.len()).unwrap() << 3 | 1;
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
        [&head, &size.to_le_bytes()[..3], bytes].concat()
    };
    let service = Service::start().await;
    let event = line("a", 1);
    for (log, status) in [(10, 200), (23, 200), (24, 400), (27, 400)] {
        let answer = post(&service, JSON, "zstd", frame(log, event.as_bytes())).await;
        assert_eq!(answer.status, status, "{log}: {}", answer.text());
    }
    service.end().await;
}

#[tokio::test]
async fn a_body_has_one_known_encoding() {
    let service = Service::start().await;
    let event = line("a", 1);
    for packing in ["GZIP", "x-gzip"] {
        let answer = post(&service, JSON, packing, gzip(event.as_bytes())).await;
        assert_eq!(answer.status, 200, "{packing}");
    }
    let refused = |answer: HttpAnswer| {
        let problem = answer.problem(415);
        assert_eq!(problem["field"], "content-encoding");
        assert_eq!(answer.header("accept-encoding"), "gzip, zstd");
    };
    for packing in ["br", "gzip, gzip", "gzip, identity"] {
        refused(post(&service, JSON, packing, event.clone()).await);
    }
    let twice = service
        .request("POST", "/hold")
        .header("content-type", JSON)
        .header("content-encoding", "gzip")
        .header("content-encoding", "gzip");
    let body = Full::from(gzip(&gzip(event.as_bytes())));
    refused(send(twice.body(body).unwrap()).await);
    assert_eq!(service.sequence().await, 2);
    service.end().await;
}

#[tokio::test]
async fn the_media_type_decides_how_a_body_is_read() {
    let service = Service::start().await;
    for (media_type, lines) in [
        ("application/json; charset=utf-8", 1),
        ("application/x-ndjson", 2),
        ("application/ndjson", 2),
        ("Application/JSONL", 2),
    ] {
        let body = vec![line("a", 1); lines].join("\n");
        // A line end in front, as a shell's here-document leaves it.
        let taken = service.post(media_type, format!("\n{body}\n")).await.json();
        assert_eq!(taken["accepted"], lines, "{media_type}");
    }
    for (name, value) in [("content-type", "text/plain"), ("x", "y")] {
        let request = service.request("POST", "/hold").header(name, value);
        let answer = send(request.body(Empty::new()).unwrap()).await;
        assert_eq!(answer.problem(415)["field"], "content-type");
    }
    service.end().await;
}

/// The second one was not looked at, and may name another charset.
#[tokio::test]
async fn a_body_has_one_media_type() {
    let service = Service::start().await;
    let twice = service
        .request("POST", "/hold")
        .header("content-type", JSON)
        .header("content-type", "application/json; charset=utf-16");
    let answer = send(twice.body(Full::from(line("a", 1))).unwrap()).await;
    let problem = answer.problem(400);
    assert_eq!(problem["field"], "content-type");
    let detail = "content-type: given more than once; send one";
    assert_eq!(problem["detail"], detail);
    assert_eq!(service.sequence().await, 0);
    service.end().await;
}

#[tokio::test]
async fn after_a_refused_request_its_connection_serves_the_next_one() {
    let service = Service::start().await;
    let body = "x".repeat(60_000);
    let calls = format!(
        "POST /hold HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}\
         GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        body.len(),
    );
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    within(stream.write_all(calls.as_bytes())).await.unwrap();
    let mut answers = String::new();
    within(stream.read_to_string(&mut answers)).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 415 "), "{answers}");
    assert!(answers.ends_with("ok\n"), "{answers}");
    service.end().await;
}
