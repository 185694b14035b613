//! Subcommands whose work the Python package does, in the interpreter of this process.
//!
//! Only how they are run. The words, help and exit codes of [`run`] are those of `python -m poh_holdmetrics`.

use std::ffi::OsString;

/// Runs `command` of the package with `words` and ends the process with its exit code.
pub(super) fn run(command: &str, words: Vec<OsString>) -> anyhow::Result<()> {
    let mut arguments = vec![OsString::from(command)];
    arguments.extend(words);
    let line = arguments.join(" ".as_ref());
    run_module("poh_holdmetrics", &arguments, || {
        format!(
            "run it as `python -m poh_holdmetrics {}`",
            line.to_string_lossy()
        )
    })
}

/// Runs a module with `arguments` and ends the process with its exit code; `instead` is what the user of a build
/// without Python can do.
#[cfg(feature = "py-embed")]
pub(super) fn run_module(
    module: &str,
    arguments: &[OsString],
    _instead: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    use crate::host::interpreter::Settings;
    use crate::host::scripts::{Program, check_packages};

    let (interpreter, runtime) = super::python::boot(&Settings::default())?;
    check_packages(&interpreter, &runtime)?;
    let code = Program::Module(module.into()).run(&interpreter, arguments);
    interpreter.exit(code)
}

/// Always fails: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
pub(super) fn run_module(
    _module: &str,
    _arguments: &[OsString],
    instead: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    Err(super::python::absent(instead()))
}
