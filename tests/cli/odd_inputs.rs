//! Inputs of many kinds, each with the leaderboard or the sentence that both implementations give for it; the Python
//! package is held to the same list.

use serde::Deserialize;

use crate::support::{Folder, run};

/// Of so many inputs the second implementation of the binary reads one: it takes long to start.
#[cfg(feature = "py-embed")]
const EACH: usize = 12;

#[derive(Deserialize)]
struct Case {
    name: String,
    text: String,
    #[serde(default)]
    options: Vec<String>,
    expected: String,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../golden/odd_inputs.json")).expect("a list of cases")
}

/// The holders with their scores and the codes of warnings, or why the file is refused.
fn answer(folder: &Folder, case: &Case, engine: &str) -> String {
    let file = folder.file(&case.name, &case.text);
    let file = file.to_str().expect("a path of text");
    let mut arguments = vec!["score", file, "--as-of", "2024-01-01", "--format", "json"];
    arguments.extend(["--engine", engine]);
    arguments.extend(case.options.iter().map(String::as_str));
    let ran = run(&arguments);
    if ran.is_refused() {
        return ran.error(2).replace(file, &case.name);
    }
    let found = ran.json();
    let holders = found["holders"].as_array().expect("a list").iter();
    let mut texts = holders
        .map(|row| {
            let (holder, score) = (row["holder_id"].as_str(), row["score"].as_str());
            format!("{} {};", holder.expect("text"), score.expect("text"))
        })
        .collect::<Vec<_>>();
    let warnings = found["warnings"].as_array().expect("a list").iter();
    texts.extend(warnings.map(|warning| warning["code"].as_str().expect("a code").to_owned()));
    texts.join(" ")
}

#[test]
fn every_input_is_read_or_refused_as_listed() {
    let folder = Folder::new();
    let cases = cases();
    assert!(cases.len() > 200, "{}", cases.len());
    for case in &cases {
        assert_eq!(
            answer(&folder, case, "native"),
            case.expected,
            "{}",
            case.name
        );
    }
}

#[cfg(feature = "py-embed")]
#[test]
fn the_second_implementation_says_the_same() {
    let folder = Folder::new();
    let cases = cases();
    let (own, mapped): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.options.is_empty());
    for case in own.into_iter().step_by(EACH).chain(mapped) {
        assert_eq!(
            answer(&folder, case, "python"),
            case.expected,
            "{}",
            case.name
        );
    }
}
