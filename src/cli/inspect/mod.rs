//! `inspect`: what a file is, what its first rows say as events, and the command line that reads it.
//!
//! Scores nothing and writes nothing. [`survey`] reads the file, [`cures`] finds the options that it needs.

mod cures;
mod survey;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use self::cures::cured;
use self::survey::Survey;
use super::exit::Exit;
use super::input::InputArguments;
use crate::input::Source;

/// Rows that are read to find the options; the whole file is read once, with them.
const SAMPLE_ROWS: u64 = 100_000;

/// The arguments of `inspect`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file in any form that `score` reads
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    input: InputArguments,
    /// Show the first N rows as events
    #[arg(long, value_name = "N", default_value_t = 5)]
    rows: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Reads the file until its options are found, then all of it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let source = Source::from(arguments.file.clone());
    if source == Source::Stdin {
        return Err(Exit::usage(
            "-: inspect reads its input more than once; name a file",
        ));
    }
    let mut options = arguments.input.options()?;
    let mut added: Vec<String> = Vec::new();
    loop {
        let sample = Survey::of(&source, &options, 0, SAMPLE_ROWS);
        match cured(&source, &sample, &mut options) {
            Some(words) => added.extend(words),
            None => break,
        }
    }
    let survey = Survey::of(&source, &options, arguments.rows, u64::MAX)?;
    let mut command = vec!["main_holdmetrics".to_owned(), "score".to_owned()];
    command.extend(given_words());
    command.extend(with_one_mapping(added));
    if arguments.json {
        let mut report = survey.json();
        report["command"] = json!(command);
        println!("{report:#}");
    } else {
        print!("{}", survey.text());
        let words: Vec<_> = command.iter().map(|word| in_shell(word)).collect();
        println!("read it with: {}", words.join(" "));
    }
    Ok(())
}

/// The same words, their mappings of columns in one.
fn with_one_mapping(words: Vec<String>) -> Vec<String> {
    let (mut mappings, mut others) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--columns" {
            mappings.extend(words.next());
        } else {
            others.push(word);
        }
    }
    if !mappings.is_empty() {
        others.splice(0..0, ["--columns".to_owned(), mappings.join(",")]);
    }
    others
}

/// The words of this command that `score` knows, too.
fn given_words() -> Vec<String> {
    // The name of a file need not be text.
    let mut words = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .skip(1)
        .skip_while(|word| word != "inspect")
        .skip(1);
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => {}
            "--rows" => {
                words.next();
            }
            _ if word.starts_with("--rows=") => {}
            _ => given.push(word),
        }
    }
    given
}

/// A word as a shell takes it.
fn in_shell(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:=,-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The value, or null.
fn or_null<T: ToString>(value: Option<T>) -> Value {
    value.map_or(Value::Null, |value| Value::String(value.to_string()))
}
