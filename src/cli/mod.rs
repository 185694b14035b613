//! The command line: one file for each subcommand; here the concrete parts are chosen.
//!
//! Nothing is computed here. [`failure`] holds what can go wrong and with which exit code.

mod clock;
mod engine;
pub mod failure;
mod generate;
mod progress;
mod score;
mod window;

use clap::{Parser, Subcommand};

pub use failure::Failure;

/// Shown under every help text.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 the run failed; 2 bad arguments or bad input; \
    74 the output could not be written; 78 no usable Python inside.\n\
    LOG_LEVEL (error, warn, info, debug, trace) chooses what is logged to standard error.";

/// Exact hold scores: how much was held for how long.
#[derive(Debug, Parser)]
#[command(name = "main_holdmetrics", version, after_help = EXIT_CODES)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Score files of hold events into a leaderboard
    #[command(after_help = EXIT_CODES)]
    Score(score::Arguments),
    /// Write seeded synthetic hold events
    #[command(after_help = EXIT_CODES)]
    Generate(generate::Arguments),
}

impl CommandLine {
    /// Runs the chosen subcommand.
    ///
    /// # Errors
    /// What went wrong, as one sentence with an exit code.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Score(arguments) => score::run(&arguments),
            Command::Generate(arguments) => generate::run(&arguments),
        }
    }
}
