//! `load` against a running service.

use std::process::Command;

use crate::support::{Service, run_at, said, scores};
use poh_holdmetrics_rust::net::pb;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_below_a_batch_is_kept_by_load() {
    let folder = tempdir().expect("a folder");
    let service = Service::start(&folder.path().join("data"), &[]);
    let arguments = "load --json --protocol grpc-batch --rate 100 --duration 1";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = run_at(&service.grpc, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(report["accepted"], 100, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_load_with_a_report_of_what_was_done() {
    let folder = tempdir().expect("a folder");
    for protocol in ["grpc-unary", "http"] {
        let service = Service::start(&folder.path().join(protocol), &[]);
        let address = match protocol {
            "http" => &service.http,
            _ => &service.grpc,
        };
        let load = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
            .args(["load", "--json", "--protocol", protocol])
            .args([
                "--server",
                &format!("http://{address}"),
                "--duration",
                "600",
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        while scores(&service).await.is_empty() {}
        let status = Command::new("kill")
            .args(["-INT", &load.id().to_string()])
            .status();
        assert!(status.expect("kill is there").success());
        let ended = load.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(130), "{}", said(&ended));
        assert_eq!(said(&ended), "error: interrupted\n");
        let report: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("one object");
        assert_eq!(report["protocol"], protocol);
        assert!(report["accepted"].as_u64().is_some(), "{report}");
    }
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
