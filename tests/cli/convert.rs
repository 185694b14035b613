//! `convert`: whatever is read, the score of what is written is the same.

use std::path::Path;

use serde_json::Value;

use crate::bugcases::bugcases;
use crate::feed_files::{BLOCKS, hypersync};
use crate::support::{Folder, path, run};

const AS_OF: &str = "2030-01-01T00:00:00Z";
const NONE: &str = "0x0000000000000000000000000000000000000000";

/// What a score says of a set: counts and holders.
fn said(report: &Value) -> [&Value; 4] {
    ["read", "accepted", "deficits", "holders"].map(|key| &report[key])
}

/// Compares the score of `file` with that of its conversion, in every form. `false` if it has no score.
fn is_same(folder: &Folder, file: &str, options: &[&str]) -> bool {
    let score = ["score", file, "--as-of", AS_OF, "--format", "json"];
    let answer = run(score.iter().chain(options));
    if answer.code != 0 {
        return false;
    }
    let expected = answer.json();
    for form in ["jsonl", "csv", "parquet"] {
        let output = folder.path(&format!("converted.{form}"));
        let output = output.to_str().expect("a path of text");
        let convert = ["convert", file, "--output", output];
        run(convert.iter().chain(options)).text();
        let again = run(["score", output, "--as-of", AS_OF, "--format", "json"]).json();
        assert_eq!(said(&again), said(&expected), "{file} as {form}");
    }
    true
}

#[test]
fn every_shape_has_the_same_score_after_its_conversion() {
    let folder = Folder::new();
    for shape in ["equal", "mixed", "nested", "marks", "transfers"] {
        let output = folder.path(&format!("{shape}.jsonl"));
        let output = output.to_str().expect("a path of text");
        run([
            "generate",
            "--shape",
            shape,
            "--events",
            "3000",
            "--holders",
            "50",
            "--output",
            output,
        ])
        .text();
        assert!(is_same(&folder, output, &[]), "{shape}");
    }
    let corrected = "{\"token_id\":\"T\",\"from_id\":\"a\",\"to_id\":\"b\",\"at\":1000,\"amount\":\"1.000000000000000001\",\
                     \"event_id\":\"e\",\"revision\":3}\n\
                     {\"token_id\":\"T\",\"from_id\":\"a\",\"to_id\":\"b\",\"event_id\":\"e\",\"revision\":4,\"retract\":true}\n\
                     {\"token_id\":\"T\",\"from_id\":\"a\",\"to_id\":\"a\",\"at\":1000,\"amount\":1,\"event_id\":\"self\"}\n\
                     {\"token_id\":\"T\",\"holder_id\":\"c, \\\"d\\\"\\n\",\"start\":\"0001-01-01T00:00:00Z\",\"seq\":9223372036854775807}\n\
                     {\"token_id\":\"T\",\"holder_id\":\"c, \\\"d\\\"\\n\",\"end\":\"9999-12-31T23:59:59.999999Z\",\"start\":5}\n";
    let file = path(&folder, "corrected.jsonl", corrected);
    assert!(is_same(&folder, &file, &[]));
}

#[test]
fn every_feed_has_the_same_score_after_its_conversion() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let (a, b) = (format!("0x{:0>40}", "aa"), format!("0x{:0>40}", "bb"));
    let etl = format!(
        "token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n\
         0x9,{NONE},{a},3,0x01,0,1\n0x9,{a},{b},1,0x02,7,2\n"
    );
    let dune = format!(
        "blockchain,block_time,tx_hash,evt_index,token_standard,from,to,contract_address,token_id,amount\n\
         base,2021-05-01 00:00:00.000 UTC,0x01,0,erc721,{NONE},{a},0x9,5,1\n\
         base,2021-05-02 00:00:00.000 UTC,0x02,0,erc1155,{a},{NONE},0x9,6,10\n"
    );
    let page = format!(
        "Txhash,UnixTimestamp,From,To,Quantity\n0x1,1619827200,{NONE},{a},\"1,000.5\"\n\
         0x2,1619913600,{a},{b},250\n0x2,1619913600,{a},{b},250\n"
    );
    let alchemy = format!(
        "{{\"blockNum\":\"0x1\",\"uniqueId\":\"u\",\"from\":\"{NONE}\",\"to\":\"{a}\",\"category\":\"erc1155\",\
         \"erc1155Metadata\":[{{\"tokenId\":\"0x5\",\"value\":\"0x2\"}},{{\"tokenId\":\"0x6\",\"value\":\"0x3\"}}],\
         \"rawContract\":{{\"address\":\"0x9\"}}}}\n"
    );
    let staking = format!(
        "user,amount,event,timestamp,txHash\n{a},5,Staked,1619827200,0x1\n{a},5,Staked,1619827200,0x1\n{a},9,Withdrawn,1619913600,0x2\n"
    );
    for (name, bytes, options) in [
        (
            "etl.csv",
            etl.as_bytes(),
            &["--blocks", &blocks, "--token-kind", "erc20"][..],
        ),
        (
            "nft.csv",
            etl.as_bytes(),
            &["--blocks", &blocks, "--token-kind", "erc721"],
        ),
        ("dune.csv", dune.as_bytes(), &[]),
        ("page.csv", page.as_bytes(), &[]),
        ("alchemy.jsonl", alchemy.as_bytes(), &["--blocks", &blocks]),
        ("staking.csv", staking.as_bytes(), &["--token", "S"]),
        (
            "logs.parquet",
            &hypersync(),
            &["--blocks", &blocks, "--decimals", "18"],
        ),
    ] {
        let file = path(&folder, name, bytes);
        assert!(is_same(&folder, &file, options), "{name}");
    }
}

#[test]
fn ids_of_converted_rows_are_transaction_and_log() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let file = path(&folder, "logs.parquet", hypersync());
    let lines = run(["convert", &file, "--blocks", &blocks, "--output", "-"]).text();
    let ids = lines.lines().map(|line| {
        let row: Value = serde_json::from_str(line).expect("a row");
        let id = row["event_id"].as_str().expect("an id");
        (
            row["token_id"].as_str().expect("a token")[38..].to_owned(),
            id[64..].to_owned(),
            row["seq"].clone(),
        )
    });
    let expected = [
        ("9999", "01:0"),
        ("9999/9", "01:2"),
        ("9999/5", "02:3:0"),
        ("9999/6", "02:3:1"),
    ];
    let expected = expected.map(|(token, id)| (token.to_owned(), id.to_owned(), Value::Null));
    assert_eq!(ids.collect::<Vec<_>>(), expected);
}

#[test]
fn a_refused_line_leaves_the_old_file() {
    let folder = Folder::new();
    let output = path(&folder, "out.csv", "old");
    let file = path(
        &folder,
        "in.jsonl",
        "{\"token_id\":\"T\",\"holder_id\":\"a\",\"end\":1}\n{}\n",
    );
    let refused = run(["convert", &file, "--output", &output]);
    assert!(
        refused
            .error(2)
            .ends_with("in.jsonl: line 2: token_id: missing or empty")
    );
    assert_eq!(
        std::fs::read_to_string(&output).expect("it is there"),
        "old"
    );
    let skipped = run(["convert", &file, "--output", &output, "--on-error", "skip"]);
    assert_eq!(
        (skipped.code, &*skipped.stderr),
        (0, "1 rows written, 1 refused\n")
    );
    let unknown = run(["convert", &file, "--output", "out.txt"]);
    assert_eq!(
        unknown.error(2),
        "--output out.txt: end the name in .jsonl, .csv or .parquet, or say --format"
    );
}

#[test]
fn every_input_that_went_wrong_has_the_same_score_after_its_conversion() {
    let Some(cases) = bugcases() else {
        return;
    };
    let folder = Folder::new();
    let mut scored = 0;
    let folders = std::fs::read_dir(cases).expect("a folder");
    for case in folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
    {
        for file in std::fs::read_dir(&case).expect("a folder") {
            let file = file.expect("an entry").path();
            let is_input = |path: &Path| {
                !matches!(
                    path.extension().and_then(|name| name.to_str()),
                    Some("txt" | "py")
                )
            };
            if is_input(&file) {
                scored += u32::from(is_same(
                    &folder,
                    file.to_str().expect("a path of text"),
                    &[],
                ));
            }
        }
    }
    assert!(scored > 40, "{scored}");
}
