//! `config`: the settings that `serve` would use, where each comes from, and whether they are valid.
//!
//! Starts nothing and reads no store.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::serve;
use super::settings::SettingArguments;
use crate::config::{self, Origin};

/// The arguments of `config`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check the settings and the files that they name; exit code 2 means that they are invalid
    Check {
        #[command(flatten)]
        settings: SettingArguments,
    },
    /// Print every setting with its value and where it came from
    Print {
        #[command(flatten)]
        settings: SettingArguments,
        /// Print a JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
}

/// Loads the settings as `serve` would, and prints what was asked for.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = match &arguments.verb {
        Verb::Check { settings } => {
            let loaded = settings.load()?;
            serve::check(&loaded.config)?;
            let all = loaded.settings().count();
            let set = loaded
                .settings()
                .filter(|(_, _, origin)| **origin != Origin::Default)
                .count();
            format!("valid: {set} of {all} settings are set, the others have their defaults\n")
        }
        Verb::Print {
            settings,
            json: false,
        } => config::table(&settings.load()?),
        Verb::Print {
            settings,
            json: true,
        } => format!("{:#}\n", config::json(&settings.load()?)),
    };
    io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(Exit::output(None))
}
