//! `python`: the embedded interpreter on the command line, and how every subcommand boots it.
//!
//! Only the arguments and the choice of parts; see [`crate::host`].

use std::ffi::OsString;

use clap::Args;

/// The arguments of `python`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// -c CODE, -m MODULE, a file, or - for standard input, before their own arguments; options of
    /// python (-B -b -O -q -u -V -v -W -X) come first; an interactive prompt if there is none of these on a
    /// terminal
    #[arg(
        value_name = "WORDS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
}

impl Arguments {
    /// The arguments if the program was started as an interpreter: by the name of one, as in a virtual environment, or
    /// as `sys.executable`, which the child processes of `multiprocessing` start without subcommands.
    #[cfg(feature = "py-embed")]
    pub(super) fn of_a_child(words: &[OsString]) -> Option<Self> {
        let is_meant = crate::host::interpreter_link::is_started_as_interpreter()
            || crate::host::invocation::is_meant_for_python(words);
        is_meant.then(|| Self {
            words: words.to_vec(),
        })
    }

    /// Without an embedded interpreter the program is never started as one.
    #[cfg(not(feature = "py-embed"))]
    pub(super) fn of_a_child(_words: &[OsString]) -> Option<Self> {
        None
    }
}

/// What the embedded interpreter reads of the environment; only while the process has one thread.
#[cfg(feature = "py-embed")]
pub(super) fn prepare_environment() {
    crate::host::authorities::announce();
}

/// Nothing: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
pub(super) fn prepare_environment() {}

/// Puts the packages that were installed for a data folder on the path of this process and its children; only while it
/// has one thread.
#[cfg(feature = "py-embed")]
pub(super) fn use_environment(data_dir: &std::path::Path) -> anyhow::Result<()> {
    use anyhow::Context;

    crate::host::environment::announce(data_dir)
        .with_context(|| format!("{}: its environment of packages", data_dir.display()))
}

/// Nothing: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the interface of the build with Python"
)]
pub(super) fn use_environment(_data_dir: &std::path::Path) -> anyhow::Result<()> {
    Ok(())
}

/// Runs the program and ends the process with its exit code.
#[cfg(feature = "py-embed")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    use std::io::IsTerminal;

    use crate::host::invocation::Invocation;
    use crate::host::scripts::Program;

    let invocation = Invocation::read(&arguments.words)?;
    let program = invocation
        .program
        .unwrap_or(if std::io::stdin().is_terminal() {
            Program::Prompt
        } else {
            Program::Input
        });
    let (interpreter, _) = boot(&invocation.settings)?;
    let code = program.run(&interpreter, &invocation.arguments);
    interpreter.exit(code)
}

/// Always fails: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
pub(super) fn run(_arguments: &Arguments) -> anyhow::Result<()> {
    Err(absent("use `python`"))
}

/// Boots the interpreter of this process.
#[cfg(feature = "py-embed")]
pub(super) fn boot(
    settings: &crate::host::interpreter::Settings,
) -> anyhow::Result<(
    crate::host::interpreter::Interpreter,
    crate::host::runtime::Runtime,
)> {
    use crate::host::interpreter::Interpreter;
    use crate::host::runtime::{Runtime, Surroundings};

    let surroundings = Surroundings::of_this_process()?;
    let runtime = Runtime::find(&surroundings)?;
    let words: Vec<OsString> = std::env::args_os().collect();
    let interpreter = Interpreter::boot(&runtime, settings, &words)?;
    Ok((interpreter, runtime))
}

/// The error of a build without an interpreter; `instead` is what the user can do.
#[cfg(not(feature = "py-embed"))]
pub(super) fn absent(instead: impl Into<String>) -> anyhow::Error {
    super::exit::Exit::NoPython {
        instead: instead.into(),
    }
    .into()
}
