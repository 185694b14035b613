//! Why Python cannot be started for pipelines, and why it does not do what an operator asks for.

use std::io;

use crate::host::interpreter::BootError;
use crate::host::runtime::RuntimeError;
use crate::host::scripts::MissingPackage;

/// Why Python did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// No usable Python was found.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// It did not boot.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A package that ours needs is missing.
    #[error(transparent)]
    Package(#[from] MissingPackage),
    /// Nothing can be delivered to an address in `serve.store`: Python says why.
    #[error("{0}")]
    Store(String),
    /// Python cannot write the stacks of its threads: why.
    #[error("the stacks of Python cannot be written: {0}")]
    Stacks(String),
    /// The path of this program is unknown.
    #[error("the path of this program is unknown")]
    Executable(#[source] io::Error),
    /// A thread or a socket cannot be made.
    #[error("the threads of Python cannot be started")]
    Thread(#[source] io::Error),
    /// A defect of ours.
    #[error("the start of Python panicked; please report this as a bug")]
    Panicked,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestError {
    /// As Python says it: `not_found`, `invalid`, `conflict` or `defect`; or `no_answer`.
    pub(crate) kind: String,
    /// One sentence.
    pub(crate) detail: String,
    /// The traceback of an exception, if one is the cause.
    pub(crate) traceback: Option<String>,
}

impl RequestError {
    pub(super) fn no_answer(detail: impl Into<String>) -> Self {
        Self {
            kind: "no_answer".into(),
            detail: detail.into(),
            traceback: None,
        }
    }
}
