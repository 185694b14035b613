//! What handlers see of a running service, and how their file is replaced.

use std::process::Command;
use std::time::Duration;

use crate::place::{Place, ask, record, report, until};

/// Writes each holder that it sees to `seen.txt`, answers each event with one of its own, and counts.
const FOLLOW: &str = r#"
from pathlib import Path
from poh_holdmetrics import HoldEvent, Pipeline

pipeline = Pipeline("follow")


@pipeline.on_batch(token="T")
def follow(batch, ctx):
    with Path("{folder}/seen.txt").open("a") as file:
        for holder, start in zip(batch.holder_id, batch.start_us, strict=True):
            file.write(f"{holder} {start}\n")
            ctx.emit(HoldEvent(token_id="answer", holder_id=holder, start=start // 1000, event_id=f"answer-{holder}"))
    ctx.state["seen"] = ctx.state.get("seen", 0) + len(batch)
    ctx.metrics.counter("seen_total", len(batch))
    ctx.metrics.gauge("all_seen", ctx.state["seen"])


@pipeline.on_event(token="answer")
async def answered(event, ctx):
    with Path("{folder}/answered.txt").open("a") as file:
        file.write(f"{event.holder_id} {event.start.isoformat()}\n")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn handlers_see_what_was_acknowledged_over_grpc_and_http_and_what_they_emit_comes_back() {
    let place = Place::new(FOLLOW);
    let service = place.serve();
    record(&service, &["ann"]).await;
    let hold = r#"{"token_id": "T", "holder_id": "bob", "start": "2025-01-01T00:00:00Z"}"#;
    let (code, answer) = ask(&service, "POST", "/hold", hold).await;
    assert_eq!((code, &answer["accepted"]), (200, &1.into()), "{answer}");
    until("both answers are seen", async || {
        place.lines("answered.txt").len() == 2
    })
    .await;
    assert_eq!(
        place.lines("seen.txt"),
        ["ann 1700000000000000", "bob 1735689600000000"]
    );
    assert_eq!(
        place.lines("answered.txt"),
        [
            "ann 2023-11-14T22:13:20+00:00",
            "bob 2025-01-01T00:00:00+00:00"
        ]
    );
    let (_, holders) = ask(&service, "GET", "/leaderboard?token=answer", "").await;
    assert_eq!(
        holders["holders"].as_array().map(Vec::len),
        Some(2),
        "{holders}"
    );
    let (_, page) = service.get("/metrics").await;
    for line in [
        "holdmetrics_user_seen_total{pipeline=\"follow\"} 2",
        "holdmetrics_pipeline_events_total{handler=\"follow\",pipeline=\"follow\"} 2",
        "holdmetrics_pipeline_outcomes_total{handler=\"follow\",outcome=\"emitted\",pipeline=\"follow\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_state_continue_after_a_restart() {
    let place = Place::new(FOLLOW);
    let service = place.serve();
    record(&service, &["ann", "bob"]).await;
    until("both are answered", async || {
        place.lines("answered.txt").len() == 2
    })
    .await;
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let service = place.serve();
    record(&service, &["cid"]).await;
    until("the third is answered", async || {
        place.lines("answered.txt").len() == 3
    })
    .await;
    let seen: Vec<_> = place.lines("seen.txt");
    assert_eq!(seen.len(), 3, "{seen:?}");
    until("the state was kept", async || {
        let (_, page) = service.get("/metrics").await;
        page.contains("holdmetrics_user_all_seen{pipeline=\"follow\"} 3")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reloads_the_file_and_a_broken_version_leaves_the_old_one_running() {
    let place = Place::new(FOLLOW);
    let service = place.serve();
    let pipeline = async || report(&service).await["pipelines"][0].clone();
    assert_eq!(pipeline().await["generation"], 1);
    let digest = pipeline().await["digest"].clone();

    place.rewrite(&FOLLOW.replace("{holder} {start}", "new {holder} {start}"));
    service.signal("HUP");
    until("generation 2 runs", async || {
        pipeline().await["generation"] == 2
    })
    .await;
    assert_ne!(pipeline().await["digest"], digest);
    record(&service, &["ann"]).await;
    until("it is seen", async || place.lines("seen.txt").len() == 1).await;
    assert_eq!(place.lines("seen.txt"), ["new ann 1700000000000000"]);

    place.rewrite("import nowhere_to_be_found\n");
    let (code, problem) = ask(&service, "POST", "/admin/pipelines/reload", "").await;
    assert_eq!(code, 409, "{problem}");
    assert!(
        problem.to_string().contains("nowhere_to_be_found"),
        "{problem}"
    );
    let broken = pipeline().await;
    assert_eq!(
        (&broken["state"], &broken["generation"]),
        (&"running".into(), &2.into())
    );
    assert!(
        broken["detail"]
            .as_str()
            .is_some_and(|text| text.contains("ModuleNotFoundError"))
    );
    record(&service, &["bob"]).await;
    until("the old version goes on", async || {
        place.lines("seen.txt").len() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_and_columns_of_a_native_batch_are_those_that_python_makes() {
    let place = Place::new(
        r#"
import copy
from pathlib import Path
from poh_holdmetrics import HoldEvent, Pipeline
from poh_holdmetrics.pipeline.batch import batch_from_bytes, records_from_batch

pipeline = Pipeline("twins")


@pipeline.on_batch()
def compare(batch, ctx):
    models = list(batch.events())
    records = records_from_batch(batch)
    for model, record in zip(models, records, strict=True):
        twin = HoldEvent.from_record(record)
        assert model == twin and model.model_dump() == twin.model_dump(), (model, twin)
        assert model.model_fields_set == twin.model_fields_set and hash(model) == hash(twin)
        assert copy.deepcopy(model) == model and HoldEvent.model_validate(model.model_dump()) == twin
    again = batch_from_bytes(batch.to_bytes())
    assert again.records() == records and list(again.sequence) == list(batch.sequence)
    Path("{folder}/compared.txt").write_text(str(ctx.state.get("compared", 0) + len(models)))
    ctx.state["compared"] = ctx.state.get("compared", 0) + len(models)
"#,
    );
    let service = place.serve();
    let events = serde_json::json!([
        {"token_id": "T", "holder_id": "a", "start": "1969-12-31T23:59:59.999999Z", "end": 5, "weight": "0.1"},
        {"token_id": "T", "holder_id": "é", "start": 7, "seq": 3},
        {"token_id": "T", "holder_id": "a", "end": 9, "event_id": "e", "revision": 4},
        {"token_id": "T", "holder_id": "b", "event_id": "e", "retract": true},
        {"token_id": "U", "from_id": "a", "to_id": "b", "at": 11, "amount": "12345678901234567890.5", "event_id": "x"},
    ]);
    let (code, answer) = ask(&service, "POST", "/hold", &events.to_string()).await;
    assert_eq!((code, &answer["accepted"]), (200, &5.into()), "{answer}");
    until("all are compared", async || {
        let handlers = report(&service).await["pipelines"][0]["handlers"].clone();
        assert_eq!(handlers[0]["failures"], 0, "{handlers}");
        place.lines("compared.txt") == ["6"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_threads_and_jobs() {
    let place = Place::new(
        r#"
from poh_holdmetrics import Pipeline

pipeline = Pipeline("clockwork")


@pipeline.every("1h")
async def strike(ctx):
    ctx.metrics.counter("strikes_total")
"#,
    );
    let service = place.serve();
    let (code, python) = ask(&service, "GET", "/admin/python", "").await;
    assert_eq!(code, 200, "{python}");
    assert!(python.to_string().contains("jobs of pipelines"), "{python}");
    let (code, jobs) = ask(&service, "GET", "/admin/jobs", "").await;
    assert_eq!(code, 200, "{jobs}");
    assert!(jobs.to_string().contains("clockwork/strike"), "{jobs}");
    let (code, started) = ask(&service, "POST", "/admin/jobs/clockwork%2Fstrike/run", "").await;
    assert_eq!(code, 200, "{started}");
    until("it has run", async || {
        let (_, page) = service.get("/metrics").await;
        page.contains("holdmetrics_user_strikes_total{pipeline=\"clockwork\"} 1")
    })
    .await;
    let (code, missing) = ask(&service, "POST", "/admin/jobs/nothing/run", "").await;
    assert_eq!(code, 404, "{missing}");
}

#[test]
fn an_audit_is_a_subcommand_of_the_package() {
    let output = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(["audit", "verify", "--store", "mongodb://host"])
        .env_remove("LOG_LEVEL")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("error: ") && said.contains("immudb"),
        "{said}"
    );
}

#[test]
fn the_command_line_of_the_package_is_a_subcommand() {
    let place = Place::new(FOLLOW);
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
            .arg("pipeline")
            .args(words)
            .env_remove("LOG_LEVEL")
            .output()
            .expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let (out, err) = (text(output.stdout), text(output.stderr));
        (output.status.code(), out + &err)
    };
    let (code, help) = run(&["--help"]);
    assert_eq!(code, Some(0), "{help}");
    assert!(help.contains("check") && help.contains("new"), "{help}");
    let file = place.path("p.py");
    let (code, said) = run(&["check", file.to_str().expect("text")]);
    assert_eq!(code, Some(0), "{said}");
    place.rewrite("from poh_holdmetrics import Pipeline\npipeline = Pipeline('a')\n@pipeline.every('never')\ndef f(ctx): ...\n");
    let (code, said) = run(&["check", file.to_str().expect("text")]);
    assert_eq!(code, Some(1), "{said}");
}
