//! `config`: which settings would be at work, where each comes from, and whether they make sense.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::failure::Failure;
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
    /// Say whether the settings, and the files that they name, are valid; with exit code 2 where they are not
    Check {
        #[command(flatten)]
        settings: SettingArguments,
    },
    /// Print every setting with its value and where that came from
    Print {
        #[command(flatten)]
        settings: SettingArguments,
        /// One JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
}

/// Loads the settings as `serve` would; starts nothing.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let text = match &arguments.verb {
        Verb::Check { settings } => {
            let loaded = settings.load()?;
            serve::check(&loaded.config)?;
            let all = loaded.settings().count();
            let chosen = loaded
                .settings()
                .filter(|(_, _, origin)| **origin != Origin::Default)
                .count();
            format!(
                "valid: {chosen} of {all} settings are chosen, the others are at their default\n"
            )
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
        .map_err(Failure::output(None))
}
