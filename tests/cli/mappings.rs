//! Files with columns and forms of their own, read by `--columns` and its companions or by a mapping file.
//!
//! The inputs are those that public reports of wrong scores were about, made small.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, FixedSizeBinaryArray, Int64Array, NullArray, RecordBatch, StringArray,
};
use parquet::arrow::ArrowWriter;

use crate::support::{Folder, path, run};

const DAY: &str = "2023-04-29T00:00:00Z";

/// The holders and scores of `file` in their order, and then what was refused.
fn scores(folder: &Folder, name: &str, bytes: &[u8], as_of: &str, options: &[&str]) -> String {
    let file = path(folder, name, bytes);
    let mut arguments = vec!["score", &file, "--as-of", as_of, "--format", "json"];
    arguments.extend_from_slice(options);
    let answer = run(arguments).json();
    let holders = answer["holders"].as_array().expect("a list").iter();
    let texts = holders.map(|row| {
        let (holder, score) = (row["holder_id"].as_str(), row["score"].as_str());
        format!("{} {}", holder.expect("text"), score.expect("text"))
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// The sentence with which `file` is refused.
fn refusal(folder: &Folder, name: &str, bytes: &[u8], options: &[&str]) -> String {
    let file = path(folder, name, bytes);
    let mut arguments = vec!["score", &file, "--as-of", DAY];
    arguments.extend_from_slice(options);
    run(arguments).error(2).replace(&file, name)
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .expect("columns of one length");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a schema");
    writer.write(&batch).expect("memory takes it");
    writer.close().expect("memory takes it");
    bytes
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn columns_under_other_names_give_the_score_of_our_own() {
    let folder = Folder::new();
    let options = [
        "--columns",
        "holder_id=user,start=Started At",
        "--columns",
        "end=to",
        "--token",
        "APE",
    ];
    let csv = b"user,Started At,to,weight\na,2023-04-28T00:00:00Z,2023-04-28T00:00:10Z,2\n";
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &options), "a 20");
    let jsonl = br#"{"user":"a","Started At":"2023-04-28T00:00:00Z","to":"2023-04-28T00:00:10Z","weight":2,"token_id":"B"}"#;
    assert_eq!(scores(&folder, "a.jsonl", jsonl, DAY, &options), "a 20");
    let columns = parquet(vec![
        ("user", texts(&["a"])),
        ("Started At", texts(&["2023-04-28T00:00:00Z"])),
        ("to", texts(&["2023-04-28 00:00:10+00"])),
        ("weight", texts(&["2"])),
    ]);
    assert_eq!(
        scores(&folder, "a.parquet", &columns, DAY, &options),
        "a 20"
    );
    let mapping = path(
        &folder,
        "mapping.toml",
        b"[input]\ntoken = \"APE\"\n[input.columns]\nholder_id = \"user\"\nstart = \"Started At\"\nend = \"to\"\n",
    );
    let from_file = ["--mapping", mapping.as_str()];
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &from_file), "a 20");
    let replaced = ["--mapping", &mapping, "--columns", "weight=\"3\""];
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &replaced), "a 30");
}

#[test]
fn a_mapped_column_that_is_absent_is_named() {
    let folder = Folder::new();
    let options = ["--columns", "holder_id=owner"];
    let csv = b"token_id,holder_id,end\n";
    assert!(
        refusal(&folder, "a.csv", csv, &options)
            .contains("a.csv: no column owner; the columns are token_id, holder_id, end")
    );
    let columns = parquet(vec![("token_id", texts(&["T"])), ("end", texts(&["1"]))]);
    assert!(
        refusal(&folder, "a.parquet", &columns, &options)
            .contains("a.parquet: no column owner; the columns are token_id, end")
    );
    assert!(
        refusal(&folder, "a.csv", csv, &["--columns", "holder=owner"])
            .contains("--columns: unknown field \"holder\"; the fields are token_id, holder_id")
    );
}

#[test]
fn epoch_seconds_are_read_as_such() {
    let folder = Folder::new();
    let csv = b"token_id,holder_id,start,end,weight\nT,a,1682640000,1682726400,10\n";
    let seconds = ["--time-unit", "s"];
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &seconds), "a 864000");
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &[]), "a 864");
    let jsonl =
        br#"{"token_id":"T","holder_id":"a","start":1682640000.0,"end":"1682726400","weight":10}"#;
    assert_eq!(scores(&folder, "a.jsonl", jsonl, DAY, &seconds), "a 864000");
    let columns = parquet(vec![
        ("token_id", texts(&["T"])),
        ("holder_id", texts(&["a"])),
        ("start", Arc::new(Int64Array::from(vec![1_682_640_000]))),
    ]);
    assert_eq!(
        scores(&folder, "a.parquet", &columns, DAY, &seconds),
        "a 86400"
    );
    let half = b"token_id,holder_id,start\nT,a,1682640000.5\n";
    assert!(refusal(&folder, "half.csv", half, &seconds).contains(
        "start: not a time (a count of seconds has no fraction); found \"1682640000.5\""
    ));
}

#[test]
fn raw_units_of_18_decimals_are_exact() {
    let folder = Folder::new();
    let options = ["--decimals", "18"];
    let csv =
        b"token_id,holder_id,start,weight\nDAI,a,2023-04-28T00:00:00Z,963019363229999955968\n";
    let expected = "a 83204872.9830719961956352";
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &options), expected);
    let jsonl = br#"{"token_id":"T","holder_id":"a","at":"2023-04-28T00:00:00Z","delta":"963019363229999955968","event_id":"1"}"#;
    assert_eq!(scores(&folder, "a.jsonl", jsonl, DAY, &options), expected);
    let columns = parquet(vec![
        ("token_id", texts(&["T"])),
        ("holder_id", texts(&["a"])),
        ("start", texts(&["2023-04-28T00:00:00Z"])),
        ("end", texts(&["2023-04-29T00:00:00Z"])),
        (
            "weight",
            Arc::new(Int64Array::from(vec![1_500_000_000_000_000_000])),
        ),
    ]);
    assert_eq!(
        scores(&folder, "a.parquet", &columns, DAY, &options),
        "a 129600"
    );
}

#[test]
fn words_for_nothing_are_absent_values() {
    let folder = Folder::new();
    let csv = b"token_id,holder_id,start,end\nT,a,2023-04-28T00:00:00Z,NULL\nT,b,2023-04-28T00:00:00Z,\\N\n";
    let options = ["--null", "NULL", "--null", "\\N"];
    assert_eq!(
        scores(&folder, "a.csv", csv, DAY, &options),
        "a 86400, b 86400"
    );
    let found = refusal(&folder, "a.csv", csv, &[]);
    assert!(
        found.contains("end: not a time") && found.ends_with("found \"NULL\""),
        "{found}"
    );
    let jsonl = br#"{"token_id":"T","holder_id":"a","start":"2023-04-28T00:00:00Z","end":"NULL"}"#;
    assert_eq!(scores(&folder, "a.jsonl", jsonl, DAY, &options), "a 86400");
    let columns = parquet(vec![
        ("token_id", texts(&["T"])),
        ("holder_id", texts(&["a"])),
        ("start", texts(&["2023-04-28T00:00:00Z"])),
        ("end", texts(&["NULL"])),
        ("weight", Arc::new(NullArray::new(1))),
    ]);
    assert_eq!(
        scores(&folder, "a.parquet", &columns, DAY, &options),
        "a 86400"
    );
    assert!(refusal(&folder, "a.parquet", &columns, &[]).ends_with("found \"NULL\""));
}

#[test]
fn dates_and_times_without_an_offset_are_utc_if_that_is_said() {
    let folder = Folder::new();
    let options = ["--assume-utc"];
    let csv =
        b"token_id,holder_id,start,end\nT,a,2023-04-27,2023-04-28\nT,b,2023-04-28 12:00:00,\n";
    assert_eq!(
        scores(&folder, "a.csv", csv, DAY, &options),
        "a 86400, b 43200"
    );
    assert!(
        refusal(&folder, "a.csv", csv, &[]).contains("a date alone; add the time and the offset")
    );
    let dates = parquet(vec![
        ("token_id", texts(&["T"])),
        ("holder_id", texts(&["a"])),
        ("start", Arc::new(Date32Array::from(vec![19_475]))),
    ]);
    assert_eq!(
        scores(&folder, "a.parquet", &dates, DAY, &options),
        "a 86400"
    );
    assert!(refusal(&folder, "a.parquet", &dates, &[]).contains("is of type date"));
    let german = b"token_id,holder_id,start\nT,a,28.04.2023\n";
    assert!(refusal(&folder, "b.csv", german, &options).ends_with("found \"28.04.2023\""));
}

#[test]
fn the_delimiter_is_found_and_old_line_ends_are_read() {
    let folder = Folder::new();
    for (name, delimiter, end) in [
        ("a.csv", ";", "\r\n"),
        ("b.tsv", "\t", "\n"),
        ("c.csv", "|", "\n"),
        ("d.csv", ",", "\r"),
    ] {
        let text = "\u{feff}token_id,holder_id,start,weight\nT,a,2023-04-28T00:00:00Z,1.5\n";
        let text = text.replace(',', delimiter).replace('\n', end);
        assert_eq!(
            scores(&folder, name, text.as_bytes(), DAY, &[]),
            "a 129600",
            "{name}"
        );
    }
    let comma = b"token_id;holder_id;start;weight\nT;a;2023-04-28T00:00:00Z;1,5\n";
    assert!(refusal(&folder, "e.csv", comma, &[]).ends_with("found \"1,5\""));
    let one = b"token_id,holder_id,start\nT,a,2023-04-28T00:00:00Z\n";
    assert!(refusal(&folder, "f.csv", one, &["--delimiter", ";"]).contains("no column token_id"));
    let jsonl =
        "\u{feff}{\"token_id\":\"T\",\"holder_id\":\"a\",\"start\":\"2023-04-28T00:00:00Z\"}\r";
    let jsonl = format!(
        "{jsonl}{}",
        jsonl
            .replace("\"a\"", "\"b\"")
            .trim_start_matches('\u{feff}')
    );
    assert_eq!(
        scores(&folder, "g.jsonl", jsonl.as_bytes(), DAY, &[]),
        "a 86400, b 86400"
    );
}

#[test]
fn hexadecimal_ids_in_two_cases_are_one_holder_if_they_are_folded() {
    let folder = Folder::new();
    let csv = b"token_id,holder_id,start\n0xAA,0xAbC1,2023-04-28T00:00:00Z\n0xaa,0xabc1,2023-04-28T00:00:00Z\n";
    let options = ["--fold-hex-ids"];
    assert_eq!(scores(&folder, "a.csv", csv, DAY, &options), "0xabc1 86400");
    assert_eq!(
        scores(&folder, "a.csv", csv, DAY, &[]),
        "0xAbC1 86400, 0xabc1 86400"
    );
    let columns = parquet(vec![
        ("token_id", texts(&["0xAA", "0xaa"])),
        ("holder_id", texts(&["0xAbC1", "0xabc1"])),
        ("start", texts(&["2023-04-28T00:00:00Z"; 2])),
    ]);
    assert_eq!(
        scores(&folder, "a.parquet", &columns, DAY, &options),
        "0xabc1 86400"
    );
}

#[test]
fn binary_ids_are_uuids_or_hexadecimal() {
    let folder = Folder::new();
    let binary = |bytes: &[u8]| -> ArrayRef {
        Arc::new(FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).expect("one length"))
    };
    let file = |ids: ArrayRef| {
        parquet(vec![
            ("token_id", texts(&["T"])),
            ("holder_id", ids),
            ("start", texts(&["2023-04-28T00:00:00Z"])),
        ])
    };
    let uuid = file(binary(&[0x12; 16]));
    assert_eq!(
        scores(&folder, "a.parquet", &uuid, DAY, &[]),
        "12121212-1212-1212-1212-121212121212 86400"
    );
    let address = file(binary(&[0xab; 20]));
    assert_eq!(
        scores(
            &folder,
            "b.parquet",
            &address,
            DAY,
            &["--binary-ids", "hex"]
        ),
        format!("0x{} 86400", "ab".repeat(20))
    );
    assert!(refusal(&folder, "b.parquet", &address, &[]).contains("--binary-ids hex"));
}

#[test]
fn a_column_that_is_there_twice_is_refused() {
    let folder = Folder::new();
    let csv = b"token_id,holder_id,start,weight,weight\nT,a,1,1,100\n";
    assert!(
        refusal(&folder, "a.csv", csv, &[])
            .contains("a.csv: columns weight and weight are both there; keep one of them")
    );
}

#[test]
#[cfg(feature = "py-embed")]
fn the_second_implementation_reads_the_same_mapping() {
    let folder = Folder::new();
    let csv = "user;from;until;amount\nAnn;1767225600000;1767312000000;2.5\n";
    let file = folder.file("a.csv", csv);
    let file = file.to_str().expect("a path of text");
    let columns = "token_id=\"T\",holder_id=user,start=from,end=until,weight=amount";
    let arguments = ["score", file, "--as-of", "2026-02-01", "--format", "json"];
    let options = [
        "--columns",
        columns,
        "--time-unit",
        "ms",
        "--delimiter",
        ";",
    ];
    let native = run(arguments.iter().chain(&options)).json();
    assert_eq!(native["holders"][0]["score"], "216000");
    let python = ["--engine", "python"];
    let again = run(arguments.iter().chain(&options).chain(&python));
    assert_eq!(again.json(), native);
}
