//! `score` where something is wrong: one sentence, the right exit code, nothing half done.

use std::io::Read;
use std::process::Stdio;

use crate::support::{AS_OF, EVENTS, Folder, command, gzip, run, score, zstd};

#[test]
fn the_first_bad_line_ends_the_run_and_is_named() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", format!("{EVENTS}\n{{\"token_id\":\"T\"}}\n[]\n"));
    let answer = score(&path, &[]);
    let expected = format!("{}: line 6: holder_id: missing or empty", path.display());
    assert_eq!(answer.error(2), expected);
}

#[test]
fn the_first_bad_line_is_the_same_on_any_number_of_threads() {
    let folder = Folder::new();
    let mut lines = vec![EVENTS.lines().next().unwrap(); 60_000];
    let bad = [41_000, 41_003, 52_345, 59_999];
    for line in bad {
        lines[line - 1] = "{}";
    }
    let first = folder.file("fine.jsonl", EVENTS);
    let second = folder.file("bad.jsonl", lines.join("\n"));
    let third = folder.file("worse.jsonl", "{\n");
    for threads in ["1", "2", "8"] {
        for _ in 0..5 {
            let files = [&first, &second, &third].map(|path| path.to_str().unwrap());
            let answer = run(["score", "--threads", threads].iter().chain(&files));
            let place = format!("{}: line 41000: token_id", second.display());
            assert!(answer.error(2).starts_with(&place), "{}", answer.stderr);
        }
    }
}

#[test]
fn skipped_lines_are_counted_and_listed() {
    let folder = Folder::new();
    let bad = "{\"token_id\":\"T\",\"holder_id\":\"a, b\",\"start\":\"now\"}\nno\n";
    let path = folder.file("a.jsonl", format!("{EVENTS}{bad}"));
    let (jsonl, csv) = (folder.path("refused.jsonl"), folder.path("refused.csv"));
    let skip = |rejects: &std::path::Path| {
        score(
            &path,
            &["--on-error", "skip", "--rejects", rejects.to_str().unwrap()],
        )
        .json()
    };
    let report = skip(&jsonl);
    assert_eq!(
        (report["read"].as_u64(), report["accepted"].as_u64()),
        (Some(6), Some(4))
    );
    assert_eq!(report["rejected"][0]["line"], 5);
    assert_eq!(report["rejected"][0]["file"], path.to_str().unwrap());
    let reason = "not JSON: expected ident at column 2";
    assert_eq!(report["rejected"][1]["reason"], reason);
    let listed: Vec<serde_json::Value> = std::fs::read_to_string(&jsonl)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(serde_json::Value::from(listed), report["rejected"]);
    skip(&csv);
    let listed = std::fs::read_to_string(&csv).unwrap();
    let mut rows = listed.lines();
    assert_eq!(rows.next(), Some("file,line,reason"));
    assert!(
        rows.next()
            .unwrap()
            .starts_with(&format!("{},5,\"start: not a time", path.display()))
    );
    assert_eq!(
        rows.next(),
        Some(format!("{},6,{reason}", path.display()).as_str())
    );
    let table = run(["score", path.to_str().unwrap(), "--on-error", "skip"]).text();
    assert!(
        table.contains("4 of 6 events accepted, 2 refused;"),
        "{table}"
    );
}

#[test]
fn every_bad_cell_of_csv_names_its_line() {
    let folder = Folder::new();
    let rows = "token_id,holder_id,start,end,event_id,revision,retract,note\n\
        T,a,0,1,,,,\"two\nlines\"\n\
        T,a,0,1\n\
        T,\"a\"b,0,1,,,,\n\
        T,a,0,1.5,,,,\n\
        T,a,0,1,e,-1,,\n\
        T,a,0,1,e,0,maybe,\n\
        T,a,,,e,2,TRUE,\n\
        T,a,,,,,,\n\
        T,\"a,0,1,,,,\n";
    let path = folder.file("a.csv", [rows.as_bytes(), b"T,\xff,0,1,,,,\n"].concat());
    let report = score(&path, &["--on-error", "skip"]).json();
    let found: Vec<_> = report["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["line"].as_u64().unwrap(),
                row["reason"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (4, "row has 4 cells, the header has 8"),
        (5, "not CSV: text after a closing quote"),
        (
            6,
            "end: not a time (a count of milliseconds has no fraction)",
        ),
        (7, "revision: not an integer from 0 to 2^63-1"),
        (8, "retract: not true or false"),
        (10, "start, end: neither is given"),
        (11, "not CSV: a quoted cell has no closing quote"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.0, expected.0);
        assert!(found.1.starts_with(expected.1), "{found:?}");
    }
    let path = folder.file("b.csv", b"token_id,holder_id,start\nT,\xff,0\n");
    let reason = format!("{}: line 2: not CSV: not UTF-8 text", path.display());
    assert_eq!(score(&path, &[]).error(2), reason);
}

#[test]
fn a_set_that_cannot_be_read_is_told_in_one_sentence() {
    let folder = Folder::new();
    let long = EVENTS.repeat(2_000);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() * 2 / 3].to_vec();
    let cases = [
        (folder.path("absent.jsonl"), "cannot be opened: "),
        (folder.path("."), "is a folder; name the files in it"),
        (
            folder.file("a.jsonl.gz", cut(gzip(long.as_bytes()))),
            "truncated or damaged gzip data: ",
        ),
        (
            folder.file("a.jsonl.zst", cut(zstd(long.as_bytes()))),
            "truncated or damaged zstd data: ",
        ),
        (
            folder.file("b.jsonl.gz", ""),
            "truncated or damaged gzip data: ",
        ),
        (
            folder.file("c.jsonl.gz", "{}"),
            "truncated or damaged gzip data: ",
        ),
        (
            folder.file("a.parquet", "PAR1 and no more"),
            "truncated or damaged Parquet data: ",
        ),
        (
            folder.file("b.parquet", EVENTS),
            "neither Parquet nor Arrow data",
        ),
        (
            folder.file("a.arrow", "ARROW1\0\0 and no more"),
            "truncated or damaged Arrow data: ",
        ),
        (
            folder.file("notes", "hello\nworld\n"),
            "unknown format; name it with --input-format",
        ),
        (folder.file("a.csv", ""), "no header line"),
        (
            folder.file("b.csv", "token_id,start\n"),
            "no column holder_id, from_id or to_id; the columns are token_id, start",
        ),
        (
            folder.file("c.csv", "token_id,holder_id\n"),
            "no column start, end or at; the columns are",
        ),
        (
            folder.file("d.csv", "\"token_id,x\n"),
            "the header line is not CSV: a quoted cell",
        ),
    ];
    for (path, expected) in cases {
        let answer = score(&path, &[]);
        let sentence = answer.error(2).to_owned();
        let rest = sentence.strip_prefix(&format!("{}: ", path.display()));
        assert!(
            rest.is_some_and(|rest| rest.starts_with(expected)),
            "{sentence}"
        );
        assert!(!sentence.contains("os error"), "{sentence}");
    }
    assert!(
        run(["score", "-", "-"])
            .error(2)
            .starts_with("-: standard input is given twice")
    );
}

#[test]
fn a_missing_file_is_told_before_the_others_are_read() {
    let folder = Folder::new();
    let bad = folder.file("bad.jsonl", "{}");
    let absent = folder.path("absent.jsonl");
    let answer = run([&bad, &absent].iter().fold(vec!["score"], |mut all, path| {
        all.push(path.to_str().unwrap());
        all
    }));
    assert!(answer.error(2).contains("absent.jsonl: cannot be opened"));
}

#[test]
fn bad_arguments_end_with_2_and_change_nothing() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let path = path.to_str().unwrap();
    for (arguments, expected) in [
        (
            vec!["--rejects", "r.csv"],
            "--rejects: refused lines end this run",
        ),
        (
            vec!["--rejects", "r.txt", "--on-error", "skip"],
            "--rejects r.txt: end the name in",
        ),
    ] {
        let answer = run(["score", path].into_iter().chain(arguments));
        assert!(answer.error(2).starts_with(expected), "{}", answer.stderr);
    }
    for (arguments, expected) in [
        (vec!["--as-of", "2025-07-21T00:00:00"], "no UTC offset"),
        (vec!["--from", "yesterday"], "not a time (write"),
        (vec!["--from", "2025-07-21T24:00Z"], "not a time (hour 24; "),
        (vec!["--as-of", "999999999999999999"], "out of range"),
        (vec!["--format", "xml"], "invalid value 'xml'"),
        (vec!["--top", "-1"], "unexpected argument"),
    ] {
        let answer = run(["score", path].into_iter().chain(arguments));
        assert_eq!(answer.code, 2);
        assert!(answer.stderr.contains(expected), "{}", answer.stderr);
    }
    assert_eq!(run(["score"]).code, 2);
    assert_eq!(folder.names(), ["a.jsonl"]);
}

#[test]
fn a_bad_log_level_is_told() {
    let output = command(["score", "-"])
        .env("LOG_LEVEL", "loud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("error: LOG_LEVEL: unknown level \"loud\""),
        "{text}"
    );
}

#[cfg(not(feature = "py-embed"))]
#[test]
fn the_python_engine_needs_python_inside() {
    let answer =
        crate::support::run_with_input(["score", "-", "--engine", "python"], EVENTS.as_bytes());
    assert!(
        answer
            .error(78)
            .starts_with("this program was built without Python inside:")
    );
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run_quietly() {
    let folder = Folder::new();
    let output = folder.path("many.jsonl");
    let path = output.to_str().unwrap();
    run([
        "generate",
        "--events",
        "50000",
        "--holders",
        "20000",
        "--output",
        path,
    ])
    .text();
    let mut child = command(["score", path, "--as-of", AS_OF])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_with_74() {
    let folder = Folder::new();
    let path = folder.file("a.jsonl", EVENTS);
    let answer = score(&path, &["--output", "/dev/full"]);
    assert_eq!(
        answer.error(74),
        "/dev/full: cannot be written: no space left on device"
    );
    let absent = folder.path("absent/scores.json");
    let answer = score(&path, &["--output", absent.to_str().unwrap()]);
    assert!(
        answer
            .error(74)
            .ends_with("cannot be written: no such file or directory")
    );
}
