//! `airdrop`: a pool of tokens shared by score, as a list with a manifest.
//!
//! The amounts are computed in [`crate::airdrop`]. Read [`allocate`] (the arguments), [`plan`] (what a list is
//! computed from), [`manifest`] (what is written beside it), [`reproduce`].

mod allocate;
mod manifest;
mod plan;
mod recorded;
mod reproduce;

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
}

/// Runs the chosen verb.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Allocate(arguments) => allocate::run(arguments),
        Verb::Reproduce(arguments) => reproduce::run(arguments),
    }
}

/// All of a file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Exit::usage(format!("{}: {error}", path.display())))
}
