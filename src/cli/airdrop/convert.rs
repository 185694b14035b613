//! `airdrop convert` and `list`: the payments of a tree in another format, and as lists of other tools.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};

use super::manifest::ManifestFile;
use super::tree::{Form, read_tree};
use super::{read, refused};
use crate::airdrop::{self, AddressKind, EvmAddress, ExportFormat, Format, PLACES_MAX};
use crate::cli::exit::Exit;
use crate::output::Destination;

/// The arguments of `airdrop convert`.
#[derive(Debug, Args)]
pub(super) struct Tree {
    /// A tree of any format: a file, or a folder of shards
    #[arg(value_name = "TREE")]
    tree: PathBuf,
    #[command(flatten)]
    form: Form,
}

/// The arguments of `airdrop list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// CSV with the header address,amount in base units, or a tree of any format
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Form of the list
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Decimal places of the token, for the forms in tokens
    #[arg(long, value_name = "N", required_if_eq_any = [("format", "safe-csv"), ("format", "sablier-csv"), ("format", "thirdweb-json")], value_parser = value_parser!(u8).range(..=i64::from(PLACES_MAX)))]
    decimals: Option<u8>,
    /// Address of the token, for safe-csv [default: the chain's own currency]
    #[arg(long, value_name = "ADDRESS", value_parser = EvmAddress::parse)]
    token: Option<EvmAddress>,
    /// What the addresses of a CSV are
    #[arg(long, value_enum, default_value = "evm")]
    addresses: AddressKind,
    /// Write to OUTPUT, which is replaced once it is complete; - is standard output
    #[arg(long, value_name = "OUTPUT", default_value = "-")]
    output: PathBuf,
}

/// Writes the same payments as another tree.
pub(super) fn tree(arguments: &Tree) -> anyhow::Result<()> {
    let form = &arguments.form;
    form.check(false)?;
    let refused = refused(&arguments.tree);
    let document = read_tree(&arguments.tree)?;
    let converted = if form.format() == Format::SimpleV1 {
        document.of_its_leaves(form.details())
    } else {
        let list = document
            .list()
            .map_err(|error| refused(error.to_string()))?;
        let list = match form.format() {
            Format::Merkl => list,
            _ => of_one_token(&arguments.tree, &list)?,
        };
        if let Err((row, reason)) = list.check(form.format().addresses()) {
            return Err(refused(format!("value {}: {reason}", row + 1)));
        }
        form.tree_of(list)
    };
    form.write(&converted.map_err(|error| refused(error.to_string()))?)
}

/// Writes the payments as a list.
pub(super) fn list(arguments: &List) -> anyhow::Result<()> {
    let mut list = payments(&arguments.file, arguments.addresses)?;
    if matches!(
        arguments.format,
        ExportFormat::SablierCsv | ExportFormat::ThirdwebJson
    ) {
        list = of_one_token(&arguments.file, &list)?;
    }
    let token = arguments
        .token
        .map_or(String::new(), |token| token.to_string());
    let places = arguments.decimals.unwrap_or_default();
    let written = Destination::file(&arguments.output).and_then(|mut out| {
        list.write_as(arguments.format, places, &token, &mut out)?;
        out.finish()
    });
    written.map_err(Exit::output(Some(&arguments.output)))
}

/// The payments of `path` for a form that names no token beside each.
fn of_one_token(path: &Path, list: &airdrop::List) -> anyhow::Result<airdrop::List> {
    list.without_token().ok_or_else(|| {
        refused(path)(
            "it pays several tokens, which only merkl, safe-csv and csv name beside each user: make a list of each token"
                .into(),
        )
    })
}

/// The payments of a list or a tree.
pub(super) fn payments(path: &Path, kind: AddressKind) -> anyhow::Result<airdrop::List> {
    let refused = refused(path);
    if is_tree(path) {
        let document = read_tree(path)?;
        return document.list().map_err(|error| refused(error.to_string()));
    }
    let bytes = read(path)?;
    ManifestFile::check_beside(path, &bytes)?;
    airdrop::List::read(&bytes, kind, 0).map_err(|error| refused(error.to_string()))
}

/// A folder, or a file of JSON.
fn is_tree(path: &Path) -> bool {
    let begins = |file| {
        let mut bytes = BufReader::new(file).bytes().map_while(Result::ok);
        bytes.find(|byte| !byte.is_ascii_whitespace()) == Some(b'{')
    };
    path.is_dir() || File::open(path).is_ok_and(begins)
}
