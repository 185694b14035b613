//! Packages that `py install` has installed, and a look into a service that runs, with the built binary.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Place, record, report, until};
use crate::support::{Service, command as serve_command};

const READER: &str = r#"
from pathlib import Path

import poh_probe
from poh_holdmetrics import Pipeline

pipeline = Pipeline("reader")


@pipeline.on_batch()
def note(batch, ctx):
    Path("{folder}/seen.txt").write_text(poh_probe.VERSION)
"#;

/// A wheel of one module, for each version.
const MAKE_WHEELS: &str = r#"
import pathlib, zipfile

pathlib.Path("wheels").mkdir()
for version in ("1.0", "2.0"):
    info = f"poh_probe-{version}.dist-info"
    with zipfile.ZipFile(f"wheels/poh_probe-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("poh_probe.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: poh_probe\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
"#;

const SPINNER: &str = r#"
from pathlib import Path
from poh_holdmetrics import Pipeline

pipeline = Pipeline("spinner")


@pipeline.on_batch()
def spin_for_long(batch, ctx):
    Path("{folder}/began.txt").write_text("yes")
    while not Path("{folder}/enough.txt").exists():
        pass
    Path("{folder}/ended.txt").write_text("yes")
"#;

/// The search tries every way to divide the letters, and gives the interpreter to nobody meanwhile.
const HOLDER: &str = r#"
import re
from pathlib import Path
from poh_holdmetrics import Pipeline

pipeline = Pipeline("holder")


@pipeline.on_batch()
def hold_for_ever(batch, ctx):
    Path("{folder}/began.txt").write_text("yes"); re.match("(a+)+$", "a" * 60 + "b")
"#;

/// A command of the binary in the folder of a test: its exit code, and what it printed.
fn run(place: &Place, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"));
    command.args(words).current_dir(place.path("."));
    let output = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn install(place: &Place, requirement: &str) -> String {
    let words = [
        "py",
        "install",
        "--no-index",
        "--find-links",
        "wheels",
        requirement,
    ];
    let (code, out, err) = run(place, &words);
    assert_eq!(code, Some(0), "{out}{err}");
    out.split_whitespace().next().expect("a name").to_owned()
}

async fn seen(place: &Place, service: &Service, version: &str) {
    record(service, &["ann"]).await;
    until("the handler ran", async || {
        place.lines("seen.txt") == [version]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_imports_what_was_installed_for_its_data_folder_and_rolls_back() {
    let place = Place::new(READER);
    let made = run(&place, &["python", "-c", MAKE_WHEELS]);
    assert_eq!(made.0, Some(0), "{made:?}");
    let one = install(&place, "poh_probe==1.0");
    let two = install(&place, "poh_probe");
    let service = place.serve();
    seen(&place, &service, "2.0").await;
    let named = report(&service).await["python"]["environment"].clone();
    let named = named.as_str().expect("a folder").to_owned();
    assert!(
        named.ends_with(&format!("data/python/environments/{two}")),
        "{named}"
    );

    // Another one takes effect at the next start; until then the service holds its own.
    let used = run(&place, &["py", "use", &one]);
    assert_eq!(used.0, Some(0), "{used:?}");
    let kept = run(&place, &["py", "remove", &two]);
    assert_eq!(kept.0, Some(1), "{kept:?}");
    assert!(kept.2.contains("is used by a running process"), "{kept:?}");
    service.signal("TERM");
    service.wait(Duration::from_secs(9));
    let service = place.serve();
    seen(&place, &service, "1.0").await;
    let removed = run(&place, &["py", "remove", &two]);
    assert_eq!(removed.0, Some(0), "{removed:?}");

    std::fs::write(
        place.path("s.py"),
        "import poh_probe; print(poh_probe.VERSION)",
    )
    .expect("a script");
    let ran = run(&place, &["run", "s.py"]);
    assert_eq!((ran.0, ran.1.as_str()), (Some(0), "1.0\n"), "{ran:?}");
    let checked = run(&place, &["pipeline", "check", "p.py"]);
    assert_eq!(checked.0, Some(0), "{checked:?}");
    let doctor = run(&place, &["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&doctor.1).expect("JSON");
    let named = doctor["python"]["environment"].as_str().expect("a folder");
    assert!(named.ends_with(&one), "{named}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_current_environment_that_is_gone_is_refused_with_the_cure() {
    let place = Place::new(READER);
    std::fs::create_dir_all(place.path("data/python")).expect("a folder");
    std::fs::write(place.path("data/python/current"), "abcd\n").expect("a file");
    for words in [
        &["run", "p.py"][..],
        &["serve", "--pipeline", "p.py"],
        &["doctor"],
    ] {
        let (code, _, said) = run(&place, words);
        assert_eq!(code, Some(78), "{said}");
        assert!(
            said.contains("data/python/environments/abcd has no packages"),
            "{said}"
        );
        assert!(said.contains("`py install`"), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_spins_is_named_from_outside_and_the_service_goes_on() {
    let place = Place::new(SPINNER);
    let service = place.serve();
    record(&service, &["ann"]).await;
    until("the handler began", async || {
        !place.lines("began.txt").is_empty()
    })
    .await;
    let pid = service.id().to_string();
    // Frames that change while they are read would end the process.
    for _ in 0..100 {
        service.signal("USR1");
        service.signal("USR2");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..2 {
        let began = Instant::now();
        let (code, text, said) = run(&place, &["py", "stack", &pid]);
        assert_eq!(code, Some(0), "{said}");
        let line = text
            .lines()
            .find(|line| line.ends_with(" in spin_for_long"));
        let line = line.unwrap_or_else(|| panic!("{text}"));
        assert!(line.contains("p.py\", line 1"), "{line}");
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(text.matches(" in spin_for_long").count(), 1, "{text}");
    }
    let (code, json, said) = run(&place, &["py", "stack", &pid, "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let threads = json["threads"].as_array().expect("a list");
    let mut frames = threads
        .iter()
        .flat_map(|thread| thread["frames"].as_array().expect("a list"));
    assert!(frames.any(|frame| frame["function"] == "spin_for_long" && frame["line"].is_u64()));

    record(&service, &["bob"]).await;
    std::fs::write(place.path("enough.txt"), "").expect("a file");
    until("the handler ended", async || {
        !place.lines("ended.txt").is_empty()
    })
    .await;
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_holds_the_interpreter_in_code_of_c_is_named_from_outside() {
    let place = Place::new(HOLDER);
    let service = place.serve();
    record(&service, &["ann"]).await;
    until("the handler began", async || {
        !place.lines("began.txt").is_empty()
    })
    .await;
    let (code, text, said) = run(&place, &["py", "stack", &service.id().to_string()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(text.contains("p.py\", line 11 in hold_for_ever"), "{text}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_service_with_pipelines_is_told_so_and_lives_on() {
    let place = Place::new("");
    let service = Service::spawn(serve_command(&place.path("data"), &[]));
    let (ours, test) = (service.id().to_string(), std::process::id().to_string());
    for (pid, expected) in [
        (ours.as_str(), "is not a service with pipelines or stores"),
        (&test, "and not a main_holdmetrics with Python inside"),
        ("999999999", "no process has the id 999999999"),
    ] {
        let (code, _, said) = run(&place, &["py", "stack", pid]);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(expected) && said.lines().count() == 1,
            "{said}"
        );
    }
    record(&service, &["ann"]).await;
}
