//! Inputs that went wrong for people, as public reports describe them: each gives the right score, or a refusal
//! that names the cure. They lie beside the checkout; where they do not, the run says that it was skipped.

use std::path::Path;

use crate::bugcases::bugcases;
use crate::forms::ENGINES;
use crate::support::{Answer, run};

/// A file, options, and the holders with their scores, or words of the refusal after `!`.
const CASES: [(&str, &[&str], &str); 127] = [
    (
        "c01-epoch-seconds/closed.csv",
        &["--time-unit", "s"],
        "val-a 864000",
    ),
    (
        "c01-epoch-seconds/closed.parquet",
        &["--time-unit", "s"],
        "val-a 864000",
    ),
    (
        "c01-epoch-seconds/open.csv",
        &["--time-unit", "s", "--as-of", "2023-04-29T00:00:00Z"],
        "val-a 86400",
    ),
    ("c03-utc-suffix/bq.csv", &[], "a 86400, b 86400"),
    ("c03-utc-suffix/dune.csv", &[], "a 86400"),
    (
        "c04-postgres-short-offset/pg.csv",
        &[],
        "a 86400, b 86400, c 86400",
    ),
    ("c06-no-seconds/java.jsonl", &[], "a 86430, b 86400"),
    (
        "c07-header-near-miss/alias.jsonl",
        &[],
        "!line 1: key \"end_time\": did you mean end?",
    ),
    (
        "c07-header-near-miss/case.csv",
        &[],
        "!column \"End\": did you mean end?",
    ),
    (
        "c07-header-near-miss/case.parquet",
        &[],
        "!column \"End\": did you mean end?",
    ),
    (
        "c07-header-near-miss/space.csv",
        &[],
        "!column \" holder_id\": did you mean holder_id?",
    ),
    (
        "c07-header-near-miss/trailing.csv",
        &[],
        "!column \"end \": did you mean end?",
    ),
    ("c08-json-array/line.json", &[], "a 86400, b 86400"),
    ("c08-json-array/pretty.json", &[], "a 86400, b 86400"),
    ("c08-json-array/pretty-object.json", &[], "a 86400"),
    ("c08-json-array/wrapped.json", &[], "a 86400, b 86400"),
    (
        "c08-json-array/trailing-comma.jsonl",
        &[],
        "!line 1: not JSON: a comma after the object",
    ),
    (
        "c09-raw-wei/wei.csv",
        &["--decimals", "18"],
        "a 83204872.9830719961956352",
    ),
    ("c09-raw-wei/wei.csv", &[], "!weight: too large"),
    ("c09-raw-wei/supply.jsonl", &[], "!--decimals 18"),
    (
        "c10-scientific/sci.csv",
        &[],
        "c 214400, d 1000, b 0.000001234567, a 0.00000000000000005",
    ),
    ("c10-scientific/big.csv", &[], "!weight: too large"),
    (
        "c11-thousands/thousands.csv",
        &[],
        "!line 2: weight: not a number (thousands separators are not read",
    ),
    (
        "c11-thousands/unquoted.csv",
        &[],
        "!line 2: row has 6 cells, the header has 5",
    ),
    ("c12-semicolons/eu-point.csv", &[], "a 129600"),
    (
        "c12-semicolons/eu.csv",
        &[],
        "!line 2: weight: not a number (a decimal comma is not read",
    ),
    ("c16-second-deposit/lots.csv", &[], "ann 345600000"),
    ("c17-overlapping-sessions/sessions.csv", &[], "p1 10800"),
    (
        "c18-window-crossing/usage.csv",
        &["--from", "2023-01-01", "--as-of", "2023-02-01"],
        "cust 1900800",
    ),
    (
        "c18-window-crossing/usage.csv",
        &["--from", "2023-02-01", "--as-of", "2023-03-01"],
        "cust 3391200",
    ),
    (
        "c19-int96-9999/int96.parquet",
        &["--as-of", "2021-06-11T03:02:37Z"],
        "open 172800, closed 86400",
    ),
    (
        "c19-int96-9999/int64.parquet",
        &["--as-of", "2021-06-11T03:02:37Z"],
        "open 172800, closed 86400",
    ),
    (
        "c19-int96-9999/future-start.parquet",
        &["--as-of", "2024-01-01"],
        "openstart 0",
    ),
    (
        "c20-gzip-members/garbage.jsonl.gz",
        &[],
        "!other bytes follow the gzip data",
    ),
    (
        "c20-gzip-members/truncated.jsonl.gz",
        &[],
        "!truncated or damaged gzip data",
    ),
    (
        "c20-gzip-members/double.jsonl.gz",
        &[],
        "!compressed twice; decompress it once first",
    ),
    (
        "c23-dst-repeated-hour/ny.csv",
        &["--as-of", "2024-12-01"],
        "ann 1800",
    ),
    (
        "c23-dst-repeated-hour/naive.csv",
        &[],
        "!line 2: start: no UTC offset",
    ),
    (
        "c23-dst-repeated-hour/zoned.csv",
        &[],
        "!start: not a time (a zone by its name",
    ),
    (
        "c25-uint256-parquet/dec128s18.parquet",
        &[],
        "a 83204872.9830719961956352",
    ),
    (
        "c25-uint256-parquet/dec256big.parquet",
        &[],
        "!weight: too large",
    ),
    (
        "c25-uint256-parquet/fixed32.parquet",
        &[],
        "!column weight is of type binary of 32 bytes",
    ),
    (
        "c26-null-words/end-01.csv",
        &["--null", "NULL"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-01.csv",
        &[],
        "!line 2: end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-08.csv",
        &[],
        "!(a word for an absent value; leave the value out, or read the file with --null)",
    ),
    (
        "c26-null-words/end-12.csv",
        &[],
        "!end: not a time (an infinite time",
    ),
    (
        "c26-null-words/end-13.csv",
        &[],
        "!end: not a time (a zero date",
    ),
    ("c26-null-words/end-17.csv", &[], "!end: out of range"),
    (
        "c26-null-words/space.csv",
        &[],
        "!end: not a time (an empty text",
    ),
    (
        "c27-leap-second/pst.jsonl",
        &[],
        "!start: not a time (a leap second",
    ),
    (
        "c28-nan/nan.jsonl",
        &[],
        "!not JSON: NaN, which JSON does not have",
    ),
    ("c28-nan/pandas-nan.parquet", &[], "a 1"),
    (
        "c29-overnight/overnight.csv",
        &["--on-error", "skip"],
        "bob 9900",
    ),
    (
        "c30-address-case/overlap.csv",
        &["--fold-hex-ids"],
        "0xfe3b557e8fb62b89f4916b721be55ceb828dbd73 86400",
    ),
    ("c31-string-numbers/float-ms.jsonl", &[], "a 172800"),
    (
        "c31-string-numbers/float-seconds.jsonl",
        &[],
        "!start: not a time (a count of milliseconds has no fraction)",
    ),
    (
        "c32-dates/dates.csv",
        &[],
        "!start: not a time (a date alone",
    ),
    (
        "c32-dates/german.csv",
        &["--assume-utc"],
        "!start: not a time (a date that can be read in two ways",
    ),
    ("c34-naive/mysql.csv", &["--assume-utc"], "a 86400"),
    (
        "c35-hex-amounts/hex.csv",
        &[],
        "!weight: not a number (a hexadecimal number",
    ),
    ("c37-cr-only/cr.csv", &[], "b 172800, a 129600"),
    (
        "c43-duplicate-columns/twice.jsonl",
        &[],
        "!weight: the key \"weight\" is there twice",
    ),
    (
        "c01-epoch-seconds/closed.jsonl",
        &["--time-unit", "s"],
        "val-a 864000",
    ),
    ("c03-utc-suffix/bq.jsonl", &[], "a 86400"),
    (
        "c09-raw-wei/small.csv",
        &["--decimals", "18"],
        "a 29400396.5019690832432032",
    ),
    (
        "c10-scientific/sci.jsonl",
        &[],
        "b 0.000001234567, a 0.00000000000000005",
    ),
    (
        "c15-same-instant-levels/levels.csv",
        &["--as-of", "2023-01-21"],
        "ann 138240000",
    ),
    (
        "c15-same-instant-levels/to-zero.csv",
        &["--as-of", "2023-01-21"],
        "ann 120960000",
    ),
    ("c16-second-deposit/deposits.csv", &[], "ann 259200000"),
    (
        "c19-int96-9999/spark-values.parquet",
        &["--as-of", "2030-01-01"],
        "c9999 1893456000, d2024 1735599600, a2024 1704141296.123456, b2024 1704070800",
    ),
    (
        "c19-int96-9999/start.parquet",
        &[],
        "y0001 86400, y1500 86400",
    ),
    (
        "c25-uint256-parquet/dec128.parquet",
        &[],
        "!weight: too large",
    ),
    (
        "c25-uint256-parquet/dec128.parquet",
        &["--decimals", "18"],
        "a 83204872.9830719961956352",
    ),
    (
        "c25-uint256-parquet/dec256.parquet",
        &[],
        "a 83204872.9830719961956352",
    ),
    (
        "c25-uint256-parquet/text.parquet",
        &[],
        "a 83204872.9830719961956352",
    ),
    (
        "c25-uint256-parquet/u64.parquet",
        &[],
        "a 1593798687968505259536000",
    ),
    ("c26-null-words/end-00.csv", &[], "cust 31536000"),
    (
        "c26-null-words/end-02.csv",
        &["--null", "null"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-02.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-03.csv",
        &["--null", "\\N"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-03.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-04.csv",
        &["--null", "NaT"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-04.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-05.csv",
        &["--null", "nan"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-05.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-06.csv",
        &["--null", "None"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-06.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-07.csv",
        &["--null", "N/A"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-07.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-08.csv",
        &["--null", "Invalid date"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-09.csv",
        &["--null", "-"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-09.csv",
        &[],
        "!end: not a time (a word for an absent value",
    ),
    (
        "c26-null-words/end-12.csv",
        &["--null", "infinity"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-13.csv",
        &["--null", "0000-00-00 00:00:00"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-16.csv",
        &["--null=-infinity"],
        "cust 31536000",
    ),
    (
        "c26-null-words/end-16.csv",
        &[],
        "!end: not a time (an infinite time",
    ),
    (
        "c26-null-words/end-14.csv",
        &["--null", "9999-12-31T23:59:59-05:00"],
        "cust 31536000",
    ),
    ("c26-null-words/end-10.csv", &[], "!end: before start"),
    ("c26-null-words/end-11.csv", &[], "cust 31536000"),
    (
        "c26-null-words/end-14.csv",
        &[],
        "!end: out of range (years 0001 to 9999, UTC)",
    ),
    ("c26-null-words/end-15.csv", &[], "cust 31536000"),
    ("c26-null-words/end-18.csv", &[], "!end: out of range"),
    ("c26-null-words/quoted-empty.csv", &[], "cust 31536000"),
    ("c26-null-words/spaces-around.csv", &[], "cust 86400"),
    (
        "c26-null-words/weight-null.csv",
        &[],
        "!weight: not a number (a word for an absent value",
    ),
    (
        "c27-leap-second/leap.jsonl",
        &[],
        "!start: not a time (a leap second",
    ),
    (
        "c28-nan/infinity.jsonl",
        &[],
        "!not JSON: Infinity, which JSON does not have",
    ),
    ("c28-nan/nan.csv", &[], "!weight: not finite"),
    ("c28-nan/nan.parquet", &[], "!weight: not finite"),
    (
        "c30-address-case/mixed.csv",
        &["--fold-hex-ids"],
        "0xfe3b557e8fb62b89f4916b721be55ceb828dbd73 172800",
    ),
    ("c31-string-numbers/exp-ms.jsonl", &[], "a 172800"),
    ("c31-string-numbers/float-ms.csv", &[], "a 172800"),
    ("c31-string-numbers/ms-string.jsonl", &[], "a 172800"),
    (
        "c31-string-numbers/subgraph.jsonl",
        &["--time-unit", "s"],
        "a 172800",
    ),
    ("c32-dates/date32.parquet", &["--assume-utc"], "c2 7776000"),
    (
        "c32-dates/date32.parquet",
        &[],
        "!column start is of type date",
    ),
    (
        "c32-dates/excel-us.csv",
        &["--assume-utc"],
        "!start: not a time (a date that can be read in two ways",
    ),
    (
        "c32-dates/slashes.csv",
        &[],
        "!start: not a time (a date that can be read in two ways",
    ),
    ("c34-naive/naive.parquet", &[], "a 86400"),
    ("c34-naive/text.parquet", &[], "a 86400"),
    (
        "c35-hex-amounts/hex.jsonl",
        &[],
        "!weight: not a number (a hexadecimal number",
    ),
    (
        "c36-etherscan-columns/etherscan.csv",
        &["--token", "quidd", "--as-of", "2021-11-18T04:07:33Z"],
        "0x00000000000000000000000000000000000000aa 151200000, 0x00000000000000000000000000000000000000bb 21600000",
    ),
    ("c37-cr-only/cr-quoted.csv", &[], "a 86400"),
    ("c39-text-times-parquet/dict.parquet", &[], "a 86400"),
    ("c39-text-times-parquet/double-ms.parquet", &[], "a 86400"),
    ("c39-text-times-parquet/text.parquet", &[], "a 86400"),
    (
        "c43-duplicate-columns/twice.csv",
        &[],
        "!columns weight and weight are both there",
    ),
];

/// Members of gzip, each of which has to be read to its end.
const GZIP: [&str; 4] = ["each-line", "mid-line", "empty-member", "zero-padded"];

/// What every implementation says, which is the same.
fn answer(arguments: &[&str]) -> Answer {
    let [native, others @ ..] = ENGINES else {
        unreachable!("one implementation is always there");
    };
    let by = |engine: &str| run(arguments.iter().chain(&["--engine", engine]));
    let found = by(native);
    for engine in others {
        let other = by(engine);
        assert_eq!(
            (other.code, &*other.stderr, other.stdout),
            (found.code, &*found.stderr, found.stdout.clone()),
            "{engine}: {arguments:?}"
        );
    }
    found
}

#[test]
fn inputs_that_went_wrong_for_people_are_scored_or_refused_with_a_cure() {
    let Some(folder) = bugcases() else {
        return;
    };
    for (name, options, expected) in CASES {
        let file = folder.join(name);
        let file = file.to_str().expect("a path of text");
        let mut arguments = vec!["score", file, "--format", "json"];
        if !options.contains(&"--as-of") {
            arguments.extend(["--as-of", "2024-01-01T00:00:00Z"]);
        }
        arguments.extend_from_slice(options);
        let found = answer(&arguments);
        if let Some(words) = expected.strip_prefix('!') {
            let error = found.error(2);
            assert!(error.contains(words), "{name}: {error}");
            continue;
        }
        let answer = found.json();
        let holders = answer["holders"].as_array().expect("a list").iter();
        let texts = holders.map(|row| {
            let (holder, score) = (row["holder_id"].as_str(), row["score"].as_str());
            format!("{} {}", holder.expect("text"), score.expect("text"))
        });
        assert_eq!(texts.collect::<Vec<_>>().join(", "), expected, "{name}");
    }
}

#[test]
fn gzip_members_and_padding_are_read_to_their_end() {
    let Some(folder) = bugcases() else {
        return;
    };
    for name in GZIP {
        let file = folder.join(format!("c20-gzip-members/{name}.jsonl.gz"));
        let file = file.to_str().expect("a path of text");
        let answer = answer(&["score", file, "--as-of", "2024-01-01", "--format", "json"]).json();
        assert_eq!(answer["accepted"], 200, "{name}");
        let scores = answer["holders"].as_array().expect("a list").iter();
        assert!(
            scores.map(|row| &row["score"]).all(|score| score == "2"),
            "{name}"
        );
    }
}

/// The files of every folder of reports, by their names within it; programs are tested where they run.
fn inputs(folder: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.expect("it is there").file_name();
        entries
            .map(|entry| name(entry).into_string().expect("a name of text"))
            .collect()
    };
    let cases = names(folder)
        .into_iter()
        .filter(|case| case.starts_with('c'));
    let inputs = cases.flat_map(|case| {
        let files = names(&folder.join(&case));
        files.into_iter().map(move |file| format!("{case}/{file}"))
    });
    inputs
        .filter(|name| {
            let extension = Path::new(name).extension();
            extension.is_none_or(|extension| extension != "txt" && extension != "py")
        })
        .collect()
}

#[test]
fn every_shown_input_is_listed_here() {
    let Some(folder) = bugcases() else {
        return;
    };
    let is_listed = |name: &str| {
        let is_gzip = GZIP
            .iter()
            .any(|stem| name == format!("c20-gzip-members/{stem}.jsonl.gz"));
        is_gzip || CASES.iter().any(|(known, _, _)| *known == name)
    };
    let missing: Vec<_> = inputs(&folder)
        .into_iter()
        .filter(|name| !is_listed(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn inspect_prints_a_command_line_that_reads_a_file_or_says_why_there_is_none() {
    let Some(folder) = bugcases() else {
        return;
    };
    for name in inputs(&folder) {
        let file = folder.join(&name);
        let found = run(["inspect", "--json", file.to_str().expect("a path of text")]);
        if found.code != 0 {
            found.error(2);
            continue;
        }
        let report = found.json();
        let Some(command) = report["command"].as_array() else {
            assert!(report["note"].is_string(), "{name}: {report}");
            continue;
        };
        let words = command[1..].iter().map(|word| word.as_str().expect("text"));
        let scored = run(words.chain(["--format", "json"])).json();
        assert_eq!(scored["accepted"], report["accepted"], "{name}: {report}");
        assert_ne!(scored["accepted"], 0, "{name}");
    }
}
