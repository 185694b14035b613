//! The arguments that say how files are read, shared by every command that reads them.
//!
//! `--mapping FILE` holds the same in a table `[input]`; an argument replaces what the file says. The words
//! themselves are read in [`crate::input`].

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Deserialize;

use super::exit::Exit;
use crate::core::TimeUnit;
use crate::input::mapping_text::{delimiter, time_unit, unit_name};
use crate::input::{
    BinaryIds, DECIMALS_MAX, Delimiter, FieldSource, FieldSources, FileNote, InputFormat,
    InputOptions, MappingTable, TokenKind, ignored_columns_line,
};
use crate::output::RecognisedFile;

/// How the files of a command are read.
#[derive(Debug, Args)]
#[expect(
    clippy::doc_markdown,
    reason = "these are help texts, in which backticks would be shown"
)]
pub(super) struct InputArguments {
    /// Format of the files, or the export that they are [default: auto]
    #[arg(long, value_enum)]
    input_format: Option<InputFormat>,
    /// What the tokens of an export are [default: what it says]
    #[arg(long, value_enum)]
    token_kind: Option<TokenKind>,
    /// The times of blocks, for files that have the numbers of blocks instead: columns number and
    /// timestamp, in any format
    #[arg(long, value_name = "FILE")]
    blocks: Option<PathBuf>,
    /// Read these options from the table [input] of FILE; the command line replaces them
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Columns or keys of fields, such as holder_id=user,start=Timestamp; a text in quotes, such as
    /// token_id="APE", is the same in every row
    #[arg(long, value_name = "FIELD=COLUMN,...")]
    columns: Vec<String>,
    /// The token of every row, as --columns with token_id="NAME"
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
    /// Unit of times that are numbers: s, ms, us or ns [default: ms]
    #[arg(long, value_name = "UNIT", value_parser = time_unit)]
    time_unit: Option<TimeUnit>,
    /// Times without an offset are UTC, and dates alone their midnight
    #[arg(long)]
    assume_utc: bool,
    /// Weights, deltas and amounts are whole units of 10^-N, such as wei with 18
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=i64::from(DECIMALS_MAX)))]
    decimals: Option<u8>,
    /// The decimals of each token: columns token_id (or token_address) and decimals, in any format;
    /// --decimals is for the others
    #[arg(long, value_name = "FILE")]
    decimals_file: Option<PathBuf>,
    /// A text that means an absent value, such as NULL; may be given several times
    #[arg(long, value_name = "TEXT")]
    null: Vec<String>,
    /// What separates the cells of CSV: , ; | or tab [default: found from the header]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<Delimiter>,
    /// Bring ids of 0x and hexadecimal digits to lower case
    #[arg(long)]
    fold_hex_ids: bool,
    /// Take up to 2 GiB of memory for zstd data that was compressed with --long
    #[arg(long)]
    long: bool,
    /// How binary columns of ids are read [default: text]
    #[arg(long, value_enum)]
    binary_ids: Option<BinaryIds>,
}

/// A mapping file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    input: MappingTable,
}

impl InputArguments {
    /// What the mapping file and the arguments say together.
    pub(super) fn options(&self) -> anyhow::Result<InputOptions> {
        self.options_of(self.table()?)
    }

    /// The same as a table, which a manifest can record.
    pub(super) fn table(&self) -> anyhow::Result<MappingTable> {
        let table = match &self.mapping {
            Some(path) => from_file(path)?,
            None => MappingTable::default(),
        };
        Ok(table.replaced_by(self.given()?))
    }

    /// What `table`, which is that of the arguments, states.
    pub(super) fn options_of(&self, table: MappingTable) -> anyhow::Result<InputOptions> {
        table
            .options()
            .map_err(|reason| Exit::usage(self.located(&reason)))
    }

    /// What the arguments say.
    fn given(&self) -> anyhow::Result<MappingTable> {
        let mut columns = FieldSources::default();
        for text in &self.columns {
            columns
                .assign(text)
                .map_err(|reason| Exit::usage(format!("--columns: {reason}")))?;
        }
        if let Some(token) = &self.token {
            columns
                .set("token_id", FieldSource::Constant(token.clone()))
                .map_err(|reason| Exit::usage(format!("--token: {reason}")))?;
        }
        let given = MappingTable {
            input_format: self.input_format.map(|format| format.name().to_owned()),
            token_kind: self.token_kind.map(|kind| kind.name().to_owned()),
            blocks: self.blocks.clone(),
            decimals_file: self.decimals_file.clone(),
            time_unit: self.time_unit.map(|unit| unit_name(unit).to_owned()),
            assume_utc: self.assume_utc,
            decimals: self.decimals,
            null: self.null.clone(),
            delimiter: self.delimiter.map(|delimiter| delimiter.text().to_owned()),
            fold_hex_ids: self.fold_hex_ids,
            long: self.long,
            binary_ids: self.binary_ids,
            ..MappingTable::default()
        };
        Ok(given.with_columns(&columns))
    }

    /// A reason that begins with a key of the table, with the argument that gave it.
    fn located(&self, reason: &str) -> String {
        let given = [
            ("blocks", "--blocks", &self.blocks),
            ("decimals_file", "--decimals-file", &self.decimals_file),
        ];
        for (key, argument, file) in given {
            if let Some(reason) = reason.strip_prefix(key)
                && file.is_some()
            {
                return format!("{argument}{reason}");
            }
        }
        match &self.mapping {
            Some(path) => format!("--mapping {}: {reason}", path.display()),
            None => format!("--columns: {reason}"),
        }
    }
}

/// Names the columns that no field was read from, on standard error.
pub(super) fn report_ignored(columns: &[String]) {
    if let Some(line) = ignored_columns_line(columns) {
        eprintln!("{line}");
    }
}

/// The table of a mapping file, whose relative names are those beside it.
fn from_file(path: &Path) -> anyhow::Result<MappingTable> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("--mapping {name}"))?;
    let file = toml::from_str::<MappingFile>(&text)
        .map_err(|error| Exit::usage(format!("--mapping {name}: {}", error.to_string().trim())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Ok(file.input.beside(folder))
}

/// Says on standard error what a file was recognised as, and what of it is left out.
pub(super) fn say_notes(notes: &[FileNote]) {
    for note in notes {
        if note.is_recognised || note.left_out() > 0 {
            eprintln!("{note}");
        }
    }
}

/// A file of a known feed, as the answers list it.
pub(super) fn recognised(note: &FileNote) -> RecognisedFile {
    RecognisedFile {
        file: note.file().to_owned(),
        feed: note.feed(),
        token_kind: note.token_kind(),
        left_out: note.left_out(),
    }
}
