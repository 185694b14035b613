//! The pipelines in `examples/pipelines`, live; the package's own tests try them offline.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::extract::Query;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::place::{Place, ask, record, report, until};
use crate::support::Service;

/// A place with one of the examples, in which each of the pairs is replaced.
fn example(name: &str, changes: &[(&str, &str)]) -> Place {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/pipelines")
        .join(name);
    let mut script = std::fs::read_to_string(file).expect("the example is there");
    for (from, to) in changes {
        assert!(script.contains(from), "{name} has no {from}");
        script = script.replace(from, to);
    }
    Place::new(&script)
}

/// Starts the place's service with an argument of its pipeline.
fn serve(place: &Place, argument: &str) -> Service {
    let mut command = place.command();
    command.args(["--pipeline-arg", argument]);
    Service::spawn(command)
}

/// Serves routes on a free port of the loopback address until the test ends.
async fn web(routes: Router) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(socket, routes).await });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tiered_leaderboard_is_published() {
    let place = example("tiered_leaderboard.py", &[("\"10s\"", "\"100ms\"")]);
    let service = place.serve();
    let held = json!([
        {"token_id": "punk/1", "holder_id": "ann", "start": "2024-01-01T00:00:00Z"},
        {"token_id": "punk/2", "holder_id": "bob", "start": "2024-01-01T00:00:00Z", "end": "2024-02-15T00:00:00Z"},
    ]);
    let (code, answer) = ask(&service, "POST", "/hold", &held.to_string()).await;
    assert_eq!(code, 200, "{answer}");
    let published = || {
        let text = std::fs::read(place.path("leaderboard.json")).ok()?;
        let page: Value = serde_json::from_slice(&text).expect("it is always whole");
        Some(page["holders"].clone())
    };
    until("both are listed", async || {
        published().is_some_and(|holders| holders.as_array().is_some_and(|all| all.len() == 2))
    })
    .await;
    let holders = published().expect("it is there");
    let tiers = [&holders[0], &holders[1]].map(|holder| (&holder["holder_id"], &holder["tier"]));
    assert_eq!(
        json!(tiers),
        json!([["ann", "gold"], ["bob", "silver"]]),
        "{holders}"
    );
    let path = "/leaderboard?policy=tiers&as_of=2024-02-15T00:00:00Z";
    let (code, weighted) = ask(&service, "GET", path, "").await;
    assert_eq!(code, 200, "{weighted}");
    // 30 days, and 15 that count one and a half times.
    assert_eq!(
        weighted["holders"][0]["score"],
        json!("4536000"),
        "{weighted}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rank_changes_reach_the_webhook() {
    let posted: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&posted);
    let take = async move |Json(body): Json<Value>| kept.lock().expect("whole").push(body);
    let url = web(Router::new().route("/ranks", post(take))).await;
    let place = example("rank_webhook.py", &[("\"10s\"", "\"100ms\"")]);
    let service = serve(&place, &format!("rank_webhook.url={url}/ranks"));
    record(&service, &["ann"]).await;
    until("the change is told", async || {
        !posted.lock().expect("whole").is_empty()
    })
    .await;
    let told = posted.lock().expect("whole").clone();
    assert_eq!(
        told[0]["changes"],
        json!([{"holder_id": "ann", "before": null, "now": 1}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn score_reads_the_archive() {
    let place = example("parquet_archive.py", &[("\"60s\"", "\"100ms\"")]);
    let service = place.serve();
    record(&service, &["ann", "bob", "cyn"]).await;
    let archived = || {
        let files = std::fs::read_dir(place.path("archive"))
            .into_iter()
            .flatten();
        let names = files.map(|file| file.expect("listed").path());
        names.filter(|path| path.extension().is_some_and(|end| end == "parquet"))
    };
    let score_archive = || {
        let scored = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
            .args([
                "score",
                "--format",
                "json",
                "--as-of",
                "2026-01-01T00:00:00Z",
            ])
            .args(archived())
            .output()
            .expect("the binary starts");
        let text = String::from_utf8_lossy(&scored.stderr).into_owned();
        assert!(scored.status.success(), "{text}");
        serde_json::from_slice::<Value>(&scored.stdout).expect("JSON")
    };
    until("all three are archived", async || {
        archived().next().is_some()
            && score_archive()["holders"].as_array().map(Vec::len) == Some(3)
    })
    .await;
    let path = "/leaderboard?as_of=2026-01-01T00:00:00Z";
    let (_, served) = ask(&service, "GET", path, "").await;
    let scores = |page: &Value| {
        let rows = page["holders"].as_array().cloned().unwrap_or_default();
        let pair = |row: &Value| (row["holder_id"].clone(), row["score"].clone());
        rows.iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(scores(&score_archive()), scores(&served), "{served}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_polls_records_what_is_new() {
    #[derive(serde::Deserialize)]
    struct After {
        after: u64,
    }
    let sales = async |Query(After { after }): Query<After>| {
        let one = |id: u64| json!({"id": id, "token": format!("punk/{id}"), "buyer": "ann", "time": "2026-01-01T00:00:00Z"});
        Json(
            (1..=5)
                .filter(|id| *id > after)
                .map(one)
                .take(2)
                .collect::<Vec<_>>(),
        )
    };
    let url = web(Router::new().route("/sales", get(sales))).await;
    let place = example("polling_source.py", &[]);
    let service = serve(&place, &format!("sales.url={url}/sales"));
    until("all five are recorded", async || {
        let (_, page) = ask(&service, "GET", "/holders/ann", "").await;
        page["keys"].as_array().is_some_and(|keys| keys.len() == 5)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_sealed_inside_the_service_and_its_proofs_are_served() {
    seals(&example("sealed_rounds.py", &[("\"10m\"", "\"100ms\"")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_process_seals_a_round() {
    let changes = [
        ("\"10m\"", "\"100ms\""),
        (
            "Pipeline(\"rounds\",",
            "Pipeline(\"rounds\", isolation=\"process\",",
        ),
    ];
    seals(&example("sealed_rounds.py", &changes)).await;
}

/// What limits an HTTP body limits a round of a pipeline, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_with_too_many_names_is_not_sealed() {
    let excluded = (
        "as_of=midnight,",
        "as_of=midnight, exclude=[\"x\" * 99] * 99,",
    );
    let place = example("sealed_rounds.py", &[("\"10m\"", "\"100ms\""), excluded]);
    let service = place.serve_with(&[("HOLDMETRICS_LIMITS_MESSAGE_BYTES_MAX", "4KiB")]);
    record(&service, &["0x1111111111111111111111111111111111111111"]).await;
    until("the job has run", async || {
        let report = report(&service).await;
        report["pipelines"][0]["handlers"][0]["calls"].as_u64() > Some(0)
    })
    .await;
    service.signal("TERM");
    let said = service.wait(std::time::Duration::from_secs(30)).stderr;
    assert!(
        said.contains("bytes as JSON, and limits.message_bytes_max is 4096"),
        "{said}"
    );
}

async fn seals(place: &Place) {
    let service = serve(place, "rounds.pool=100");
    let (ann, bob) = (
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0x1111111111111111111111111111111111111111",
    );
    let held = |holder: &str, end: &str| json!({"token_id": "gold", "holder_id": holder, "start": "2024-01-01T00:00:00Z", "end": end});
    let events = json!([
        held(ann, "2024-01-01T03:00:00Z"),
        held(bob, "2024-01-01T01:00:00Z")
    ]);
    let (code, answer) = ask(&service, "POST", "/hold", &events.to_string()).await;
    assert_eq!(code, 200, "{answer}");
    until("a round is sealed", async || {
        let (_, listed) = ask(&service, "GET", "/rounds", "").await;
        listed["rounds"][0]["recipients"] == json!(2)
    })
    .await;
    let (_, listed) = ask(&service, "GET", "/rounds", "").await;
    let id = listed["rounds"][0]["id"].as_str().expect("an id");
    let (code, proof) = ask(&service, "GET", &format!("/rounds/{id}/proofs/{ann}"), "").await;
    assert_eq!(
        (code, &proof["amount"]),
        (200, &json!("75000000000000000000")),
        "{proof}"
    );
    assert_eq!(proof["root"], listed["rounds"][0]["root"]);
}
