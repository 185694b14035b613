//! The recipes of `docs/recipes.md`: every command runs, and the scores are those of a naive program.
//!
//! `examples/recipes/naive_twin.py` made `examples/recipes/figures.json` from the files that the commands make.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Folder, command};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands in the blocks of the page, in their order, as words.
fn commands() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(repository().join("docs/recipes.md")).expect("the page");
    let blocks = page.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("a block"));
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    blocks.flat_map(str::lines).map(words).collect()
}

/// Runs a command of the page in `folder`, with more words at its end.
fn run_in(folder: &Folder, words: &[String], more: &[&str]) -> String {
    assert_eq!(words[0], "main_holdmetrics");
    let mut command = command(
        words[1..]
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied()),
    );
    let answer = command
        .current_dir(folder.path(""))
        .output()
        .expect("it runs");
    assert!(
        answer.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    String::from_utf8(answer.stdout).expect("text")
}

#[test]
fn every_recipe_runs_and_scores_what_the_naive_program_does() {
    let figures: PathBuf = repository().join("examples/recipes/figures.json");
    let figures = std::fs::read_to_string(figures).expect("figures");
    let figures: Value = serde_json::from_str(&figures).expect("JSON");
    let folder = Folder::new();
    let mut compared = Vec::new();
    for words in commands() {
        let answer = run_in(&folder, &words, &[]);
        if words[1] != "score" {
            continue;
        }
        assert!(answer.lines().count() > 3, "{answer}");
        // All holders, to compare their number and sum with.
        let at = words
            .iter()
            .position(|word| word == "--limit")
            .expect("a limit");
        let report = run_in(&folder, &words[..at], &["--format", "json"]);
        let report: Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!(report["deficits"], 0);
        let recipe = words[2].split('.').next().expect("a name");
        let recipe = if recipe == "stakes" {
            "staking"
        } else {
            recipe
        };
        let expected = &figures[recipe];
        let holders = report["holders"].as_array().expect("a list");
        assert_eq!(expected["holders"], holders.len(), "{recipe}");
        let best = holders
            .iter()
            .take(10)
            .map(|row| [&row["holder_id"], &row["score"]]);
        let best: Vec<_> = best
            .map(|[holder, score]| serde_json::json!([holder, score]))
            .collect();
        assert_eq!(expected["best"], Value::Array(best), "{recipe}");
        compared.push(recipe.to_owned());
    }
    assert_eq!(compared, ["nft", "erc20", "staking", "staking", "billing"]);
}
