//! Extracts of real public exports, read as they lie where their folder is present.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bugcases::bugcases;
use crate::support::{Folder, run};

/// The extract of this name; `None` if the folder is not there.
fn extract(name: &str) -> Option<PathBuf> {
    bugcases().map(|folder| folder.join("files").join(name))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// The score of files, which must accept every row that they read.
fn score(files: &[&str], as_of: &str, options: &[&str]) -> Value {
    let arguments = ["score"].iter().chain(files).chain(options);
    let report = run(arguments.chain(&["--as-of", as_of, "--format", "json"])).json();
    assert_eq!(report["read"], report["accepted"]);
    report
}

#[test]
fn deposits_and_withdrawals_in_two_files_are_changes_of_one_balance() {
    let (Some(staked), Some(withdrawn)) = (
        extract("mor_staked_extract.csv"),
        extract("mor_withdrawn_extract.csv"),
    ) else {
        return;
    };
    let folder = Folder::new();
    let mut files = Vec::new();
    for (file, party) in [(staked, "to_id"), (withdrawn, "from_id")] {
        let output = folder.path(&format!("{party}.parquet"));
        let columns = format!("{party}=user,at=Timestamp,event_id=TransactionHash");
        let convert = [
            "convert",
            text(&file),
            "--columns",
            &columns,
            "--token",
            "mor",
            "--assume-utc",
            "--decimals",
            "18",
        ];
        run(convert.iter().chain(&["--output", text(&output)])).text();
        files.push(output);
    }
    let files: Vec<_> = files.iter().map(|path| text(path)).collect();
    let report = score(&files, "2024-10-01T00:00:00Z", &[]);
    assert_eq!(
        (&report["accepted"], &report["deficits"]),
        (&300.into(), &96.into())
    );
    let holders = report["holders"].as_array().expect("a list");
    assert_eq!(holders[0]["score"], "79460164999.999999999984107967");
    let one = holders.iter().find(|row| {
        row["holder_id"]
            .as_str()
            .expect("text")
            .starts_with("0x0d39Ea")
    });
    assert_eq!(
        one.expect("it is listed")["score"],
        "8948525.82629893194657564"
    );
}

#[test]
fn a_page_of_an_explorer_is_recognised() {
    let Some(file) = extract("bscscan_quidd_extract.csv") else {
        return;
    };
    let report = score(
        &[text(&file)],
        "2022-01-01T00:00:00Z",
        &["--token", "quidd"],
    );
    assert_eq!(report["recognised"][0]["feed"], "etherscan");
    let rows = std::fs::read_to_string(&file)
        .expect("it is there")
        .lines()
        .count()
        - 1;
    assert_eq!(report["read"], rows);
}

#[test]
fn transfers_under_common_names_are_read_with_blocks_or_hexadecimal_amounts() {
    let (Some(blocks_only), Some(mixed), Some(dune)) = (
        extract("stake_ethereum_balancer_transfers.csv"),
        extract("bitski_token_transfers.csv"),
        extract("dune_aeon_extract.csv"),
    ) else {
        return;
    };
    let folder = Folder::new();
    let lines = std::fs::read_to_string(&blocks_only).expect("it is there");
    let numbers: BTreeSet<u64> = lines
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .nth(3)
                .expect("a block")
                .parse()
                .expect("a number")
        })
        .collect();
    let times = numbers
        .iter()
        .map(|number| format!("{number},{}\n", 1_600_000_000 + number * 12));
    let blocks = folder.file(
        "blocks.csv",
        format!("number,timestamp\n{}", times.collect::<String>()),
    );
    let named = ["--input-format", "transfers"];
    let options = [
        &named[..],
        &[
            "--token-kind",
            "erc20",
            "--decimals",
            "18",
            "--blocks",
            text(&blocks),
        ],
    ]
    .concat();
    let report = score(&[text(&blocks_only)], "2030-01-01T00:00:00Z", &options);
    assert_eq!(
        (&report["read"], &report["deficits"]),
        (&104.into(), &0.into())
    );
    let report = score(
        &[text(&mixed)],
        "2023-01-01T00:00:00Z",
        &[&named[..], &["--decimals", "18"]].concat(),
    );
    assert_eq!(report["read"], 100);
    let report = score(
        &[text(&dune)],
        "2023-11-17T00:00:00Z",
        &[&named[..], &["--token", "aeon"]].concat(),
    );
    let holders = report["holders"].as_array().expect("a list");
    let first = holders.iter().find(|row| {
        row["holder_id"]
            .as_str()
            .expect("text")
            .starts_with("0xe4c7a6fc")
    });
    // From 01:45:47 to midnight.
    assert_eq!(first.expect("it is listed")["score"], "80053");
}
