//! `before_accept` of a pipeline file in the built binary: what senders are told, also while Python is stuck.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::Service;
use poh_holdmetrics_rust::net::pb::{HoldAck, HoldMsg};
use prost_types::Timestamp;
use serde_json::{Value, json};

const SOURCE: &str = r#"
import time
from datetime import timedelta

from poh_holdmetrics import HoldEvent, Pipeline

pipeline = Pipeline("tiers")


@pipeline.before_accept(budget="BUDGET", on_timeout="refuse", token="T")
def check(batch, ctx):
    if "stuck" in batch.holder_id:
        time.sleep(2)
    verdicts = {}
    for row, event in enumerate(batch.events()):
        if event.holder_id == "b":
            verdicts[row] = "no b here"
        elif event.holder_id == "short":
            verdicts[row] = event.model_copy(update={"end": event.start + timedelta(seconds=9)})
        elif event.holder_id == "bad":
            verdicts[row] = event.model_copy(update={"end": event.start - timedelta(seconds=9)})
        elif event.holder_id == "nonsense":
            return True
    return verdicts
"#;

fn service(folder: &Path, budget: &str) -> Service {
    let file = folder.join("tiers.py");
    fs::write(&file, SOURCE.replace("BUDGET", budget)).unwrap();
    let file = file.to_str().unwrap();
    Service::start(&folder.join("data"), &["--pipeline", file])
}

fn hold(token_id: &str, holder_id: &str) -> HoldMsg {
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    HoldMsg {
        token_id: token_id.to_owned(),
        holder_id: holder_id.to_owned(),
        start: at(100),
        end: at(200),
        ..HoldMsg::default()
    }
}

async fn broadcast(service: &Service, messages: Vec<HoldMsg>) -> Vec<HoldAck> {
    let stream = tokio_stream::iter(messages);
    let mut acks = service
        .client()
        .await
        .broadcast(stream)
        .await
        .unwrap()
        .into_inner();
    let mut all = Vec::new();
    while let Some(ack) = acks.message().await.unwrap() {
        all.push(ack);
    }
    all
}

/// What operators see of the gate.
async fn gate(service: &Service) -> Value {
    let (status, page) = service.get("/admin/pipelines").await;
    assert_eq!(status, 200, "{page}");
    let report: Value = serde_json::from_str(&page).unwrap();
    report["pipelines"][0]["gates"][0].clone()
}

fn reasons(acks: &[HoldAck]) -> Vec<(u64, &str)> {
    let refused = acks.iter().flat_map(|ack| &ack.refused);
    refused
        .map(|refusal| (refusal.index, refusal.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn a_handler_of_a_file_refuses_and_changes_events() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path(), "10s");
    let messages = vec![
        hold("T", "a"),
        hold("T", "b"),
        hold("U", "b"),
        hold("T", "short"),
        hold("T", "bad"),
    ];
    let acks = broadcast(&service, messages).await;
    let bad = "before_accept: tiers/check: changed the event, which is invalid now: end: before start; \
               found \"1970-01-01 00:01:31+00:00\"";
    let refused = [(1, "before_accept: tiers/check: no b here"), (4, bad)];
    assert_eq!(reasons(&acks), refused);
    assert_eq!(acks.iter().map(|ack| ack.accepted).sum::<u64>(), 3);
    let (_, page) = service.get("/holders/short").await;
    assert!(page.contains(r#""held_us":9000000,"#), "{page}");
    let acks = broadcast(&service, vec![hold("T", "nonsense")]).await;
    let failed = "before_accept: tiers/check: failed; send the event again later";
    assert_eq!(reasons(&acks), [(0, failed)]);
    let (_, metrics) = service.get("/metrics").await;
    let of = |outcome: &str, count: u32| {
        format!(
            "holdmetrics_before_accept_events_total{{handler=\"check\",outcome=\"{outcome}\",pipeline=\"tiers\"}} {count}\n"
        )
    };
    for line in [of("refused", 2), of("replaced", 1), of("failed", 1)] {
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn while_python_is_stuck_senders_are_answered_within_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path(), "100ms");
    let begun = Instant::now();
    let acks = broadcast(&service, vec![hold("T", "stuck")]).await;
    let late = "before_accept: tiers/check: no answer within 100ms; send the event again later";
    assert_eq!(reasons(&acks), [(0, late)]);
    for _ in 0..4 {
        assert_eq!(
            reasons(&broadcast(&service, vec![hold("T", "a")]).await),
            [(0, late)]
        );
    }
    // Five batches without an answer: the gate is bypassed, and costs nothing any more.
    assert!(begun.elapsed() < Duration::from_secs(2), "it sleeps");
    let bypassed =
        "before_accept: tiers/check: does not answer and is bypassed; send the event again later";
    let acks = broadcast(&service, vec![hold("T", "a"), hold("U", "a")]).await;
    assert_eq!(reasons(&acks), [(0, bypassed)], "U is not checked");
    assert_eq!(gate(&service).await["is_bypassed"], true);
    // It is asked again when the back-off is over, and answers.
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        let acks = broadcast(&service, vec![hold("T", "a")]).await;
        if acks[0].accepted == 1 {
            break;
        }
        assert!(Instant::now() < limit, "{acks:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let expected = json!({
        "name": "check", "budget_seconds": 0.1, "on_timeout": "refuse", "is_bypassed": false
    });
    assert_eq!(gate(&service).await, expected);
}

#[tokio::test]
async fn what_a_pipeline_emits_passes_the_gates_of_the_others_and_a_transfer_is_one_row() {
    const EMITTING: &str = r#"
from poh_holdmetrics import HoldEvent, Pipeline, Transfer

pipeline = Pipeline("emitting")


@pipeline.on_batch()
def follow(batch, ctx):
    if "trigger" in batch.holder_id:
        fields = {"token_id": "T", "at": "2020-01-01T00:00:00Z"}
        transfer = {"from_id": "x", "to_id": "b", "amount": 1, "event_id": "1"}
        ctx.emit(Transfer.model_validate(fields | transfer))
        ctx.emit(HoldEvent.model_validate(fields | {"holder_id": "c", "delta": 1, "event_id": "2"}))
"#;
    let folder = tempfile::tempdir().unwrap();
    let (gate, emitting) = (
        folder.path().join("tiers.py"),
        folder.path().join("emit.py"),
    );
    fs::write(&gate, SOURCE.replace("BUDGET", "10s")).unwrap();
    fs::write(&emitting, EMITTING).unwrap();
    let paths = [&gate, &emitting].map(|path| path.to_str().unwrap());
    let service = Service::start(
        &folder.path().join("data"),
        &["--pipeline", paths[0], "--pipeline", paths[1]],
    );
    assert_eq!(
        broadcast(&service, vec![hold("U", "trigger")]).await[0].accepted,
        1
    );
    let limit = Instant::now() + Duration::from_secs(30);
    while service.get("/holders/c").await.0 != 200 {
        assert!(Instant::now() < limit, "nothing was emitted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (sender, receiver) = (
        service.get("/holders/x").await,
        service.get("/holders/b").await,
    );
    assert_eq!((sender.0, receiver.0), (404, 404));
}

#[tokio::test]
async fn at_a_reload_the_new_handler_takes_over_and_no_event_passes_unchecked() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path(), "10s");
    let source = SOURCE
        .replace("BUDGET", "10s")
        .replace("no b here", "not any more");
    fs::write(folder.path().join("tiers.py"), source).unwrap();
    service.signal("HUP");
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        let acks = broadcast(&service, vec![hold("T", "b"); 50]).await;
        let reasons = reasons(&acks);
        assert_eq!(reasons.len(), 50, "{acks:?}");
        if reasons[0].1 == "before_accept: tiers/check: not any more" {
            break;
        }
        assert_eq!(reasons[0].1, "before_accept: tiers/check: no b here");
        assert!(Instant::now() < limit, "the old handler is still asked");
    }
}
