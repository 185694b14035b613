//! What is valid and probably not meant: said with a code, and an error under `--strict`.

use serde_json::Value;

use crate::support::{AS_OF, Folder, run};

/// Rows of CSV: token, holder, start, end.
fn csv(rows: &[&str]) -> String {
    format!("token_id,holder_id,start,end\n{}\n", rows.join("\n"))
}

fn codes(report: &Value) -> Vec<String> {
    let warnings = report["warnings"].as_array().expect("a list");
    let code = |warning: &Value| format!("{} {}", warning["code"], warning["name"]);
    warnings
        .iter()
        .map(|warning| code(warning).replace('"', ""))
        .collect()
}

/// Each warning, the rows that cause it, and words of its sentence.
const CASES: [(&str, &str, &str); 9] = [
    (
        "T,a,1735689600,1735693200,,,,,",
        "W01 epoch-seconds",
        "numbers were read as milliseconds",
    ),
    (
        "T,0xAB,1735689600000,1735693200000,,,,,\nT,0xab,1735689600000,,,,,,",
        "W02 ids-differ-by-case",
        "1 holder differs from another by case alone: \"0xAB\" and \"0xab\"; ",
    ),
    (
        "T,0xC5521660F3A3C5717476189975A3ADB3254A9493,1735689600000,,,,,,\n\
         T,0xc5521660f3a3c5717476189975a3adb3254a9493,1735689600000,,,,,,\n\
         T,a.holder.with.a.long.name@example.org,1735689600000,,,,,,\n\
         T,A.holder.with.a.long.name@example.org,1735689600000,,,,,,",
        "W02 ids-differ-by-case",
        "2 holders differ from others by case alone, such as \"0xC5521660F3A3C5717476189975A3ADB3254A94\"... and ",
    ),
    (
        "Gold,a,1735689600000,,,,,,\ngold,b,1735689600000,,,,,,\nGOLD,b,1735689600000,,,,,,",
        "W02 ids-differ-by-case",
        "2 tokens differ from others by case alone, such as \"GOLD\" and \"Gold\"; ",
    ),
    (
        "T,a,1735689600000,,3,,,,\nT,a,1735689600000,,4,,,,\nT,a,1735689600000,,4,,,,",
        "W03 ties",
        "1 instant of a key has different levels",
    ),
    (
        "T,a,,1735689600000,,,,,\nT,a,1735689600000,,4,,,,\nT,b,1735689600000,,1,,,,5\nT,b,1735689600000,,2,,,,5",
        "W03 ties",
        "2 instants of keys have different levels",
    ),
    (
        "T,a,1735689600000,,3,e,,,\nT,a,1735689600000,,4,e,,,",
        "W04 conflicting-facts",
        "1 event_id states different facts",
    ),
    (
        "T,a,,,,e,1735689600000,-1,",
        "W05 deficits",
        "--deficits FILE",
    ),
    (
        "T,a,1753056100000,1753056200000,,,,,\nT,a,1853056100000,,,,,,",
        "W06 as-of-before-events",
        "the first event is at 2025-07-21T00:01:40Z",
    ),
];
/// Publishes scores as they are.
const POLICY: &str = r#"{"steps": [{"step": "score_cap", "most": "1000000000000000000"}]}"#;
const HEADER: &str = "token_id,holder_id,start,end,weight,event_id,at,delta,seq";

#[test]
fn each_warning_has_a_code_and_a_sentence_and_is_an_error_under_strict() {
    for policy in ["none", POLICY] {
        for (rows, code, words) in CASES {
            let folder = Folder::new();
            let file = folder.file("a.csv", format!("{HEADER}\n{rows}\n"));
            let document = folder.file("policy.json", policy);
            let mut arguments = vec!["score", file.to_str().unwrap(), "--as-of", AS_OF];
            if policy != "none" {
                arguments.extend(["--policy", document.to_str().unwrap()]);
            }
            arguments.extend(["--format", "json"]);
            let answer = run(&arguments);
            assert_eq!(codes(&answer.json()), [code], "{policy}");
            assert!(
                answer.stderr.starts_with(&format!("warning: {code}: ")),
                "{}",
                answer.stderr
            );
            assert!(answer.stderr.contains(words), "{}", answer.stderr);
            let strict = run(arguments.iter().chain(&["--strict"]));
            let sentence = strict.error(2);
            assert!(
                sentence.starts_with(&format!("--strict: {code}: ")),
                "{sentence}"
            );
        }
    }
}

#[test]
#[cfg(feature = "py-embed")]
fn both_engines_find_the_same() {
    for (rows, _, _) in CASES {
        let folder = Folder::new();
        let file = folder.file("a.csv", format!("{HEADER}\n{rows}\n"));
        let arguments = [
            "score",
            file.to_str().unwrap(),
            "--as-of",
            AS_OF,
            "--format",
            "json",
        ];
        let native = run(arguments);
        let python = run(arguments.iter().chain(&["--engine", "python"]));
        assert_eq!(python.json(), native.json());
        assert_eq!(python.stderr, native.stderr);
    }
}

#[test]
fn what_is_meant_is_not_warned_about() {
    let folder = Folder::new();
    let ordinary = csv(&[
        "T,0xAB,1735689600000,1735693200000",
        "T,0xac,1735689600000,",
        "T,0xac,1735689600000,",
    ]);
    let ordered = format!("{HEADER}\nT,a,1735689600000,,3,,,,1\nT,a,1735689600000,,4,,,,2\n");
    for text in [
        ordinary,
        ordered,
        csv(&["T,a,0,1", "T,a,2678399999,2678400000"]),
        csv(&["T,a,-1,1"]),
    ] {
        let file = folder.file("a.csv", text);
        let arguments = [
            "score",
            file.to_str().unwrap(),
            "--as-of",
            AS_OF,
            "--strict",
            "--format",
            "json",
        ];
        let answer = run(arguments);
        assert_eq!(codes(&answer.json()), [""; 0]);
        assert_eq!(answer.stderr, "");
    }
}

#[test]
fn the_unit_that_is_named_ends_the_warning() {
    let folder = Folder::new();
    let file = folder.file("a.csv", csv(&["T,a,1735689600,1735693200"]));
    let file = file.to_str().unwrap();
    let unit = ["score", file, "--time-unit", "s", "--strict"];
    assert!(run(unit).text().contains("1 of 1 event"));
}

#[test]
fn a_window_that_ends_before_it_begins_is_an_error() {
    let folder = Folder::new();
    let file = folder.file("a.csv", csv(&["T,a,1735689600000,"]));
    let file = file.to_str().unwrap();
    let answer = run([
        "score",
        file,
        "--from",
        "2026-01-01",
        "--as-of",
        "2025-01-01",
    ]);
    assert_eq!(
        answer.error(2),
        "--from: 2026-01-01T00:00:00Z is after --as-of, 2025-01-01T00:00:00Z; give an earlier --from (W07 from-after-as-of)"
    );
    let future = run(["score", file, "--from", "9000-01-01"]);
    assert!(future.error(2).contains(" (now); "), "{}", future.stderr);
}

#[test]
fn files_without_an_event_are_an_error() {
    let folder = Folder::new();
    let empty = folder.file("a.csv", csv(&[]));
    let empty = empty.to_str().unwrap();
    assert_eq!(
        run(["score", empty]).error(2),
        format!("{empty}: no event in it; name a file that has rows (W08 no-event)")
    );
    let refused = folder.file("b.csv", csv(&["T,,1,2", "T,a,1,x"]));
    let refused = refused.to_str().unwrap();
    let skip = ["score", refused, empty, "--on-error", "skip"];
    assert_eq!(
        run(skip).error(2),
        "2 files: none of 2 lines is an event, the first refused is line 2: holder_id: missing or empty (W08 no-event)"
    );
    let event = folder.file("c.csv", csv(&["T,a,1735689600000,"]));
    assert_eq!(run(["score", empty, event.to_str().unwrap()]).code, 0);
}
