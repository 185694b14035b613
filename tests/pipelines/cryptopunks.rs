//! Real sales through a pipeline, with a `kill -9` in the middle: what its sink was given scores as the service does.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::place::{Place, ask, until};
use crate::sales::{self, EVENTS};
use crate::support::Service;

/// Killed once so many are acknowledged.
const KILL_AT: u64 = 10_000;
const AS_OF: &str = "2022-06-01T00:00:00Z";
/// All that there are.
const HOLDERS: usize = 5_912;

/// Appends events as JSON lines that `score` reads.
const ARCHIVE: &str = r#"
import os
from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("archive")


@pipeline.sink("archive", batch=700, flush="20ms")
def archive(batch: Batch, ctx: Context) -> None:
    with open("{folder}/archive.jsonl", "a", encoding="utf-8") as file:
        for event in batch.events():
            file.write(event.model_dump_json(exclude_none=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
"#;

async fn sequence(service: &Service) -> u64 {
    let (_, page) = ask(service, "GET", "/leaderboard?limit=1", "").await;
    page["sequence"].as_u64().expect("a number")
}

/// Holder and score of each, in order.
fn scores(page: &Value) -> Vec<(String, String)> {
    let text = |row: &Value, field: &str| row[field].as_str().expect(field).to_owned();
    let rows = page["holders"].as_array().expect("a list");
    rows.iter()
        .map(|row| (text(row, "holder_id"), text(row, "score")))
        .collect()
}

fn scored(file: &std::path::Path) -> Value {
    let scored = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(["score", "--format", "json", "--as-of", AS_OF])
        .arg(file)
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&scored.stderr);
    assert!(scored.status.success(), "{said}");
    serde_json::from_slice(&scored.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn cryptopunks_through_a_sink_with_a_kill_9_in_the_middle_score_as_the_service_does() {
    let Some(sales) = sales::found() else {
        return;
    };
    let place = Place::new(ARCHIVE);
    let file = place.path("punks.jsonl");
    std::fs::write(&file, sales::marks(&sales)).expect("a file");
    let service = place.serve();
    let address = service.grpc.clone();
    let sender = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .arg("send")
        .arg(&file)
        .args(["--server", &format!("http://{address}"), "--batch", "2"])
        .arg("--resume")
        .arg(place.path("place"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    until("a third is acknowledged", async || {
        sequence(&service).await >= KILL_AT
    })
    .await;
    let before = sequence(&service).await;
    assert!(before < EVENTS as u64, "it was killed in the middle");
    service.kill();

    let service = place.serve_with(&[("GRPC_ADDRESS", &address)]);
    let sent = sender.wait_with_output().expect("the sender ends");
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let path = format!("/leaderboard?limit={HOLDERS}&as_of={AS_OF}");
    let (code, page) = ask(&service, "GET", &path, "").await;
    assert_eq!(code, 200, "{page}");
    let served = scores(&page);
    assert_eq!(served.len(), HOLDERS);
    // A shutdown waits for a sink for a limited time, and the rest is delivered after the next start.
    until("everything has reached the sink", async || {
        place.lines("archive.jsonl").len() >= EVENTS
    })
    .await;
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(30));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let lines = place.lines("archive.jsonl").len();
    assert!(lines >= EVENTS, "only {lines} events reached the sink");
    let archived = scores(&scored(&place.path("archive.jsonl")));
    let differs = archived
        .iter()
        .zip(&served)
        .find(|(one, other)| one != other);
    assert_eq!(differs, None, "the first difference");
    assert_eq!(archived.len(), HOLDERS);
    assert_eq!(served[0], ("2190".to_owned(), "13034832719".to_owned()));
}
