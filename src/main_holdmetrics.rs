//! The binary: parse, run the subcommand, give back the exit code.

use std::process::ExitCode;

use poh_holdmetrics_rust::cli::{CommandLine, Failure};

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
