//! Files as people have them: documents of JSON, other kinds of files, long windows, columns that are ignored.

use crate::support::{Folder, gzip, path, run};

const A: &str = r#"{"token_id":"T","holder_id":"a","start":0,"end":1000,"note":"x"}"#;
const B: &str = r#"{"token_id":"T","holder_id":"b","start":0,"end":2000}"#;

/// The holders and scores of `file`.
fn scores(file: &str, options: &[&str]) -> String {
    let mut arguments = vec!["score", file, "--as-of", "2024-01-01", "--format", "json"];
    arguments.extend_from_slice(options);
    let answer = run(arguments).json();
    let holders = answer["holders"].as_array().expect("a list").iter();
    let texts = holders.map(|row| {
        let (holder, score) = (row["holder_id"].as_str(), row["score"].as_str());
        format!("{} {}", holder.expect("text"), score.expect("text"))
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[test]
fn json_is_read_in_every_form() {
    let folder = Folder::new();
    for (index, text) in [
        format!("{A}\n{B}\n"),
        format!("[{A},{B}]"),
        format!("[\n{A}\n,\n{B}\n]\n"),
        format!("\u{feff}{{\"status\":\"1\",\"data\":{{\"rows\":[{A},{B}]}}}}\n"),
        format!("{A}{B}").replace(',', ",\n"),
    ]
    .iter()
    .enumerate()
    {
        let plain = path(&folder, &format!("{index}.json"), text.as_bytes());
        assert_eq!(scores(&plain, &[]), "b 2, a 1", "{text}");
        let packed = path(&folder, &format!("{index}.json.gz"), gzip(text.as_bytes()));
        assert_eq!(scores(&packed, &["--threads", "1"]), "b 2, a 1", "{text}");
    }
}

#[test]
fn a_document_that_is_not_whole_is_refused_at_its_line() {
    let folder = Folder::new();
    for (text, expected) in [
        (
            format!("[{A},\n{B},\n]"),
            "line 3: not JSON: a comma after the last row of an array",
        ),
        (
            format!("[{A},\n"),
            "line 2: not JSON: the text ends within it",
        ),
        (format!("[{A},\n7]"), "line 2: not an object; found 7"),
    ] {
        let file = path(&folder, "a.json", text.as_bytes());
        let error = run(["score", &file, "--as-of", "2024-01-01"])
            .error(2)
            .to_owned();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn ignored_columns_are_named_once_and_near_misses_are_refused() {
    let folder = Folder::new();
    let csv = "token_id,holder_id,start,end,block\nT,a,0,1000,7\nT,b,0,2000,8\n";
    let files = [
        path(&folder, "a.csv", csv.as_bytes()),
        path(&folder, "a.jsonl", format!("{A}\n{A}\n").as_bytes()),
    ];
    let mut arguments = vec!["score", "--as-of", "2024-01-01", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let answer = run(arguments).json();
    assert_eq!(
        answer["ignored_columns"],
        serde_json::json!(["block", "note"])
    );
    let near = path(&folder, "b.csv", csv.replace(",end,", ",End,").as_bytes());
    let error = run(["score", &near]).error(2).to_owned();
    assert!(
        error.contains("b.csv: column \"End\": did you mean end? rename it"),
        "{error}"
    );
}

#[test]
fn files_of_other_kinds_are_named_with_their_cure() {
    let folder = Folder::new();
    for (name, bytes, expected) in [
        (
            "a.csv",
            &b"PK\x03\x04\x14\0\0\0xl/workbook.xml"[..],
            "an Excel workbook or another Office document; save the sheet as CSV",
        ),
        (
            "a.jsonl",
            b"BZh91AY&SY",
            "bzip2 data; decompress it first: bunzip2 FILE",
        ),
        (
            "a.csv",
            b"\xff\xfet\0o\0k\0",
            "UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8 FILE",
        ),
        (
            "a.json",
            b"<!DOCTYPE html><html>",
            "an HTML page, perhaps the error of a download",
        ),
        (
            "a.jsonl.gz",
            &gzip(&gzip(A.as_bytes())),
            "compressed twice; decompress it once first",
        ),
    ] {
        let file = path(&folder, name, bytes);
        let error = run(["score", &file]).error(2).to_owned();
        assert!(error.contains(&format!("{name}: {expected}")), "{error}");
    }
}

#[test]
fn a_long_window_of_zstd_needs_an_option() {
    let folder = Folder::new();
    // A frame with a window of 256 MiB, which has one raw block.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (28 - 10) << 3];
    let header = u32::try_from(B.len()).expect("a short line") << 3 | 1;
    frame.extend_from_slice(&header.to_le_bytes()[..3]);
    frame.extend_from_slice(B.as_bytes());
    let file = path(&folder, "a.jsonl.zst", &frame);
    let error = run(["score", &file]).error(2).to_owned();
    assert!(
        error.contains("a window of more than 128 MiB; add --long"),
        "{error}"
    );
    assert_eq!(scores(&file, &["--long"]), "b 2");
}
