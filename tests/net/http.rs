//! The HTTP routes of queries and monitoring, called by a plain HTTP client. Events are in `hold`.

use crate::sites::ask;
use crate::support::{HttpAnswer, Service, line, send};
use http_body_util::{Empty, Full};
use poh_holdmetrics_rust::net::Settings;
use serde_json::{Value, json};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

async fn filled() -> Service {
    let service = Service::start().await;
    let lines = [line("a", 10), line("b", 30), line("c", 30), line("d", 5)].join("\n");
    let taken = service.post(LINES, lines).await.json();
    assert_eq!(taken["accepted"], 4);
    service
}

#[tokio::test]
async fn a_leaderboard_has_the_fields_of_score() {
    let service = filled().await;
    let answer = service
        .get("/leaderboard?limit=3&as_of=1970-01-01T00:00:20Z&from=5000&closed_only=true")
        .await;
    assert_eq!(answer.header("content-type"), "application/json");
    let row = |rank: u64, holder: &str, seconds: u32| {
        json!({
            "rank": rank, "holder_id": holder, "held_us": u64::from(seconds) * 1_000_000,
            "total_seconds": seconds,
            "score": seconds.to_string(), "weighted_score": f64::from(seconds),
        })
    };
    assert_eq!(
        answer.json(),
        json!({
            "as_of": "1970-01-01T00:00:20Z", "from": "1970-01-01T00:00:05Z", "closed_only": true,
            "sequence": 4, "holders_total": 4, "deficits": 0, "next_page_token": null,
            "holders": [row(1, "b", 15), row(1, "c", 15), row(3, "a", 5)],
        })
    );
    let one = service.get("/leaderboard?token_id=none").await.json();
    assert_eq!(one["holders"], json!([]));
    service.end().await;
}

#[tokio::test]
async fn events_are_read_in_the_forms_that_files_may_have() {
    let service = Service::start().await;
    let event = json!({
        "token_id": 7, "holder_id": -12, "start": "1970-01-01 09:00 +0900", "end": 1000.0,
    });
    assert_eq!(service.post(JSON, event.to_string()).await.status, 200);
    let answer = service.get("/leaderboard?token_id=7").await.json();
    assert_eq!(answer["holders"][0]["holder_id"], "-12");
    assert_eq!(answer["holders"][0]["held_us"], 1_000_000);
    let mut refused = event;
    refused["end"] = json!("1970-01-02");
    let problem = service.post(JSON, refused.to_string()).await.problem(400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("end: not a time (a date alone; "),
        "{detail}"
    );
    service.end().await;
}

#[tokio::test]
async fn pages_list_every_holder_once_at_one_instant() {
    let service = filled().await;
    let mut path = "/stats?limit=1".to_owned();
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
        path = format!("/stats?limit=1&page_token={token}");
        service.forward(60).await;
    }
    assert_eq!(seen, ["b", "c", "a", "d"]);
    let other = path.replace("limit=1", "closed_only=true");
    let problem = service.get(&other).await.problem(400);
    assert_eq!(problem["field"], "page_token");
    service.get("/stats?page_token=00").await.problem(400);

    let one = service.get("/stats?holder_id=c").await.json();
    assert_eq!(
        (&one["holders"][0]["rank"], &one["holders_total"]),
        (&json!(1), &json!(1))
    );
    let none = service.get("/stats?holder_id=z").await.json();
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
        ], "changes": [], "deficit": null}])
    );
    for (path, detail) in [
        (
            "/holders/nobody",
            "holder_id: unknown holder: no event names it",
        ),
        (
            "/holders/nobody?token_id=T",
            "holder_id: unknown holder: no event names it",
        ),
        (
            "/holders/a%20b%2F%C3%BC?token_id=other",
            "holder_id: this holder has no event with this token",
        ),
    ] {
        let problem = service.get(path).await.problem(404);
        assert_eq!(problem["detail"], detail, "{path}");
        assert_eq!(problem["field"], "holder_id", "{path}");
    }
    service.end().await;
}

#[tokio::test]
async fn an_invalid_parameter_is_named() {
    let service = filled().await;
    for (path, field) in [
        ("/leaderboard?limit=0", "limit"),
        ("/leaderboard?n=10001", "n"),
        ("/leaderboard?n=x", "n"),
        ("/leaderboard?as_of=yesterday", "as_of"),
        ("/leaderboard?from=2020-01-01T00:00", "from"),
        ("/leaderboard?closed_only=1", "closed_only"),
        ("/leaderboard?limit=1&limit=2", "limit"),
        ("/leaderboard?limit=1&n=2", "limit"),
        ("/leaderboard?page_size=1", "page_size"),
        ("/stats?token_id=", "token_id"),
        ("/stats?n=1", "n"),
        ("/holders/a?n=1", "n"),
        ("/deficits?limit=0", "limit"),
        ("/deficits?closed_only=true", "closed_only"),
        ("/holders/%FF", "holder_id"),
        ("/stats?holder=%FF", "holder"),
        ("/stats?token_id=a%C3", "token_id"),
        ("/stats?page_size=%2B1", "page_size"),
        ("/leaderboard?limit=+1", "limit"),
        ("/leaderboard?as_of=1e3", "as_of"),
    ] {
        let problem = service.get(path).await.problem(400);
        assert_eq!(problem["field"], field, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains(field),
            "{problem}"
        );
    }
    let problem = service.get("/stats?%FF=1").await.problem(400);
    assert_eq!(problem["detail"], "\u{fffd}: not UTF-8 text");
    service.get("/nothing").await.problem(404);
    let ask = async |method: &str, path: &str, header: (&str, &str)| -> HttpAnswer {
        let request = service.request(method, path).header(header.0, header.1);
        send(request.body(Empty::new()).unwrap()).await
    };
    let wrong = ask("DELETE", "/hold", ("x", "y")).await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "POST");
    // There is one form of answer, so the header does not matter.
    let json = ask("GET", "/leaderboard", ("accept", "text/html")).await;
    assert_eq!(json.header("content-type"), JSON);
    service.end().await;
}

#[tokio::test]
async fn a_plus_sign_that_became_a_space_is_refused_with_the_cure() {
    let service = filled().await;
    let ask = async |time: &str| service.get(&format!("/stats?as_of={time}")).await;
    for lost in ["2025-01-01T00:00:00+09:00", "2025-01-01+00:00:00+09:00"] {
        let problem = ask(lost).await.problem(400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("write %2B instead"), "{detail}");
    }
    let problem = ask("a+b").await.problem(400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(!detail.contains("%2B"), "{detail}");
    let answer = ask("2025-01-01T00:00:00%2B09:00").await.json();
    assert_eq!(answer["as_of"], "2024-12-31T15:00:00Z");
    let answer = ask("2025-01-01").await.json();
    assert_eq!(answer["as_of"], "2025-01-01T00:00:00Z");
    let answer = ask("2025-01-01+00:00:00Z").await.json();
    assert_eq!(answer["as_of"], "2025-01-01T00:00:00Z");
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

    // A repeated event changes the sequence number and nothing else.
    service.post(JSON, line("a", 10)).await;
    let repeated = service.get(path).await;
    assert_ne!(repeated.json()["sequence"], first.json()["sequence"]);
    assert_eq!(repeated.header("etag"), tag);
    assert_eq!(ask(&tag).await.status, 304);

    service.post(JSON, line("z", 1)).await;
    let changed = ask(&tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    service.end().await;
}

#[tokio::test]
async fn answers_are_compressed_on_request() {
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
        // Also what is not sent again names the headers that the answer depends on.
        assert!(packed.header("vary").contains("accept-encoding"));
        let again = service.request("GET", path);
        let again = again.header("if-none-match", packed.header("etag"));
        let again = send(again.body(Empty::new()).unwrap()).await;
        assert_eq!(again.status, 304);
        assert_eq!(again.header("vary"), packed.header("vary"));
    }
    service.end().await;
}

#[tokio::test]
async fn a_caller_that_allows_no_encoding_is_refused_but_never_after_its_events_are_stored() {
    let service = Service::start().await;
    for codings in ["identity;q=0", "br, *;q=0", "*;q=0, identity;q=0"] {
        for (method, path) in [("POST", "/hold"), ("GET", "/metrics"), ("GET", "/stats")] {
            let request = service
                .request(method, path)
                .header("content-type", JSON)
                .header("accept-encoding", codings);
            let body = Full::from(if method == "POST" {
                line("a", 1)
            } else {
                String::new()
            });
            let answer = send(request.body(body).unwrap()).await;
            if method == "POST" {
                assert_eq!(answer.status, 200, "{path} {codings}");
                assert_eq!(answer.header("content-encoding"), "");
            } else {
                let detail = answer.problem(406)["detail"].to_string();
                assert!(detail.contains("accept-encoding"), "{detail}");
            }
        }
    }
    service.end().await;
}

fn unpack_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut plain).unwrap();
    plain
}

#[tokio::test]
async fn monitoring_is_answered() {
    let service = filled().await;
    assert_eq!(service.get("/healthz").await.text(), "ok\n");
    assert_eq!(service.get("/readyz").await.text(), "ready\n");
    let metrics = service.get("/metrics").await;
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let counted = "holdmetrics_http_requests_total{code=\"200\",method=\"POST\",route=\"/hold\"} 1";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    service.end().await;
}

#[tokio::test]
async fn the_contract_is_served_offline() {
    let service = filled().await;
    let document = service.get("/openapi.json").await.json();
    let paths: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for path in [
        "/deficits",
        "/healthz",
        "/hold",
        "/holders/{holder_id}",
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
async fn the_contract_states_the_bounds_of_times_and_weights() {
    let service = Service::start().await;
    let document = service.get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let milliseconds = &schemas["Milliseconds"];
    // The bounds themselves are accepted, and the next values are refused.
    for (bound, beside) in [("minimum", -1), ("maximum", 1)] {
        let bound = milliseconds[bound].as_i64().unwrap();
        let ask = async |millis: i64| service.get(&format!("/stats?as_of={millis}")).await;
        assert_eq!(ask(bound).await.status, 200, "{bound}");
        ask(bound + beside).await.problem(400);
    }
    assert_eq!(schemas["WeightNumber"]["minimum"], 0);
    assert!(schemas["WeightText"]["pattern"].is_string());
    service.end().await;
}

/// The examples that people copy are accepted as they stand, and their fields are in the schemas.
#[tokio::test]
async fn the_contract_documents_changes_and_transfers_with_examples_that_are_accepted() {
    let service = Service::start().await;
    service.forward(365 * 86_400).await;
    let document = service.get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let body = |path: &str| {
        let content = &document["paths"][path]["post"]["requestBody"]["content"];
        content["application/json"].clone()
    };
    let examples = body("/hold")["examples"].as_object().unwrap().clone();
    assert_eq!(examples.len(), 3);
    let events = examples
        .into_iter()
        .map(|(_, example)| example["value"].clone());
    for event in events.chain([body("/transfers")["example"].clone()]) {
        let stored = service.post("application/json", event.to_string()).await;
        assert_eq!(stored.json()["refused_total"], 0, "{}", stored.text());
        let one = event.as_array().map_or(&event, |several| &several[1]);
        let schema = if one["from_id"].is_null() {
            "HoldEvent"
        } else {
            "Transfer"
        };
        for field in one.as_object().unwrap().keys() {
            assert!(schemas[schema]["properties"][field].is_object(), "{field}");
        }
    }
    let any = &schemas["Event"]["anyOf"];
    assert_eq!(any[0]["$ref"], "#/components/schemas/HoldEvent");
    assert_eq!(any[1]["$ref"], "#/components/schemas/Transfer");
    service.end().await;
}

#[tokio::test]
async fn other_origins_are_allowed_only_if_configured() {
    let ask = async |service: &Service, method: &str| {
        let request = service
            .request(method, "/leaderboard")
            .header("origin", "https://example.org")
            .header("access-control-request-method", "GET");
        send(request.body(Empty::new()).unwrap()).await
    };
    let closed = Service::start().await;
    let answer = ask(&closed, "GET").await;
    let problem = answer.problem(403);
    assert_eq!(problem["field"], "origin");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    ask(&closed, "OPTIONS").await.problem(403);
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
async fn a_request_keeps_the_id_of_its_caller() {
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

#[tokio::test]
async fn what_is_not_parsed_as_a_request_is_answered_with_a_problem_too() {
    let service = Service::start().await;
    let long = "a".repeat(70_000);
    for (head, status, cure) in [
        ("GARBAGE".to_owned(), 400, "check its first line"),
        (
            "GET /healthz HTTP/1.1\nhost : x".to_owned(),
            400,
            "its header lines",
        ),
        (
            format!("GET /{long} HTTP/1.1\nhost: x"),
            431,
            "send at most",
        ),
        (
            format!("GET / HTTP/1.1\nhost: x\nx: {long}"),
            431,
            "header lines",
        ),
    ] {
        let (found, body) = ask(&service, &head).await;
        assert_eq!(found, status, "{body}");
        let problem: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body:?}"));
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(cure), "{detail}");
    }
    // Behind an answered request on the same connection.
    let (status, rest) = ask(
        &service,
        "GET /healthz HTTP/1.1\nhost: 127.0.0.1\n\nGARBAGE",
    )
    .await;
    assert_eq!(status, 200);
    assert!(rest.contains("HTTP/1.1 400 Bad Request"), "{rest}");
    assert!(rest.ends_with("its header lines\"}"), "{rest}");
    service.end().await;
}

#[tokio::test]
async fn events_in_another_charset_than_utf_8_are_refused() {
    let service = Service::start().await;
    for charset in ["utf-8", "UTF-8", "\"utf-8\"", "utf8"] {
        let media_type = format!("application/json; charset={charset}");
        assert_eq!(
            service.post(&media_type, line("a", 1)).await.status,
            200,
            "{charset}"
        );
    }
    for media_type in [
        "application/json; charset=latin1",
        "application/x-ndjson;a=b; Charset=\"UTF-16\"",
    ] {
        let problem = service.post(media_type, line("a", 1)).await.problem(415);
        assert_eq!(problem["field"], "content-type");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.ends_with("events are read as UTF-8; send them so"),
            "{detail}"
        );
    }
    service.end().await;
}
