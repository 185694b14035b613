//! What a bad pipeline costs: the others go on, events are acknowledged, and operators see which one it is.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::place::{Place, ask, record, report, until};
use crate::support::{Service, command};

/// Blocks the interpreter for as long as `SECONDS`, in code that no exception reaches.
const SLEEPER: &str = r#"
import time
from pathlib import Path
from poh_holdmetrics import Pipeline

pipeline = Pipeline("sleeper")


@pipeline.on_batch()
def nap(batch, ctx):
    Path("{folder}/began.txt").write_text("yes")
    time.sleep(SECONDS)
    Path("{folder}/ended.txt").write_text("yes")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_broken_files_are_reported_and_stop_nothing() {
    let place = Place::new("def broken(:\n");
    let (broken, missing) = (place.path("p.py"), place.path("missing.py"));
    let text = |path: &std::path::PathBuf| path.to_str().expect("text").to_owned();
    let (broken, missing) = (text(&broken), text(&missing));
    let arguments = ["--pipeline", &broken, "--pipeline", &missing];
    let service = Service::spawn(command(&place.path("data"), &arguments));
    record(&service, &["ann"]).await;
    let report = report(&service).await;
    assert_eq!(report["python"]["state"], "running");
    let pipelines = report["pipelines"].as_array().expect("a list");
    assert_eq!(pipelines.len(), 2, "{report}");
    for pipeline in pipelines {
        assert_eq!(pipeline["state"], "failed", "{report}");
    }
    let details = report["pipelines"].to_string();
    assert!(
        details.contains("SyntaxError") && details.contains("missing.py"),
        "{details}"
    );
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

// Without debug assertions there is no callable that panics.
#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_native_code_is_an_exception_of_the_handler_and_the_service_goes_on() {
    let place = Place::new(
        r#"
from poh_holdmetrics import Pipeline, native

pipeline = Pipeline("culprit")


@pipeline.on_event()
def follow(event, ctx):
    if event.holder_id == "bad":
        native.namespace().defect()
    ctx.state[event.holder_id] = len(ctx.leaderboard(9))
"#,
    );
    let service = place.serve();
    record(&service, &["ann", "bad", "bob"]).await;
    until("all events are handled", async || {
        report(&service).await["pipelines"][0]["handlers"][0]["calls"] == 3
    })
    .await;
    let report = report(&service).await;
    let handler = &report["pipelines"][0]["handlers"][0];
    assert_eq!(
        (&handler["failures"], &handler["state"]),
        (&json!(1), &json!("running")),
        "{handler}"
    );
    let traceback = handler["last_failure"]["traceback"].to_string();
    let error = "RuntimeError: defect panicked: on purpose; please report this as a bug";
    assert!(
        traceback.contains(error) && traceback.contains("in follow"),
        "{traceback}"
    );
    assert_eq!(report["python"]["state"], "running");
    let (code, page) = ask(&service, "GET", "/leaderboard", "").await;
    assert_eq!((code, &page["holders_total"]), (200, &json!(3)), "{page}");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("A native callable panicked."),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_is_stuck_is_named_and_events_are_acknowledged_meanwhile() {
    let place = Place::new(&SLEEPER.replace("SECONDS", "8"));
    let service = place.serve();
    record(&service, &["ann"]).await;
    until("it is reported", async || {
        let (_, report) = ask(&service, "GET", "/admin/pipelines", "").await;
        report["python"]["state"] == "stuck"
    })
    .await;
    let stuck = &report(&service).await["python"]["stuck"];
    assert_eq!(
        (&stuck["pipeline"], &stuck["handler"]),
        (&json!("sleeper"), &json!("nap"))
    );
    assert!(
        stuck["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("p.py")),
        "{stuck}"
    );

    let began = Instant::now();
    for number in 0..50 {
        record(&service, &[&format!("h{number}")]).await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let (code, refused) = ask(&service, "GET", "/admin/jobs", "").await;
    assert_eq!(code, 503);
    assert!(
        refused
            .to_string()
            .contains("handler nap of pipeline sleeper"),
        "{refused}"
    );
    assert!(
        !place.path("ended.txt").exists(),
        "it slept through all of this"
    );
    until("it answers again", async || {
        report(&service).await["python"]["state"] == "running"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_fatal_limit_the_process_ends_with_70_and_the_pipeline_waits_for_an_operator() {
    let limits = [
        ("HOLDMETRICS_PIPELINES_SOFT_LIMIT", "300ms"),
        ("HOLDMETRICS_PIPELINES_HARD_LIMIT", "600ms"),
        ("HOLDMETRICS_PIPELINES_FATAL_LIMIT", "2s"),
    ];
    let place = Place::new(&SLEEPER.replace("SECONDS", "60"));
    let service = place.serve_with(&limits);
    record(&service, &["ann"]).await;
    let ended = service.wait(Duration::from_secs(30));
    assert_eq!(ended.status.code(), Some(70), "{}", ended.stderr);
    for part in [
        "pipeline=\"sleeper\"",
        "handler=\"nap\"",
        "most recent call first",
        "p.py\", line 12 in nap",
    ] {
        assert!(ended.stderr.contains(part), "{part} in\n{}", ended.stderr);
    }

    std::fs::remove_file(place.path("began.txt")).expect("it began");
    let service = place.serve_with(&limits);
    let report_now = report(&service).await;
    assert_eq!(
        report_now["pipelines"][0]["state"], "quarantined",
        "{report_now}"
    );
    assert_eq!(
        report_now["quarantined"]["sleeper"]["handler"], "nap",
        "{report_now}"
    );
    record(&service, &["bob"]).await;
    assert!(!place.path("began.txt").exists());

    place.rewrite(&SLEEPER.replace("SECONDS", "0"));
    let (code, answer) = ask(&service, "POST", "/admin/pipelines/sleeper/enable", "").await;
    assert_eq!(code, 200, "{answer}");
    until("it runs", async || place.path("ended.txt").exists()).await;
    let report_now = report(&service).await;
    assert_eq!(
        report_now["pipelines"][0]["state"], "running",
        "{report_now}"
    );
    assert_eq!(report_now["quarantined"], json!({}), "{report_now}");
    assert!(!place.path("data/quarantine.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_a_handler_that_never_ends() {
    let place = Place::new(&SLEEPER.replace("SECONDS", "60"));
    let service = place.serve();
    record(&service, &["ann"]).await;
    until("it has begun", async || place.path("began.txt").exists()).await;
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(10));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("Python did not end in time") && ended.stderr.contains("nap"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_are_counted_and_the_last_traceback_is_kept() {
    let place = Place::new(
        r#"
from poh_holdmetrics import Pipeline

pipeline = Pipeline("thrower")


@pipeline.on_batch()
def throw(batch, ctx):
    raise LookupError("no luck")
"#,
    );
    let service = place.serve();
    record(&service, &["ann"]).await;
    until("it has failed", async || {
        report(&service).await["pipelines"][0]["handlers"][0]["failures"] == 1
    })
    .await;
    let handler = report(&service).await["pipelines"][0]["handlers"][0].clone();
    let traceback = handler["last_failure"]["traceback"]
        .as_str()
        .unwrap_or_default();
    assert!(
        traceback.contains("p.py\", line 9, in throw"),
        "{traceback}"
    );
    assert!(
        traceback.trim_end().ends_with("LookupError: no luck"),
        "{traceback}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_pipeline_that_ends_its_process_is_started_again_and_loses_nothing() {
    let place = Place::new(
        r#"
import os
from pathlib import Path
from poh_holdmetrics import Pipeline

pipeline = Pipeline("isolated", isolation="process")


@pipeline.on_batch()
def follow(batch, ctx):
    died = Path("{folder}/died.txt")
    if not died.exists():
        died.write_text("yes")
        os._exit(3)
    with Path("{folder}/seen.txt").open("a") as file:
        file.writelines(f"{holder}\n" for holder in batch.holder_id)
"#,
    );
    let service = place.serve();
    record(&service, &["ann", "bob"]).await;
    until("both are seen by another process", async || {
        let lines = place.lines("seen.txt");
        ["ann", "bob"]
            .iter()
            .all(|holder| lines.iter().any(|line| line == holder))
    })
    .await;
    assert!(place.path("died.txt").exists());
    until("it is reported as running", async || {
        report(&service).await["pipelines"][0]["state"] == "running"
    })
    .await;
}
