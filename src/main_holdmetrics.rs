//! The binary: parse, start telemetry, run the subcommand, give back the exit code.

use std::process::ExitCode;

use poh_holdmetrics_rust::cli::{CommandLine, Failure};
use poh_holdmetrics_rust::telemetry;

fn main() -> ExitCode {
    let command_line = CommandLine::of_this_process();
    match start(command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn start(command_line: CommandLine) -> anyhow::Result<()> {
    telemetry::start()?;
    command_line.run()?;
    Ok(())
}

/// One sentence on standard error, unless nobody listens any more.
fn report(error: &anyhow::Error) -> ExitCode {
    let failure = error.downcast_ref::<Failure>();
    if !failure.is_some_and(Failure::is_quiet) {
        eprintln!("error: {error}");
    }
    // What is no failure of a subcommand is a bad setting.
    ExitCode::from(failure.map_or(2, Failure::exit_code))
}
