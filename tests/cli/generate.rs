//! `generate`: one seed is one file, in every form the same events.

use crate::support::{Folder, holders, run, score};
use serde_json::Value;

#[test]
fn a_seed_and_its_arguments_give_one_file() {
    let make = |seed: &str| run(["generate", "--events", "500", "--seed", seed]).text();
    assert_eq!(make("1"), make("1"));
    assert_ne!(make("1"), make("2"));
    assert_eq!(make("1").lines().count(), 500);
    let first: Value = serde_json::from_str(make("1").lines().next().unwrap()).unwrap();
    let holder = first["holder_id"].as_str().unwrap();
    assert_eq!(holder.len(), 42);
    assert!(
        holder
            .strip_prefix("0x")
            .unwrap()
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
    );
    assert_eq!(holder, holder.to_lowercase());
}

#[test]
fn every_shape_is_accepted_and_the_same_in_every_form() {
    let folder = Folder::new();
    for shape in ["equal", "mixed", "nested", "marks", "transfers"] {
        let reports = ["jsonl", "csv", "parquet"].map(|form| {
            let path = folder.path(&format!("{shape}.{form}"));
            let output = path.to_str().unwrap();
            let events = ["--events", "5001", "--holders", "300", "--tokens", "3"];
            let arguments = ["generate", "--shape", shape, "--output", output];
            assert_eq!(run(arguments.iter().chain(&events)).text(), "");
            let report = score(&path, &[]).json();
            assert_eq!(
                (report["read"].as_u64(), report["accepted"].as_u64()),
                (Some(5_001), Some(5_001))
            );
            holders(&report)
        });
        assert!(reports[0].len() > 20, "{shape}");
        assert_eq!(reports[0], reports[1], "{shape}");
        assert_eq!(reports[0], reports[2], "{shape}");
    }
}

/// The leaderboard of a generated file; the ids of holders are left out, because they differ.
fn scores(folder: &Folder, name: &str, options: &[&str]) -> Vec<String> {
    let path = folder.path(name);
    let output = path.to_str().unwrap();
    let events = ["--events", "3001", "--holders", "300", "--tokens", "3"];
    let arguments = ["generate", "--output", output];
    assert_eq!(
        run(arguments.iter().chain(&events).chain(options)).text(),
        ""
    );
    let report = score(&path, &[]).json();
    assert_eq!(report["accepted"], 3_001, "{name}: {options:?}");
    let listed = report["holders"].as_array().unwrap();
    let mut scores: Vec<_> = listed
        .iter()
        .map(|holder| format!("{} {}", holder["held_us"], holder["score"]))
        .collect();
    scores.sort_unstable();
    scores
}

#[test]
fn the_scores_of_a_seed_are_the_same_whatever_form_ids_and_times_have() {
    let folder = Folder::new();
    for shape in ["equal", "nested", "marks", "transfers"] {
        let plain = scores(&folder, "plain.jsonl", &["--shape", shape]);
        assert!(plain.len() > 20, "{shape}");
        for (name, form) in [
            ("ids.parquet", "mixed-hex"),
            ("ids.csv", "hash"),
            ("ids.parquet", "uuid"),
            ("ids.jsonl.gz", "email"),
            ("ids.csv.zst", "short"),
        ] {
            let options = ["--shape", shape, "--ids", form];
            assert_eq!(scores(&folder, name, &options), plain, "{shape} {form}");
        }
        for name in ["times.parquet", "times.csv", "times.jsonl"] {
            let options = ["--shape", shape, "--times", "text"];
            assert_eq!(scores(&folder, name, &options), plain, "{shape} {name}");
        }
        for codec in ["none", "gzip", "zstd"] {
            let options = ["--shape", shape, "--compression", codec];
            assert_eq!(
                scores(&folder, "c.parquet", &options),
                plain,
                "{shape} {codec}"
            );
        }
        if ["equal", "nested"].contains(&shape) {
            for (name, form) in [("e.parquet", "hash"), ("e.csv", "uuid"), ("e.jsonl", "hex")] {
                let options = ["--shape", shape, "--event-ids", form];
                assert_eq!(scores(&folder, name, &options), plain, "{shape} {form}");
            }
        }
    }
}

#[test]
fn the_weights_of_a_form_are_the_same_in_every_format() {
    let folder = Folder::new();
    let mut all = Vec::new();
    for form in ["none", "integer", "short", "double", "exact"] {
        let of_format = ["jsonl", "csv", "parquet"].map(|format| {
            let options = ["--weights", form];
            scores(&folder, &format!("weights.{format}"), &options)
        });
        assert_eq!(of_format[0], of_format[1], "{form}");
        assert_eq!(of_format[0], of_format[2], "{form}");
        all.push(of_format[0].clone());
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5);
    let header = |options: &[&str]| {
        let csv = ["generate", "--format", "csv", "--events", "1"];
        let text = run(csv.iter().chain(options)).text();
        text.lines().next().unwrap().to_owned()
    };
    let unweighted = ["--weights", "none", "--event-ids", "uuid"];
    assert_eq!(header(&unweighted), "token_id,holder_id,start,end,event_id");
}

#[test]
fn a_form_that_a_shape_does_not_leave_open_is_refused() {
    for (options, message) in [
        (
            ["--shape", "nested", "--weights", "double"],
            "--weights double: files of --shape nested have weights of their own; leave it out, or choose --shape equal",
        ),
        (
            ["--shape", "transfers", "--event-ids", "uuid"],
            "--event-ids uuid: files of --shape transfers have event ids of their own; leave it out, or choose --shape equal",
        ),
        (
            ["--shape", "billing", "--ids", "email"],
            "--ids email: files of --shape billing have ids of their own; leave it out, or choose --shape equal",
        ),
        (
            ["--format", "csv", "--compression", "zstd"],
            "--compression zstd: only for Parquet; end the name of --output in .gz or .zst",
        ),
        (
            ["--output", "a.parquet.gz", "--events", "1"],
            "--output a.parquet.gz: Parquet is compressed inside; end the name in .parquet and add --compression",
        ),
    ] {
        assert_eq!(run(["generate"].iter().chain(&options)).error(2), message);
    }
}

#[test]
fn every_export_is_recognised_and_the_same_in_every_form() {
    let folder = Folder::new();
    let billing = "holder_id=customer,token_id=plan,start=started_at,end=ended_at,weight=seats";
    for (shape, feed, options) in [
        (
            "erc20",
            Some("bigquery"),
            &["--token-kind", "erc20", "--decimals", "18"][..],
        ),
        ("erc721", Some("dune"), &[]),
        ("staking", Some("staking"), &["--decimals", "18"]),
        ("billing", None, &["--columns", billing]),
    ] {
        let reports = ["jsonl", "csv", "parquet"].map(|form| {
            let path = folder.path(&format!("{shape}.{form}"));
            let output = path.to_str().unwrap();
            let events = ["--events", "2001", "--holders", "100", "--tokens", "3"];
            let arguments = ["generate", "--shape", shape, "--output", output];
            assert_eq!(run(arguments.iter().chain(&events)).text(), "");
            let score = [
                "score",
                output,
                "--as-of",
                "2025-01-01T00:00:00Z",
                "--format",
                "json",
            ];
            let report = run(score.iter().chain(options)).json();
            assert_eq!(
                (&report["read"], &report["accepted"]),
                (&2_001.into(), &2_001.into()),
                "{shape}"
            );
            assert_eq!(report["recognised"][0]["feed"].as_str(), feed, "{shape}");
            report
        });
        // A file that ends within a group may lack the deposit of a withdrawal, but only there.
        assert!(reports[0]["deficits"].as_u64().unwrap() <= 1, "{shape}");
        assert!(holders(&reports[0]).len() > 20, "{shape}");
        assert_eq!(holders(&reports[0]), holders(&reports[1]), "{shape}");
        assert_eq!(holders(&reports[0]), holders(&reports[2]), "{shape}");
    }
}

#[test]
fn no_transfer_lacks_what_it_gives_and_the_null_address_is_no_holder() {
    let folder = Folder::new();
    let path = folder.path("transfers.csv");
    let output = path.to_str().unwrap();
    run([
        "generate",
        "--shape",
        "transfers",
        "--events",
        "20000",
        "--output",
        output,
    ])
    .text();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("token_id,from_id,to_id,at,amount,event_id\n"));
    let null_address = format!("0x{}", "0".repeat(40));
    assert!(text.contains(&null_address));
    let report = score(&path, &[]).json();
    assert_eq!(report["deficits"], 0);
    let named: std::collections::HashSet<_> = text
        .lines()
        .skip(1)
        .flat_map(|line| line.split(',').skip(1).take(2))
        .filter(|party| *party != null_address)
        .collect();
    let listed = report["holders"].as_array().unwrap();
    assert_eq!(listed.len(), named.len());
    for holder in listed {
        assert!(named.contains(holder["holder_id"].as_str().unwrap()));
    }
}

#[test]
fn few_holders_hold_most() {
    let text = run(["generate", "--events", "20000", "--holders", "1000"]).text();
    let mut counts = std::collections::HashMap::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        *counts
            .entry(event["holder_id"].as_str().unwrap().to_owned())
            .or_insert(0) += 1;
    }
    let mut counts: Vec<i32> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    // By Zipf's law the first of a thousand has 1 / 7.49 of all, the first ten 39 %.
    assert!((2_300..3_000).contains(&counts[0]), "{}", counts[0]);
    assert!(counts[..10].iter().sum::<i32>() > 7_000);
}

#[test]
fn the_form_is_told_by_the_name_or_by_the_flag() {
    let folder = Folder::new();
    let path = folder.path("events.dat");
    let output = path.to_str().unwrap();
    let answer = run(["generate", "--output", output]);
    assert_eq!(
        answer.error(2),
        format!("--output {output}: unknown extension; add --format")
    );
    run([
        "generate", "--output", output, "--format", "csv", "--events", "3",
    ])
    .text();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("token_id,holder_id,start,end,weight\n"));
    assert_eq!(text.lines().count(), 4);
    assert_eq!(run(["generate", "--events", "0"]).text(), "");
    for bad in [
        ["--holders", "0"],
        ["--tokens", "0"],
        ["--events", "-1"],
        ["--shape", "round"],
    ] {
        assert_eq!(run(["generate"].iter().chain(&bad)).code, 2, "{bad:?}");
    }
}
