//! The binary: parse, run the subcommand, give back the exit code.

use std::process::ExitCode;

use mimalloc::MiMalloc;
use poh_holdmetrics_rust::cli::{CommandLine, Failure};

/// A service frees on one thread what another has taken, and keeps millions of small pieces: the system's
/// allocator pays for both. See `docs/decisions/own-allocator.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match CommandLine::of_this_process().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// One sentence on standard error, unless nobody listens any more.
fn report(failure: &Failure) -> ExitCode {
    if !failure.is_quiet() {
        eprintln!("error: {failure}");
    }
    ExitCode::from(failure.exit_code())
}
