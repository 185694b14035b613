//! `airdrop tree`, `proof` and `verify`: the Merkle tree of a list.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::read;
use crate::airdrop::{AddressKind, EvmAddress, HexHash, List, StandardTree};
use crate::cli::exit::Exit;
use crate::output::Destination;

/// The arguments of `airdrop tree`.
#[derive(Debug, Args)]
pub(super) struct Tree {
    /// CSV with the header address,amount, amounts in base units, as `allocate` writes it
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// Write the tree to TREE, which is replaced once it is complete
    #[arg(long, value_name = "TREE")]
    output: PathBuf,
}

/// The arguments of `airdrop proof`.
#[derive(Debug, Args)]
pub(super) struct Proof {
    /// A tree, as `tree` writes it
    #[arg(value_name = "TREE")]
    tree: PathBuf,
    /// The address of the holder
    #[arg(long, value_name = "ADDRESS")]
    holder: String,
}

/// The arguments of `airdrop verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A tree, as `tree` writes it
    #[arg(value_name = "TREE")]
    tree: PathBuf,
}

/// Writes the tree of a list.
pub(super) fn write(arguments: &Tree) -> anyhow::Result<()> {
    let refused = |reason: String| Exit::usage(format!("{}: {reason}", arguments.list.display()));
    let list = List::read(&read(&arguments.list)?, AddressKind::Evm)
        .map_err(|error| refused(error.to_string()))?;
    let tree = StandardTree::new(list).map_err(|error| refused(error.to_string()))?;
    let written = Destination::file(&arguments.output).and_then(|mut out| {
        tree.write(&mut out)?;
        out.finish()
    });
    written.map_err(Exit::output(Some(&arguments.output)))?;
    if arguments.output != Path::new("-") {
        println!("root {}", HexHash(&tree.root()));
    }
    Ok(())
}

/// Prints the proof of one holder.
pub(super) fn prove(arguments: &Proof) -> anyhow::Result<()> {
    let holder = EvmAddress::parse(&arguments.holder)
        .map_err(|reason| Exit::usage(format!("--holder: {reason}")))?;
    let tree = read_tree(&arguments.tree)?;
    let recipients = &tree.list().recipients;
    let found = recipients
        .iter()
        .position(|recipient| EvmAddress::parse(&recipient.address) == Ok(holder));
    let found = found.ok_or_else(|| Exit::usage("--holder: not in the tree"))?;
    let proof = tree.proof(found);
    let siblings: Vec<_> = proof
        .siblings
        .iter()
        .map(|hash| HexHash(hash).to_string())
        .collect();
    let printed = json!({
        "value": [recipients[found].address, recipients[found].amount.to_string()],
        "leaf": HexHash(&proof.leaf).to_string(),
        "proof": siblings,
        "root": HexHash(&tree.root()).to_string(),
    });
    println!("{printed:#}");
    Ok(())
}

/// Prints what a tree is, if all of it is right.
pub(super) fn verify(arguments: &Verify) -> anyhow::Result<()> {
    let tree = read_tree(&arguments.tree)?;
    let list = tree.list();
    println!(
        "root {}: {} leaves, sum {} base units",
        HexHash(&tree.root()),
        list.recipients.len(),
        list.sum()
    );
    Ok(())
}

fn read_tree(path: &Path) -> anyhow::Result<StandardTree> {
    let tree = StandardTree::read(&read(path)?);
    tree.map_err(|error| Exit::usage(format!("{}: {error}", path.display())))
}
