//! `inspect`: what a file is, and a command line that reads it.

use serde_json::Value;

use crate::feed_files::BLOCKS;
use crate::support::{Folder, path, run};

const NONE: &str = "0x0000000000000000000000000000000000000000";

/// The report on a file; its command line is run, and must score as many rows as were accepted.
fn report(arguments: &[&str]) -> (Value, String) {
    let found = run(["inspect", "--json"].iter().chain(arguments)).json();
    let command: Vec<_> = found["command"]
        .as_array()
        .expect("words")
        .iter()
        .map(|word| word.as_str().expect("text"))
        .collect();
    assert_eq!(command[..2], ["main_holdmetrics", "score"]);
    let scored = run(command[1..].iter().chain(&["--format", "json"])).json();
    assert_eq!(scored["accepted"], found["accepted"]);
    assert_eq!(scored["warnings"], found["warnings"]);
    let added = command[2..].iter().filter(|word| !arguments.contains(word));
    let added = added.copied().collect::<Vec<_>>().join(" ");
    (found, added)
}

#[test]
fn the_command_line_has_what_the_file_needs() {
    let folder = Folder::new();
    let blocks = path(&folder, "blocks.csv", BLOCKS);
    let a = format!("0x{:0>40}", "aa");
    let etl = format!(
        "token_address,from_address,to_address,value,transaction_hash,log_index,block_number\n\
         0x9,{NONE},{a},3000000000000000000000000,0x01,0,1\n"
    );
    let transfers = format!("from,to,value,block,tx_hash\n{NONE},{a},5,1,0x01\n");
    for (name, bytes, given, expected) in [
        (
            "etl.csv",
            &*etl,
            &["--blocks", &*blocks][..],
            "--token-kind erc20 --decimals 18",
        ),
        (
            "transfers.csv",
            &transfers,
            &["--blocks", &blocks],
            "--input-format transfers --token-kind erc20",
        ),
        (
            "billing.csv",
            "customer,plan,started_at,ended_at\nann,pro,2023-01-01,2023-02-01\nbob,pro,2023-01-01,\n",
            &[],
            "--columns holder_id=customer,start=started_at,end=ended_at,token_id=plan --assume-utc",
        ),
        (
            "opened.csv",
            "customer,plan,opened_at,closed_at,seats\nann,pro,2023-01-01,2023-02-01,5\n",
            &[],
            "--columns holder_id=customer,token_id=plan,start=opened_at,end=closed_at,weight=seats --assume-utc",
        ),
        (
            "seconds.csv",
            "token_id,holder_id,start,end\nT,0xAB,1682640000,1682726400\nT,0xab,1682640000,1682726400\n",
            &[],
            "--time-unit s --fold-hex-ids",
        ),
        (
            "micros.csv",
            "token_id,holder_id,start,end\nT,a,1682640000000000,1682726400000000\n",
            &[],
            "--time-unit us",
        ),
        (
            "half.csv",
            "Timestamp,TransactionHash,BlockNumber,poolId,user,amount\n\
             2024-02-08T01:55:59,0x01,1,7,0xa,2499999999999999999996\n",
            &[],
            "--columns to_id=user,token_id=poolId,at=Timestamp,event_id=TransactionHash --assume-utc --decimals 18",
        ),
        (
            "levels.csv",
            "token_id,wallet,time,balance\nT,a,1700000000000,5\n",
            &[],
            "--columns holder_id=wallet,weight=balance,start=time",
        ),
        (
            "words.csv",
            "token_id,holder_id,start,end ,weight\nT,a,2023-01-01T00:00:00Z,\\N,n/a\n\
             T,b,2023-01-01T00:00:00Z,infinity,5\nT,c,yesterday,\\N,5\n",
            &[],
            "--columns end=end  --null \\N --null n/a --null infinity --on-error skip",
        ),
        (
            "own.jsonl",
            "{\"token_id\":\"T\",\"holder_id\":\"a\",\"end\":1700000000000}\n",
            &[],
            "",
        ),
    ] {
        let file = path(&folder, name, bytes);
        let arguments: Vec<_> = std::iter::once(&*file)
            .chain(given.iter().copied())
            .collect();
        let (_, added) = report(&arguments);
        assert_eq!(added, expected, "{name}");
    }
}

#[test]
fn ids_ties_times_and_rows_are_reported() {
    let folder = Folder::new();
    let file = path(
        &folder,
        "marks.csv",
        "token_id,holder_id,start,weight,seq\nT,Ann,2023-01-01T00:00:00Z,1,\nT,ann,2023-01-02T00:00:00Z,2,\n\
         T,ann,2023-01-02T00:00:00Z,3,\nT,ann,2023-01-02T00:00:00Z,3,1\nT,Ann,2023-01-01T00:00:00Z,2,\n",
    );
    let (found, _) = report(&[&file, "--rows", "2"]);
    let codes = found["warnings"].as_array().expect("a list").iter();
    let codes: Vec<_> = codes.map(|warning| warning["code"].clone()).collect();
    assert_eq!(codes, ["W02", "W03"]);
    assert_eq!(found["earliest"], "2023-01-01T00:00:00Z");
    assert_eq!(found["latest"], "2023-01-02T00:00:00Z");
    assert_eq!(found["rows"].as_array().expect("a list").len(), 2);
    assert_eq!(found["rows"][1]["holder_id"], "ann");
    let text = run(["inspect", &file]).text();
    for part in [
        "rows          5 read, 5 accepted\n",
        "warning       W02 ids-differ-by-case: 1 holder differs from another by case alone: \"Ann\" and \"ann\";",
        "warning       W03 ties: 1 instant of a key has different levels",
        &format!("\nread it with: main_holdmetrics score {file}\n"),
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let refused = path(
        &folder,
        "refused.csv",
        "token_id,holder_id,start\nT,a,28.04.2023\n",
    );
    let text = run(["inspect", &refused]).text();
    for part in [
        "refused       1, the first in line 2: start: not a time",
        "\nno options were found that read it: line 2: start: not a time",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let other = path(&folder, "other.csv", "a,b\n1,2\n");
    let error = run(["inspect", &other]);
    assert!(
        error
            .error(2)
            .ends_with("the columns are a, b; name yours: --columns holder_id=COLUMN; no options were found that read it")
    );
    let half = path(
        &folder,
        "half.csv",
        "wallet,time,amount,hash\na,1700000000000,5,1\n",
    );
    let text = run(["inspect", &half]).text();
    assert!(
        text.contains("\nnote: each row is read as an amount that its holder is given"),
        "{text}"
    );
    assert_eq!(
        run(["inspect", "-"]).error(2),
        "-: inspect reads its input more than once; name a file"
    );
}

#[cfg(unix)]
#[test]
fn the_name_of_a_file_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    let name = folder.path("").join(OsStr::from_bytes(b"\xff.csv"));
    std::fs::write(&name, "token_id,holder_id,end\nT,a,1\n").expect("a file");
    let text = run([OsStr::new("inspect"), name.as_os_str()]).text();
    assert!(text.contains("1 read, 1 accepted"), "{text}");
}
