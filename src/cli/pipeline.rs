//! `pipeline`: writes, checks and tests pipelines, and asks a running service about its own.
//!
//! All of it is the command line of the Python package, in the interpreter of this process, so that a pipeline is
//! tested by the code that runs it in the service.

use std::ffi::OsString;

use clap::Args;

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

/// Runs the command line of the package and ends the process with its exit code.
#[cfg(feature = "py-embed")]
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    use crate::host::interpreter::Settings;
    use crate::host::scripts::{Program, check_packages};

    let (interpreter, runtime) = super::python::boot(&Settings::default())?;
    check_packages(&interpreter, &runtime)?;
    let mut words = vec![OsString::from("pipeline")];
    words.extend(arguments.words);
    let code = Program::Module("poh_holdmetrics".into()).run(&interpreter, &words);
    interpreter.exit(code)
}

/// Always fails: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let start = OsString::from("run it as `python -m poh_holdmetrics pipeline");
    let Arguments { words } = arguments;
    let words = words.into_iter().fold(start, |mut words, word| {
        words.push(" ");
        words.push(word);
        words
    });
    let words = words.to_string_lossy();
    Err(super::python::absent(format!("{words}`")))
}
