//! `send` and `load` against a running service.
#![cfg(unix)]

mod serve_support;

use std::path::Path;
use std::process::{Command, Output};

use poh_holdmetrics_rust::net::pb;
use serve_support::Service;
use tempfile::tempdir;

const LINES: &str = r#"{"token_id":"T","holder_id":"a","start":1000,"end":11000,"weight":"2.5"}
{"token_id":"T","holder_id":"","start":1000}
{"token_id":"T","holder_id":"b","start":1000,"event_id":"e1","revision":2}
{"token_id":"T","holder_id":"b","event_id":"e1","revision":3,"retract":true}
not JSON
{"token_id":"T","holder_id":"c","start":"2999-01-01T00:00:00Z"}
{"token_id":"T","holder_id":"c","end":"2020-01-01T00:00:00Z"}
"#;

fn run(service: &Service, arguments: &[&str]) -> Output {
    run_at(&service.grpc, arguments)
}

fn run_at(address: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(arguments)
        .args(["--server", &format!("http://{address}")])
        .env_remove("LOG_LEVEL")
        .output()
        .expect("the binary runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn scores(service: &Service) -> Vec<(String, String)> {
    let request = pb::GetLeaderboardRequest::default();
    let found = service.client().await.get_leaderboard(request).await;
    let holders = found.expect("an answer").into_inner().holders;
    let row = |holder: pb::HolderScore| (holder.holder_id, holder.score);
    holders.into_iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_states_arrives_and_refused_lines_are_listed_with_their_places() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let rejects = folder.path().join("rejects.jsonl");
    let sent = run(
        &service,
        &[
            "send",
            text(&file),
            "--rejects",
            text(&rejects),
            "--batch",
            "2",
        ],
    );
    assert_eq!(sent.status.code(), Some(0), "{}", said(&sent));
    assert_eq!(said(&sent), "4 events acknowledged, 3 lines refused\n");
    let rows = scores(&service).await;
    let expected = [("a", "25"), ("b", "0"), ("c", "0")];
    assert_eq!(
        rows,
        expected.map(|(holder, score)| (holder.to_owned(), score.to_owned()))
    );
    let rejects = std::fs::read_to_string(&rejects).expect("a list");
    let listed: Vec<(u64, String)> = rejects
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"))
        .map(|line| {
            let reason = line["reason"].as_str().expect("a reason").to_owned();
            (line["line"].as_u64().expect("a line"), reason)
        })
        .collect();
    let lines: Vec<u64> = listed.iter().map(|(line, _)| *line).collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [2, 5, 6], "{listed:?}");
    let (_, reason) = &listed[lines.iter().position(|line| *line == 6).expect("listed")];
    assert!(
        reason.starts_with("start: ") && reason.contains("ahead of the server's clock"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_refused_lines_fail_the_run_after_all_else_is_sent() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let sent = run(&service, &["send", text(&file)]);
    assert_eq!(sent.status.code(), Some(2), "{}", said(&sent));
    let expected = format!(
        "error: {}: line 2: holder_id: missing or empty\n",
        text(&file)
    );
    assert!(said(&sent).ends_with(&expected), "{}", said(&sent));
    assert_eq!(scores(&service).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_the_last_one_stopped() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let file = folder.path().join("events.jsonl");
    let line = |number: u64| {
        format!("{{\"token_id\":\"T\",\"holder_id\":\"h{number}\",\"start\":0,\"end\":{number}}}\n")
    };
    std::fs::write(&file, (1..=5).map(line).collect::<String>()).expect("a file");
    let place = folder.path().join("place");
    let arguments = ["send", text(&file), "--resume", text(&place)];
    let first = run(&service, &arguments);
    assert_eq!(said(&first), "5 events acknowledged, 0 lines refused\n");
    std::fs::write(&file, (1..=7).map(line).collect::<String>()).expect("a longer file");
    let second = run(&service, &arguments);
    assert_eq!(
        said(&second),
        "2 events acknowledged, 0 lines refused; 5 rows were done before\n"
    );
    assert_eq!(scores(&service).await.len(), 7);

    let other = folder.path().join("other.jsonl");
    std::fs::write(&other, line(1)).expect("a file");
    let refused = run(&service, &["send", text(&other), "--resume", text(&place)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said(&refused).contains("it belongs to"),
        "{}",
        said(&refused)
    );
}

#[test]
fn a_server_that_is_away_is_given_up_with_its_address() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, LINES).expect("a file");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let output = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(["send", text(&file), "--patience", "1"])
        .args(["--server", &format!("http://{address}")])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(
        said.contains(&format!("error: http://{address}: nobody answers (")),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn load_counts_what_it_sends_by_every_protocol() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let mut total = 0;
    for (protocol, count) in [
        ("grpc-stream", 2_000),
        ("grpc-batch", 5_500),
        ("grpc-unary", 300),
        ("http", 2_500),
    ] {
        let count_text = count.to_string();
        let address = if protocol == "http" {
            &service.http
        } else {
            &service.grpc
        };
        let output = run_at(
            address,
            &[
                "load",
                "--json",
                "--connections",
                "3",
                "--protocol",
                protocol,
                "--count",
                &count_text,
                "--seed",
                &count_text,
                "--duration",
                "60",
            ],
        );
        assert!(output.status.success(), "{protocol}: {}", said(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!(report["accepted"], count, "{protocol}: {report}");
        assert_eq!(report["refused"], 0, "{protocol}: {report}");
        let latency = |name: &str| report["latency_ms"][name].as_f64().expect("a figure");
        assert!(
            0.0 < latency("p50") && latency("p50") <= latency("max"),
            "{report}"
        );
        total += count;
    }
    let request = pb::GetLeaderboardRequest::default();
    let found = service.client().await.get_leaderboard(request).await;
    assert_eq!(found.expect("an answer").into_inner().sequence, total);
}
