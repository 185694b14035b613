//! How a run ends: the exit code, and the line on standard error.
//!
//! Subcommands pass errors on with `anyhow` and add context. An error ends the run with 1 unless it is
//! or contains an [`Exit`] or one of the library's errors that [`code_of`] lists.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::error_line::error_line;
use crate::input::InputError;
use crate::net::keys::KeyFileError;
use crate::net::{CredentialsError, InsecureBind};
use crate::output::RefusedLine;
use crate::telemetry::{LevelError, OtlpError};

const FAILED: u8 = 1;
const BAD_INPUT: u8 = 2;
const NOT_WRITTEN: u8 = 74;
const NO_PYTHON: u8 = 78;
/// 128 + SIGINT, as in a shell.
pub(super) const INTERRUPTED: u8 = 130;

/// An error of the command line itself that does not end with 1. As the context of another error, it
/// changes the exit code of that one.
#[derive(Debug, thiserror::Error)]
pub(super) enum Exit {
    /// The arguments contradict each other, or name what cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The input has a refused line.
    #[error("{}: line {}: {}", .0.file, .0.line, .0.reason)]
    Refused(RefusedLine),
    /// The output cannot be written.
    #[error("{target}: cannot be written")]
    Output {
        /// The file, or "standard output".
        target: String,
        /// What the system says.
        source: io::Error,
    },
    /// The journal failed while the service ran.
    #[error(
        "the journal failed and accepts nothing more ({0}): start the service again, which checks what is on disk"
    )]
    JournalFailed(String),
    /// The program was built without Python.
    #[cfg(not(feature = "py-embed"))]
    #[error(
        "this program was built without Python inside: build it with --features py-embed, or {instead}"
    )]
    NoPython {
        /// What the user can do with this build.
        instead: String,
    },
    /// A signal ended the run.
    #[error("interrupted")]
    Interrupted,
}

impl Exit {
    /// The arguments cannot be used, for this reason.
    pub(super) fn usage(reason: impl Into<String>) -> anyhow::Error {
        Self::Usage(reason.into()).into()
    }

    /// Names what could not be written; `None` is standard output.
    pub(super) fn output(path: Option<&Path>) -> impl FnOnce(io::Error) -> anyhow::Error {
        let target = path.filter(|path| *path != Path::new("-"));
        let target = target
            .map_or("standard output".into(), Path::to_string_lossy)
            .into_owned();
        |source| Self::Output { target, source }.into()
    }

    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Refused(_) => BAD_INPUT,
            // The reader has closed the pipe because it has enough, as in `... | head`.
            Self::Output { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output { .. } | Self::JournalFailed(_) => NOT_WRITTEN,
            #[cfg(not(feature = "py-embed"))]
            Self::NoPython { .. } => NO_PYTHON,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

/// Prints `error` and its causes as one line on standard error, and gives the exit code of the
/// process. A closed pipe is a success and prints nothing.
#[must_use]
pub fn report(error: &anyhow::Error) -> ExitCode {
    let code = exit_code(error);
    if code != 0 {
        eprintln!("error: {}", error_line(error.as_ref()));
    }
    ExitCode::from(code)
}

/// The exit code of the process that `error` ends.
pub(super) fn exit_code(error: &anyhow::Error) -> u8 {
    // Unlike the causes, this also finds what was given as a context.
    if let Some(exit) = error.downcast_ref::<Exit>() {
        return exit.code();
    }
    error.chain().find_map(code_of).unwrap_or(FAILED)
}

/// The exit code of an error of the library; `None` for those that end with 1.
fn code_of(cause: &(dyn Error + 'static)) -> Option<u8> {
    let is_bad_input = cause.is::<ConfigError>()
        || cause.is::<InputError>()
        || cause.is::<CredentialsError>()
        || cause.is::<KeyFileError>()
        || cause.is::<InsecureBind>()
        || cause.is::<LevelError>()
        || cause.is::<OtlpError>();
    is_bad_input
        .then_some(BAD_INPUT)
        .or_else(|| of_python(cause))
}

/// The same of what the embedded interpreter refuses.
#[cfg(feature = "py-embed")]
fn of_python(cause: &(dyn Error + 'static)) -> Option<u8> {
    use crate::host::audit::AuditError;
    use crate::host::interpreter::BootError;
    use crate::host::invocation::InvocationError;
    use crate::host::pipeline::StartError;
    use crate::host::runtime::RuntimeError;
    use crate::host::scripts::MissingPackage;

    let is_store = matches!(cause.downcast_ref(), Some(StartError::Store(_)));
    if is_store || cause.is::<InvocationError>() {
        Some(BAD_INPUT)
    } else if cause.is::<RuntimeError>()
        || cause.is::<BootError>()
        || cause.is::<MissingPackage>()
        || cause.is::<StartError>()
    {
        Some(NO_PYTHON)
    } else if let Some(AuditError::Interrupted) = cause.downcast_ref() {
        Some(INTERRUPTED)
    } else if let Some(AuditError::Refused(_)) = cause.downcast_ref() {
        Some(BAD_INPUT)
    } else {
        None
    }
}

#[cfg(not(feature = "py-embed"))]
fn of_python(_cause: &(dyn Error + 'static)) -> Option<u8> {
    None
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::journal::JournalError;

    fn missing() -> io::Error {
        io::Error::from(io::ErrorKind::NotFound)
    }

    #[test]
    fn the_code_is_found_below_and_in_the_context() {
        let input = || InputError::Open {
            file: "a".into(),
            source: missing(),
        };
        let journal = JournalError::NotAFolder { folder: "a".into() };
        let interrupted = || anyhow::Error::from(Exit::Interrupted);
        for (error, code) in [
            (anyhow!("something"), FAILED),
            (journal.into(), FAILED),
            (input().into(), BAD_INPUT),
            (anyhow::Error::from(input()).context("reading"), BAD_INPUT),
            (interrupted().context("sending"), INTERRUPTED),
            (
                anyhow::Error::from(missing())
                    .context(Exit::Usage("--file".into()))
                    .context("keys"),
                BAD_INPUT,
            ),
            (Exit::output(None)(missing()), NOT_WRITTEN),
            (Exit::output(None)(io::ErrorKind::BrokenPipe.into()), 0),
        ] {
            assert_eq!(exit_code(&error), code, "{error:?}");
        }
    }
}
