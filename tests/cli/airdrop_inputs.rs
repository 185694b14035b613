//! `airdrop allocate` over files that are read and scored by the options of `score`, which the manifest records.

use std::fs;

use serde_json::Value;

use crate::support::{AS_OF, Answer, Folder, run};

const ANN: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const BOB: &str = "0x1111111111111111111111111111111111111111";

/// Scores 30, 10 and 10, a balance below 0, and a line without a holder; in columns, units and times of its own.
const TABLE: &str = "user;from;to;units\n\
    0xFB6916095CA1DF60BB79CE92CE3EA74C37C5D359;1753056000;1753056010;300\n\
    0x1111111111111111111111111111111111111111;1753056000;1753056010;100\n\
    0x2222222222222222222222222222222222222222;1753056000;1753056010;100\n\
    -;1753056000;1753056010;100\n";
const MAPPING: &str = "[input]\ntime_unit = \"s\"\nnull = [\"-\"]\ndecimals = 0\ndecimals_file = \"decimals.csv\"\n\
    [input.columns]\nholder_id = \"user\"\nstart = \"from\"\nend = \"to\"\nweight = \"units\"\n";

struct Drop {
    folder: Folder,
}

impl Drop {
    fn new() -> Self {
        let folder = Folder::new();
        folder.file("table.csv", TABLE);
        folder.file("mapping.toml", MAPPING);
        folder.file("decimals.csv", "token_id,decimals\nAPE,2\n");
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name).to_str().expect("text").to_owned()
    }

    fn allocate(&self, file: &str, more: &[&str]) -> Answer {
        let (file, list) = (self.path(file), self.path("list.csv"));
        let given = ["airdrop", "allocate", &file, "--output", &list];
        let pool = ["--pool", "1", "--decimals", "2", "--as-of", AS_OF];
        run(given.iter().chain(&pool).chain(more))
    }

    /// By the mapping file, with the options that its rows need.
    fn allocate_mapped(&self, more: &[&str]) -> Answer {
        let mapping = self.path("mapping.toml");
        let given = ["--mapping", &mapping, "--token", "APE", "--fold-hex-ids"];
        let given = given.iter().chain(&["--on-error", "skip"]);
        let given: Vec<&str> = given.chain(more).copied().collect();
        self.allocate("table.csv", &given)
    }

    fn list(&self) -> String {
        fs::read_to_string(self.folder.path("list.csv")).expect("a list")
    }

    fn manifest(&self) -> Value {
        let text = fs::read_to_string(self.folder.path("list.csv.manifest.json"));
        serde_json::from_str(&text.expect("a manifest")).expect("JSON")
    }

    fn reproduce(&self, more: &[&str]) -> Answer {
        let manifest = self.path("list.csv.manifest.json");
        run(["airdrop", "reproduce", &manifest].iter().chain(more))
    }
}

#[test]
fn files_with_columns_of_their_own_are_read_by_a_mapping_that_the_manifest_records() {
    let drop = Drop::new();
    drop.allocate_mapped(&[]).text();
    assert_eq!(
        drop.list(),
        format!(
            "address,amount\n{BOB},20\n0x2222222222222222222222222222222222222222,20\n{ANN},60\n"
        )
    );
    let manifest = drop.manifest();
    let input = &manifest["options"]["input"];
    assert_eq!(input["columns"]["holder_id"], "user");
    assert_eq!(input["columns"]["token_id"], "\"APE\"");
    assert_eq!(input["time_unit"], "s");
    assert_eq!(input["fold_hex_ids"], true);
    assert_eq!(manifest["counts"]["refused"], 1);
    // The mapping file is recorded by what it says, the file that it names by its hash.
    fs::remove_file(drop.folder.path("mapping.toml")).expect("a file");
    assert!(
        drop.reproduce(&[])
            .text()
            .starts_with("equal: 3 recipients")
    );
    drop.folder
        .file("decimals.csv", "token_id,decimals\nAPE,1\n");
    let said = drop.reproduce(&[]).error(1).to_owned();
    assert!(
        said.contains("decimals.csv: the file has changed"),
        "{said}"
    );
}

#[test]
fn the_weights_of_the_input_have_decimals_of_their_own() {
    let drop = Drop::new();
    drop.folder.file(
        "events.csv",
        format!("token_id,holder_id,start,end,weight\nT,{ANN},1753056000000,1753056010000,150\n"),
    );
    let manifest = drop.allocate("events.csv", &["--input-decimals", "2", "--json"]);
    let manifest = manifest.json();
    assert_eq!(manifest["options"]["decimals"], 2);
    assert_eq!(manifest["options"]["input"]["decimals"], 2);
    let explained = run([
        "airdrop",
        "explain",
        &drop.path("list.csv"),
        "--holder",
        ANN,
        "--json",
    ]);
    assert_eq!(explained.json()["score"], "15");
}

#[test]
fn only_the_first_holders_share_if_there_is_a_limit() {
    let drop = Drop::new();
    drop.allocate_mapped(&["--limit", "2"]).text();
    assert_eq!(drop.list(), format!("address,amount\n{BOB},25\n{ANN},75\n"));
    drop.reproduce(&[]).text();
    let other = "0x2222222222222222222222222222222222222222";
    let list = drop.path("list.csv");
    let said = run(["airdrop", "explain", &list, "--holder", other]);
    assert!(said.error(2).contains("(--limit)"), "{}", said.stderr);
}

#[test]
fn refused_lines_and_deficits_are_listed_and_strict_makes_errors_of_warnings() {
    let drop = Drop::new();
    let rejects = drop.path("rejects.csv");
    drop.allocate_mapped(&["--rejects", &rejects]).text();
    let listed = fs::read_to_string(&rejects).expect("a list");
    assert!(listed.contains("table.csv,5,"), "{listed}");
    let said = drop.allocate("table.csv", &["--rejects", &rejects]);
    assert!(
        said.error(2).contains("add --on-error skip"),
        "{}",
        said.stderr
    );

    drop.folder.file(
        "changes.csv",
        format!(
            "token_id,holder_id,at,delta,event_id\nT,{ANN},1753056000000,1,a\nT,{BOB},1753056000000,-1,b\n"
        ),
    );
    let deficits = drop.path("deficits.csv");
    let answer = drop.allocate("changes.csv", &["--deficits", &deficits]);
    assert!(
        answer
            .stderr
            .contains("1 key has a balance below 0 at some time"),
        "{}",
        answer.stderr
    );
    let listed = fs::read_to_string(&deficits).expect("a list");
    assert!(listed.contains(BOB), "{listed}");
    let strict = drop.allocate("changes.csv", &["--strict"]);
    assert!(
        strict.error(2).starts_with("--strict: W05 deficits: 1 key"),
        "{}",
        strict.stderr
    );
}

#[test]
fn options_of_files_are_refused_without_files() {
    let drop = Drop::new();
    let (data, list) = (drop.path("data"), drop.path("list.csv"));
    for (given, named) in [
        (&["--time-unit", "s"][..], "how they are read"),
        (&["--strict"], "--strict"),
        (&["--on-error", "skip"], "--on-error"),
    ] {
        let begin = [
            "airdrop",
            "allocate",
            "--data-dir",
            &data,
            "--output",
            &list,
        ];
        let pool = ["--pool", "1", "--decimals", "2"];
        let answer = run(begin.iter().chain(&pool).chain(given));
        assert_eq!(
            answer.error(2),
            format!(
                "--data-dir and --server: no files are read; leave out what is about files ({named})"
            )
        );
    }
}

/// The policy of ready steps and the function of a pipeline lie beside the inputs, too.
#[test]
fn a_policy_is_looked_for_in_the_folder_of_the_inputs() {
    let drop = Drop::new();
    drop.folder.file(
        "policy.json",
        r#"{"steps":[{"step":"score_cap","most":"15"}]}"#,
    );
    let policy = drop.path("policy.json");
    drop.allocate_mapped(&["--policy", &policy]).text();
    let manifest = drop.path("list.csv.manifest.json");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let folder = format!("{}/", drop.path("")).replace("//", "/");
    fs::write(&manifest, text.replace(&folder, "")).expect("written");
    assert_eq!(drop.manifest()["options"]["policy"], "policy.json");
    drop.reproduce(&["--folder", &drop.path("")]).text();
}

#[cfg(feature = "py-embed")]
#[test]
fn a_list_under_a_function_is_explained_with_the_segments_that_it_was_given() {
    let drop = Drop::new();
    drop.folder.file(
        "halves.py",
        "from poh_holdmetrics import Pipeline\n\
         pipeline = Pipeline('halves')\n\
         @pipeline.policy('halves')\n\
         def halves(segments):\n\
         \x20   return {holder: 3 if holder.startswith('0xf') else 1 for holder, rows in segments.by_holder()}\n",
    );
    let policy = drop.path("halves.py");
    drop.allocate_mapped(&["--policy", &policy]).text();
    let list = drop.path("list.csv");
    let given = ["airdrop", "explain", &list, "--holder", ANN];
    let found = run(given.iter().chain(&["--json"])).json();
    assert_eq!(
        (&found["score"], &found["amount"]),
        (&"3".into(), &"60".into())
    );
    assert_eq!(found["scores"][0]["keys"][0]["segments"][0]["score"], "30");
    let text = run(given.iter()).text();
    assert!(
        text.contains(
            "halves.py gives it for all holders together; of this one it was given 1 segment"
        ),
        "{text}"
    );
    let bundle = drop.path("bundle.json");
    let refused = run(given.iter().chain(&["--bundle", bundle.as_str()]));
    assert!(
        refused
            .error(2)
            .starts_with("--bundle: its holder could not compute a score again"),
        "{}",
        refused.stderr
    );
    drop.folder.file("halves.py", "");
    let changed = run(given.iter());
    assert_ne!(changed.stderr, "");
}
