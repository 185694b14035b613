//! `airdrop`: a pool of tokens shared by score, as a list with a manifest.
//!
//! The amounts are computed in [`crate::airdrop`]. Read [`allocate`] (the arguments), [`plan`] (what a list is
//! computed from), [`scores`] (by which it is shared), [`manifest`] (what is written beside it), [`reproduce`],
//! [`tree`] (Merkle trees), [`proof`] (proofs), [`convert`] (other formats and lists).

mod allocate;
mod convert;
mod manifest;
mod plan;
mod proof;
mod recorded;
mod reproduce;
mod scores;
mod tree;

use std::path::Path;

use clap::{Args, Subcommand};

use super::exit::Exit;

/// The arguments of `airdrop`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Share a pool by score into a list whose amounts sum to it exactly, with a manifest beside it
    #[command(after_help = allocate::RULES)]
    Allocate(Box<allocate::Arguments>),
    /// Compute the list of a manifest again; if something differs, say what first and exit with 1
    Reproduce(reproduce::Arguments),
    /// Write the Merkle tree of a list in one of eight formats, and print its root
    #[command(after_help = tree::RULES)]
    Tree(tree::Arguments),
    /// Print the proof of one holder, or one proof of several, as JSON
    Proof(proof::One),
    /// Write the proofs of all leaves: a line each, or static files for a web host
    #[command(after_help = proof::FILES)]
    Proofs(proof::All),
    /// Check every leaf, hash, proof and sum of a tree of any format, and print its root
    Verify(tree::Verify),
    /// Write a tree in another format
    Convert(convert::Tree),
    /// Write a list, or that of a tree, as other tools read it
    List(convert::List),
}

/// Runs the chosen verb.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Allocate(arguments) => allocate::run(arguments),
        Verb::Reproduce(arguments) => reproduce::run(arguments),
        Verb::Tree(arguments) => tree::run(arguments),
        Verb::Proof(arguments) => proof::print(arguments),
        Verb::Proofs(arguments) => proof::write(arguments),
        Verb::Verify(arguments) => tree::verify(arguments),
        Verb::Convert(arguments) => convert::tree(arguments),
        Verb::List(arguments) => convert::list(arguments),
    }
}

/// All of a file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Exit::usage(format!("{}: {error}", path.display())))
}

/// Says why a file or a folder cannot be used.
fn refused(path: &Path) -> impl Fn(String) -> anyhow::Error {
    move |reason| Exit::usage(format!("{}: {reason}", path.display()))
}
