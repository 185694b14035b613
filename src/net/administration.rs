//! What the `/admin/*` routes need from the part that runs the pipelines.
//!
//! `net` knows no interpreter: the command line connects the routes with one. Who may call them is decided in
//! `access`, how long a call may take in `http::admin`.

use futures_util::future::BoxFuture;
use serde_json::Value;

/// Operates the pipelines of a service.
pub trait Administration: Send + Sync {
    /// All pipelines with their handlers, as JSON. Answers at once, also if Python is stuck.
    fn pipelines(&self) -> Value;

    /// Does what `verb` says: `reload`, `replay`, `enable`, `jobs`, `job_pause`, `job_resume`, `job_run` or `tasks`.
    ///
    /// The arguments are an object of texts: `name` of the pipeline or the job, `handler`; what the caller left out
    /// is absent.
    ///
    /// # Errors
    /// Why it is not done. The caller drops the future after a time limit of its own, and what was begun goes on.
    fn request(&self, verb: &'static str, arguments: Value) -> BoxFuture<'_, AdminAnswer>;
}

/// The answer of [`Administration::request`].
pub type AdminAnswer = Result<Value, AdminError>;

/// Why a request of an administrator was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct AdminError {
    /// What kind of error it is.
    pub kind: AdminErrorKind,
    /// One sentence that says what is wrong and how to correct it.
    pub detail: String,
    /// What Python reported, if an exception is the cause.
    pub traceback: Option<String>,
}

/// Kinds of [`AdminError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminErrorKind {
    /// There is no such pipeline, handler or job.
    NotFound,
    /// An argument is invalid.
    Invalid,
    /// It cannot be done now, such as a reload of a file with an error: the old version runs on.
    Conflict,
    /// Python does not answer.
    NoAnswer,
    /// A defect of the program.
    Defect,
}

impl AdminError {
    /// An error without a traceback.
    #[must_use]
    pub fn new(kind: AdminErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            traceback: None,
        }
    }
}
