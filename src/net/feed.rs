//! A request for the feed, as both protocols read it: whose position is kept, where it begins, which events are wanted.
//!
//! Reads and acknowledges nothing; `grpc::feed` and `http::feed` do, with the consumer that is opened here.

use std::sync::Arc;

use super::access::{Access, Caller};
use crate::core::{Event, Glob};
use crate::engine::{Consumer, Engine, FeedError, Start, WhenFull};
use crate::excerpt::quoted;

/// Bytes of events that a caller's consumer reads at once. Converting them takes a few milliseconds of a thread that serves other connections too.
pub(super) const READ_BYTES_MAX: usize = 256 << 10;
/// Matching takes up to the product of both lengths, for each event.
const PATTERN_BYTES_MAX: usize = 256;
/// Separates the pipeline from the handler in the names of its consumers.
const PIPELINE_SEPARATOR: char = '/';

/// Why a request for the feed is refused; the texts of fields begin with them.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedRefusal {
    /// A field is invalid.
    #[error("{reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Positions are kept on disk, and not for everybody.
    #[error(
        "consumer: a position is kept for callers with an API key only; send one, or leave consumer out"
    )]
    NeedsKey,
    /// The feed refuses it.
    #[error("{}", for_callers(.0))]
    Feed(FeedError),
}

impl FeedRefusal {
    pub(super) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Field { field, reason }
    }
}

/// The sentence for callers: what the system said is for the log alone.
fn for_callers(error: &FeedError) -> String {
    match error {
        FeedError::NotWritten { .. } => {
            "the position was not written; the log of the server says why: acknowledge it again later".into()
        }
        FeedError::Thread { .. } => {
            "the server cannot start a thread now; its log says why: call again later".into()
        }
        FeedError::InUse { .. }
        | FeedError::Name { .. }
        | FeedError::TooMany
        | FeedError::Ahead { .. }
        | FeedError::Closed => error.to_string(),
    }
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    token: Option<Glob>,
    holder: Option<Glob>,
}

impl Filter {
    /// Events whose ids match the patterns; `None` and an empty one match all.
    pub(super) fn new(token: Option<&str>, holder: Option<&str>) -> Result<Self, FeedRefusal> {
        let read = |field, pattern: Option<&str>| {
            let pattern = pattern.filter(|pattern| !pattern.is_empty());
            if let Some(pattern) = pattern.filter(|pattern| pattern.len() > PATTERN_BYTES_MAX) {
                let (length, pattern) = (pattern.len(), quoted(pattern));
                return Err(FeedRefusal::field(
                    field,
                    format!(
                        "{field}: a pattern may have at most {PATTERN_BYTES_MAX} bytes, and {pattern} has {length}"
                    ),
                ));
            }
            Ok(pattern.map(Glob::new))
        };
        Ok(Self {
            token: read("token", token)?,
            holder: read("holder", holder)?,
        })
    }

    /// Whether an event is wanted.
    pub(super) fn wants(&self, event: &Event<'_>) -> bool {
        let matches = |glob: &Option<Glob>, id| glob.as_ref().is_none_or(|glob| glob.matches(id));
        matches(&self.token, event.token_id) && matches(&self.holder, event.holder_id)
    }
}

/// Opens the consumer of this name for `caller`, or without a name one that has no position. An impossible `start` is
/// blamed on `start_field`.
pub(super) fn open(
    engine: &Arc<Engine>,
    access: &Access,
    caller: &Caller,
    name: Option<&str>,
    start: Start,
    start_field: &'static str,
) -> Result<Consumer, FeedRefusal> {
    let refusal = |error| refusal(error, start_field);
    let Some(name) = name else {
        return engine.feed().follow(start).map_err(refusal);
    };
    check_consumer(access, caller, name)?;
    engine
        .feed()
        .open(name, start, WhenFull::Lag)
        .map_err(refusal)
}

/// Whether `caller` may have a consumer of this name.
pub(super) fn check_consumer(
    access: &Access,
    caller: &Caller,
    name: &str,
) -> Result<(), FeedRefusal> {
    if name.contains(PIPELINE_SEPARATOR) {
        let reason = format!(
            "consumer: {} belongs to a pipeline; choose a name without {PIPELINE_SEPARATOR:?}",
            quoted(name)
        );
        return Err(FeedRefusal::field("consumer", reason));
    }
    if !access.may_keep_positions(caller) {
        return Err(FeedRefusal::NeedsKey);
    }
    Ok(())
}

/// Blames the field that callers know.
fn refusal(error: FeedError, start_field: &'static str) -> FeedRefusal {
    match error {
        FeedError::Name { .. } => FeedRefusal::field("consumer", error.to_string()),
        FeedError::Ahead { sequence, last } => FeedRefusal::field(
            start_field,
            format!("{start_field}: {sequence} was not acknowledged yet, the last event is {last}"),
        ),
        FeedError::InUse { .. }
        | FeedError::TooMany
        | FeedError::Closed
        | FeedError::Thread { .. }
        | FeedError::NotWritten { .. } => FeedRefusal::Feed(error),
    }
}
