//! The times of blocks and the decimals of tokens, looked up in files of their own.

use std::sync::Arc;

use arrow_array::{Float64Array, UInt32Array, UInt64Array};
use serde_json::Value;

use crate::feed_files::{BLOCKS, answer, parquet, refusal, texts};
use crate::support::{Folder, path};

#[test]
fn blocks_and_decimals_are_looked_up_for_mapped_columns_too() {
    let folder = Folder::new();
    let blocks = path(
        &folder,
        "blocks.jsonl",
        "{\"block_number\":1,\"block_timestamp\":\"2021-05-01 00:00:00 UTC\"}\n{\"block_number\":2,\"block_timestamp\":1619913600}\n",
    );
    let decimals = path(&folder, "decimals.csv", "token_id,decimals\nA,2\nB,3\n");
    let options = [
        "--columns",
        "holder_id=who,start=from_block,end=to_block,weight=size",
        "--blocks",
        &blocks,
        "--decimals-file",
        &decimals,
    ];
    let scored = |name: &str, bytes: &[u8]| {
        let answer = answer(&folder, name, bytes, &options);
        assert_eq!(answer["recognised"], Value::Null);
        answer["holders"][0]["score"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    let csv =
        b"token_id,who,from_block,to_block,size\nA,x,1,2,200\nB,x,1,2021-05-02T00:00:00Z,200\n";
    assert_eq!(scored("m.csv", csv), "190080");
    let lines = b"{\"token_id\":\"A\",\"who\":\"x\",\"from_block\":1,\"to_block\":\"2\",\"size\":200}\n\
                  {\"token_id\":\"B\",\"who\":\"x\",\"from_block\":1,\"to_block\":\"2021-05-02T00:00:00Z\",\"size\":\"200\"}\n";
    assert_eq!(scored("m.jsonl", lines), "190080");
    let columns = parquet(vec![
        ("token_id", texts(&["A", "B"])),
        ("who", texts(&["x", "x"])),
        ("from_block", Arc::new(UInt32Array::from(vec![1, 1]))),
        ("to_block", texts(&["2", "2021-05-02T00:00:00Z"])),
        ("size", Arc::new(UInt64Array::from(vec![200, 200]))),
    ]);
    assert_eq!(scored("m.parquet", &columns), "190080");
    let header = "token_id,who,from_block,to_block,size\n";
    assert_eq!(
        refusal(&folder, "b.csv", format!("{header}A,x,1,3,1\n"), &options),
        "b.csv: line 2: end: not a block whose time is known (add it to the file of --blocks); found \"3\""
    );
    let unknown = "weight: of a token without decimals (add it to the file of --decimals-file, or give --decimals for \
                   others); found ";
    assert_eq!(
        refusal(&folder, "c.csv", format!("{header}C,x,1,2,1\n"), &options),
        format!("c.csv: line 2: {unknown}\"1\"")
    );
    let columns = parquet(vec![
        ("token_id", texts(&["C"])),
        ("who", texts(&["x"])),
        ("from_block", Arc::new(UInt32Array::from(vec![1]))),
        ("to_block", Arc::new(UInt32Array::from(vec![2]))),
        ("size", Arc::new(UInt64Array::from(vec![1]))),
    ]);
    assert_eq!(
        refusal(&folder, "c.parquet", columns, &options),
        format!("c.parquet: line 1: {unknown}1")
    );
}

#[test]
fn numbers_of_blocks_may_be_written_as_doubles() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let options = ["--columns", "start=from_block", "--blocks", &blocks];
    // As pandas writes a column that lacks a number somewhere.
    let csv = "token_id,holder_id,from_block\nT,a,2.0\nT,b,\n";
    let lines = "{\"token_id\":\"T\",\"holder_id\":\"a\",\"from_block\":2.0}\n";
    let columns = |number: f64| {
        parquet(vec![
            ("token_id", texts(&["T"])),
            ("holder_id", texts(&["a"])),
            ("from_block", Arc::new(Float64Array::from(vec![number]))),
        ])
    };
    let skip = [&options[..], &["--on-error", "skip"]].concat();
    let found = answer(&folder, "d.csv", csv, &skip);
    assert_eq!(found["holders"][0]["score"], "86400");
    let found = answer(&folder, "d.jsonl", lines, &options);
    assert_eq!(found["holders"][0]["score"], "86400");
    let found = answer(&folder, "d.parquet", columns(2.0), &options);
    assert_eq!(found["holders"][0]["score"], "86400");
    let unknown = "line 1: start: not a block whose time is known";
    for number in [2.5, 3.0] {
        let refused = refusal(&folder, "u.parquet", columns(number), &options);
        assert!(refused.contains(unknown), "{refused}");
    }
}
