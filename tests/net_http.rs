//! The HTTP routes, as a client that is not ours would use them.

mod net_support;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use net_support::{HttpAnswer, Service, send};
use poh_holdmetrics_rust::net::{Limits, Settings};
use serde_json::json;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// `holder` holds a token of its own for so many seconds.
fn line(holder: &str, seconds: u64) -> String {
    json!({"token_id": "T", "holder_id": holder, "start": 0, "end": seconds * 1_000}).to_string()
}

async fn filled() -> Service {
    let service = Service::start().await;
    let lines = [line("a", 10), line("b", 30), line("c", 30), line("d", 5)].join("\n");
    let taken = service.post(LINES, lines).await.json();
    assert_eq!(taken["accepted"], 4);
    service
}

#[tokio::test]
async fn one_event_is_taken_or_refused_by_its_field() {
    let service = Service::start().await;
    let taken = service.post(JSON, line("a", 1)).await;
    assert_eq!(taken.status, 200);
    let expected = json!({
        "accepted": 1, "refused_total": 0, "refused": [], "sequence": 1, "durability": "BUFFERED",
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
            "end: before start",
        ),
        (
            r#"{"token_id":"T","holder_id":"h","start":1735689900001}"#,
            json!("start"),
            "start: 301 s ahead of the server's clock, and 300 s are allowed",
        ),
        ("5", json!(null), "the body is not an object"),
        ("{", json!(null), "the body is not JSON"),
        ("", json!(null), "the body is not JSON"),
    ] {
        let problem = service.post(JSON, body).await.problem(400);
        assert_eq!(problem["field"], field, "{body}");
        assert_eq!(problem["detail"], detail, "{body}");
    }
    assert_eq!(service.engine.sequence(), 1);
    service.end().await;
}

#[tokio::test]
async fn an_array_tells_which_of_its_events_are_refused() {
    let service = Service::start().await;
    let body = format!("[{}, {{\"start\": 0}}, 7, {}]", line("a", 1), line("b", 1));
    let taken = service.post(JSON, body).await.json();
    assert_eq!(taken["accepted"], 2);
    assert_eq!(taken["sequence"], 2);
    assert_eq!(
        taken["refused"],
        json!([
            {"index": 1, "field": "token_id", "reason": "token_id: missing or empty"},
            {"index": 2, "field": null, "reason": "not an object"},
        ])
    );
    let problem = service.post(JSON, "[{]").await.problem(400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("the body is not JSON: ")
    );
    service.end().await;
}

#[tokio::test]
async fn lines_may_be_split_anywhere_and_come_slowly() {
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
    assert_eq!(
        taken["refused"],
        json!([{"line": 4, "field": null, "reason": "not JSON"}])
    );
    service.end().await;
}

#[tokio::test]
async fn many_lines_are_taken_in_many_batches() {
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

#[tokio::test]
async fn bodies_are_unpacked_within_bounds() {
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
    let post = async |content_type: &str, packing: &str, body: Vec<u8>| {
        let request = service
            .request("POST", "/hold")
            .header("content-type", content_type)
            .header("content-encoding", packing);
        send(request.body(Full::new(Bytes::from(body))).unwrap()).await
    };
    let gzip = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, bytes).unwrap();
        packed.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 9).unwrap();
    let event = line("a", 1).into_bytes();
    assert_eq!(post(JSON, "gzip", gzip(&event)).await.status, 200);
    assert_eq!(post(LINES, "zstd", zstd(&event)).await.status, 200);
    assert_eq!(post(JSON, "identity", event.clone()).await.status, 200);

    // A few dozen bytes that unpack to a million.
    let bomb = vec![b' '; 1_000_000];
    let answer = post(JSON, "gzip", gzip(&bomb)).await;
    answer.problem(413);
    let mut lines = event.clone();
    lines.push(b'\n');
    lines.extend(&bomb);
    let problem = post(LINES, "zstd", zstd(&lines)).await.problem(413);
    assert_eq!(problem["accepted"], 0);

    let problem = post(JSON, "br", event.clone()).await.problem(415);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("content-encoding")
    );
    let problem = post(JSON, "gzip", event).await.problem(400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("the body cannot be read")
    );

    let long = format!("{}\n{}", "x".repeat(201), line("a", 1));
    let taken = service.post(LINES, long).await.json();
    assert_eq!(taken["accepted"], 1);
    assert_eq!(taken["refused"][0]["reason"], "longer than a line may be");
    service.end().await;
}

#[tokio::test]
async fn a_leaderboard_has_the_fields_of_score() {
    let service = filled().await;
    let answer = service
        .get("/leaderboard?n=3&as_of=1970-01-01T00:00:20Z&from=5000&closed_only=true")
        .await;
    assert_eq!(answer.header("content-type"), "application/json");
    let row = |rank: u64, holder: &str, seconds: u32| {
        json!({
            "rank": rank, "holder_id": holder, "held_us": u64::from(seconds) * 1_000_000,
            "score": seconds.to_string(), "weighted_score": f64::from(seconds),
        })
    };
    assert_eq!(
        answer.json(),
        json!({
            "as_of": "1970-01-01T00:00:20Z", "from": "1970-01-01T00:00:05Z", "closed_only": true,
            "sequence": 4, "holders_total": 4, "next_page_token": null,
            "holders": [row(1, "b", 15), row(1, "c", 15), row(3, "a", 5)],
        })
    );
    let one = service.get("/leaderboard?token=none").await.json();
    assert_eq!(one["holders"], json!([]));
    service.end().await;
}

#[tokio::test]
async fn pages_add_up_to_the_whole_and_stay_at_their_instant() {
    let service = filled().await;
    let mut path = "/stats?page_size=1".to_owned();
    let mut seen = Vec::new();
    let mut as_of = None;
    loop {
        let page = service.get(&path).await.json();
        let as_of = as_of.get_or_insert_with(|| page["as_of"].clone());
        assert_eq!(page["as_of"], *as_of);
        seen.extend(
            page["holders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["holder_id"].clone()),
        );
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        path = format!("/stats?page_size=1&page_token={token}");
        service.clock.forward(60);
    }
    assert_eq!(seen, ["b", "c", "a", "d"]);
    let other = path.replace("page_size=1", "closed_only=true");
    let problem = service.get(&other).await.problem(400);
    assert_eq!(problem["field"], "page_token");
    service.get("/stats?page_token=00").await.problem(400);

    let one = service.get("/stats?holder=c").await.json();
    assert_eq!(
        (&one["holders"][0]["rank"], &one["holders_total"]),
        (&json!(1), &json!(1))
    );
    let none = service.get("/stats?holder=z").await.json();
    assert_eq!(
        (&none["holders"], &none["holders_total"]),
        (&json!([]), &json!(0))
    );
    service.end().await;
}

#[tokio::test]
async fn a_holder_is_explained_by_its_segments() {
    let service = Service::start().await;
    let events = r#"[
        {"token_id": "T", "holder_id": "a b/ü", "start": 0, "end": 10000, "weight": "0.5"},
        {"token_id": "T", "holder_id": "a b/ü", "start": 20000}]"#;
    service.post(JSON, events).await;
    let answer = service
        .get("/holders/a%20b%2F%C3%BC?as_of=30000")
        .await
        .json();
    assert_eq!(answer["score"], "15");
    assert_eq!(answer["rank"], 1);
    assert_eq!(
        answer["keys"],
        json!([{"token_id": "T", "segments": [
            {"start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:00:10Z", "weight": "0.5"},
            {"start": "1970-01-01T00:00:20Z", "end": null, "weight": "1"},
        ]}])
    );
    let problem = service.get("/holders/nobody").await.problem(404);
    assert_eq!(problem["detail"], "id: this holder was never seen");
    service.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_named() {
    let service = filled().await;
    for (path, field) in [
        ("/leaderboard?n=0", "n"),
        ("/leaderboard?n=10001", "n"),
        ("/leaderboard?n=x", "n"),
        ("/leaderboard?as_of=yesterday", "as_of"),
        ("/leaderboard?from=2020-01-01", "from"),
        ("/leaderboard?closed_only=1", "closed_only"),
        ("/leaderboard?n=1&n=2", "n"),
        ("/leaderboard?page_size=1", "page_size"),
        ("/stats?token=", "token"),
        ("/stats?n=1", "n"),
        ("/holders/a?n=1", "n"),
    ] {
        let problem = service.get(path).await.problem(400);
        assert_eq!(problem["field"], field, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains(field),
            "{problem}"
        );
    }
    service.get("/nothing").await.problem(404);
    let ask = async |method: &str, path: &str, header: (&str, &str)| -> HttpAnswer {
        let request = service.request(method, path).header(header.0, header.1);
        send(request.body(Empty::new()).unwrap()).await
    };
    let wrong = ask("DELETE", "/hold", ("x", "y")).await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "POST");
    ask("GET", "/leaderboard", ("accept", "text/html"))
        .await
        .problem(406);
    ask("POST", "/hold", ("content-type", "text/plain"))
        .await
        .problem(415);
    ask("POST", "/hold", ("x", "y")).await.problem(415);
    service.end().await;
}

#[tokio::test]
async fn an_answer_that_the_caller_has_is_not_sent_again() {
    let service = filled().await;
    let path = "/leaderboard?as_of=2024-01-01T00:00:00Z";
    let ask = async |tag: &str| {
        let request = service.request("GET", path).header("if-none-match", tag);
        send(request.body(Empty::new()).unwrap()).await
    };
    let first = service.get(path).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = ask(&format!("\"x\", {tag}")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), tag);
    assert_eq!(ask("\"other\"").await.status, 200);
    service.post(JSON, line("z", 1)).await;
    let changed = ask(&tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    service.end().await;
}

#[tokio::test]
async fn answers_are_packed_where_that_is_asked_for() {
    let service = filled().await;
    let path = "/leaderboard?as_of=2024-01-01T00:00:00Z";
    let plain = service.get(path).await.body;
    for (packing, unpack) in [
        ("gzip", unpack_gzip as fn(&[u8]) -> Vec<u8>),
        ("zstd", |bytes| zstd::decode_all(bytes).unwrap()),
    ] {
        let request = service
            .request("GET", path)
            .header("accept-encoding", packing);
        let packed = send(request.body(Empty::new()).unwrap()).await;
        assert_eq!(packed.header("content-encoding"), packing);
        assert_eq!(unpack(&packed.body), plain);
    }
    service.end().await;
}

fn unpack_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut plain).unwrap();
    plain
}

#[tokio::test]
async fn monitors_are_answered_and_the_contract_is_served_offline() {
    let service = filled().await;
    assert_eq!(service.get("/healthz").await.text(), "ok\n");
    assert_eq!(service.get("/readyz").await.text(), "ready\n");
    let metrics = service.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    let counted = "holdmetrics_http_requests_total{code=\"200\",method=\"POST\",route=\"/hold\"} 1";
    assert!(metrics.text().contains(counted), "{}", metrics.text());

    let document = service.get("/openapi.json").await.json();
    let paths: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for path in [
        "/healthz",
        "/hold",
        "/holders/{id}",
        "/leaderboard",
        "/metrics",
        "/readyz",
        "/stats",
    ] {
        assert!(paths.contains(&path.to_owned()), "{path} in {paths:?}");
    }
    let docs = service.get("/docs/").await;
    assert!(docs.header("content-type").starts_with("text/html"));
    assert!(docs.text().contains("swagger-ui"));
    assert!(
        !docs.text().contains("https://"),
        "it loads nothing from elsewhere"
    );
    assert!(
        docs.header("content-security-policy")
            .starts_with("default-src 'self'")
    );
    assert_eq!(service.get("/docs/swagger-ui-bundle.js").await.status, 200);
    service.end().await;
}

#[tokio::test]
async fn other_origins_are_let_in_only_where_they_are_configured() {
    let ask = async |service: &Service, method: &str| {
        let request = service
            .request(method, "/leaderboard")
            .header("origin", "https://example.org")
            .header("access-control-request-method", "GET");
        send(request.body(Empty::new()).unwrap()).await
    };
    let closed = Service::start().await;
    let answer = ask(&closed, "GET").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, "")
    );
    ask(&closed, "OPTIONS").await.problem(405);
    closed.end().await;

    let open = Service::with(Settings {
        cors_origins: vec!["https://example.org".to_owned()],
        ..Settings::default()
    })
    .await;
    for method in ["GET", "OPTIONS"] {
        let answer = ask(&open, method).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://example.org"
        );
    }
    open.end().await;
}

#[tokio::test]
async fn a_request_keeps_the_name_that_its_caller_gave_it() {
    let service = Service::start().await;
    let named = async |name: &str| {
        let request = service
            .request("GET", "/healthz")
            .header("x-request-id", name);
        let answer = send(request.body(Empty::new()).unwrap()).await;
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(named("abc-1").await, "abc-1");
    let own = named(&"x".repeat(65)).await;
    assert_eq!(own.len(), 16, "{own}");
    assert_ne!(named("a b").await, own);
    service.end().await;
}
