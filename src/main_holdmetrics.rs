//! The binary: parse, run the subcommand, give back the exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use poh_holdmetrics_rust::cli::{CommandLine, report};

/// A service frees on one thread what another has taken, and keeps millions of small pieces: the system's
/// allocator pays for both. See `docs/decisions/own-allocator.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn run() -> anyhow::Result<()> {
    CommandLine::of_this_process().run()
}
