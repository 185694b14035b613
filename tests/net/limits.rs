//! Limits of callers: message sizes, open connections and streams, and timeouts. `docs/security.md` names these
//! tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::sites::ask;
use crate::support::{Service, hold, line, send, within};
use bytes::Bytes;
use futures_util::future::select_all;
use http_body_util::{Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use poh_holdmetrics_rust::config::Limits;
use poh_holdmetrics_rust::core::Micros;
use poh_holdmetrics_rust::engine::Options;
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::pb::{HoldBatch, HoldMsg};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// A whole request.
const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// The preface of HTTP/2 and empty settings.
const HTTP2: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn large_messages_and_batches_are_refused() {
    let service = Service::with(Settings {
        limits: Limits {
            message_bytes_max: 2_000,
            batch_events_max: 3,
            header_bytes_max: 4_000,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let mut client = service.client().await;
    let large = HoldMsg {
        weight_text: Some("1".repeat(2_000)),
        ..hold("T", "a", 0, 1)
    };
    let status = within(client.record(large)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    // The limit applies to the decompressed size.
    let bomb = HoldMsg {
        weight_text: Some("1".repeat(1 << 20)),
        ..hold("T", "a", 0, 1)
    };
    for packing in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut packing_client = client.clone().send_compressed(packing);
        let status = within(packing_client.record(bomb.clone()))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{packing}");
    }

    let rows = HoldBatch {
        token_id: vec!["T".to_owned()],
        holder_id: vec!["a".to_owned(); 4],
        start_us: vec![0],
        ..HoldBatch::default()
    };
    let answers = within(client.broadcast_batch(tokio_stream::iter([rows])))
        .await
        .unwrap();
    let ack = within(answers.into_inner().message())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        ack.refused[0].reason,
        "token_id: 4 rows in a batch, the maximum is 3; send several batches"
    );

    let events = json!([0, 0, 0, 0]).to_string();
    let problem = service.post("application/json", events).await.problem(413);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("4 events in an array, the maximum is 3")
    );
    let body = vec![b' '; 2_001];
    service.post("application/json", body).await.problem(413);

    let request = service
        .request("GET", "/healthz")
        .header("x-long", "y".repeat(20_000));
    let answer = send(request.body(Empty::<Bytes>::new()).unwrap()).await;
    assert_eq!(answer.status, 431);
    service.end().await;
}

/// One value stands for all rows: a short message once became 51 MB of events before anything counted them.
#[tokio::test]
async fn the_rows_of_a_batch_are_bounded_before_they_are_converted() {
    let service = Service::start().await;
    let mut client = service.client().await;
    let id = || vec!["x".repeat(250)];
    let wide = HoldBatch {
        token_id: id(),
        holder_id: id(),
        event_id: id(),
        start_us: vec![0],
        retract: vec![false; 65_536],
        ..HoldBatch::default()
    };
    let narrow = HoldBatch {
        retract: vec![false; 1_000],
        ..wide.clone()
    };
    let answers = within(client.broadcast_batch(tokio_stream::iter([wide, narrow])))
        .await
        .unwrap();
    let mut answers = answers.into_inner();
    let refused = within(answers.message()).await.unwrap().unwrap();
    assert_eq!((refused.accepted, refused.refused_total), (0, 65_536));
    assert_eq!(
        refused.refused[0].reason,
        "token_id: the 65536 rows of a batch are up to 53411840 bytes as events, the maximum is 16777216; send \
         several batches"
    );
    let accepted = within(answers.message()).await.unwrap().unwrap();
    assert_eq!(accepted.accepted, 1_000);
    service.end().await;
}

/// Holds, stop marks, changes and transfers; a retraction names no instant.
#[tokio::test]
async fn events_before_the_earliest_instant_are_refused() {
    let mut options = Options::in_memory();
    options.intake.earliest = Micros::parse("2015-01-01T00:00:00Z").ok();
    let service = Service::on(Settings::default(), options).await;
    let early = "1970-01-20T11:24:32.64Z is before 2015-01-01T00:00:00Z, the earliest instant that this service \
                 accepts; a number counts milliseconds";
    let events = json!([
        {"token_id": "T", "holder_id": "h", "start": 1_682_672_640, "end": 1_682_759_040_000_i64},
        {"token_id": "T", "holder_id": "h", "end": 1_682_672_640},
        {"token_id": "T", "holder_id": "h", "at": 1_682_672_640, "delta": 1, "event_id": "a"},
        {"token_id": "T", "to_id": "h", "at": 1_682_672_640, "amount": 1, "event_id": "b"},
        {"token_id": "T", "holder_id": "h", "event_id": "c", "retract": true},
        {"token_id": "T", "holder_id": "h", "start": "2015-01-01T00:00:00Z"},
    ]);
    let answer = service
        .post("application/json", events.to_string())
        .await
        .json();
    let refused = answer["refused"].as_array().expect("a list");
    let reasons: Vec<_> = refused.iter().map(|each| &each["reason"]).collect();
    let expected = ["start", "end", "at", "at"].map(|field| format!("{field}: {early}"));
    assert_eq!(reasons, expected.iter().collect::<Vec<_>>());
    assert_eq!(answer["accepted"], 2);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let service = Service::with(Settings {
        limits: Limits {
            connections_max: 1,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let healthz = HEALTHZ.as_bytes();
    let mut first = within(TcpStream::connect(service.http)).await.unwrap();
    first.write_all(healthz).await.unwrap();
    let mut byte = [0];
    within(first.read_exact(&mut byte)).await.unwrap();
    let mut second = within(TcpStream::connect(service.http)).await.unwrap();
    second.write_all(healthz).await.unwrap();
    assert_eq!(service.metrics().connections.get(), 1);
    drop(first);
    within(second.read_exact(&mut byte)).await.unwrap();
    service.end().await;
}

#[tokio::test]
async fn connections_of_one_address_are_limited() {
    let service = Service::with(Settings {
        limits: Limits {
            connections_per_address_max: 1,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let first = answered(&service).await.expect("it is the first one");
    // The limit covers both listeners of the service.
    for address in [service.http, service.grpc] {
        let mut further = within(TcpStream::connect(address)).await.unwrap();
        let mut answer = Vec::new();
        // It ends, by a close or a reset.
        let _ = within(further.read_to_end(&mut answer)).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    let refused = "holdmetrics_connections_refused_total{reason=\"address\"}";
    assert_eq!(service.metrics_line(refused).await.as_deref(), Some("2"));
    drop(first);
    within(async { while answered(&service).await.is_none() {} }).await;
    service.end().await;
}

/// A connection whose first request was answered; `None` if it was closed before.
async fn answered(service: &Service) -> Option<TcpStream> {
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    stream.write_all(HEALTHZ.as_bytes()).await.ok()?;
    let mut answer = [0; 12];
    within(stream.read_exact(&mut answer)).await.ok()?;
    assert_eq!(&answer, b"HTTP/1.1 200");
    Some(stream)
}

/// Waits for the end of a connection, by a close or a reset.
async fn ended(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = within(stream.read_to_end(&mut all)).await;
    all
}

/// A service with long timeouts except for those that `change` sets.
pub(super) async fn patient(change: impl FnOnce(&mut Limits)) -> Service {
    let hour = Duration::from_secs(3_600);
    let mut limits = Limits {
        header_wait_max: hour,
        idle_wait_max: hour,
        request_wait_max: hour,
        ..Limits::default()
    };
    change(&mut limits);
    Service::with(Settings {
        limits,
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn silent_connections_are_closed() {
    let service = patient(|limits| limits.header_wait_max = Duration::from_millis(100)).await;
    for (address, beginning) in [
        (service.http, ""),
        (service.grpc, ""),
        (
            service.http,
            "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        ),
        (service.grpc, HTTP2),
    ] {
        let mut stream = within(TcpStream::connect(address)).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        ended(stream).await;
    }
    service.end().await;
}

#[tokio::test]
async fn headers_of_a_further_request_have_a_timeout() {
    let service = patient(|limits| limits.header_wait_max = Duration::from_secs(1)).await;
    let mut stream = answered(&service).await.expect("an answer");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\n")
        .await
        .unwrap();
    ended(stream).await;
    service.end().await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let service = patient(|limits| limits.idle_wait_max = Duration::from_millis(200)).await;
    ended(answered(&service).await.expect("an answer")).await;
    let mut client = service.client().await;
    within(client.record(hold("T", "a", 0, 1))).await.unwrap();
    closed(&service).await;
    service.end().await;
}

/// Waits until the service has no connection.
async fn closed(service: &Service) {
    within(async {
        while service.metrics().connections.get() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// 16 connections whose windows were closed once held 2.4 GB of answers.
#[tokio::test]
async fn answers_that_are_not_taken_are_bounded_and_their_caller_is_disconnected() {
    let service = patient(|limits| {
        limits.unread_wait_max = Duration::from_secs(1);
        limits.connection_answer_bytes_max = 300_000;
    })
    .await;
    let lines: Vec<String> = (0..1_000)
        .map(|i| line(&format!("holder-{i}"), 1))
        .collect();
    let sent = service.post("application/x-ndjson", lines.join("\n")).await;
    assert_eq!(sent.json()["accepted"], 1_000);
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(0)
        .build_http();
    let ask = || {
        let request = service.request("GET", "/leaderboard?limit=1000");
        client.request(request.body(Empty::<Bytes>::new()).unwrap())
    };
    let answer = within(ask()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let others: Vec<_> = (0..20).map(|_| tokio::spawn(ask())).collect();
    // Another connection is answered meanwhile.
    service.get("/leaderboard?limit=1000").await.json();
    closed(&service).await;
    let computed = "holdmetrics_question_seconds_count{question=\"page\"}";
    let computed = service.metrics_line(computed).await.unwrap();
    let computed: u64 = computed.parse().unwrap();
    assert!(computed <= 4, "{computed} of 22 answers were computed");
    for other in others {
        assert!(other.await.unwrap().is_err());
    }
    service.end().await;
}

/// A packer of zstd takes a megabyte: 8 connections that read nothing made the service hold 850 of them, for errors.
#[tokio::test]
async fn nothing_that_packs_an_answer_is_kept_while_nobody_reads_it() {
    let service = Service::start().await;
    let asked = async |path: &str| {
        let request = service
            .request("GET", path)
            .header("accept-encoding", "zstd, gzip");
        send(request.body(Empty::<Bytes>::new()).unwrap()).await
    };
    // Whole answers are packed before they are sent, so their length is known.
    for path in ["/metrics", "/leaderboard", "/rounds"] {
        let answer = asked(path).await;
        assert_eq!(answer.header("content-encoding"), "zstd", "{path}");
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), length, "{path}");
    }
    for path in [
        "/leaderboard?limit=0",
        "/feed?from=0",
        "/none",
        "/openapi.json",
        "/docs/swagger-ui.css",
    ] {
        let answer = asked(path).await;
        assert_eq!(answer.header("content-encoding"), "", "{path}");
    }
    service.end().await;
}

/// A body keeps as much as its frames say: 60 of 300 bytes each once made the service hold 500 MB.
#[tokio::test]
async fn windows_of_compressed_bodies_are_bounded_together() {
    let service = patient(|limits| limits.bodies_bytes_max = 9 << 20).await;
    // One raw block behind a header that asks for a window of 2^log bytes (RFC 8878, 3.1.1).
    let frame = |log: u8| {
        let event = line("a", 1) + "\n";
        let size = u32::try_from(event.len()).unwrap() << 3 | 1;
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
        [&head, &size.to_le_bytes()[..3], event.as_bytes()].concat()
    };
    let post = async |log: u8| {
        let request = service
            .request("POST", "/hold")
            .header("content-type", "application/x-ndjson")
            .header("content-encoding", "zstd");
        send(request.body(Full::new(Bytes::from(frame(log)))).unwrap()).await
    };
    let mut open = within(TcpStream::connect(service.http)).await.unwrap();
    let head = "POST /hold HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
                content-encoding: zstd\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = frame(23);
    let size = format!("{:x}\r\n", chunk.len());
    let sent = [head.as_bytes(), size.as_bytes(), &chunk, b"\r\n"].concat();
    within(open.write_all(&sent)).await.unwrap();
    let refused = within(async {
        loop {
            let answer = post(23).await;
            if answer.status != 200 {
                break answer;
            }
        }
    });
    assert_eq!(refused.await.problem(503)["code"], "BODIES_FULL");
    assert_eq!(post(10).await.status, 200, "small ones are not counted");
    drop(open);
    within(async { while post(23).await.status != 200 {} }).await;
    service.end().await;
}

/// A report was taken for 64 KiB until it was computed: 120 of three megabytes each were, for one connection.
#[tokio::test]
async fn reports_that_become_larger_than_was_known_hold_up_those_behind_them() {
    let service = patient(|limits| {
        limits.unread_wait_max = Duration::from_secs(1);
        limits.connection_answer_bytes_max = 1_000_000;
    })
    .await;
    let change = |at: i32| json!({"token_id": "T", "holder_id": "whale", "at": at, "delta": "1", "event_id": at.to_string()});
    let lines: Vec<String> = (0..5_000).map(|at| change(at).to_string()).collect();
    let sent = service.post("application/x-ndjson", lines.join("\n")).await;
    assert_eq!(sent.json()["accepted"], 5_000);
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(0)
        .build_http();
    let ask = || {
        let request = service.request("GET", "/holders/whale");
        client.request(request.body(Empty::<Bytes>::new()).unwrap())
    };
    assert_eq!(within(ask()).await.unwrap().status(), 200);
    let others: Vec<_> = (0..20).map(|_| tokio::spawn(ask())).collect();
    closed(&service).await;
    let computed = "holdmetrics_question_seconds_count{question=\"holder\"}";
    let computed = service.metrics_line(computed).await.unwrap();
    let computed: u64 = computed.parse().unwrap();
    assert!(computed <= 8, "{computed} of 21 reports were computed");
    drop(others);
    service.end().await;
}

/// Pages of the feed were counted once they were written, and what facts hold was not, so all calls of a connection took
/// theirs at once.
#[tokio::test]
async fn feeds_that_are_not_taken_are_bounded_before_they_are_read() {
    let service = patient(|limits| {
        limits.unread_wait_max = Duration::from_secs(1);
        limits.connection_answer_bytes_max = 300_000;
        limits.answer_bytes_max = 500_000;
    })
    .await;
    let lines: Vec<String> = (0..2_000)
        .map(|i| line(&format!("holder-{i}"), 1))
        .collect();
    service.post("application/x-ndjson", lines.join("\n")).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(0)
        .build_http();
    let ask = || {
        let request = service.request("GET", "/feed?from=1&limit=1000");
        client.request(request.body(Empty::<Bytes>::new()).unwrap())
    };
    let answer = within(ask()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let answered = Arc::new(AtomicUsize::new(0));
    let asked = (0..20).map(|_| {
        let (answer, answered) = (ask(), Arc::clone(&answered));
        tokio::spawn(async move {
            let answer = answer.await;
            answered.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
            answer
        })
    });
    let asked: Vec<_> = asked.collect();
    closed(&service).await;
    let answered = answered.load(Ordering::SeqCst);
    assert!(answered <= 3, "{answered} of 20 were read");
    drop((answer, asked));
    service.end().await;
}

/// Answers other than to queries were not counted: 16 connections made the service hold 1,920 pages of metrics.
#[tokio::test]
async fn metrics_that_are_not_taken_are_bounded_too() {
    let service = patient(|limits| {
        limits.unread_wait_max = Duration::from_secs(1);
        limits.connection_answer_bytes_max = 100_000;
    })
    .await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(0)
        .build_http();
    let ask = || {
        let request = service.request("GET", "/metrics");
        client.request(request.body(Empty::<Bytes>::new()).unwrap())
    };
    let answer = within(ask()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let others: Vec<_> = (0..20).map(|_| tokio::spawn(ask())).collect();
    // Another connection is answered meanwhile.
    assert_eq!(service.get("/metrics").await.status, 200);
    closed(&service).await;
    let written = "holdmetrics_question_seconds_count{question=\"beside\"}";
    let written = service.metrics_line(written).await.unwrap();
    let written: u64 = written.parse().unwrap();
    assert!(written <= 5, "{written} of 22 answers were written");
    drop(others);
    service.end().await;
}

/// An upload of three bytes an event was answered with a list of ninety bytes an event, which was not counted.
#[tokio::test]
async fn refused_events_are_listed_while_there_is_room_for_answers() {
    let body = format!("[{}]", vec!["{}"; 1_000].join(","));
    for (bytes_max, is_whole) in [(1 << 20, true), (20_000, false)] {
        let service = patient(|limits| limits.connection_answer_bytes_max = bytes_max).await;
        let result = service.post("application/json", body.clone()).await.json();
        assert_eq!(result["refused_total"], 1_000);
        let listed = result["refused"].as_array().unwrap().len();
        assert!(listed > 50 && (listed == 1_000) == is_whole, "{listed}");
        service.end().await;
    }
}

#[tokio::test]
async fn a_body_that_is_said_to_be_too_large_is_refused_before_it_is_sent() {
    let service = patient(|_| {}).await;
    let head = "POST /hold HTTP/1.1\nhost: localhost\ncontent-type: application/json\ncontent-length: 99999999";
    let (status, body) = ask(&service, head).await;
    assert_eq!(status, 413, "{body}");
    service.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let service = patient(|limits| limits.idle_wait_max = Duration::from_millis(200)).await;
    // In HTTP/1: more than the socket buffers hold, and the client does not read it.
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream
        .write_all(request.repeat(20).as_bytes())
        .await
        .unwrap();
    within(stream.readable()).await.unwrap();
    closed(&service).await;
    // In HTTP/2: the window of the call is exhausted, and pings are answered.
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(0)
        .build_http();
    let request = service.request("GET", "/openapi.json");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = within(client.request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    closed(&service).await;
    drop((stream, answer));
    service.end().await;
}

#[tokio::test]
async fn a_health_watch_has_a_time_limit() {
    let service = patient(|limits| limits.idle_wait_max = Duration::from_millis(200)).await;
    let mut health = HealthClient::new(service.channel().await);
    let watch = within(health.watch(HealthCheckRequest::default())).await;
    let mut watch = watch.unwrap().into_inner();
    within(watch.message()).await.unwrap().expect("an answer");
    let status = within(watch.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    service.end().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_disconnected() {
    let service = patient(|limits| {
        limits.ping_interval = Duration::from_millis(50);
        limits.ping_wait_max = Duration::from_millis(50);
    })
    .await;
    let mut stream = within(TcpStream::connect(service.grpc)).await.unwrap();
    stream.write_all(HTTP2.as_bytes()).await.unwrap();
    let all = ended(stream).await;
    let ping = [0, 0, 8, 6, 0];
    assert!(all.windows(5).any(|bytes| bytes == ping), "{all:?}");
    service.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_times_out() {
    let short = Duration::from_millis(100);
    for (form, service) in [
        (
            "application/json",
            patient(|limits| limits.request_wait_max = short).await,
        ),
        (
            "application/x-ndjson",
            patient(|limits| limits.idle_wait_max = short).await,
        ),
    ] {
        let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
        let head = format!(
            "POST /hold HTTP/1.1\r\nhost: localhost\r\ncontent-type: {form}\r\ncontent-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = ended(stream).await;
        assert!(
            answer.starts_with(b"HTTP/1.1 408"),
            "{form}: {}",
            String::from_utf8_lossy(&answer)
        );
        service.end().await;
    }
}

/// Sends the head of a JSON body, and so much of it; the connection.
async fn part_of_a_body(service: &Service, bytes: usize) -> TcpStream {
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    let head = "POST /hold HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    within(stream.write_all(&vec![b' '; bytes])).await.unwrap();
    stream
}

/// Bodies were bounded one by one alone: each connection could hold 128 of 4 MiB.
#[tokio::test]
async fn bodies_that_are_read_whole_are_bounded_together() {
    let service = patient(|limits| {
        limits.bodies_bytes_max = 2 << 20;
        limits.message_bytes_max = 1 << 20;
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(part_of_a_body(&service, 800_000).await);
    }
    // One of them is refused, whichever arrives last.
    let refused = open.iter_mut().map(|stream| Box::pin(answer_to(stream)));
    let (said, ..) = within(select_all(refused)).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(
        said.contains("retry-after: 1") && said.contains("BODIES_FULL"),
        "{said}"
    );
    // What is streamed has a bound of its own.
    let lines = service.post("application/x-ndjson", line("a", 1)).await;
    assert_eq!(lines.status, 200);
    drop(open);
    let body = format!("{}{}", line("b", 1), " ".repeat(900_000));
    let answer = async {
        loop {
            let answer = service.post("application/json", body.clone()).await;
            if answer.status != 503 {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(within(answer).await.status, 200, "there is room again");
    service.end().await;
}

/// What is answered before anything else is sent.
async fn answer_to(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4_096];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn header_lines_of_a_request_are_limited() {
    let service = Service::start().await;
    for (lines, status) in [(50, 200), (101, 431)] {
        let mut request = service.request("GET", "/healthz");
        for number in 0..lines {
            request = request.header(format!("x-{number}"), "y");
        }
        let answer = send(request.body(Empty::<Bytes>::new()).unwrap()).await;
        assert_eq!(answer.status, status, "{lines} lines");
    }
    service.end().await;
}

#[tokio::test]
async fn streams_of_a_connection_are_limited() {
    let service = Service::with(Settings {
        limits: Limits {
            streams_per_connection_max: 2,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let client = service.client().await;
    let open = async || {
        let mut client = client.clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.send(hold("T", "a", 0, 1)).await.unwrap();
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let mut answers = client.broadcast(stream).await.unwrap().into_inner();
        answers.message().await.unwrap();
        (sender, answers)
    };
    let (first, second) = (within(open()).await, within(open()).await);
    let mut third = std::pin::pin!(open());
    let waited = tokio::time::timeout(Duration::from_millis(200), third.as_mut()).await;
    assert!(waited.is_err(), "a third stream was let in");
    drop(first);
    let _third = within(third).await;
    drop(second);
    service.stop().await;
}
