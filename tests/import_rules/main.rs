//! Who may import whom: the rules of `docs/architecture.md`, held against the source of `src/`.
//!
//! Reads every file below `src/` and proves on planted source that a violation would be caught. It does
//! not resolve re-exports or macros: a module that hands another module's type on is found where it imports
//! it. The rules are in `rules`.

mod paths;
mod rules;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use rules::violations;

/// Every Rust file below a folder, with its path below it.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in entries.map(|entry| entry.expect("a folder can be listed").path()) {
        if entry.is_dir() {
            files.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files
}

#[test]
fn every_file_keeps_to_the_rules() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&source);
    assert!(
        files.iter().any(|file| file.ends_with("core/mod.rs")),
        "no core below {}",
        source.display()
    );
    let broken: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let file = path
                .strip_prefix(&source)
                .expect("it lies below src")
                .to_string_lossy()
                .replace('\\', "/");
            violations(&file, &fs::read_to_string(path).expect("source is UTF-8"))
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The rules that a planted source breaks, without their place.
fn planted(file: &str, source: &str) -> Vec<String> {
    violations(file, source)
        .into_iter()
        .map(|line| {
            line.split_once(": ")
                .expect("a violation names its place first")
                .1
                .to_owned()
        })
        .collect()
}

#[test]
fn a_forbidden_module_is_caught_by_every_spelling_of_its_path() {
    let rule = ["input may not know aggregator"];
    assert_eq!(
        planted("input/csv.rs", "use crate::aggregator::HoldAggregator;"),
        rule
    );
    assert_eq!(
        planted(
            "input/csv.rs",
            "use crate::{core::Event, aggregator::{self, Lane}};"
        ),
        rule
    );
    assert_eq!(
        planted("input/csv.rs", "use super::super::aggregator::Lane;"),
        rule
    );
    assert_eq!(
        planted("input/mod.rs", "pub use super::aggregator::Lane;"),
        rule
    );
    assert_eq!(
        planted("input/csv.rs", "fn f() { crate::aggregator::f(); }"),
        rule
    );
    assert_eq!(
        planted(
            "input/mod.rs",
            "mod tests { use super::super::aggregator::Lane; }"
        ),
        rule
    );
    assert_eq!(
        planted("input/csv.rs", "use poh_holdmetrics_rust::aggregator;"),
        rule
    );
    assert_eq!(
        planted("core/time.rs", "use crate::input;"),
        ["core may not know input"]
    );
    assert_eq!(
        planted("output/json.rs", "use crate::cli::score;"),
        ["output may not know cli"]
    );
    assert_eq!(
        planted("host/mod.rs", "use crate::net;"),
        ["host may not know net"]
    );
    assert_eq!(
        planted("telemetry/mod.rs", "use crate::core;"),
        ["telemetry may not know core"]
    );
}

#[test]
fn what_the_core_may_not_name_is_caught() {
    assert_eq!(
        planted("core/a.rs", "use std::{fmt, fs};"),
        ["core is pure and may not name std::fs"]
    );
    assert_eq!(
        planted(
            "core/a.rs",
            "fn f() { std::time::Instant::now(); tracing::info!(\"x\"); }"
        ),
        [
            "core is pure and may not name tracing",
            "core is pure and may not name std::time"
        ]
    );
    assert_eq!(
        planted("core/a.rs", "use std::fmt;\nuse crate::core::Wad;"),
        Vec::<String>::new()
    );
}

#[test]
fn pyo3_and_unsafe_are_caught_outside_the_fence() {
    assert_eq!(
        planted("cli/run.rs", "use pyo3::Python;"),
        ["pyo3 is named only in host/ and bindings.rs"]
    );
    assert_eq!(
        planted("cli/run.rs", "fn f() { unsafe { g() } }"),
        ["unsafe stands only in host/ and windows.rs"]
    );
    let bare = "fn f() {\n    unsafe { g() }\n}";
    assert_eq!(
        planted("host/a.rs", bare),
        ["unsafe needs a `// SAFETY:` line above it"]
    );
    let argued = "fn f() {\n    // SAFETY: `g` has no conditions.\n    unsafe { g() }\n}";
    assert_eq!(planted("host/a.rs", argued), Vec::<String>::new());
}

#[test]
fn crates_of_the_command_line_are_caught_in_the_library() {
    assert_eq!(
        planted("input/format.rs", "#[derive(clap::ValueEnum)]\nenum A {}"),
        ["clap is named only in cli"]
    );
    assert_eq!(
        planted("engine/mod.rs", "use anyhow::Context;"),
        ["anyhow is named only in cli, main_holdmetrics"]
    );
    assert_eq!(
        planted("main_holdmetrics.rs", "use clap::Parser;"),
        ["clap is named only in cli"]
    );
    for file in ["cli/exit.rs", "main_holdmetrics.rs"] {
        assert_eq!(
            planted(file, "fn run() -> anyhow::Result<()> {}"),
            Vec::<String>::new()
        );
    }
}

#[test]
fn an_unknown_module_is_caught() {
    assert_eq!(
        planted("shed/mod.rs", ""),
        ["the module shed is not in the rules; add it to them"]
    );
}

#[test]
fn generated_code_is_caught_outside_server_and_client() {
    assert_eq!(
        planted("cli/send.rs", "use crate::net::pb::HoldMsg;"),
        ["generated code is named only in net/ and client/"]
    );
    assert_eq!(
        planted(
            "client/a.rs",
            "use crate::net::{pb, server::Server};\nuse crate::net::pb::HoldMsg;"
        ),
        ["client may not know net::server"]
    );
    assert_eq!(
        planted("net/grpc/a.rs", "use crate::net::pb::HoldMsg;"),
        Vec::<String>::new()
    );
}

#[test]
fn comments_texts_and_lifetimes_are_no_paths() {
    let harmless = "//! crate::cli\n/* use crate::cli; /* unsafe */ */\nconst A: &str = \"crate::cli \\\" pyo3\";\n\
        const B: &str = r#\"unsafe \" crate::cli\"#;\nconst C: &[u8] = b\"pyo3\";\nconst D: char = '\"';\n\
        fn f<'a>(x: &'a str) -> &'a str { x }\nconst E: char = '\\'';\npub(crate) struct F;\n";
    assert_eq!(planted("core/a.rs", harmless), Vec::<String>::new());
    let after = format!("{harmless}use crate::cli;");
    assert_eq!(
        violations("core/a.rs", &after),
        ["src/core/a.rs:10: core may not know cli"]
    );
}
