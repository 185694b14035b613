//! `pipeline`: writes, checks and tests pipelines, and asks a running service about its own.
//!
//! All of it is the command line of the Python package, in the interpreter of this process, so that a pipeline is
//! tested by the code that runs it in the service.

use std::ffi::OsString;

use clap::Args;

use super::settings::FolderArguments;

/// The arguments of `pipeline`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct Arguments {
    /// new, check, test, list, reload, replay or enable, with their arguments; --help lists them
    #[arg(
        value_name = "WORDS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

/// Runs the command of the package. What loads the file has the packages that a service would have.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let word = arguments.words.first().and_then(|word| word.to_str());
    if matches!(word, Some("check" | "test")) {
        let data_dir = FolderArguments::without_flags().data_dir()?;
        super::python::use_environment(&data_dir)?;
    }
    super::package::run("pipeline", arguments.words)
}
