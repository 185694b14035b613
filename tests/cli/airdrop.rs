//! `airdrop allocate` and `reproduce`: lists that sum to the pool, manifests, and what is refused.

use std::fs;
use std::path::Path;

use crate::support::{AS_OF, Answer, Folder, run};

/// Scores 20 and 10 in two cases of one address, 10 of another, and a holder without an address.
const EVENTS: &str = r#"{"token_id":"T","holder_id":"0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359","start":1753056000000,"end":1753056020000}
{"token_id":"T","holder_id":"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359","start":1753056000000,"end":1753056010000}
{"token_id":"T","holder_id":"0x1111111111111111111111111111111111111111","start":1753056000000,"end":1753056010000}
{"token_id":"T","holder_id":"treasury","start":1753056000000,"end":1753056010000}
"#;

struct Drop {
    folder: Folder,
}

impl Drop {
    fn new() -> Self {
        let folder = Folder::new();
        folder.file("events.jsonl", EVENTS);
        folder.file("exclude.txt", "# not a wallet\ntreasury\n\n");
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name).to_str().expect("text").to_owned()
    }

    fn allocate(&self, pool: &str, more: &[&str]) -> Answer {
        let (events, list) = (self.path("events.jsonl"), self.path("list.csv"));
        let given = [
            "airdrop",
            "allocate",
            &events,
            "--pool",
            pool,
            "--decimals",
            "2",
        ];
        let output = ["--as-of", AS_OF, "--output", &list];
        run(given.iter().chain(&output).chain(more))
    }

    /// With the options under which the events have an allocation.
    fn allocate_all(&self, more: &[&str]) -> Answer {
        let exclude = self.path("exclude.txt");
        let given = ["--merge-duplicates", "--exclude", &exclude];
        let given: Vec<&str> = given.iter().chain(more).copied().collect();
        self.allocate("1", &given)
    }

    fn list(&self) -> String {
        fs::read_to_string(self.folder.path("list.csv")).expect("a list")
    }

    fn reproduce(&self) -> Answer {
        run(["airdrop", "reproduce", &self.path("list.csv.manifest.json")])
    }

    #[track_caller]
    fn wrote_nothing(&self) {
        assert!(!self.folder.path("list.csv").exists());
        assert!(!Path::new(&self.path("list.csv.manifest.json")).exists());
    }
}

const LIST: &str = "address,amount\n0x1111111111111111111111111111111111111111,25\n\
    0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359,75\n";

#[test]
fn a_pool_is_shared_to_the_last_unit_and_the_manifest_computes_it_again() {
    let drop = Drop::new();
    let manifest = drop.allocate_all(&["--json"]).json();
    assert_eq!(drop.list(), LIST);
    assert_eq!(manifest["sum"], "100");
    assert_eq!(manifest["counts"]["recipients"], 2);
    assert_eq!(manifest["counts"]["excluded"], 1);
    assert_eq!(manifest["counts"]["merged"], 1);
    assert_eq!(manifest["options"]["as_of"], "2025-07-21T00:01:40Z");
    let written = fs::read_to_string(drop.path("list.csv.manifest.json")).expect("a manifest");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&written).expect("JSON"),
        manifest
    );
    assert!(
        drop.reproduce()
            .text()
            .starts_with("equal: 2 recipients, sum 100 base units")
    );
}

#[test]
fn reproduce_says_the_first_difference() {
    let drop = Drop::new();
    drop.allocate_all(&[]).text();
    drop.folder.file("list.csv", LIST.replace("25", "24"));
    let answer = drop.reproduce();
    let said = answer.error(1);
    let cut = "0x11111111111111111111111111111111111111...";
    let expected = format!("line 2: it has {cut},24, computed is {cut},25");
    assert!(said.contains(&expected), "{said}");
    drop.folder.file("list.csv", LIST);
    let changed = fs::read_to_string(drop.path("list.csv.manifest.json")).expect("a manifest");
    drop.folder.file(
        "list.csv.manifest.json",
        changed.replace("\"sum\": \"100\"", "\"sum\": \"101\""),
    );
    assert!(
        drop.reproduce()
            .error(1)
            .contains("the counts or the sum differ")
    );
    drop.folder.file("list.csv.manifest.json", changed);
    drop.reproduce().text();
    drop.folder.file("exclude.txt", "nobody\n");
    assert!(
        drop.reproduce()
            .error(1)
            .contains("exclude.txt: the file has changed")
    );
}

#[test]
fn wallets_caps_minimums_and_roots() {
    let drop = Drop::new();
    drop.allocate_all(&["--cap", "0.6"]).text();
    assert!(drop.list().ends_with("d359,60\n"), "{}", drop.list());
    drop.allocate_all(&["--min-amount", "0.5"]).text();
    assert!(
        drop.list()
            .ends_with("amount\n0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359,100\n")
    );
    drop.allocate_all(&["--min-score", "11"]).text();
    assert!(drop.list().ends_with("d359,100\n"), "{}", drop.list());
    // The roots of 30 and 10 are as 1.732 to 1.
    drop.allocate_all(&["--curve", "square-root"]).text();
    assert!(drop.list().ends_with("d359,63\n"), "{}", drop.list());
    let wallet = "treasury,0x1111111111111111111111111111111111111111\n";
    let holders = drop
        .folder
        .file("holders.csv", format!("wallet,holder\n{wallet}"));
    let holders = [
        "--merge-duplicates",
        "--holders",
        holders.to_str().expect("text"),
    ];
    drop.allocate("1", &holders).text();
    assert!(drop.list().ends_with("d359,60\n"), "{}", drop.list());
    drop.folder
        .file("holders.csv", format!("wallet,holder\n{wallet}{wallet}"));
    assert!(
        drop.allocate("1", &holders)
            .error(2)
            .contains("wallet \"treasury\" has two holders")
    );
}

#[test]
fn what_cannot_be_shared_is_one_sentence_and_nothing_is_written() {
    let drop = Drop::new();
    let exclude = drop.path("exclude.txt");
    for (pool, more, said) in [
        (
            "1",
            &[][..],
            "holder_id: \"treasury\" is not an EVM address",
        ),
        (
            "1",
            &["--exclude", &exclude],
            "are one address (merge_duplicates adds",
        ),
        (
            "1.001",
            &[],
            "--pool: \"1.001\" has more than 2 decimal places",
        ),
        ("-1", &[], "--pool: \"-1\" is not a decimal number"),
        (&"9".repeat(100), &[], "is too large"),
        (
            "0",
            &["--addresses", "text"],
            "pool: 0 (write an amount above 0)",
        ),
        (
            "1",
            &["--addresses", "text", "--from", AS_OF],
            "the scores sum to 0",
        ),
        (
            "1",
            &["--addresses", "text", "--cap", "0.2"],
            "cap: 4 holders at 20 base units each do not use up the pool of 100",
        ),
        (
            "1",
            &["--addresses", "text", "--min-amount", "0.9"],
            "minimum: no holder gets 90 base units",
        ),
        (
            "1",
            &["--addresses", "solana", "--exclude", &exclude],
            "is not a Solana address",
        ),
        ("1", &["--policy", "absent.json"], "absent.json"),
        ("1", &["--exclude", "absent.txt"], "absent.txt"),
    ] {
        let answer = drop.allocate(pool, more);
        assert!(answer.error(2).contains(said), "{said}: {}", answer.stderr);
        drop.wrote_nothing();
    }
}

#[test]
fn a_pool_of_2_to_the_128_is_shared_exactly() {
    let drop = Drop::new();
    let pool = "3402823669209384634633746074317682114.56";
    drop.allocate(pool, &["--addresses", "text"]).text();
    let list = drop.list();
    let amounts = list
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once(',').expect("two cells").1);
    let sum = amounts.map(|amount| amount.parse::<u128>().expect("below 2^128") - 1);
    // The sum itself has 129 bits.
    assert_eq!(sum.sum::<u128>(), u128::MAX - 3);
}

#[test]
fn a_list_beside_the_manifest_of_another_is_refused() {
    let drop = Drop::new();
    drop.allocate_all(&[]).text();
    let (list, tree) = (drop.path("list.csv"), drop.path("tree.json"));
    run(["airdrop", "tree", &list, "--output", &tree]).text();
    // As after an `allocate` that ended between its two files.
    drop.folder.file("list.csv", LIST.replace("25", "24"));
    for arguments in [
        &["airdrop", "tree", &list, "--output", &tree][..],
        &["airdrop", "list", &list, "--format", "csv"],
    ] {
        let refused = run(arguments);
        assert!(
            refused
                .error(2)
                .contains("the manifest beside it is of another list"),
            "{}",
            refused.stderr
        );
    }
}
