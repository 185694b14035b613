//! `airdrop explain`, `check` and `restate`: amounts with the events behind them, bundles, and corrections.

use std::fs;

use serde_json::Value;

use crate::support::{AS_OF, Answer, Folder, run};

const ANN: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const BOB: &str = "0x1111111111111111111111111111111111111111";

/// Scores 20 and 10 of two wallets of ann, 10 of bob, and 1 of somebody who is excluded.
const EVENTS: &str = r#"{"token_id":"T","holder_id":"0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359","at":1753056000000,"delta":"1","event_id":"in"}
{"token_id":"T","holder_id":"0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359","at":1753056020000,"delta":"-1","event_id":"out"}
{"token_id":"T","holder_id":"wallet","start":1753056000000,"end":1753056010000}
{"token_id":"T","holder_id":"0x1111111111111111111111111111111111111111","start":1753056000000,"end":1753056010000,"event_id":"stay"}
{"token_id":"T","holder_id":"treasury","start":1753056000000,"end":1753056001000}
"#;

struct Drop {
    folder: Folder,
}

impl Drop {
    /// With a list of 101 base units.
    fn new(more: &[&str]) -> Self {
        let folder = Folder::new();
        folder.file("events.jsonl", EVENTS);
        folder.file("exclude.txt", "treasury\n");
        folder.file("holders.csv", format!("wallet,holder\nwallet,{ANN}\n"));
        folder.file(
            "policy.json",
            r#"{"steps":[{"step":"score_cap","most":"15"}]}"#,
        );
        let drop = Self { folder };
        let (events, list) = (drop.path("events.jsonl"), drop.path("list.csv"));
        let (exclude, holders) = (drop.path("exclude.txt"), drop.path("holders.csv"));
        let given = [
            "airdrop",
            "allocate",
            &events,
            "--pool",
            "1.01",
            "--decimals",
            "2",
            "--as-of",
            AS_OF,
            "--exclude",
            &exclude,
            "--holders",
            &holders,
            "--output",
            &list,
        ];
        run(given.iter().chain(more)).text();
        drop
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name).to_str().expect("text").to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path(name)).expect("a file")
    }

    fn explain(&self, holder: &str, more: &[&str]) -> Answer {
        let given = [
            "airdrop",
            "explain",
            &self.path("list.csv"),
            "--holder",
            holder,
        ];
        run(given.iter().chain(more))
    }

    fn check(&self, more: &[&str]) -> Answer {
        let given = ["airdrop", "check", &self.path("bundle.json")];
        run(given.iter().chain(more))
    }
}

/// The segments of all keys, as (score, ids).
fn segments(explanation: &Value) -> Vec<(String, Vec<String>)> {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let keys = list(&explanation["scores"]);
    let keys = keys.iter().flat_map(|score| list(&score["keys"]));
    let segments = keys.flat_map(|key| list(&key["segments"]));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let row = |segment: Value| {
        let ids = list(&segment["event_ids"]).iter().map(text).collect();
        (text(&segment["score"]), ids)
    };
    segments.map(row).collect()
}

#[test]
fn an_amount_is_explained_from_its_events_to_the_unit() {
    let drop = Drop::new(&[]);
    assert_eq!(
        drop.read("list.csv"),
        format!("address,amount\n{BOB},25\n{ANN},76\n")
    );
    let found = drop.explain(&ANN.to_lowercase(), &["--json"]).json();
    let ids = vec!["in".to_owned(), "out".to_owned()];
    assert_eq!(
        segments(&found),
        [("20".into(), ids), ("10".into(), vec![])]
    );
    assert_eq!(
        (&found["score"], &found["amount"]),
        (&"30".into(), &"76".into())
    );
    let share = &found["share"];
    assert_eq!(
        (&share["rest"], &share["floor"]),
        (&"101".into(), &"75".into())
    );
    assert_eq!(share["has_spare_unit"], true);
    let text = drop.explain(ANN, &[]).text();
    let begin = format!("{ANN} gets 76 base units (0.76 tokens) of the pool of 101\n");
    assert!(text.starts_with(&begin), "{text}");
    for line in [
        "score of wallet: 10, the sum of 1 segment\n",
        "score: 30, their sum\n",
        "amount: 75 + 1 = 76; 1 spare unit (the last one goes to a remainder of ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(
        text.contains("2025-07-21T00:00:00Z") && text.contains("in, out\n"),
        "{text}"
    );
}

#[test]
fn who_gets_nothing_is_told_why_and_changed_inputs_are_refused() {
    let drop = Drop::new(&["--min-amount", "0.3", "--addresses", "text"]);
    for (holder, reason) in [
        ("treasury", "it is excluded (--exclude)"),
        (
            BOB,
            "its share is below --min-amount, or below one base unit",
        ),
        (
            "wallet",
            "no event is about it, or its score belongs to another holder (--holders)",
        ),
    ] {
        let answer = drop.explain(holder, &[]);
        assert_eq!(
            answer.error(2),
            format!("--holder: {holder} gets nothing: {reason}")
        );
    }
    let drop = Drop::new(&[]);
    drop.folder
        .file("events.jsonl", EVENTS.replace("\"1\"", "\"2\""));
    let said = drop.explain(ANN, &[]).error(1).to_owned();
    assert!(
        said.contains("events.jsonl: the file has changed: its SHA-256 is "),
        "{said}"
    );
    drop.folder.file("events.jsonl", EVENTS);
    drop.folder
        .file("list.csv", drop.read("list.csv").replace("76", "77"));
    let said = drop.explain(ANN, &[]).error(2).to_owned();
    assert!(
        said.contains("the manifest beside it is of another list"),
        "{said}"
    );
}

#[test]
fn a_bundle_is_checked_with_nothing_but_itself() {
    let drop = Drop::new(&["--cap", "0.7"]);
    drop.explain(ANN, &["--bundle", &drop.path("bundle.json")])
        .text();
    let (list, tree) = (drop.path("list.csv"), drop.path("tree.json"));
    let root = run(["airdrop", "tree", &list, "--output", &tree]).text();
    let root = root
        .trim()
        .strip_prefix("root ")
        .expect("a root")
        .to_owned();
    for name in [
        "events.jsonl",
        "exclude.txt",
        "list.csv",
        "list.csv.manifest.json",
        "tree.json",
    ] {
        fs::remove_file(drop.path(name)).expect("it is there");
    }
    let said = drop.check(&["--root", &root]).text();
    let begin = format!("equal: {ANN} gets 70 base units for a score of 30; its leaf 0x");
    assert!(
        said.starts_with(&begin) && said.trim().ends_with(&root),
        "{said}"
    );
    assert_eq!(drop.check(&["--json"]).json()["root"], *root);
    let wrong = format!("0x{}", "0".repeat(64));
    let answer = drop.check(&["--root", &wrong]);
    assert!(
        answer
            .error(2)
            .contains(" is not the root of the bundle, which is 0x")
    );
    let text = drop.read("bundle.json");
    for (from, to, told) in [
        ("\"score\": \"20\"", "\"score\": \"21\"", "line "),
        ("\"capped\": 1", "\"capped\": 0", "line "),
        (
            "\"policy\": null,\n  \"explanation\"",
            "\"policy\": \"{\\\"steps\\\":[]}\",\n  \"explanation\"",
            "policy: ",
        ),
        ("{", "", "not a bundle: "),
    ] {
        assert!(text.contains(from), "{from}");
        drop.folder.file("bundle.json", text.replacen(from, to, 1));
        let answer = drop.check(&[]);
        let said = answer.error(2);
        let said = said
            .split_once("bundle.json: ")
            .expect("the file is named")
            .1;
        assert!(said.starts_with(told), "{said}");
    }
}

#[test]
fn a_bundle_has_the_leaf_of_the_published_tree_and_the_policy() {
    let drop = Drop::new(&[]);
    let (events, list) = (drop.path("events.jsonl"), drop.path("list.csv"));
    let (exclude, holders) = (drop.path("exclude.txt"), drop.path("holders.csv"));
    let policy = drop.path("policy.json");
    let given = [
        "airdrop",
        "allocate",
        &events,
        "--pool",
        "1",
        "--decimals",
        "2",
        "--as-of",
        AS_OF,
        "--policy",
        &policy,
    ];
    let more = [
        "--exclude",
        &exclude,
        "--holders",
        &holders,
        "--output",
        &list,
    ];
    run(given.iter().chain(&more)).text();
    let (claims, bundle) = (drop.path("claims"), drop.path("bundle.json"));
    for format in ["uniswap", "ens-shards", "sablier-evm"] {
        let claims = format!("{claims}-{format}");
        run([
            "airdrop", "tree", &list, "--format", format, "--output", &claims,
        ])
        .text();
        drop.explain(ANN, &["--bundle", &bundle, "--tree", &claims])
            .text();
        // 15 of the first wallet, at which the policy ends, and 10 of the other.
        let found = drop.check(&["--json"]).json();
        assert_eq!(
            (&found["score"], &found["amount"]),
            (&"25".into(), &"71".into())
        );
        let written: Value = serde_json::from_str(&drop.read("bundle.json")).expect("JSON");
        assert_eq!(written["claim"]["format"], format);
    }
    drop.folder
        .file("other.csv", format!("address,amount\n{ANN},1\n"));
    let other = drop.path("other.json");
    run([
        "airdrop",
        "tree",
        &drop.path("other.csv"),
        "--output",
        &other,
    ])
    .text();
    let answer = drop.explain(ANN, &["--bundle", &bundle, "--tree", &other]);
    assert!(
        answer
            .error(2)
            .contains("other.json: it pays 1 base units to ")
    );
}

const OLD: &str = "address,amount\n0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359,60\n0x1111111111111111111111111111111111111111,40\n";
const NEW: &str = "address,amount\n0x2222222222222222222222222222222222222222,10\n0x1111111111111111111111111111111111111111,35\n0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359,55\n";

#[test]
fn a_restatement_never_lowers_what_was_claimable_and_lists_debts() {
    let folder = Folder::new();
    folder.file("old.csv", OLD);
    folder.file("new.csv", NEW);
    let path = |name: &str| folder.path(name).to_str().expect("text").to_owned();
    let read = |name: &str| fs::read_to_string(folder.path(name)).expect("a file");
    let restate = |more: &[&str]| {
        let (old, new, next) = (path("old.csv"), path("new.csv"), path("next.csv"));
        let given = ["airdrop", "restate", &old, &new, "--output", &next];
        run(given.iter().chain(more))
    };
    let found = restate(&["--json"]).json();
    assert_eq!(
        (&found["difference"], &found["debt"]),
        (&"0".into(), &"10".into())
    );
    assert_eq!(found["counts"]["debtors"], 2);
    let other = "0x2222222222222222222222222222222222222222";
    assert_eq!(
        read("next.csv"),
        format!("address,amount\n{BOB},40\n{other},10\n{ANN},60\n")
    );
    assert_eq!(
        read("next.csv.differences.csv"),
        format!(
            "address,old,new,difference,next,debt\n{BOB},40,35,-5,40,5\n{other},0,10,10,10,0\n{ANN},60,55,-5,60,5\n"
        )
    );
    let manifest = path("next.csv.manifest.json");
    let said = run(["airdrop", "reproduce", &manifest]).text();
    assert!(
        said.starts_with("equal: 3 holders, difference 0 base units"),
        "{said}"
    );
    let (tree, token) = (
        path("tree.json"),
        "0x1111111111111111111111111111111111111111",
    );
    let merkl = ["--format", "merkl", "--token", token, "--output", &tree];
    run(["airdrop", "tree", &path("next.csv")].iter().chain(&merkl)).text();
    let answer = run(["airdrop", "explain", &path("next.csv"), "--holder", ANN]);
    assert!(answer.error(2).contains("the manifest of a restatement"));
    // The next correction begins with what was published last.
    let (new, next) = (path("new.csv"), path("again.csv"));
    run([
        "airdrop",
        "restate",
        &path("next.csv"),
        &new,
        "--output",
        &next,
    ])
    .text();
    assert_eq!(read("again.csv"), read("next.csv"));
    folder.file("next.csv.differences.csv", "address\n");
    let said = run(["airdrop", "reproduce", &manifest]).error(1).to_owned();
    assert!(
        said.ends_with("next.csv.differences.csv: not what OLD and NEW give"),
        "{said}"
    );
}

#[test]
fn lists_that_cannot_be_compared_are_one_sentence_and_nothing_is_written() {
    let folder = Folder::new();
    let old = folder.file("old.csv", OLD);
    let path = |name: &str| folder.path(name).to_str().expect("text").to_owned();
    let most = format!("address,amount\n{ANN},{}\n", ruint::aliases::U256::MAX);
    for (new, said) in [
        (
            format!("user,token,amount\n{ANN},{BOB},1\n"),
            "one list has the header user,token,amount",
        ),
        (format!("address,amount\n{ANN},0\n"), "line 2: amount: 0"),
        (most, "the next amounts sum to 2^256 base units or more"),
        (
            "nonsense".into(),
            "line 1: the header is not address,amount",
        ),
    ] {
        let new = folder.file("new.csv", new);
        let (old, new) = (old.to_str().expect("text"), new.to_str().expect("text"));
        let answer = run([
            "airdrop",
            "restate",
            old,
            new,
            "--output",
            &path("next.csv"),
        ]);
        assert!(answer.error(2).contains(said), "{}", answer.stderr);
    }
    assert_eq!(folder.names(), ["new.csv", "old.csv"]);
}
