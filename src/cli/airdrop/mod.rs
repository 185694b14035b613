//! `airdrop`: a pool of tokens shared by score, as a list with a manifest.
//!
//! The amounts are computed in [`crate::airdrop`]. Read [`allocate`] (the arguments), [`plan`] (what a list is
//! computed from), [`manifest`] (what is written beside it), [`reproduce`],
//! [`tree`] (Merkle trees and proofs).

mod allocate;
mod manifest;
mod plan;
mod recorded;
mod reproduce;
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
    /// Write the Merkle tree of a list as a dump of the format standard-v1, and print its root
    Tree(tree::Tree),
    /// Print the proof of one holder as JSON
    Proof(tree::Proof),
    /// Check every leaf and every node of a tree, and print its root and its sum
    Verify(tree::Verify),
}

/// Runs the chosen verb.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Allocate(arguments) => allocate::run(arguments),
        Verb::Reproduce(arguments) => reproduce::run(arguments),
        Verb::Tree(arguments) => tree::write(arguments),
        Verb::Proof(arguments) => tree::prove(arguments),
        Verb::Verify(arguments) => tree::verify(arguments),
    }
}

/// All of a file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Exit::usage(format!("{}: {error}", path.display())))
}
