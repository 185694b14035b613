//! `airdrop proof` and `proofs`: what the holders of a tree show to its contract.

use std::io;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::tree::{read_tree, write_file};
use crate::airdrop::{AddressKind, Document, Hash, HexHash, Recorded as _};
use crate::cli::exit::Exit;
use crate::cli::progress::CountingBar;
use crate::output::FolderDestination;

/// Shown under the help text of `proofs`.
pub(super) const FILES: &str = "OUTPUT whose name ends in .jsonl, or -, gets one line for each leaf: its value, its leaf \
    and its proof. Otherwise OUTPUT is a new folder for a web host: index.json with the root, and a file for each shard, \
    named by the first byte of the holder's account in hexadecimal, or for each holder, named by the address in lower \
    case (on Solana as it is). Each file has the claims by holder.";

/// The arguments of `airdrop proof`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true).multiple(true))]
pub(super) struct One {
    /// A tree, as `tree` writes it
    #[arg(value_name = "TREE")]
    tree: PathBuf,
    /// Address of a holder; several give one proof, or one each in the formats whose contracts take one at a time
    #[arg(long, value_name = "ADDRESS", group = "whose")]
    holder: Vec<String>,
    /// Hash of a leaf, for values without an address
    #[arg(long, value_name = "HASH", group = "whose", value_parser = Hash::read)]
    leaf: Vec<Hash>,
}

/// The arguments of `airdrop proofs`.
#[derive(Debug, Args)]
pub(super) struct All {
    /// A tree, as `tree` writes it
    #[arg(value_name = "TREE")]
    tree: PathBuf,
    /// Write the proofs to OUTPUT, a file of lines or a new folder
    #[arg(long, value_name = "OUTPUT")]
    output: PathBuf,
    /// What a file of the folder holds
    #[arg(long, value_enum, default_value_t)]
    per: Per,
}

/// What a static file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
enum Per {
    /// The holders whose accounts begin with one byte: up to 256 files
    #[default]
    Shard,
    /// One holder
    Holder,
}

/// Prints the proof.
pub(super) fn print(arguments: &One) -> anyhow::Result<()> {
    let document = read_tree(&arguments.tree)?;
    let mut rows = Vec::new();
    for holder in &arguments.holder {
        let name = name_of(&document, holder)?;
        let found = document.rows_of(&name);
        if found.is_empty() {
            return Err(Exit::usage(format!("--holder: not in the tree: {name}")));
        }
        rows.extend(found);
    }
    for leaf in &arguments.leaf {
        let found = document.rows_of_leaf(leaf);
        if found.is_empty() {
            let leaf = HexHash(leaf);
            return Err(Exit::usage(format!("--leaf: not in the tree: {leaf}")));
        }
        rows.extend(found);
    }
    rows.sort_unstable();
    rows.dedup();
    println!("{:#}", proof_of(&document, &rows));
    Ok(())
}

/// The holder as the tree names it.
pub(super) fn name_of(document: &Document, holder: &str) -> anyhow::Result<String> {
    let kind = document.format().addresses();
    let name = kind
        .canonical(holder)
        .map_err(|reason| Exit::usage(format!("--holder: {reason}")))?;
    Ok(if kind == AddressKind::Evm {
        name.to_ascii_lowercase()
    } else {
        name.into()
    })
}

fn proof_of(document: &Document, rows: &[usize]) -> Value {
    let root = HexHash(&document.root()).to_string();
    let texts = |hashes: &[Hash]| -> Vec<_> {
        let texts = hashes.iter().map(|hash| HexHash(hash).to_string());
        texts.collect()
    };
    let value = |row: usize| -> Vec<Value> {
        let values = document.values(row);
        let values = values.map(|json| serde_json::from_str(json).expect("a cell is JSON"));
        values.collect()
    };
    let one = |row: usize| {
        let mut siblings = Vec::new();
        document.proof_into(row, &mut siblings);
        json!({
            "value": value(row),
            "leaf": HexHash(&document.leaf(row)).to_string(),
            "proof": texts(&siblings),
            "root": root,
        })
    };
    if let [row] = rows {
        return one(*row);
    }
    match document.multi_proof(rows) {
        None => rows.iter().map(|&row| one(row)).collect(),
        Some(multi) => {
            let leaves: Vec<_> = multi.rows.iter().map(|&row| document.leaf(row)).collect();
            let values: Vec<_> = multi.rows.iter().map(|&row| value(row)).collect();
            json!({
                "values": values,
                "leaves": texts(&leaves),
                "proof": texts(&multi.proof),
                "proofFlags": multi.flags,
                "root": root,
            })
        }
    }
}

/// Writes all proofs.
pub(super) fn write(arguments: &All) -> anyhow::Result<()> {
    let path = &arguments.output;
    let is_lines = path.extension().is_some_and(|end| end == "jsonl") || path == Path::new("-");
    let document = read_tree(&arguments.tree)?;
    if is_lines {
        return write_file(path, document.len(), |out, done| {
            document.write_proofs(out, done)
        });
    }
    if document.holder(0).is_none() {
        return Err(Exit::usage(
            "--output: the values have no address to name a file by; end the name in .jsonl",
        ));
    }
    let bar = CountingBar::new(document.len() as u64);
    let written = write_folder(&document, arguments.per, path, &bar);
    written.map_err(Exit::output(Some(path)))
}

fn write_folder(document: &Document, per: Per, path: &Path, bar: &CountingBar) -> io::Result<()> {
    let folder = FolderDestination::new(path)?;
    let files = files_of(document, per);
    let written = files.par_iter().map(|(name, rows)| {
        folder.write(&format!("{name}.json"), &document.claims(rows))?;
        bar.advance(rows.len() as u64);
        Ok(())
    });
    written.collect::<io::Result<()>>()?;
    let index = json!({
        "format": document.format().name(),
        "root": HexHash(&document.root()).to_string(),
        "leaves": document.len(),
        "sum": document.sum().map(|sum| sum.to_string()),
        "files": files.len(),
    });
    folder.write("index.json", format!("{index:#}\n").as_bytes())?;
    folder.finish()
}

/// The rows of each file, by its name without the extension.
fn files_of(document: &Document, per: Per) -> Vec<(String, Vec<usize>)> {
    let name = |row| match per {
        Per::Shard => document.shard(row).map(|byte| format!("{byte:02x}")),
        Per::Holder => document.holder(row),
    };
    let mut rows: Vec<_> = (0..document.len())
        .map(|row| (name(row).expect("the values have an address"), row))
        .collect();
    rows.sort_unstable();
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|rows| {
            let numbers = rows.iter().map(|(_, row)| *row).collect();
            (rows[0].0.clone(), numbers)
        })
        .collect()
}
