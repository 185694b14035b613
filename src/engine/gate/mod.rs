//! Gates: operators' code that may refuse or change events before they are appended.
//!
//! A gate is asked by batch and gives a verdict by event; what becomes of the rows of an upload is decided here, with
//! a limit of time that holds also if the code behind the gate never answers. It knows no Python and no protocol.
//! Read in this order: `gates` (which gates there are, and the check of a batch), `row_batch` (events and the rows
//! that they came from), `chosen` (those that a gate checks), `verdicts` (applied to such a batch), `breaker` (when a
//! gate is bypassed).

mod breaker;
mod chosen;
mod gates;
mod row_batch;
mod verdicts;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use gates::{GateReport, Gates};
pub use row_batch::{RefusedRow, RowBatch, RowId, SubmittedRows};

use crate::core::{EventBatch, Glob};

/// What a refused row names instead of a field.
pub const BEFORE_ACCEPT: &str = "before_accept";

/// When to send a row again that was not checked: a gate that is bypassed is tried again after a second.
pub const UNCHECKED_RETRY: Duration = Duration::from_secs(1);

/// The verdicts on the events of a batch, each with the index of its event from 0, in any order; an event
/// without one is accepted.
pub type Verdicts = Vec<(u32, Verdict)>;

/// What a gate answers, later.
pub type Answer = Pin<Box<dyn Future<Output = Result<Verdicts, NoAnswer>> + Send>>;

/// Code that decides on events before they are appended.
pub trait Gate: Send + Sync {
    /// Begins to check events that match its patterns and have no sequence numbers yet. The answer must not block; it is dropped once
    /// the time of the gate is over.
    fn check(&self, events: Arc<EventBatch>) -> Answer;
}

/// What a gate decides on an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is refused for this reason, which the sender reads.
    Refuse(String),
    /// This event, the only one of its batch, takes its place.
    Replace(EventBatch),
}

/// A gate cannot answer: its code failed, or is being replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

/// What becomes of the events of a batch if a gate gives no answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// They are accepted unchecked.
    Accept,
    /// They are refused.
    Refuse,
}

impl OnTimeout {
    /// The word that operators write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
        }
    }
}

/// Whose gate it is, which events it checks, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateOptions {
    /// The pipeline that it belongs to; events that this pipeline emits do not pass it.
    pub pipeline: String,
    /// Its name in the pipeline.
    pub handler: String,
    /// The tokens of the events that it checks; `None` means all.
    pub token: Option<Glob>,
    /// Their holders.
    pub holder: Option<Glob>,
    /// The longest time for one batch.
    pub budget: Duration,
    /// What happens without an answer.
    pub on_timeout: OnTimeout,
}

impl fmt::Display for GateOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.pipeline, self.handler)
    }
}
