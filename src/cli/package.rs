//! Subcommands that are those of the Python package, run in the interpreter of this process.
//!
//! Only how they are run; their words, help and exit codes are those of `python -m poh_holdmetrics`.

use std::ffi::OsString;

/// Runs `command` of the package with `words` and ends the process with its exit code.
#[cfg(feature = "py-embed")]
pub(super) fn run(command: &str, words: Vec<OsString>) -> anyhow::Result<()> {
    use crate::host::interpreter::Settings;
    use crate::host::scripts::{Program, check_packages};

    let (interpreter, runtime) = super::python::boot(&Settings::default())?;
    check_packages(&interpreter, &runtime)?;
    let mut arguments = vec![OsString::from(command)];
    arguments.extend(words);
    let code = Program::Module("poh_holdmetrics".into()).run(&interpreter, &arguments);
    interpreter.exit(code)
}

/// Always fails: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
pub(super) fn run(command: &str, words: Vec<OsString>) -> anyhow::Result<()> {
    let start = OsString::from(format!("run it as `python -m poh_holdmetrics {command}"));
    let words = words.into_iter().fold(start, |mut words, word| {
        words.push(" ");
        words.push(word);
        words
    });
    let words = words.to_string_lossy();
    Err(super::python::absent(format!("{words}`")))
}
