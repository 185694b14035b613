//! `run`: a Python script inside this process.
//!
//! Only the arguments; the environment of a script is set up in [`crate::host::scripts`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// The arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: super::settings::FolderArguments,
    /// Script; it can import `poh_holdmetrics`, which then uses the native code of this program
    #[arg(value_name = "SCRIPT.py")]
    script: PathBuf,
    /// Arguments of the script, as sys.argv
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

/// Runs the script and ends the process with its exit code.
#[cfg(feature = "py-embed")]
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    use crate::host::interpreter::Settings;
    use crate::host::scripts::{Program, check_packages};

    super::python::use_environment(&arguments.settings.data_dir()?)?;
    let (interpreter, runtime) = super::python::boot(&Settings::default())?;
    check_packages(&interpreter, &runtime)?;
    let code = Program::File(arguments.script).run(&interpreter, &arguments.words);
    interpreter.exit(code)
}

/// Always fails: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { script, words, .. } = arguments;
    let words = words
        .iter()
        .fold(script.into_os_string(), |mut words, word| {
            words.push(" ");
            words.push(word);
            words
        });
    Err(super::python::absent(format!(
        "run it as `python {}`",
        words.to_string_lossy()
    )))
}
