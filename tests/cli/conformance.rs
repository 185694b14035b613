//! Every conformance case through the command line: the repository's own, and the published ones
//! where they lie beside the checkout or `POH_CONFORMANCE` names their folder.

use std::path::{Path, PathBuf};

use crate::support::run;
use serde_json::Value;

pub(crate) fn read(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the binary says about `events`, asked as the case asks.
pub(crate) fn report(case: &Path, events: &Path, more: &[&str]) -> Value {
    let query = read(&case.join("query.json"));
    let mut arguments = vec!["score".to_owned(), events.to_string_lossy().into_owned()];
    arguments.extend(["--as-of".into(), query["as_of"].to_string()]);
    if !query["from"].is_null() {
        arguments.extend(["--from".into(), query["from"].to_string()]);
    }
    if query["closed_only"] == Value::Bool(true) {
        arguments.push("--closed-only".into());
    }
    arguments.extend(["--format", "json", "--on-error", "skip"].map(String::from));
    arguments.extend(more.iter().map(ToString::to_string));
    run(&arguments).json()
}

/// What the case's answer is, and what the binary says, both without the words of refusals.
fn check(case: &Path, threads: &str) {
    let more = ["--threads", threads];
    let mut found = report(case, &case.join("events.jsonl"), &more);
    let expected = read(&case.join("expected.json"));
    // The cases do not list it, because it follows from `held_us`.
    for holder in found["holders"].as_array_mut().expect("a list") {
        let holder = holder.as_object_mut().expect("an object");
        let seconds = holder.remove("total_seconds").expect("a field");
        let held_us = holder["held_us"].as_u64().expect("a number");
        assert_eq!(seconds.as_u64(), Some(held_us / 1_000_000));
    }
    for field in ["read", "accepted", "holders"] {
        assert_eq!(found[field], expected[field], "{}: {field}", case.display());
    }
    if !expected["deficits"].is_null() {
        assert_eq!(
            found["deficits"],
            expected["deficits"],
            "{}: deficits",
            case.display()
        );
    }
    let refusals = |report: &Value| report["rejected"].as_array().expect("a list").clone();
    let (found, expected) = (refusals(&found), refusals(&expected));
    assert_eq!(
        found.len(),
        expected.len(),
        "{}: refused lines",
        case.display()
    );
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found["line"], expected["line"], "{}", case.display());
        let text = |refusal: &Value| refusal["reason"].as_str().expect("a reason").to_owned();
        let (reason, wanted) = (text(found), text(expected));
        let field = wanted.split([':', ' ']).next().expect("a first word");
        if field.contains('_') || FIELDS.contains(&field) {
            assert!(
                reason.contains(field),
                "{}: {reason:?} does not name {field}",
                case.display()
            );
        }
    }
}

/// The fields that are named without an underscore.
const FIELDS: [&str; 9] = [
    "start", "end", "weight", "revision", "retract", "at", "delta", "seq", "amount",
];

/// The cases of a folder in order.
pub(crate) fn cases(folder: &Path) -> Vec<PathBuf> {
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of cases is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// The folder of the repository's own cases.
pub(crate) fn own_cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn check_all(folder: &Path) -> usize {
    let cases = cases(folder);
    for case in &cases {
        for threads in ["1", "3"] {
            check(case, threads);
        }
    }
    cases.len()
}

#[test]
fn own_cases_are_answered_exactly() {
    assert_eq!(check_all(&own_cases()), 9);
}

#[test]
fn published_cases_are_answered_exactly() {
    for folder in crate::published_cases::folders() {
        assert!(check_all(&folder) > 0, "{} holds no case", folder.display());
    }
}
