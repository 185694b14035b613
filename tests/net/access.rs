//! API keys, scopes and rates. `docs/security.md` names these tests.

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{HttpAnswer, Service, hold, send, within};
use bytes::Bytes;
use http_body_util::Full;
use poh_holdmetrics_rust::config::{Keys, Limits, Scope};
use poh_holdmetrics_rust::net::Settings;
use poh_holdmetrics_rust::net::keys::{ApiKey, KeyHash};
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::pb::{
    FeedRequest, FeedStart, GetDeficitsRequest, GetLeaderboardRequest, HoldBatch, HoldMsg,
    TransferBatch, TransferMsg, feed_request,
};
use prost_types::Timestamp;
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

const READER: &str = "reader-key-of-a-test";
const WRITER: &str = "writer-key-of-a-test";
const METRICS: &str = "metrics-key-of-a-test";
const ADMIN: &str = "admin-key-of-a-test";

pub(crate) fn entry(name: &str, key: &str, scopes: &[Scope]) -> String {
    let key = ApiKey {
        name: name.into(),
        scopes: scopes.to_owned(),
        hash: KeyHash::of(key),
    };
    key.entry()
}

pub(crate) fn write_keys(folder: &TempDir, entries: &[String]) -> PathBuf {
    let (file, beside) = (folder.path().join("keys.toml"), folder.path().join("new"));
    fs::write(&beside, entries.concat()).unwrap();
    fs::rename(beside, &file).unwrap();
    file
}

fn all_keys() -> [String; 4] {
    [
        entry("reader", READER, &[Scope::Read]),
        entry("writer", WRITER, &[Scope::Write]),
        entry("prometheus", METRICS, &[Scope::Metrics]),
        entry("admin", ADMIN, &[Scope::Admin]),
    ]
}

/// Routes for operators.
const OPERATION: [(&str, &str); 10] = [
    ("GET", "/admin/pipelines"),
    ("POST", "/admin/pipelines/reload"),
    ("POST", "/admin/pipelines/tiers/replay"),
    ("POST", "/admin/pipelines/tiers/enable"),
    ("GET", "/admin/jobs"),
    ("POST", "/admin/jobs/tiers%2Fpublish/pause"),
    ("POST", "/admin/jobs/tiers%2Fpublish/resume"),
    ("POST", "/admin/jobs/tiers%2Fpublish/run"),
    ("GET", "/admin/python"),
    ("DELETE", "/admin/consumers/billing"),
];

async fn guarded(folder: &TempDir) -> Service {
    guarded_but_for(folder, &[]).await
}

/// Callers without a key have the scopes of `anonymous`.
async fn guarded_but_for(folder: &TempDir, anonymous: &[Scope]) -> Service {
    Service::with(Settings {
        keys: Keys {
            file: Some(write_keys(folder, &all_keys())),
            anonymous: anonymous.to_owned(),
        },
        ..Settings::default()
    })
    .await
}

pub(crate) fn with_key<T>(message: T, key: &str) -> Request<T> {
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

fn mint() -> TransferMsg {
    TransferMsg {
        token_id: "T".to_owned(),
        to_id: "h".to_owned(),
        at: Some(Timestamp::default()),
        amount: Some(1.0),
        event_id: "e".to_owned(),
        ..TransferMsg::default()
    }
}

/// The first request of a feed.
pub(crate) fn feed_start(consumer: &str) -> FeedRequest {
    FeedRequest {
        request: Some(feed_request::Request::Start(FeedStart {
            consumer: consumer.to_owned(),
            ..FeedStart::default()
        })),
    }
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
            METRICS,
            Some(Code::PermissionDenied),
            Some(Code::PermissionDenied),
        ),
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
        let empty = tokio_stream::iter(Vec::<TransferMsg>::new());
        let streamed = within(client.broadcast_transfers(with_key(empty, key)))
            .await
            .map(|_| ());
        assert_eq!(code(streamed), may_write, "{key}");
        let empty = tokio_stream::iter(Vec::<TransferBatch>::new());
        let streamed = within(client.broadcast_transfer_batch(with_key(empty, key)))
            .await
            .map(|_| ());
        assert_eq!(code(streamed), may_write, "{key}");
        let recorded = within(client.record_transfer(with_key(mint(), key)))
            .await
            .map(|_| ());
        assert_eq!(code(recorded), may_write, "{key}");
        let streamed = within(client.stats(with_key((), key))).await.map(|_| ());
        assert_eq!(code(streamed), may_read, "{key}");
        let request = with_key(GetDeficitsRequest::default(), key);
        let listed = within(client.get_deficits(request)).await.map(|_| ());
        assert_eq!(code(listed), may_read, "{key}");
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

    for (method, path, reader, writer, metrics, admin) in [
        ("POST", "/hold", 403, 200, 403, 403),
        ("POST", "/transfers", 403, 200, 403, 403),
        ("GET", "/leaderboard", 200, 403, 403, 403),
        ("GET", "/stats", 200, 403, 403, 403),
        ("GET", "/holders/h", 200, 403, 403, 403),
        ("GET", "/deficits", 200, 403, 403, 403),
        ("GET", "/metrics", 403, 403, 200, 200),
    ] {
        http(&service, method, path, "").await.problem(401);
        let unknown = http(&service, method, path, "guess").await;
        unknown.problem(401);
        assert_eq!(unknown.header("www-authenticate"), "Bearer");
        for (key, status) in [
            (WRITER, writer),
            (READER, reader),
            (METRICS, metrics),
            (ADMIN, admin),
        ] {
            let answer = http(&service, method, path, key).await;
            assert_eq!(answer.status, status, "{method} {path} {key}");
        }
    }
    service.end().await;
}

#[tokio::test]
async fn the_feed_needs_a_key_with_the_scope_read() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded(&folder).await;
    let mut client = service.client().await;
    for (key, code, status) in [
        ("", Some(Code::Unauthenticated), 401),
        ("guess", Some(Code::Unauthenticated), 401),
        (READER, None, 200),
        (WRITER, Some(Code::PermissionDenied), 403),
        (METRICS, Some(Code::PermissionDenied), 403),
        (ADMIN, Some(Code::PermissionDenied), 403),
    ] {
        let start = tokio_stream::iter([feed_start("")]);
        let opened = within(client.feed(with_key(start, key))).await;
        assert_eq!(opened.err().map(|status| status.code()), code, "{key}");
        let page = http(&service, "GET", "/feed?from=1&consumer=c", key).await;
        assert_eq!(page.status, status, "{key}");
    }
    service.end().await;
}

#[tokio::test]
async fn only_a_key_with_the_scope_admin_operates_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded_but_for(&folder, &[Scope::Read, Scope::Write, Scope::Metrics]).await;
    for (method, path) in OPERATION {
        for key in ["", "guess"] {
            http(&service, method, path, key).await.problem(401);
        }
        for key in [READER, WRITER, METRICS] {
            http(&service, method, path, key).await.problem(403);
        }
        // There are no pipelines and no consumers, which only a caller with the scope is told.
        http(&service, method, path, ADMIN).await.problem(404);
    }
    service.end().await;
}

#[tokio::test]
async fn health_and_the_contract_need_no_key_and_all_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded(&folder).await;
    let mut health = HealthClient::new(service.channel().await);
    within(health.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(http(&service, "GET", path, "").await.status, 200, "{path}");
    }
    http(&service, "GET", "/unknown", "").await.problem(401);
    http(&service, "GET", "/unknown", READER).await.problem(404);
    service.end().await;
}

#[tokio::test]
async fn every_route_that_the_contract_lists_as_protected_needs_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded(&folder).await;
    assert_eq!(http(&service, "GET", "/docs/", "").await.status, 200);
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
async fn without_a_key_only_the_anonymous_scopes_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded_but_for(&folder, &[Scope::Read]).await;
    let mut client = service.client().await;
    let code = |answer: Result<(), Status>| answer.err().map(|status| status.code());
    assert_eq!(
        code(record(&mut client, "").await),
        Some(Code::Unauthenticated)
    );
    assert_eq!(code(record(&mut client, WRITER).await), None);
    // A key never opens less than no key, but an unknown one is refused, so that a mistake is noticed.
    for (key, may_read) in [
        ("", None),
        (WRITER, None),
        ("guess", Some(Code::Unauthenticated)),
    ] {
        assert_eq!(code(ask(&mut client, key).await), may_read, "{key}");
        let streamed = within(client.stats(with_key((), key))).await.map(|_| ());
        assert_eq!(code(streamed), may_read, "{key}");
    }
    for (method, path, status) in [
        ("GET", "/leaderboard", 200),
        ("GET", "/stats", 200),
        ("GET", "/holders/a", 200),
        ("POST", "/hold", 401),
        ("GET", "/metrics", 401),
        ("GET", "/unknown", 401),
    ] {
        let answer = http(&service, method, path, "").await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let contract = http(&service, "GET", "/openapi.json", "").await.json();
    let security = |path: &str, method: &str| &contract["paths"][path][method]["security"];
    assert_eq!(
        *security("/leaderboard", "get"),
        serde_json::json!([{"api_key": ["read"]}, {}])
    );
    assert_eq!(
        *security("/hold", "post"),
        serde_json::json!([{"api_key": ["write"]}])
    );
    service.end().await;
}

#[tokio::test]
async fn positions_are_kept_for_owners_of_keys_only() {
    let folder = tempfile::tempdir().unwrap();
    let service = guarded_but_for(&folder, &[Scope::Read]).await;
    let mut client = service.client().await;
    for (key, consumer, refused) in [
        ("", "", None),
        ("", "c", Some(Code::Unauthenticated)),
        (READER, "c", None),
    ] {
        let start = tokio_stream::iter([feed_start(consumer)]);
        let opened = within(client.feed(with_key(start, key))).await;
        let code = opened.err().map(|status| status.code());
        assert_eq!(code, refused, "{key} {consumer}");
    }
    let anonymous = http(&service, "GET", "/feed?from=1", "").await;
    assert_eq!(anonymous.status, 200);
    let named = http(&service, "GET", "/feed?from=1&consumer=d", "").await;
    assert_eq!(named.problem(401)["field"], "authorization");
    assert!(
        service
            .engine()
            .feed()
            .consumers()
            .iter()
            .all(|consumer| consumer.name != "d")
    );
    service.end().await;
}

#[tokio::test]
async fn callers_without_a_key_share_the_rate_of_their_address() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::with(Settings {
        keys: Keys {
            file: Some(write_keys(&folder, &all_keys())),
            anonymous: vec![Scope::Read],
        },
        limits: Limits {
            requests_per_second_max: NonZeroU32::new(5),
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    let mut statuses = Vec::new();
    while statuses.len() < 100 && !statuses.contains(&429) {
        statuses.push(http(&service, "GET", "/leaderboard", "").await.status);
    }
    assert!(
        statuses.contains(&200) && statuses.contains(&429),
        "{statuses:?}"
    );
    let with_key = http(&service, "GET", "/leaderboard", READER).await;
    assert_eq!(with_key.status, 200);
    service.end().await;
}

#[tokio::test]
async fn keys_are_reloaded_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_keys(&folder, &all_keys());
    let service = Service::with(Settings {
        keys: Keys {
            file: Some(file.clone()),
            ..Keys::default()
        },
        ..Settings::default()
    })
    .await;
    let mut client = service.client().await;
    assert!(ask(&mut client, READER).await.is_ok());

    // A broken file changes nothing, ...
    fs::write(&file, "[[key]]\nname = 5\n").unwrap();
    let failed = async || {
        service
            .metrics_line("holdmetrics_key_reloads_total{result=\"failed\"}")
            .await
    };
    within(async {
        while failed().await.as_deref() == Some("0") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(ask(&mut client, READER).await.is_ok());

    // ... and a valid one is used soon after.
    write_keys(&folder, &[entry("other", "another-key", &[Scope::Read])]);
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
async fn a_caller_that_exceeds_its_rate_is_told_when_to_retry() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::with(Settings {
        keys: Keys {
            file: Some(write_keys(&folder, &all_keys())),
            ..Keys::default()
        },
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
        "too many calls: the limit is 5 per second"
    );
    let retry = status.get_details_retry_info().expect("a RetryInfo");
    assert!(retry.retry_delay.unwrap() <= Duration::from_secs(1));
    // Other callers have their own limit, and health has none.
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
    // Guessed keys count against the limit of their address.
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
