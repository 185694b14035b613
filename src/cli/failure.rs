//! What ends a run, as one sentence and an exit code.

use std::io;
use std::path::Path;

use crate::config::ConfigError;
use crate::engine::OpenError;
use crate::input::InputError;
use crate::journal::JournalError;
use crate::output::RefusedLine;
use crate::reason::plain;
use crate::state::StateError;

/// Why a subcommand did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The arguments contradict each other or the machine.
    #[error("{0}")]
    Usage(String),
    /// The settings make no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The input cannot be read, or holds a refused line.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Journal or state cannot be read, are damaged, in use or do not belong together.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The output cannot be written.
    #[error("{target}: cannot be written ({})", plain(cause))]
    Output {
        /// The file, or "standard output".
        target: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The other engine refuses a line.
    #[error("{}: line {}: {}", .0.file, .0.line, .0.reason)]
    Refused(RefusedLine),
    /// The journal failed while it was served.
    #[error(
        "the journal failed and takes nothing more ({0}): all that was acknowledged is on disk; start again"
    )]
    Poisoned(String),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// There is no usable Python inside.
    #[error("{0}")]
    Python(String),
    /// Something else is in the way.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// What the process ends with; see the help text.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(_) | Self::Other(_) => 1,
            Self::Usage(_) | Self::Config(_) | Self::Input(_) | Self::Refused(_) => 2,
            // Whoever closed our output early has seen enough, as in `... | head`.
            Self::Output { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Output { .. } | Self::Poisoned(_) => 74,
            Self::Python(_) => 78,
            Self::Interrupted => 130,
        }
    }

    /// Whether there is nothing to say, because nobody listens any more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.exit_code() == 0
    }

    /// Names what could not be written; `None` is standard output.
    pub(super) fn output(path: Option<&Path>) -> impl FnOnce(io::Error) -> Self {
        let target = path.filter(|path| *path != Path::new("-"));
        let target = target
            .map_or("standard output".into(), Path::to_string_lossy)
            .into_owned();
        |cause| Self::Output { target, cause }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::Store(error.into())
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Store(error.into())
    }
}
