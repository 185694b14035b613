//! Who may do what, and how much of it: keys, scopes, rates, limits. `docs/security.md` names these tests.

mod net_support;

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use net_support::{HttpAnswer, Service, hold, send, within};
use poh_holdmetrics_rust::net::keys::{ApiKey, KeyHash, Scope};
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::pb::{GetLeaderboardRequest, HoldBatch, HoldMsg};
use poh_holdmetrics_rust::net::{Limits, Settings};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

const READER: &str = "reader-key-of-a-test";
const WRITER: &str = "writer-key-of-a-test";
const ADMIN: &str = "admin-key-of-a-test";

/// A whole request.
const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
/// The preface of HTTP/2 and empty settings.
const HTTP2: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn entry(name: &str, key: &str, scope: Scope) -> String {
    let key = ApiKey {
        name: name.into(),
        scopes: vec![scope],
        hash: KeyHash::of(key),
    };
    key.entry()
}

fn write_keys(folder: &TempDir, entries: &[String]) -> PathBuf {
    let (file, beside) = (folder.path().join("keys.toml"), folder.path().join("new"));
    fs::write(&beside, entries.concat()).unwrap();
    fs::rename(beside, &file).unwrap();
    file
}

fn all_keys() -> [String; 3] {
    [
        entry("reader", READER, Scope::Read),
        entry("writer", WRITER, Scope::Write),
        entry("admin", ADMIN, Scope::Admin),
    ]
}

async fn guarded(folder: &TempDir) -> Service {
    Service::with(Settings {
        api_keys: Some(write_keys(folder, &all_keys())),
        ..Settings::default()
    })
    .await
}

fn with_key<T>(message: T, key: &str) -> Request<T> {
    let mut request = Request::new(message);
    if !key.is_empty() {
        let bearer = format!("Bearer {key}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    request
}

async fn record(client: &mut HoldMetricsClient<Channel>, key: &str) -> Result<(), Status> {
    within(client.record(with_key(hold("T", "a", 0, 1), key)))
        .await
        .map(|_| ())
}

async fn ask(client: &mut HoldMetricsClient<Channel>, key: &str) -> Result<(), Status> {
    let request = with_key(GetLeaderboardRequest::default(), key);
    within(client.get_leaderboard(request)).await.map(|_| ())
}

async fn http(service: &Service, method: &str, path: &str, key: &str) -> HttpAnswer {
    let mut request = service
        .request(method, path)
        .header("content-type", "application/json");
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let body = r#"{"token_id":"T","holder_id":"h","start":0}"#;
    let body = if method == "POST" {
        Bytes::from(body)
    } else {
        Bytes::new()
    };
    send(request.body(Full::new(body)).unwrap()).await
}

#[tokio::test]
async fn every_call_needs_a_key_of_its_scope() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded(&folder).await;
    let mut client = service.client().await;
    let code = |answer: Result<(), Status>| answer.err().map(|status| status.code());
    for (key, may_write, may_read) in [
        ("", Some(Code::Unauthenticated), Some(Code::Unauthenticated)),
        (
            "guess",
            Some(Code::Unauthenticated),
            Some(Code::Unauthenticated),
        ),
        (READER, Some(Code::PermissionDenied), None),
        (WRITER, None, Some(Code::PermissionDenied)),
        (
            ADMIN,
            Some(Code::PermissionDenied),
            Some(Code::PermissionDenied),
        ),
    ] {
        assert_eq!(code(record(&mut client, key).await), may_write, "{key}");
        assert_eq!(code(ask(&mut client, key).await), may_read, "{key}");
        let empty = tokio_stream::iter(Vec::<HoldMsg>::new());
        let streamed = within(client.broadcast(with_key(empty, key)))
            .await
            .map(|_| ());
        assert_eq!(code(streamed), may_write, "{key}");
        let empty = tokio_stream::iter(Vec::<HoldBatch>::new());
        let streamed = within(client.broadcast_batch(with_key(empty, key)))
            .await
            .map(|_| ());
        assert_eq!(code(streamed), may_write, "{key}");
        let streamed = within(client.stats(with_key((), key))).await.map(|_| ());
        assert_eq!(code(streamed), may_read, "{key}");
    }
    let status = ask(&mut client, WRITER).await.unwrap_err();
    assert_eq!(
        status.message(),
        "authorization: the API key \"writer\" lacks the scope read"
    );
    let details = status.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(
        (&*details.reason, &*details.metadata["scope"]),
        ("MISSING_SCOPE", "read")
    );

    for (method, path, reader, writer, admin) in [
        ("POST", "/hold", 403, 200, 403),
        ("GET", "/leaderboard", 200, 403, 403),
        ("GET", "/stats", 200, 403, 403),
        ("GET", "/holders/h", 200, 403, 403),
        ("GET", "/metrics", 403, 403, 200),
    ] {
        http(&service, method, path, "").await.problem(401);
        let unknown = http(&service, method, path, "guess").await;
        unknown.problem(401);
        assert_eq!(unknown.header("www-authenticate"), "Bearer");
        for (key, status) in [(WRITER, writer), (READER, reader), (ADMIN, admin)] {
            let answer = http(&service, method, path, key).await;
            assert_eq!(answer.status, status, "{method} {path} {key}");
        }
    }
    service.end().await;
}

#[tokio::test]
async fn health_and_the_contract_are_open_and_all_else_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded(&folder).await;
    let mut health = HealthClient::new(service.channel().await);
    within(health.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs/"] {
        assert_eq!(http(&service, "GET", path, "").await.status, 200, "{path}");
    }
    http(&service, "GET", "/unknown", "").await.problem(401);
    http(&service, "GET", "/unknown", READER).await.problem(404);

    // Whatever the contract lists as protected is protected, and nothing is left out by mistake.
    let document = http(&service, "GET", "/openapi.json", "").await.json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let is_open = operation.get("security").is_none();
            let path = path.replace("{id}", "x");
            let status = http(&service, &method.to_uppercase(), &path, "")
                .await
                .status;
            assert_eq!(status != 401, is_open, "{method} {path}");
        }
    }
    service.end().await;
}

#[tokio::test]
async fn keys_are_read_again_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_keys(&folder, &all_keys());
    let service = Service::with(Settings {
        api_keys: Some(file.clone()),
        ..Settings::default()
    })
    .await;
    let mut client = service.client().await;
    assert!(ask(&mut client, READER).await.is_ok());

    // A broken file changes nothing, ...
    fs::write(&file, "[[key]]\nname = 5\n").unwrap();
    let failed = || service.metrics_line("holdmetrics_key_reloads_total{result=\"failed\"}");
    within(async {
        while failed().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(ask(&mut client, READER).await.is_ok());

    // ... and a good one is in force soon after.
    write_keys(&folder, &[entry("other", "another-key", Scope::Read)]);
    within(async {
        while ask(&mut client, "another-key").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let gone = ask(&mut client, READER).await.unwrap_err();
    assert_eq!(gone.code(), Code::Unauthenticated);
    service.end().await;
}

#[tokio::test]
async fn a_caller_that_calls_too_often_is_told_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::with(Settings {
        api_keys: Some(write_keys(&folder, &all_keys())),
        limits: Limits {
            requests_per_second_max: NonZeroU32::new(5),
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let mut client = service.client().await;
    let mut refused = None;
    for _ in 0..100 {
        refused = refused.or(record(&mut client, WRITER).await.err());
    }
    let status = refused.expect("100 calls take less than 19 seconds");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "too many calls: at most 5 a second are allowed"
    );
    let retry = status.get_details_retry_info().expect("a RetryInfo");
    assert!(retry.retry_delay.unwrap() <= Duration::from_secs(1));
    // Others have a share of their own, and so has health.
    assert!(ask(&mut client, READER).await.is_ok());
    for _ in 0..20 {
        assert_eq!(http(&service, "GET", "/healthz", "").await.status, 200);
    }
    let mut answer = http(&service, "POST", "/hold", WRITER).await;
    while answer.status == 200 {
        answer = http(&service, "POST", "/hold", WRITER).await;
    }
    answer.problem(429);
    assert_eq!(answer.header("retry-after"), "1");
    // Who guesses keys is slowed down too.
    let mut guesses = Vec::new();
    for _ in 0..20 {
        guesses.push(http(&service, "GET", "/stats", "guess").await.status);
    }
    assert!(
        guesses.contains(&401) && guesses.contains(&429),
        "{guesses:?}"
    );
    service.end().await;
}

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
    // What is small when packed is judged unpacked.
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
        "token_id: a batch of 4 rows, and it may have 3: send several"
    );

    let events = json!([0, 0, 0, 0]).to_string();
    let problem = service.post("application/json", events).await.problem(413);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("4 events at once, and at most 3")
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

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_their_turn() {
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
    assert_eq!(service.metrics.connections.get(), 1);
    drop(first);
    within(second.read_exact(&mut byte)).await.unwrap();
    service.end().await;
}

#[tokio::test]
async fn an_address_has_a_bounded_number_of_connections() {
    let service = Service::with(Settings {
        limits: Limits {
            connections_per_address_max: 1,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let first = answered(&service).await.expect("it is the first one");
    // On the other address of the service too.
    for address in [service.http, service.grpc] {
        let mut further = within(TcpStream::connect(address)).await.unwrap();
        let mut answer = Vec::new();
        // It ends, by a close or a reset.
        let _ = within(further.read_to_end(&mut answer)).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    let refused = "holdmetrics_connections_refused_total{reason=\"address\"}";
    assert_eq!(service.metrics_line(refused).as_deref(), Some("2"));
    drop(first);
    within(async { while answered(&service).await.is_none() {} }).await;
    service.end().await;
}

/// A connection whose first request was answered; `None` where it was closed before.
async fn answered(service: &Service) -> Option<TcpStream> {
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    stream.write_all(HEALTHZ.as_bytes()).await.ok()?;
    let mut answer = [0; 12];
    within(stream.read_exact(&mut answer)).await.ok()?;
    assert_eq!(&answer, b"HTTP/1.1 200");
    Some(stream)
}

/// Waits for the end of a connection, by a close or a reset; without a limit this would be for ever.
async fn ended(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = within(stream.read_to_end(&mut all)).await;
    all
}

/// A service that is patient but for what `change` sets.
async fn patient(change: impl FnOnce(&mut Limits)) -> Service {
    let hour = Duration::from_secs(3_600);
    let mut limits = Limits {
        header_wait_max: hour,
        idle_max: hour,
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
        (service.http, "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "),
        (service.grpc, HTTP2),
    ] {
        let mut stream = within(TcpStream::connect(address)).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        ended(stream).await;
    }
    service.end().await;
}

#[tokio::test]
async fn headers_of_a_further_request_come_in_time() {
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
    let service = patient(|limits| limits.idle_max = Duration::from_millis(200)).await;
    ended(answered(&service).await.expect("an answer")).await;
    let mut client = service.client().await;
    within(client.record(hold("T", "a", 0, 1))).await.unwrap();
    closed(&service).await;
    service.end().await;
}

/// Waits until the service has no connection.
async fn closed(service: &Service) {
    within(async {
        while service.metrics.connections.get() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_takes_nothing_of_its_answers_is_closed() {
    let service = patient(|limits| limits.idle_max = Duration::from_millis(200)).await;
    // In HTTP/1: more than the sockets hold, and it is not read.
    let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n";
    stream
        .write_all(request.repeat(20).as_bytes())
        .await
        .unwrap();
    within(stream.readable()).await.unwrap();
    closed(&service).await;
    // In HTTP/2: the window of the call is closed, and pings are answered.
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
async fn a_watch_of_the_health_ends_after_a_while() {
    let service = patient(|limits| limits.idle_max = Duration::from_millis(200)).await;
    let mut health = HealthClient::new(service.channel().await);
    let watch = within(health.watch(HealthCheckRequest::default())).await;
    let mut watch = watch.unwrap().into_inner();
    within(watch.message()).await.unwrap().expect("an answer");
    let status = within(watch.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    service.end().await;
}

#[tokio::test]
async fn a_caller_that_gives_no_sign_of_life_is_closed() {
    let service = patient(|limits| {
        limits.ping_every = Duration::from_millis(50);
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
async fn a_body_that_does_not_come_is_given_up() {
    let short = Duration::from_millis(100);
    for (form, service) in [
        (
            "application/json",
            patient(|limits| limits.request_wait_max = short).await,
        ),
        (
            "application/x-ndjson",
            patient(|limits| limits.idle_max = short).await,
        ),
    ] {
        let mut stream = within(TcpStream::connect(service.http)).await.unwrap();
        let head = format!(
            "POST /hold HTTP/1.1\r\nhost: x\r\ncontent-type: {form}\r\ncontent-length: 100\r\n\r\n{{"
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

#[tokio::test]
async fn a_request_has_a_bounded_number_of_header_lines() {
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
async fn a_connection_has_a_bounded_number_of_streams() {
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
    service.stop.cancel();
}
