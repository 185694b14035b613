//! `airdrop`: a pool of tokens shared by score, as a list with a manifest.
//!
//! The amounts are computed in [`crate::airdrop`]. Read [`allocate`] (the arguments), [`plan`] (what a list is
//! computed from), [`scores`] (by which it is shared), [`manifest`] (what is written beside it), [`reproduce`],
//! [`tree`] (Merkle trees), [`proof`] (proofs), [`convert`] (other formats and lists), [`explain`] and [`check`] (one
//! holder's amount, with the [`events`] behind it), [`contradiction`] (a manifest and an amount that exclude each
//! other), [`restate`](mod@restate) (what a correction changes).

mod allocate;
mod check;
mod contradiction;
mod convert;
mod events;
mod explain;
mod explained;
mod manifest;
mod plan;
mod proof;
mod recorded;
mod reproduce;
mod restate;
mod scores;
mod tree;

use std::io::Write as _;
use std::path::Path;

use clap::{Args, Subcommand};

use super::exit::Exit;
use crate::output::Destination;

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
    /// Show why a holder gets its amount: events, segments, score, share; optionally as a bundle to check offline
    #[command(after_help = explain::RULES)]
    Explain(explain::Arguments),
    /// Check a bundle of `explain` without any other file or server; if something is wrong, say what first
    #[command(after_help = check::RULES)]
    Check(check::Arguments),
    /// Compare a published list with the right one, and write the next cumulative amounts
    #[command(after_help = restate::RULES)]
    Restate(restate::Arguments),
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
        Verb::Explain(arguments) => explain::run(arguments),
        Verb::Check(arguments) => check::run(arguments),
        Verb::Restate(arguments) => restate::run(arguments),
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

/// The file's name of `--output`, beside which others are written.
fn name_of_output(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().filter(|_| path != Path::new("-"));
    let name = name.ok_or_else(|| {
        Exit::usage("--output: name a file, because the manifest is written beside it")
    })?;
    Ok(name.to_string_lossy().into_owned())
}

/// Writes files so that all are complete on disk before the first is put in its place.
fn write_together(files: &[(&Path, &[u8])]) -> anyhow::Result<()> {
    let mut drafts = Vec::new();
    for (path, bytes) in files {
        let draft = Destination::file(path).and_then(|mut out| {
            out.write_all(bytes)?;
            Ok(out)
        });
        drafts.push((path, draft.map_err(Exit::output(Some(path)))?));
    }
    for (path, draft) in drafts {
        draft.finish().map_err(Exit::output(Some(path)))?;
    }
    Ok(())
}
