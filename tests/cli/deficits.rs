//! What `score` says of balances that fall below 0: their number in every format, and the list of `--deficits`.

use crate::support::{Folder, run};
use serde_json::{Value, json};

/// ada gives away 5.5 of 5, zoe what she never had, in two changes of one instant.
const TRANSFERS: &str = r#"{"token_id":"T","to_id":"ada","at":0,"amount":5,"event_id":"1"}
{"token_id":"T","from_id":"ada","to_id":"bob","at":1000,"amount":"5.5","event_id":"2"}
{"token_id":"U","from_id":"zoe","to_id":"bob","at":2000,"amount":1,"event_id":"4"}
{"token_id":"U","from_id":"zoe","to_id":"bob","at":2000,"amount":"0.000000000000000001","event_id":"3"}
"#;

/// The engines of this build.
fn engines() -> &'static [&'static str] {
    if cfg!(feature = "py-embed") {
        &["native", "python"]
    } else {
        &["native"]
    }
}

fn score(folder: &Folder, more: &[&str]) -> crate::support::Answer {
    let path = folder.file("transfers.jsonl", TRANSFERS);
    run(["score", path.to_str().unwrap()].iter().chain(more))
}

#[test]
fn both_engines_count_and_list_the_deficits_before_as_of() {
    let folder = Folder::new();
    let ada = json!({
        "token_id": "T", "holder_id": "ada", "at": "1970-01-01T00:00:01Z", "balance": "-0.5", "event_ids": ["2"],
    });
    let zoe = json!({
        "token_id": "U", "holder_id": "zoe", "at": "1970-01-01T00:00:02Z", "balance": "-1.000000000000000001",
        "event_ids": ["3", "4"],
    });
    for engine in engines() {
        for (as_of, expected) in [
            ("1000", vec![]),
            ("1001", vec![&ada]),
            ("2000", vec![&ada]),
            ("1970-01-02", vec![&ada, &zoe]),
        ] {
            let list = folder.path("deficits.jsonl");
            let arguments = [
                "--engine",
                engine,
                "--as-of",
                as_of,
                "--format",
                "json",
                "--top",
                "1",
                "--deficits",
                list.to_str().unwrap(),
            ];
            let report = score(&folder, &arguments).json();
            assert_eq!(report["deficits"], expected.len(), "{engine} {as_of}");
            let list = std::fs::read_to_string(list).unwrap();
            let rows: Vec<Value> = list
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(
                rows.iter().collect::<Vec<_>>(),
                expected,
                "{engine} {as_of}"
            );
        }
        let list = folder.path("deficits.csv");
        let arguments = [
            "--engine",
            engine,
            "--as-of",
            "1970-01-02",
            "--deficits",
            list.to_str().unwrap(),
        ];
        score(&folder, &arguments).text();
        assert_eq!(
            std::fs::read_to_string(list).unwrap(),
            "token_id,holder_id,at,balance,event_ids\n\
             T,ada,1970-01-01T00:00:01Z,-0.5,2\n\
             U,zoe,1970-01-01T00:00:02Z,-1.000000000000000001,3 4\n"
        );
    }
}

#[test]
fn people_are_told_that_input_is_missing() {
    let folder = Folder::new();
    let last_line = |more: &[&str]| -> String {
        let table = score(&folder, more).text();
        table.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        last_line(&["--as-of", "1970-01-02"]),
        "2 keys have a balance below 0 at some time: something is missing from the input; list them with \
         --deficits FILE"
    );
    assert_eq!(
        last_line(&["--as-of", "1500"]),
        "1 key has a balance below 0 at some time: something is missing from the input; list it with \
         --deficits FILE"
    );
    assert!(last_line(&["--as-of", "1000"]).ends_with("as of 1970-01-01T00:00:01Z"));
    let list = folder.path("d.csv");
    assert_eq!(
        last_line(&[
            "--as-of",
            "1970-01-02",
            "--deficits",
            list.to_str().unwrap()
        ]),
        "2 keys have a balance below 0 at some time: something is missing from the input"
    );
    let csv = score(&folder, &["--as-of", "1970-01-02", "--format", "csv"]);
    assert!(csv.text().starts_with("rank,"));
    assert!(
        csv.stderr
            .contains("\nwarning: W05 deficits: 2 keys have a balance below 0 "),
        "{}",
        csv.stderr
    );
}

#[test]
fn a_list_that_cannot_be_written_is_one_sentence() {
    let folder = Folder::new();
    for (name, code, words) in [
        (
            "deficits.txt",
            2,
            "--deficits deficits.txt: end the name in .jsonl or .csv",
        ),
        ("no-such-folder/d.csv", 74, "no-such-folder/d.csv: "),
    ] {
        let answer = score(&folder, &["--deficits", name]);
        assert!(answer.error(code).contains(words), "{}", answer.stderr);
    }
}
