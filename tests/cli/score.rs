//! `score` over lines of text: forms, packings, flags, the answer's forms.

use crate::support::{
    AS_OF, EVENTS, Folder, expected_holders, gzip, holders, run, run_with_input, score, zstd,
};

const CSV: &str = "\u{feff}token_id,extra,holder_id,start,end,weight\r\n\
    T,\"x\ny\",a,1.753056e12,1753056010000.0,1\r\n\
    T,,a,+1753056005000,2025-07-21 02:00:20 +0200,3.000\r\n\
    \r\n\
    U,\"\",\"b, \"\"c\"\"\",2025-07-21T00:00:00Z,,.5\r\n\
    U,,a,,1753056001000,";

#[test]
fn every_form_and_packing_gives_the_same_answer() {
    let folder = Folder::new();
    for path in [
        folder.file("a.jsonl", EVENTS),
        folder.file("a.ndjson", EVENTS.trim_end()),
        folder.file("dos.json", EVENTS.replace('\n', "\r\n")),
        folder.file("by_content", EVENTS),
        folder.file("a.jsonl.gz", gzip(EVENTS.as_bytes())),
        folder.file("a.jsonl.zst", zstd(EVENTS.as_bytes())),
        folder.file("packed_without_extension", zstd(EVENTS.as_bytes())),
        folder.file("a.csv", CSV),
        folder.file("csv_by_content", CSV),
        folder.file("a.csv.gz", gzip(CSV.as_bytes())),
    ] {
        let report = score(&path, &[]).json();
        assert_eq!(holders(&report), expected_holders(), "{path:?}");
        assert_eq!(
            (report["read"].as_u64(), report["accepted"].as_u64()),
            (Some(4), Some(4))
        );
        assert_eq!(report["rejected"].as_array().map(Vec::len), Some(0));
        assert_eq!(report["as_of"], "2025-07-21T00:01:40Z");
        assert!(report["from"].is_null());
        assert_eq!(report["closed_only"], false);
    }
}

#[test]
fn gzip_members_in_a_row_are_one_file() {
    let folder = Folder::new();
    let (first, second) = EVENTS.split_at(EVENTS.find('\n').unwrap() + 1);
    let packed = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    let report = score(&folder.file("a.jsonl.gz", packed), &[]).json();
    assert_eq!(holders(&report), expected_holders());
}

#[test]
fn standard_input_is_read_as_any_file() {
    let arguments = ["score", "-", "--as-of", AS_OF, "--format", "json"];
    for input in [EVENTS.as_bytes(), CSV.as_bytes(), &gzip(CSV.as_bytes())] {
        let report = run_with_input(arguments, input).json();
        assert_eq!(holders(&report), expected_holders());
    }
    let forced = arguments.into_iter().chain(["--input-format", "csv"]);
    let report = run_with_input(forced, CSV.as_bytes()).json();
    assert_eq!(holders(&report), expected_holders());
}

#[test]
fn several_files_are_one_set() {
    let folder = Folder::new();
    let lines: Vec<_> = EVENTS.lines().collect();
    let first = folder.file("1.jsonl", lines[..2].join("\n"));
    let again = folder.file("again.jsonl", lines[1]);
    let arguments = ["score", "--as-of", AS_OF, "--format", "json", "-"].map(String::from);
    let paths = [first, again].map(|path| path.to_string_lossy().into_owned());
    let report = run_with_input(
        arguments.iter().chain(&paths),
        lines[2..].join("\n").as_bytes(),
    );
    let report = report.json();
    assert_eq!(holders(&report), expected_holders());
    assert_eq!(report["read"], 5);
}

#[test]
fn the_window_cuts_and_leaves_out_what_is_open() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let windowed = score(&path, &["--from", "2025-07-21T09:00:10+09:00"]).json();
    assert_eq!(windowed["from"], "2025-07-21T00:00:10Z");
    let rows = holders(&windowed);
    assert_eq!(rows[0], (1, "b, \"c\"".into(), 90_000_000, "45".into()));
    assert_eq!(rows[1], (2, "a".into(), 10_000_000, "30".into()));
    let midnight = score(&path, &["--from", "2025-07-21"]).json();
    assert_eq!(midnight["from"], "2025-07-21T00:00:00Z");
    let closed = score(&path, &["--closed-only"]).json();
    assert_eq!(closed["closed_only"], true);
    assert_eq!(holders(&closed)[1], (2, "b, \"c\"".into(), 0, "0".into()));
    let before = run([
        "score",
        path.to_str().unwrap(),
        "--as-of",
        "-1",
        "--format",
        "json",
    ])
    .json();
    assert_eq!(before["as_of"], "1969-12-31T23:59:59.999Z");
    assert!(holders(&before).iter().all(|row| row.3 == "0"));
}

#[test]
fn without_as_of_it_is_now_and_the_answer_says_so() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let path = path.to_str().unwrap();
    let json = run(["score", path, "--format", "json"]).json();
    let as_of = json["as_of"].as_str().unwrap();
    assert!(
        as_of > "2025-07-21T00:00:20Z" && as_of.ends_with('Z'),
        "{as_of}"
    );
    assert!(run(["score", path]).text().trim_end().ends_with("Z (now)"));
    let csv = run(["score", path, "--format", "csv"]);
    assert!(csv.stderr.starts_with("as of 20") && csv.stderr.ends_with("Z (now)\n"));
    assert_eq!(
        run(["score", path, "--format", "csv", "--as-of", AS_OF]).stderr,
        ""
    );
}

#[test]
fn top_lists_the_first_holders_alone() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    assert_eq!(
        holders(&score(&path, &["--limit", "1"]).json()),
        expected_holders()[..1]
    );
    assert_eq!(holders(&score(&path, &["--top", "0"]).json()), []);
    let table = run([
        "score",
        path.to_str().unwrap(),
        "--as-of",
        AS_OF,
        "--top",
        "1",
    ])
    .text();
    assert!(
        table.contains("\n2 holders (1 shown), 4 of 4 events accepted;"),
        "{table}"
    );
}

#[test]
fn the_format_follows_the_extension_unless_it_is_named() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let path = path.to_str().unwrap();
    let written = |name: &str, more: &[&str]| {
        let output = folder.path(name);
        let arguments = ["score", path, "--as-of", AS_OF, "--output"];
        let arguments = arguments.into_iter().chain([output.to_str().unwrap()]);
        run(arguments.chain(more.iter().copied())).text();
        std::fs::read(output).unwrap()
    };
    for (name, beginning) in [
        ("a.csv", "rank,holder_id,"),
        ("a.JSON", "{\n\"as_of\""),
        ("a.parquet", "PAR1"),
        ("a.txt", " rank  holder"),
        ("a", " rank  holder"),
    ] {
        let bytes = written(name, &[]);
        assert!(bytes.starts_with(beginning.as_bytes()), "{name}");
    }
    let named = written("b.csv", &["--format", "json"]);
    assert!(named.starts_with(b"{"));
    let refused = run(["score", path, "--output", "never.jsonl"]);
    let sentence = "--output never.jsonl: scores are not written as JSONL; ";
    assert!(refused.error(2).starts_with(sentence), "{}", refused.stderr);
}

#[test]
fn the_table_is_aligned_and_has_no_colours_in_a_pipe() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS.replace("0.5", "123456.75"));
    let table = run(["score", path.to_str().unwrap(), "--as-of", AS_OF]).text();
    assert_eq!(
        table,
        " rank  holder        held       score\n    \
            1  b, \"c\"  1 min 40 s  12,345,675\n    \
            2  a             20 s          50\n\n\
            2 holders, 4 of 4 events accepted; as of 2025-07-21T00:01:40Z\n"
    );
}

#[test]
fn csv_quotes_what_must_be_quoted() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let csv = run([
        "score",
        path.to_str().unwrap(),
        "--as-of",
        AS_OF,
        "--format",
        "csv",
    ])
    .text();
    assert_eq!(
        csv,
        "rank,holder_id,held_us,score,weighted_score,total_seconds\n\
         1,a,20000000,50,50.0,20\n\
         1,\"b, \"\"c\"\"\",100000000,50,50.0,100\n"
    );
}

#[test]
fn a_file_is_replaced_only_by_a_whole_one() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let output = folder.file("scores.json", "old");
    let bad = folder.file("bad.jsonl", "{}");
    let to_output = ["--output", output.to_str().unwrap()];
    score(&bad, &to_output).error(2);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "old");
    assert_eq!(score(&path, &to_output).text(), "");
    let report = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    assert_eq!(holders(&report), expected_holders());
    assert_eq!(folder.names(), ["a.jsonl", "bad.jsonl", "scores.json"]);
    assert_eq!(
        holders(&score(&path, &["--output", "-"]).json()),
        expected_holders()
    );
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_file_gets_the_usual_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let (target, link) = (folder.file("target.json", ""), folder.path("link.json"));
    symlink(&target, &link).unwrap();
    score(&path, &["--output", link.to_str().unwrap()]).text();
    assert!(link.is_symlink());
    assert!(!std::fs::read(&target).unwrap().is_empty());
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode();
    let plain = folder.file("plain", "");
    assert_eq!(mode(&target), mode(&plain));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = Folder::new();
    let output = folder.path("many.jsonl");
    let path = output.to_str().unwrap();
    run([
        "generate", "--events", "30000", "--shape", "marks", "--output", path,
    ])
    .text();
    let [one, two, seven] =
        ["1", "2", "7"].map(|threads| score(&output, &["--threads", threads]).text());
    assert_eq!(one, two);
    assert_eq!(one, seven);
    assert_eq!(run(["score", path, "--threads", "0"]).code, 2);
}

#[test]
fn help_tells_the_exit_codes() {
    for arguments in [vec!["--help"], vec!["score", "--help"]] {
        let help = run(&arguments).text();
        assert!(help.contains("Exit codes: 0 done"), "{help}");
    }
    assert!(run(["--version"]).text().starts_with("main_holdmetrics "));
}
