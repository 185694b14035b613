//! `airdrop allocate` by the scores of a running service and of its data folder: the same list, and told apart later.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{Service, event, run_at, said};

const OPTIONS: [&str; 8] = [
    "--pool",
    "1",
    "--decimals",
    "2",
    "--addresses",
    "text",
    "--as-of",
    "2030-01-01T00:00:00Z",
];

/// Sends two closed holds of one second.
async fn send(service: &Service, holders: [&str; 2]) {
    let mut client = service.client().await;
    for holder in holders {
        client.record(event(holder)).await.expect("it is stored");
    }
}

fn airdrop(arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .arg("airdrop")
        .args(arguments)
        .output();
    output.expect("the binary runs")
}

fn manifest(list: &Path) -> Value {
    let path = format!("{}.manifest.json", list.display());
    serde_json::from_slice(&std::fs::read(path).expect("a manifest")).expect("JSON")
}

/// Whether the amount of ann follows from its hold of one second, wherever the scores came from.
#[track_caller]
fn explains(list: &str, amount: &str) {
    let output = airdrop(&["explain", list, "--holder", "ann", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["amount"], amount);
    let segments = &found["scores"][0]["keys"][0]["segments"];
    assert_eq!(segments.as_array().map(Vec::len), Some(1));
    assert_eq!(segments[0]["score"], found["score"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_and_its_folder_give_one_list_that_knows_its_last_event() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let service = Service::start(&data, &[]);
    send(&service, ["ann", "bob"]).await;
    let path = |name: &str| folder.path().join(name);
    let [served, stored] = ["served.csv", "stored.csv"].map(path);
    let [served_text, stored_text, data_text] =
        [&served, &stored, &data].map(|path| path.to_str().expect("text"));
    let mut arguments = vec!["airdrop", "allocate", "--output", served_text];
    arguments.extend(OPTIONS);
    let output = run_at(&service.grpc, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let written = manifest(&served);
    assert_eq!(written["store"]["sequence"], 2);
    let manifest_path = format!("{served_text}.manifest.json");
    let reproduced = airdrop(&["reproduce", &manifest_path]);
    assert!(reproduced.status.success(), "{}", said(&reproduced));
    explains(served_text, "50");
    let given = ["allocate", "--data-dir", data_text, "--output", stored_text];
    let given: Vec<&str> = given.iter().chain(&OPTIONS).copied().collect();
    // The service has the folder's lock.
    let refused = airdrop(&given);
    assert!(
        !refused.status.success() && !stored.exists(),
        "{}",
        said(&refused)
    );
    send(&service, ["cid", "dan"]).await;
    let moved = airdrop(&["reproduce", &manifest_path]);
    assert_eq!(moved.status.code(), Some(1));
    assert!(
        said(&moved).contains("it ends with event 4, the manifest says 2"),
        "{}",
        said(&moved)
    );
    let explained = airdrop(&["explain", served_text, "--holder", "ann"]);
    assert_eq!(explained.status.code(), Some(1));
    assert!(
        said(&explained).contains("it ends with event 4"),
        "{}",
        said(&explained)
    );
    let mut arguments = vec!["airdrop", "allocate", "--output", served_text];
    arguments.extend(OPTIONS);
    assert!(run_at(&service.grpc, &arguments).status.success());
    service.signal("TERM");
    service.wait(Duration::from_secs(30));
    let output = airdrop(&given);
    assert!(output.status.success(), "{}", said(&output));
    let lists = [&served, &stored].map(|path| std::fs::read_to_string(path).expect("a list"));
    assert_eq!(lists[0], "address,amount\nann,25\nbob,25\ncid,25\ndan,25\n");
    assert_eq!(lists[0], lists[1]);
    assert_eq!(manifest(&stored)["store"]["sequence"], 4);
    let again = airdrop(&["reproduce", &format!("{stored_text}.manifest.json")]);
    assert!(again.status.success(), "{}", said(&again));
    explains(stored_text, "25");
}
