//! Files as known feeds export them, and what is scored of them or said when they are refused.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::support::{Folder, run};

pub(crate) const AS_OF: &str = "2021-05-03T00:00:00Z";
pub(crate) const NONE: &str = "0x0000000000000000000000000000000000000000";
pub(crate) const A: &str = "0x00000000000000000000000000000000000000aa";
pub(crate) const B: &str = "0x00000000000000000000000000000000000000bb";
pub(crate) const GOLD: &str = "0x0000000000000000000000000000000000009999";
/// Blocks 1 and 2 are one day apart.
pub(crate) const BLOCKS: &str = "number,timestamp\n1,1619827200\n2,1619913600\n";

/// The answer of `score` on one file; in a build with Python inside, both implementations give it.
pub(crate) fn answer(
    folder: &Folder,
    name: &str,
    bytes: impl AsRef<[u8]>,
    options: &[&str],
) -> Value {
    let file = folder.file(name, bytes);
    let file = file.to_str().expect("a path of text");
    let arguments = ["score", file, "--as-of", AS_OF, "--format", "json"];
    let answer = run(arguments.iter().chain(options)).json();
    #[cfg(feature = "py-embed")]
    {
        let python = ["--engine", "python"];
        let again = run(arguments.iter().chain(options).chain(&python));
        if options.iter().any(|option| option.ends_with(".parquet")) {
            let cure = "Parquet is read by main_holdmetrics score --engine native";
            assert!(again.error(2).contains(cure), "{name}");
        } else {
            assert_eq!(again.json(), answer, "{name} by the second implementation");
        }
    }
    answer
}

/// Its holders and scores, and the feed.
pub(crate) fn scores(
    folder: &Folder,
    name: &str,
    bytes: impl AsRef<[u8]>,
    options: &[&str],
) -> String {
    let answer = answer(folder, name, bytes, options);
    assert_eq!(answer["deficits"], 0);
    let feed = answer["recognised"][0]["feed"].as_str().expect("a feed");
    let holders = answer["holders"].as_array().expect("a list").iter();
    let texts = holders.map(|row| {
        let (holder, score) = (row["holder_id"].as_str(), row["score"].as_str());
        format!(" {} {}", &holder.expect("text")[40..], score.expect("text"))
    });
    format!("{feed}:{}", texts.collect::<String>())
}

/// The sentence with which a file is refused.
pub(crate) fn refusal(
    folder: &Folder,
    name: &str,
    bytes: impl AsRef<[u8]>,
    options: &[&str],
) -> String {
    let path = folder.file(name, bytes);
    let file = path.to_str().expect("a path of text");
    let arguments = ["score", file, "--as-of", AS_OF];
    let answer = run(arguments.iter().chain(options));
    answer.error(2).replace(file, name)
}

pub(crate) fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a schema");
    writer.write(&batch).expect("memory takes it");
    writer.close().expect("memory takes it");
    bytes
}

pub(crate) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn bytes_of(values: &[&str]) -> ArrayRef {
    let bytes: Vec<_> = values
        .iter()
        .map(|hex| hex::decode(hex.trim_start_matches("0x")).expect("digits"))
        .collect();
    Arc::new(BinaryArray::from_iter_values(bytes))
}

pub(crate) fn word(digits: &str) -> String {
    format!("0x{:0>64}", digits.trim_start_matches("0x"))
}

/// Logs of one ERC-20 transfer, one withdrawn one, one ERC-721, one batch of ERC-1155, one approval.
pub(crate) fn hypersync() -> Vec<u8> {
    const TRANSFER: &str = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
    const BATCH: &str = "4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb";
    let topic = |texts: [Option<&str>; 5]| {
        let bytes =
            texts.map(|text| text.map(|text| hex::decode(&word(text)[2..]).expect("digits")));
        Arc::new(BinaryArray::from_iter(bytes)) as ArrayRef
    };
    let batch =
        ["40", "a0", "2", "5", "6", "2", "3", "4"].map(|digits| word(digits)[2..].to_owned());
    let data = [
        word("de0b6b3a7640000"),
        word("de0b6b3a7640000"),
        "0x".to_owned(),
        batch.concat(),
        word("1"),
    ];
    parquet(vec![
        (
            "removed",
            Arc::new(BooleanArray::from(vec![false, true, false, false, false])),
        ),
        (
            "log_index",
            Arc::new(UInt64Array::from(vec![0, 1, 2, 3, 4])),
        ),
        (
            "transaction_hash",
            bytes_of(&[&word("1"), &word("1"), &word("1"), &word("2"), &word("2")]),
        ),
        (
            "block_number",
            Arc::new(UInt64Array::from(vec![1, 1, 1, 2, 2])),
        ),
        ("address", bytes_of(&[GOLD; 5])),
        ("data", bytes_of(&data.each_ref().map(|text| &**text))),
        (
            "topic0",
            topic([
                Some(TRANSFER),
                Some(TRANSFER),
                Some(TRANSFER),
                Some(BATCH),
                Some("8c5b"),
            ]),
        ),
        (
            "topic1",
            topic([Some("0"), Some("0"), Some("0"), Some("cc"), Some(A)]),
        ),
        (
            "topic2",
            topic([Some(A), Some(A), Some(B), Some("0"), Some(B)]),
        ),
        ("topic3", topic([None, None, Some("9"), Some(B), None])),
    ])
}
