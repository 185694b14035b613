//! `score --policy` and `--compare-policy` with documents of ready steps.

use std::path::Path;

use crate::support::{AS_OF, Answer, Folder, run, score};

const EVENTS: &str = "\
    {\"token_id\": \"T\", \"holder_id\": \"ann\", \"start\": 0, \"end\": 86400000}\n\
    {\"token_id\": \"T\", \"holder_id\": \"bob\", \"start\": 0, \"end\": 259200000, \"weight\": \"0.5\"}\n\
    {\"token_id\": \"U\", \"holder_id\": \"eve\", \"start\": 0, \"end\": 1000, \"weight\": \"0.1\"}\n";
const TIERS: &str = "{\"steps\": [{\"step\": \"minimum_hold\", \"duration\": \"1h\"}, \
    {\"step\": \"tiers\", \"multipliers\": {\"1d\": 2}}]}";
/// That of the package for the same document.
const VERSION: &str = "6dd03b224e64752e3d936658a46f8294be29488a3bb5d152fbde29768f231140";

fn scored_as(format: &str, events: &Path, more: &[&str]) -> Answer {
    let events = events.to_str().unwrap();
    let words = ["score", events, "--as-of", AS_OF, "--format", format];
    run(words.iter().chain(more))
}

#[test]
fn a_policy_is_named_with_its_version_in_every_format() {
    let folder = Folder::new();
    let events = folder.file("events.jsonl", EVENTS);
    let tiers = folder.file("tiers.json", TIERS).display().to_string();
    let report = score(&events, &["--policy", &tiers]).json();
    assert_eq!(report["policy"]["name"], "tiers");
    assert_eq!(report["policy"]["version"], VERSION);
    let rows: Vec<_> = report["holders"].as_array().unwrap().iter().collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["holder_id"], &rows[0]["score"]),
        (&"bob".into(), &"216000".into())
    );
    assert_eq!(
        (&rows[1]["holder_id"], &rows[1]["score"]),
        (&"ann".into(), &"86400".into())
    );
    assert_eq!(rows[0]["held_us"], 259_200_000_000_u64);

    let csv = scored_as("csv", &events, &["--policy", &tiers, "--top", "1"]).text();
    assert_eq!(
        csv,
        format!(
            "rank,holder_id,held_us,score,weighted_score,total_seconds,policy_version\n\
             1,bob,259200000000,216000,216000.0,259200,{VERSION}\n"
        )
    );
    let table = scored_as("table", &events, &["--policy", &tiers]).text();
    assert!(
        table.ends_with(&format!("\npolicy tiers, version {VERSION}\n")),
        "{table}"
    );
}

#[test]
fn who_moves_is_listed_with_rank_and_score() {
    let folder = Folder::new();
    let events = folder.file("events.jsonl", EVENTS);
    let tiers = folder.file("tiers.json", TIERS).display().to_string();
    let report = score(&events, &["--compare-policy", "none", &tiers]).json();
    assert!(report["before"].is_null());
    assert_eq!(report["after"]["version"], VERSION);
    assert_eq!(
        (&report["holders_total"], &report["moved"]),
        (&3.into(), &2.into())
    );
    assert_eq!(
        report["moves"][1],
        serde_json::json!({
            "holder_id": "eve", "rank_before": 3, "rank_after": null, "score_before": "0.1", "score_after": null,
        })
    );
    let csv = scored_as(
        "csv",
        &events,
        &["--compare-policy", &tiers, "none", "--top", "1"],
    )
    .text();
    assert_eq!(
        csv,
        format!(
            "holder_id,rank_before,rank_after,score_before,score_after,policy_version_before,policy_version_after\n\
             bob,1,1,216000,129600,{VERSION},\n"
        )
    );
    let table = scored_as("table", &events, &["--compare-policy", "none", &tiers]).text();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[1].ends_with("1 -> 1  129,600 -> 216,000"), "{table}");
    assert!(lines[2].ends_with("3 -> -            0.1 -> -"), "{table}");
    assert!(
        lines[4].starts_with("2 of 3 holders move; as of "),
        "{table}"
    );
    assert_eq!(
        lines[5..],
        [
            "before: no policy".to_owned(),
            format!("after: tiers, version {VERSION}")
        ]
    );
    let nobody = score(&events, &["--compare-policy", &tiers, &tiers]).json();
    assert_eq!(
        (&nobody["moved"], &nobody["holders_total"]),
        (&0.into(), &2.into())
    );
}

#[test]
fn a_policy_that_cannot_be_used_ends_the_run_before_anything_is_read() {
    let folder = Folder::new();
    let events = folder.file("events.jsonl", EVENTS);
    let wrong = folder
        .file("wrong.json", "{\"steps\": []}")
        .display()
        .to_string();
    for (arguments, words) in [
        (
            vec!["--policy", &wrong],
            "wrong.json: steps: expected 1 to 32 steps, found 0",
        ),
        (vec!["--policy", "none.json"], "none.json: No such file"),
        (
            vec!["--policy", &wrong, "--compare-policy", "none", "none"],
            "cannot be used with",
        ),
    ] {
        let answer = score(&events, &arguments);
        assert_eq!(answer.code, 2, "{arguments:?}");
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    }
}

#[test]
fn a_comparison_has_no_form_in_parquet() {
    let folder = Folder::new();
    let events = folder.file("events.jsonl", EVENTS);
    let answer = scored_as("parquet", &events, &["--compare-policy", "none", "none"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer
            .stderr
            .contains("--compare-policy: not written as Parquet"),
        "{}",
        answer.stderr
    );
}

/// A function of a pipeline file over events that were read natively, and over those of an audit.
#[cfg(feature = "py-embed")]
#[test]
fn a_function_of_a_pipeline_publishes_scores() {
    const PIPELINE: &str = "from fractions import Fraction\n\
        from poh_holdmetrics import Pipeline\n\
        pipeline = Pipeline('p')\n\
        @pipeline.policy('thirds')\n\
        def thirds(segments):\n\
        \x20   return {holder: Fraction(len(rows), 3) for holder, rows in segments.by_holder()}\n";
    let folder = Folder::new();
    let events = folder.file("events.jsonl", EVENTS);
    let tiers = folder.file("tiers.json", TIERS).display().to_string();
    let file = folder.file("thirds.py", PIPELINE).display().to_string();
    let native = score(&events, &["--policy", &format!("{file}:thirds")]).json();
    assert_eq!(
        native["holders"][2]["score"],
        format!("0.{}", "3".repeat(24))
    );
    assert_eq!(native["holders"][2]["rank"], 1);
    let audited = score(&events, &["--policy", &file, "--engine", "python"]).json();
    assert_eq!(native, audited);
    let compared = ["--compare-policy", &tiers, &file];
    let natively = score(&events, &compared).json();
    assert_eq!(natively["before"]["version"], VERSION);
    assert_eq!(
        natively,
        score(&events, &[&compared[..], &["--engine", "python"]].concat()).json()
    );
    let refused = score(&events, &["--policy", &format!("{file}:fourths")]);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .stderr
            .contains("no policy fourths; declare one with @pipeline.policy"),
        "{}",
        refused.stderr
    );
}
