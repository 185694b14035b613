//! `inspect`: what a file is, what its first rows say as events, and the command line that reads it.
//!
//! Scores nothing and writes nothing. [`survey`] reads the file, [`cures`] finds the options that it needs,
//! and [`command`] writes them.

mod command;
mod cures;
mod survey;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use self::command::in_shell;
use self::cures::is_cured;
use self::survey::Survey;
use super::exit::Exit;
use super::input::InputArguments;
use crate::input::{InputError, InputOptions, Source};

/// Rows that are read to find the options; the whole file is read once, with them.
const SAMPLE_ROWS: u64 = 100_000;

/// What is said of amounts without a direction.
const DIRECTION: &str = "each row is read as an amount that its holder is given; where it is one that is taken, write from_id, not to_id";

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
    let given = arguments.input.options()?;
    let mut options = given.clone();
    loop {
        let sample = Survey::of(&source, &options, 0, SAMPLE_ROWS);
        if !is_cured(&source, &sample, &mut options) {
            break;
        }
    }
    let survey = Survey::of(&source, &options, arguments.rows, u64::MAX).map_err(not_read)?;
    let mut words = command::words(&given, &options);
    if survey.has_refused() {
        words.extend(["--on-error".to_owned(), "skip".to_owned()]);
    }
    let has_to = |options: &InputOptions| options.columns.has("to_id");
    let note = (has_to(&options) && !has_to(&given)).then_some(DIRECTION);
    let command = survey.why_nothing_is_read().map_or(Ok(words), Err);
    if arguments.json {
        let mut report = survey.json();
        report["command"] = json!(command.as_ref().ok());
        report["note"] = json!(command.as_ref().err().map(String::as_str).or(note));
        println!("{report:#}");
        return Ok(());
    }
    print!("{}", survey.text());
    match command {
        Ok(words) => {
            let words: Vec<_> = words.iter().map(|word| in_shell(word)).collect();
            println!("read it with: {}", words.join(" "));
            if let Some(note) = note {
                println!("note: {note}");
            }
        }
        Err(reason) => println!("no options were found that read it: {reason}"),
    }
    Ok(())
}

/// An error that ends the search; if no other options are left to try, it says so.
fn not_read(error: InputError) -> anyhow::Error {
    match error {
        InputError::MissingColumn { .. } | InputError::ColumnType { .. } => {
            Exit::usage(format!("{error}; no options were found that read it"))
        }
        other => other.into(),
    }
}

/// The value, or null.
fn or_null<T: ToString>(value: Option<T>) -> Value {
    value.map_or(Value::Null, |value| Value::String(value.to_string()))
}
