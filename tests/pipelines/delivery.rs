//! Sinks: every event reaches them at least once, whatever becomes of the process.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use crate::place::{Place, ask, record, until};
use crate::support::event;

/// Writes the holders of each batch to `archive.txt`.
const ARCHIVE: &str = r#"
import asyncio
import os
from poh_holdmetrics import Pipeline

pipeline = Pipeline("archive")


@pipeline.sink("archive", batch=BATCH, flush="FLUSH")
async def archive(batch, ctx):
    with open("{folder}/archive.txt", "a") as file:
        for holder in batch.holder_id:
            file.write(f"{holder}\n")
        file.flush()
        os.fsync(file.fileno())
    await asyncio.sleep(0.002)
"#;

fn archive(batch: &str, flush: &str) -> Place {
    Place::new(&ARCHIVE.replace("BATCH", batch).replace("FLUSH", flush))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_reaches_a_sink_although_the_process_is_killed() {
    const ROUNDS: u64 = 4;
    const EACH: u64 = 120;
    let place = archive("7", "50ms");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let service = place.serve();
        let mut client = service.client().await;
        let numbers = round * EACH..(round + 1) * EACH;
        for number in numbers {
            let holder = format!("h{number}");
            let ack = client.record(event(&holder)).await.expect("taken");
            assert_eq!(ack.into_inner().accepted, 1);
            acknowledged.push(holder);
        }
        // In the middle: the sink waits after each of its batches, so it has not seen all of them. How many it sees
        // again is not bounded: killed while it reads the facts, it begins with the first of them.
        service.kill();
    }
    let service = place.serve();
    until("all are there", async || {
        let lines = place.lines("archive.txt");
        let found: HashSet<&str> = lines.iter().map(String::as_str).collect();
        acknowledged.iter().all(|holder| found.contains(&**holder))
    })
    .await;
    let known: HashSet<&String> = acknowledged.iter().collect();
    let lines = place.lines("archive.txt");
    assert!(lines.iter().all(|line| known.contains(line)));
    drop(service);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_flushes_what_a_sink_collects() {
    let place = archive("1000", "1h");
    let service = place.serve();
    record(&service, &["ann", "bob"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(place.lines("archive.txt").len(), 0);
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(
        place.lines("archive.txt"),
        ["ann", "bob"],
        "{}",
        ended.stderr
    );
}

/// Several events in one message, as large batches come.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_many_events_is_delivered_in_pieces_and_in_order() {
    let place = archive("1000", "50ms");
    let service = place.serve();
    let expected: Vec<String> = (0..5_000).map(|number| format!("h{number:04}")).collect();
    let hold = |holder| json!({"token_id": "T", "holder_id": holder, "start": 0, "end": 1});
    let holds: Vec<_> = expected.iter().map(hold).collect();
    let (code, answer) = ask(&service, "POST", "/hold", &json!(holds).to_string()).await;
    assert_eq!(
        (code, &answer["accepted"]),
        (200, &json!(5_000)),
        "{answer}"
    );
    until("all are there", async || {
        place.lines("archive.txt").len() >= 5_000
    })
    .await;
    assert_eq!(place.lines("archive.txt"), expected);
}
