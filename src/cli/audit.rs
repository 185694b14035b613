//! `audit`: proves against immudb that the events of a leaderboard are those that were stored.
//!
//! All of it is the command line of the Python package, which an auditor can also run without this program.

use std::ffi::OsString;

use clap::Args;

/// The arguments of `audit`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct Arguments {
    /// verify, with its arguments; --help lists them
    #[arg(
        value_name = "WORDS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

/// Runs the command of the package.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    super::package::run("audit", arguments.words)
}
