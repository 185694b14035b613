//! `airdrop tree`, `proof`, `proofs`, `verify`, `convert` and `list`: every format through the command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use poh_holdmetrics_rust::airdrop::{
    AddressKind, Details, Document, EvmAddress, Format, HexHash, List,
};
use serde_json::Value;

use crate::support::{Answer, Folder, run};

const ONES: &str = "0x1111111111111111111111111111111111111111";
const OTHER: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const THIRD: &str = "0xfb00000000000000000000000000000000000007";
const LIST: &str = "address,amount\n0x1111111111111111111111111111111111111111,25\n\
    0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359,75\n0xfb00000000000000000000000000000000000007,5\n";
const SOLANA: &str = "address,amount\n11111111111111111111111111111112,25\n\
    8miSWoL8uhTZjA51YjJs6ddbi1oZYtNKwwgdpG2FmXp8,75\n9KGLQ4gqdCr5GfiHRNyNE3qwZD6N8AphE96dyxKKfURi,5\n";

const EVM_FORMATS: [&str; 6] = [
    "standard-v1",
    "uniswap",
    "ens-shards",
    "thirdweb-shards",
    "sablier-evm",
    "merkl",
];

struct Trees {
    folder: Folder,
}

impl Trees {
    fn new() -> Self {
        let folder = Folder::new();
        folder.file("list.csv", LIST);
        folder.file("solana.csv", SOLANA);
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name).to_str().expect("text").to_owned()
    }

    fn airdrop(&self, verb: &str, file: &str, more: &[&str]) -> Answer {
        let file = self.path(file);
        let given = ["airdrop", verb, &file];
        run(given.iter().chain(more))
    }

    /// Writes the tree of the list under the name of its format, and gives its root.
    fn tree(&self, format: &str, more: &[&str]) -> String {
        let list = if format == "sablier-solana" {
            "solana.csv"
        } else {
            "list.csv"
        };
        let output = self.path(format);
        let mut given = vec!["--format", format, "--output", &output];
        if format == "merkl" {
            given.extend(["--token", ONES]);
        }
        given.extend(more);
        let said = self.airdrop("tree", list, &given).text();
        let root = said.strip_prefix("root ").expect("a root");
        root.trim_end().to_owned()
    }
}

/// A file, or all files of a folder.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if path.is_file() {
        return BTreeMap::from([(PathBuf::new(), fs::read(path).expect("a file"))]);
    }
    let found = fs::read_dir(path).expect("a folder");
    found
        .map(|entry| {
            let path = entry.expect("a file").path();
            (path.clone(), fs::read(&path).expect("a file"))
        })
        .collect()
}

#[test]
fn every_format_is_written_and_verified_and_converts_back() {
    let trees = Trees::new();
    let solana = trees.tree("sablier-solana", &[]);
    let said = trees.airdrop("verify", "sablier-solana", &[]).text();
    assert_eq!(
        said,
        format!("root {solana}: 3 leaves, sum 105 base units, format sablier-solana\n")
    );
    for format in EVM_FORMATS {
        let root = trees.tree(format, &[]);
        let verified = trees.airdrop("verify", format, &["--json"]).json();
        assert_eq!(verified["root"], root, "{format}");
        assert_eq!(verified["leaves"], 3, "{format}");
        assert_eq!(verified["sum"], "105", "{format}");
        assert_eq!(verified["format"], format);
    }
    for format in ["uniswap", "ens-shards", "thirdweb-shards", "sablier-evm"] {
        let back = trees.path(&format!("{format}.back"));
        trees
            .airdrop("convert", format, &["--output", &back])
            .text();
        let from_back = trees.path(&format!("{format}.again"));
        let more = ["--format", format, "--output", &from_back];
        trees
            .airdrop("convert", &format!("{format}.back"), &more)
            .text();
        let [first, again] = [trees.folder.path(format), from_back.into()].map(|path| {
            let files = files(&path);
            files.into_values().collect::<Vec<_>>()
        });
        assert!(first == again, "{format}");
    }
    // Hashes of payments have no payments.
    let ready = trees.path("simple");
    let more = ["--format", "simple-v1", "--output", &ready];
    let said = trees.airdrop("convert", "standard-v1", &more).text();
    assert_eq!(
        said.trim_end(),
        format!("root {}", trees.tree("standard-v1", &[]))
    );
    let none = trees.path("none");
    let refused = trees.airdrop("convert", "simple", &["--output", &none]);
    assert!(refused.error(2).contains("no address and one amount"));
    let refused = trees.airdrop(
        "convert",
        "standard-v1",
        &["--format", "merkl", "--output", &none],
    );
    assert!(refused.error(2).contains("only merkl names a token"));
    assert!(!trees.folder.path("none").exists());
}

#[test]
fn the_claims_of_one_token_convert_to_formats_without_tokens_and_back() {
    let trees = Trees::new();
    trees.tree("merkl", &[]);
    let (tree, back) = (trees.path("tree.json"), trees.path("back.json"));
    let more = ["--format", "standard-v1", "--output", &tree];
    trees.airdrop("convert", "merkl", &more).text();
    let more = ["--format", "merkl", "--token", ONES, "--output", &back];
    trees.airdrop("convert", "tree.json", &more).text();
    let read = |path: &str| fs::read_to_string(trees.path(path)).expect("a tree");
    assert_eq!(read("back.json"), read("merkl"));

    let several = format!("user,token,amount\n{ONES},{ONES},5\n{ONES},{OTHER},7\n");
    trees.folder.file("several.csv", several);
    let claims = trees.path("several.json");
    let more = ["--format", "merkl", "--output", &claims];
    trees.airdrop("tree", "several.csv", &more).text();
    let none = trees.path("none");
    for (verb, more) in [
        ("convert", &["--output", none.as_str()][..]),
        (
            "list",
            &[
                "--format",
                "sablier-csv",
                "--decimals",
                "0",
                "--output",
                &none,
            ],
        ),
        (
            "list",
            &[
                "--format",
                "thirdweb-json",
                "--decimals",
                "0",
                "--output",
                &none,
            ],
        ),
    ] {
        let refused = trees.airdrop(verb, "several.json", more);
        assert!(
            refused.error(2).contains("it pays several tokens"),
            "{}",
            refused.stderr
        );
        assert!(!trees.folder.path("none").exists());
    }
}

#[test]
fn shards_are_chosen_by_the_digits_of_the_address() {
    let trees = Trees::new();
    trees.tree("ens-shards", &[]);
    let read = |name: &str| -> Value {
        let text = fs::read(trees.folder.path(name)).expect("a file");
        serde_json::from_slice(&text).expect("JSON")
    };
    let root = read("ens-shards/root.json");
    assert_eq!(
        (&root["shardNybbles"], &root["total"]),
        (&2.into(), &"105".into())
    );
    let shard = read("ens-shards/fb.json");
    assert_eq!(shard["entries"][OTHER]["balance"], "75");
    assert_eq!(shard["entries"].as_object().expect("entries").len(), 2);
    assert_eq!(shard["proof"].as_array().map(Vec::len), Some(1));
    let more = [
        "--decimals",
        "1",
        "--base-uri",
        "ipfs://a/",
        "--shard-digits",
        "1",
    ];
    trees.tree("thirdweb-shards", &more);
    let info = fs::read_to_string(trees.folder.path("thirdweb-shards/info.json")).expect("a file");
    assert!(
        info.starts_with(r#"{"baseUri":"ipfs://a/","isShardedMerkleTree":true,"merkleRoot":"0x"#)
            && info.ends_with(
                r#""originalEntriesUri":"ipfs://a/entries.json","shardNybbles":1,"tokenDecimals":1}"#
            ),
        "{info}"
    );
    let shard = read("thirdweb-shards/f.json");
    assert_eq!(shard["entries"][0]["recipient"], OTHER);
    assert_eq!(shard["entries"][0]["amount"], "7.5");
    // A file more is not part of the tree.
    trees
        .folder
        .file("thirdweb-shards/0.json", r#"{"entries":[],"proofs":[]}"#);
    let refused = trees.airdrop("verify", "thirdweb-shards", &[]);
    assert!(
        refused.error(2).contains("0.json: not a shard"),
        "{}",
        refused.stderr
    );
    // A folder that has files is never written over.
    let output = trees.path("ens-shards");
    let more = ["--format", "ens-shards", "--output", &output];
    let refused = trees.airdrop("tree", "list.csv", &more);
    assert!(
        refused.error(74).contains("not empty"),
        "{}",
        refused.stderr
    );
}

#[test]
fn one_holder_has_a_proof_and_several_have_one_together() {
    let trees = Trees::new();
    let root = trees.tree("standard-v1", &[]);
    // In any case of the letters.
    let lower = OTHER.to_ascii_lowercase();
    let proof = trees
        .airdrop("proof", "standard-v1", &["--holder", &lower])
        .json();
    assert_eq!(proof["value"], serde_json::json!([OTHER, "75"]));
    assert_eq!(proof["root"], root);
    let leaf = proof["leaf"].as_str().expect("a leaf");
    let by_leaf = trees.airdrop("proof", "standard-v1", &["--leaf", leaf]);
    assert_eq!(by_leaf.json(), proof);
    let more = ["--holder", OTHER, "--holder", ONES];
    let multi = trees.airdrop("proof", "standard-v1", &more).json();
    assert_eq!(multi["leaves"].as_array().map(Vec::len), Some(2));
    assert_eq!(multi["proof"].as_array().map(Vec::len), Some(1));
    assert_eq!(multi["proofFlags"].as_array().map(Vec::len), Some(2));
    trees.tree("uniswap", &[]);
    let each = trees.airdrop("proof", "uniswap", &more).json();
    assert_eq!(each.as_array().map(Vec::len), Some(2));
    assert_eq!(each[0]["value"], serde_json::json!([0, ONES, "25"]));
    let absent = "0x2222222222222222222222222222222222222222";
    let nobody = trees.airdrop("proof", "standard-v1", &["--holder", absent]);
    assert!(
        nobody
            .error(2)
            .contains("--holder: not in the tree: 0x2222")
    );
    let nothing = trees.airdrop("proof", "standard-v1", &[]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("--holder"), "{}", nothing.stderr);
}

#[test]
fn all_proofs_are_lines_or_static_files() {
    let trees = Trees::new();
    let root = trees.tree("standard-v1", &["--proofs", &trees.path("first.jsonl")]);
    let lines = trees.path("lines.jsonl");
    trees
        .airdrop("proofs", "standard-v1", &["--output", &lines])
        .text();
    let text = fs::read_to_string(&lines).expect("lines");
    assert_eq!(
        text,
        fs::read_to_string(trees.path("first.jsonl")).expect("lines")
    );
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for (row, holder) in rows.iter().zip([ONES, OTHER, THIRD]) {
        let mut proof = trees
            .airdrop("proof", "standard-v1", &["--holder", holder])
            .json();
        assert_eq!(proof["root"].take(), root);
        proof.as_object_mut().expect("an object").remove("root");
        assert_eq!(*row, proof);
    }
    for (per, names) in [
        ("shard", vec!["11.json".to_owned(), "fb.json".to_owned()]),
        (
            "holder",
            [ONES, THIRD, &OTHER.to_ascii_lowercase()]
                .map(|holder| format!("{holder}.json"))
                .to_vec(),
        ),
    ] {
        let folder = trees.path(per);
        let more = ["--output", &folder, "--per", per];
        trees.airdrop("proofs", "standard-v1", &more).text();
        let mut found: Vec<_> = fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("a file")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .filter(|name| name != "index.json")
            .collect();
        found.sort();
        assert_eq!(found, names);
        let last = names.last().expect("a file");
        let text = fs::read(Path::new(&folder).join(last)).expect("a file");
        let claims: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(claims["root"], root);
        assert_eq!(claims["claims"][OTHER.to_ascii_lowercase()][0], rows[1]);
    }
}

#[test]
fn lists_are_written_as_other_tools_read_them() {
    let trees = Trees::new();
    trees.tree("sablier-evm", &[]);
    let written = |file: &str, more: &[&str]| trees.airdrop("list", file, more).text();
    assert_eq!(written("sablier-evm", &["--format", "csv"]), LIST);
    let places = ["--decimals", "1"];
    let list = |format| written("list.csv", &[&["--format", format], &places[..]].concat());
    assert_eq!(
        list("safe-csv"),
        format!("token_address,receiver,amount\n,{ONES},2.5\n,{OTHER},7.5\n,{THIRD},0.5\n")
    );
    assert_eq!(
        list("sablier-csv"),
        format!("address,amount\n{ONES},2.5\n{OTHER},7.5\n{THIRD},0.5\n")
    );
    assert_eq!(
        list("thirdweb-json"),
        format!(
            r#"[{{"recipient":"{ONES}","amount":"2.5"}},{{"recipient":"{OTHER}","amount":"7.5"}},{{"recipient":"{THIRD}","amount":"0.5"}}]"#
        )
    );
    let refused = trees.airdrop("list", "list.csv", &["--format", "safe-csv"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--decimals"), "{}", refused.stderr);
    // Sablier's CSV is in tokens.
    trees.folder.file("tokens.csv", list("sablier-csv"));
    let output = trees.path("tokens.json");
    let more = [
        "--in-tokens",
        "--decimals",
        "1",
        "--format",
        "sablier-evm",
        "--output",
        &output,
    ];
    trees.airdrop("tree", "tokens.csv", &more).text();
    assert_eq!(
        fs::read(output).expect("a tree"),
        fs::read(trees.path("sablier-evm")).expect("a tree")
    );
}

#[test]
fn hostile_lists_are_one_sentence_and_nothing_is_written() {
    let trees = Trees::new();
    let upper = OTHER[2..].to_ascii_uppercase();
    let long = "9".repeat(10_000_000);
    let most = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    for (rows, more, said) in [
        (
            format!("{OTHER},1\n0x{upper},1"),
            &[][..],
            "line 3: address:",
        ),
        (format!("{OTHER},0"), &[], "line 2: amount: 0"),
        (
            format!("{OTHER},{most}\n{ONES},1"),
            &[],
            "line 3: amount: the amounts up to here",
        ),
        (format!("{OTHER},{most}0"), &[], "too large"),
        (
            format!("{},1", OTHER.replace("fB", "FB")),
            &[],
            "wrong checksum",
        ),
        (format!("{OTHER},{long}"), &[], "line 2: amount:"),
        (format!("{long},1"), &[], "line 2: address:"),
        (format!("\"{long}"), &[], "line 2: not a row"),
        (String::new(), &[], "the list is empty"),
        (
            format!("{OTHER},1"),
            &["--format", "sablier-evm"],
            "at least two recipients",
        ),
        (
            format!("{OTHER},340282366920938463463374607431768211456\n{ONES},1"),
            &["--format", "sablier-evm"],
            "less than 2^128",
        ),
        (format!("{OTHER},1"), &["--format", "merkl"], "give --token"),
        (
            format!("{OTHER},1"),
            &["--format", "sablier-solana"],
            "is not a Solana address",
        ),
        (
            format!("{OTHER},1.5"),
            &["--in-tokens", "--decimals", "0"],
            "decimal places",
        ),
        (
            format!("{OTHER},256"),
            &["--types", "address,uint8"],
            "line 2, uint8: \"256\" does not fit",
        ),
        (
            format!("{OTHER},1"),
            &["--types", "address"],
            "one name for each of address",
        ),
        (
            format!("{OTHER},1"),
            &["--types", "address,uint8", "--format", "uniswap"],
            "--types: only standard-v1",
        ),
    ] {
        trees
            .folder
            .file("hostile.csv", format!("address,amount\n{rows}\n"));
        let output = trees.path("none.json");
        let given: Vec<&str> = ["--output", &output].iter().chain(more).copied().collect();
        let refused = trees.airdrop("tree", "hostile.csv", &given);
        let text = refused.error(2);
        assert!(text.contains(said), "{said}: {text}");
        assert!(text.len() < 400, "{text}");
        assert!(!Path::new(&output).exists());
    }
    let more = [
        "--types",
        "address,uint7",
        "--output",
        &trees.path("none.json"),
    ];
    let refused = trees.airdrop("tree", "list.csv", &more);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("\"uint7\" is not a type"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_changed_tree_is_refused_with_the_place() {
    let trees = Trees::new();
    trees.tree("standard-v1", &[]);
    let tree = fs::read_to_string(trees.path("standard-v1")).expect("a tree");
    trees
        .folder
        .file("changed.json", tree.replace("\"75\"", "\"76\""));
    let refused = trees.airdrop("verify", "changed.json", &[]);
    assert!(
        refused
            .error(2)
            .contains("value 2: the tree has another leaf"),
        "{}",
        refused.stderr
    );
    trees.folder.file("other.json", "{}");
    let refused = trees.airdrop("verify", "other.json", &[]);
    assert!(refused.error(2).contains("not a tree of a known format"));
}

/// The rows of Uniswap's airdrop, which lie beside the checkout; `None`, and a line that says so, if they are not there.
fn uniswap() -> Option<Vec<(String, String)>> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let packed = shared.join("uniswap_uni_airdrop_2020.csv.xz");
    let unpacked = Command::new("xz").arg("-dc").arg(&packed).output();
    let Ok(output) = unpacked
        .map_err(|_| ())
        .and_then(|output| output.status.success().then_some(output).ok_or(()))
    else {
        println!(
            "not run: {} is not there, or xz is not installed",
            packed.display()
        );
        return None;
    };
    let mut rows = csv::Reader::from_reader(&*output.stdout);
    let rows = rows.records().map(|row| {
        let row = row.expect("a row");
        let digits = row[2].strip_prefix("0x").expect("hexadecimal");
        let amount = u128::from_str_radix(digits, 16).expect("a number");
        (row[1].to_owned(), amount.to_string())
    });
    Some(rows.collect())
}

#[test]
fn the_published_roots_and_proofs_of_uniswap_come_out() {
    let Some(rows) = uniswap() else { return };
    let (mut list, mut lower) = (List::new(false), List::new(false));
    for (address, amount) in &rows {
        list.push(address, amount);
        lower.push(&address.to_ascii_lowercase(), amount);
    }
    let sum = list.check(AddressKind::Evm).expect("a list");
    assert_eq!(sum.to_string(), "149999999975656000000000000");
    let build =
        |list: &List, format| Document::of_list(list, format, Details::default()).expect("a tree");
    let root = |tree: &Document| HexHash(&tree.root()).to_string();
    let standard = build(&lower, Format::StandardV1);
    assert_eq!(
        root(&standard),
        "0xe0d0763f459fd1fcbde5d08e16d14f669651902bc0ef00490abab3f2fcaa4ba0"
    );
    let tree = build(&list, Format::Uniswap);
    assert_eq!(
        root(&tree),
        "0xc8500f8e2fcf3c9a32880e1b973fb28acc88be35787a8abcf9981b2b65dbdeb5"
    );
    let chunk = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/uniswap_chunk_0x0015_with_proofs.json");
    let chunk: Value =
        serde_json::from_slice(&fs::read(chunk).expect("it lies beside")).expect("JSON");
    for (holder, claim) in chunk.as_object().expect("claims") {
        let row = usize::try_from(claim["index"].as_u64().expect("a number")).expect("small");
        assert_eq!(tree.holder(row), Some(holder.to_ascii_lowercase()));
        assert!(EvmAddress::parse(holder).is_ok());
        let mut proof = Vec::new();
        tree.proof_into(row, &mut proof);
        let proof: Vec<_> = proof.iter().map(|hash| HexHash(hash).to_string()).collect();
        assert_eq!(claim["proof"], serde_json::json!(proof), "{holder}");
    }
}

/// More than 16 MiB, whose parts are read at once.
#[test]
fn a_large_tree_is_read_whole() {
    let trees = Trees::new();
    let leaves = (0..100_000).map(|leaf| format!("0x{leaf:064x}"));
    let leaves = leaves.collect::<Vec<_>>().join("\n");
    trees.folder.file("leaves.csv", format!("leaf\n{leaves}\n"));
    let tree = trees.path("large.json");
    let more = ["--format", "simple-v1", "--output", &tree];
    let root = trees.airdrop("tree", "leaves.csv", &more).text();
    let said = trees.airdrop("verify", "large.json", &[]).text();
    assert!(
        said.starts_with(&format!("{}: 100000 leaves", root.trim_end())),
        "{said}"
    );
    let mut bytes = fs::read(&tree).expect("a tree");
    let place = bytes.len() - 1_000;
    bytes[place] ^= 1;
    fs::write(&tree, bytes).expect("written");
    let refused = trees.airdrop("verify", "large.json", &[]);
    assert!(
        refused.error(2).contains("large.json: "),
        "{}",
        refused.stderr
    );
}
