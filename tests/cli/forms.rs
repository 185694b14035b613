//! The accepted events of every conformance case as JSONL, CSV and Parquet: every form has the same answer, by
//! the native engine and, in a build with Python inside, by the pure one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use poh_holdmetrics_rust::core::{Micros, TimeForm};
use serde_json::value::RawValue;

use crate::conformance::{cases, own_cases, read, report};
use crate::support::Folder;

pub(crate) const ENGINES: &[&str] = if cfg!(feature = "py-embed") {
    &["native", "python"]
} else {
    &["native"]
};

const FIELDS: [&str; 14] = [
    "token_id",
    "holder_id",
    "start",
    "end",
    "weight",
    "event_id",
    "revision",
    "retract",
    "at",
    "delta",
    "seq",
    "from_id",
    "to_id",
    "amount",
];

/// The present fields of a line as text.
type Fields = BTreeMap<String, String>;

/// The lines that the case accepts, and their fields.
fn accepted(case: &Path) -> Vec<(String, Fields)> {
    let refused = read(&case.join("expected.json"))["rejected"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|refusal| refusal["line"].as_u64().expect("a number"))
        .collect::<Vec<_>>();
    let lines = std::fs::read(case.join("events.jsonl")).expect("the events");
    let lines = String::from_utf8_lossy(&lines);
    (1..)
        .zip(lines.split('\n'))
        .filter(|(number, line)| !line.trim().is_empty() && !refused.contains(number))
        .map(|(_, line)| (line.to_owned(), fields(line)))
        .collect()
}

fn fields(line: &str) -> Fields {
    let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).expect(line);
    let present = values.into_iter().filter(|(_, raw)| raw.get() != "null");
    let texts = present.map(|(field, raw)| {
        let text = serde_json::from_str::<String>(raw.get());
        (field, text.unwrap_or_else(|_| raw.get().to_owned()))
    });
    texts.collect()
}

fn csv(events: &[(String, Fields)]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(FIELDS).expect("memory takes it");
    for (_, event) in events {
        let cells = FIELDS.map(|field| event.get(field).map_or("", String::as_str));
        writer.write_record(cells).expect("memory takes it");
    }
    writer.into_inner().expect("memory takes it")
}

fn parquet(events: &[(String, Fields)]) -> Vec<u8> {
    let column = |field: &'static str| {
        let texts = || events.iter().map(|(_, event)| event.get(field));
        let integers = |parse: fn(&str) -> i64| -> ArrayRef {
            let parsed = texts().map(|text| text.map(|text| parse(text)));
            Arc::new(parsed.collect::<Int64Array>())
        };
        let (name, values): (&str, ArrayRef) = match field {
            "start" => ("start_us", integers(micros)),
            "end" => ("end_us", integers(micros)),
            "at" => ("at_us", integers(micros)),
            "revision" | "seq" => (field, integers(|text| text.parse().expect("an integer"))),
            "retract" => {
                let flags = texts().map(|text| text.map(|text| text == "true"));
                (field, Arc::new(flags.collect::<BooleanArray>()))
            }
            _ => (field, Arc::new(texts().collect::<StringArray>())),
        };
        (name, values, true)
    };
    let batch = RecordBatch::try_from_iter_with_nullable(FIELDS.map(column)).expect("one length");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a schema");
    writer.write(&batch).expect("memory takes it");
    writer.close().expect("memory takes it");
    bytes
}

fn micros(text: &str) -> i64 {
    Micros::parse_cell_as(text, TimeForm::STANDARD)
        .expect("a time")
        .get()
}

/// The number of cases in the folder, each checked.
fn check_all(folder: &Path) -> usize {
    let cases = cases(folder);
    for case in &cases {
        let events = accepted(case);
        let lines = events.iter().map(|(line, _)| format!("{line}\n"));
        let folder = Folder::new();
        let files = [
            folder.file("events.jsonl", lines.collect::<String>()),
            folder.file("events.csv", csv(&events)),
            folder.file("events.parquet", parquet(&events)),
        ];
        let expected = read(&case.join("expected.json"));
        for file in &files {
            for engine in ENGINES {
                let mut found = report(case, file, &["--engine", engine]);
                for holder in found["holders"].as_array_mut().expect("a list") {
                    let holder = holder.as_object_mut().expect("an object");
                    holder.remove("total_seconds").expect("a field");
                }
                let asked = format!("{} by {engine}", file.display());
                assert_eq!(
                    found["holders"],
                    expected["holders"],
                    "{} {asked}",
                    case.display()
                );
                let counts = ["read", "accepted"].map(|count| found[count].as_u64());
                assert_eq!(counts, [Some(events.len() as u64); 2], "{asked}");
                // The first version of the cases has no changes, and does not count deficits.
                let deficits = expected["deficits"].as_u64().unwrap_or(0);
                assert_eq!(found["deficits"], deficits, "{} {asked}", case.display());
            }
        }
    }
    cases.len()
}

#[test]
fn every_case_is_answered_alike_from_every_form() {
    assert!(check_all(&own_cases()) > 0);
    for folder in crate::published_cases::folders() {
        assert!(check_all(&folder) > 0, "{} holds no case", folder.display());
    }
}
