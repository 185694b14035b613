//! The events of one request: validated one by one, sent in batches, acknowledged together at the end.
//!
//! Reads neither bodies nor headers; see `hold`.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::core::{Addressed, Findings};
use crate::engine::gate::{BEFORE_ACCEPT, RowId, UNCHECKED_RETRY};
use crate::engine::{self, Engine, Receipt, Rejection, SubmitError, UploadWindow, Validator};
use crate::input::{event_from_line, refused_line};
use crate::net::answer_budget::{AnswerBudget, InFlight};
use crate::net::context::ServerContext;
use crate::output::warning_names;

/// Why an event was refused; it has changed nothing.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedEvent {
    /// Index in the array, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    /// Line of the stream, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// The invalid field; null if it is not a JSON object, `before_accept` if a pipeline refused it.
    field: Option<&'static str>,
    /// One line that begins with the field.
    #[schema(example = "end: before start")]
    reason: String,
    /// Whether a pipeline gave no answer about it.
    #[serde(skip)]
    is_unchecked: bool,
}

/// What became of the events of a request.
#[derive(Serialize, ToSchema)]
pub(super) struct UploadResult {
    /// Events that are stored as `durability` says; a transfer counts once.
    accepted: u64,
    /// Events that were refused, listed or not.
    refused_total: u64,
    /// The refused events; at most the first 1,000, and fewer while the answers that were not read take all the room.
    refused: Vec<RefusedEvent>,
    /// Sequence number of the last accepted event; 0 if there is none. A transfer between two holders takes two
    /// numbers.
    sequence: u64,
    /// What an accepted event survives.
    durability: Durability,
    /// What is valid and probably not meant among the events: codes and names, whose cures are in `docs/warnings.md`.
    /// Those of a long stream are compared with the thousands around them.
    #[schema(example = json!(["W01 epoch-seconds"]))]
    warnings: Vec<String>,
    /// The bytes of the list, if there is one.
    #[serde(skip)]
    pub(super) listed: Option<InFlight>,
}

/// What an accepted event survives.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Durability {
    /// A crash of the process, and a loss of power.
    Durable,
    /// Nothing: the server keeps events in memory only.
    Buffered,
}

impl From<engine::Durability> for Durability {
    fn from(durability: engine::Durability) -> Self {
        match durability {
            engine::Durability::Durable => Self::Durable,
            engine::Durability::Buffered => Self::Buffered,
        }
    }
}

/// How the events of a request are numbered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbering {
    /// There is one, without a number.
    Single,
    /// As elements of an array, from 0.
    Index,
    /// As lines of a stream, from 1.
    Line,
}

/// Why a text is not a valid event.
pub(super) struct EventError {
    /// The invalid field; `None` if the text is not a JSON object.
    pub(super) field: Option<&'static str>,
    /// One line.
    pub(super) reason: String,
}

/// Takes the events of one request.
pub(super) struct Upload {
    engine: Arc<Engine>,
    numbering: Numbering,
    /// The tag of a batch counts its accepted texts; a transfer is one, although it states two events.
    window: UploadWindow<u64>,
    wait_max: Duration,
    refused_listed_max: usize,
    line_bytes_max: usize,
    /// Events that are acknowledged.
    accepted: u64,
    sequence: u64,
    refused_total: u64,
    refused: Vec<RefusedEvent>,
    answers: AnswerBudget,
    /// The bytes of that list, which the answer takes until it is read.
    listed: Option<InFlight>,
    findings: Findings,
}

impl Upload {
    pub(super) fn new(
        context: &ServerContext,
        answers: &AnswerBudget,
        numbering: Numbering,
    ) -> Self {
        Self {
            engine: Arc::clone(&context.engine),
            numbering,
            window: UploadWindow::new(Arc::clone(&context.engine)),
            wait_max: context.limits.request_wait_max,
            refused_listed_max: context.limits.refused_listed_max,
            line_bytes_max: context.limits.line_bytes_max,
            accepted: 0,
            sequence: 0,
            refused_total: 0,
            refused: Vec::new(),
            answers: answers.clone(),
            listed: None,
            findings: Findings::default(),
        }
    }

    fn add(
        &mut self,
        number: u64,
        validator: &Validator<'_>,
        text: &[u8],
    ) -> Result<(), EventError> {
        let batch = self.window.open_batch();
        batch.rows += 1;
        let id = RowId {
            message: number,
            row: None,
        };
        let (field, reason) = match event_from_line(text) {
            Ok(written) => match batch.events.accept(validator, written.draft(), id) {
                Ok(_) => {
                    batch.tag += 1;
                    return Ok(());
                }
                Err(Rejection::Invalid(refusal)) => {
                    let reason = refused_line(text, refusal);
                    (reason.field(), reason.for_service())
                }
                Err(rejection) => (Some(rejection.field()), rejection.for_service()),
            },
            Err(reason) => (reason.field(), reason.for_service()),
        };
        validator.count_refused(field.unwrap_or("json"), 1);
        Err(EventError { field, reason })
    }

    /// Waits for room in the queue for the events that `text_bytes` bytes of JSON state: a hold takes fewer bytes than
    /// its text, and a transfer is two events. Sends the open batch first if there is no room beside it.
    pub(super) async fn make_room(&mut self, text_bytes: usize) -> Result<(), Problem> {
        let bytes = 2 * text_bytes;
        if !self.window.has_room(bytes) {
            self.send().await?;
            in_time(
                self.wait_max,
                poll_fn(|cx| self.window.poll_room(cx, bytes)),
            )
            .await?;
        }
        Ok(())
    }

    /// Adds the only event of a request, or says why it is refused.
    pub(super) fn add_single(
        &mut self,
        validator: &Validator<'_>,
        text: &[u8],
    ) -> Result<(), EventError> {
        self.add(0, validator, text)
    }

    /// Adds one of several events; lists it if it is refused.
    pub(super) fn add_at(&mut self, number: u64, validator: &Validator<'_>, text: &[u8]) {
        if let Err(error) = self.add(number, validator, text) {
            self.refuse(number, error);
        }
    }

    /// Refuses a line that is too long to be read.
    pub(super) fn refuse_long_line(&mut self, number: u64, validator: &Validator<'_>) {
        validator.count_refused("line", 1);
        let bytes_max = self.line_bytes_max;
        let error = EventError {
            field: None,
            reason: format!("a line may have at most {bytes_max} bytes"),
        };
        self.refuse(number, error);
    }

    fn refuse(&mut self, number: u64, error: EventError) {
        self.list(number, error, false);
    }

    fn list(&mut self, number: u64, error: EventError, is_unchecked: bool) {
        self.refused_total += 1;
        // The refusal of a single event is the whole answer, and not one of a list.
        if self.numbering != Numbering::Single {
            let bytes = size_of::<RefusedEvent>() + error.reason.len();
            let listed = self.listed.get_or_insert_with(|| self.answers.count(0));
            if self.refused.len() >= self.refused_listed_max || !listed.grow(bytes) {
                return;
            }
        }
        let is = |numbering| (self.numbering == numbering).then_some(number);
        self.refused.push(RefusedEvent {
            index: is(Numbering::Index),
            line: is(Numbering::Line),
            field: error.field,
            reason: error.reason,
            is_unchecked,
        });
    }

    /// Sends the open batch if it is full; whether it was.
    pub(super) async fn send_if_full(&mut self) -> Result<bool, Problem> {
        let is_full = self.window.is_batch_full();
        if is_full {
            self.send().await?;
        }
        Ok(is_full)
    }

    /// Sends what was read, and keeps no room in the queue.
    pub(super) async fn send_read(&mut self) -> Result<(), Problem> {
        self.send().await?;
        self.window.release_room();
        Ok(())
    }

    /// Sends the only event of a request and waits until it is acknowledged.
    pub(super) async fn finish_single(self) -> Result<UploadResult, Problem> {
        let mut result = self
            .finish()
            .await
            .map_err(|(problem, accepted)| problem.after(accepted, 0))?;
        match result.refused.pop() {
            Some(refused) if refused.is_unchecked => Err(Problem::of_field(
                StatusCode::SERVICE_UNAVAILABLE,
                BEFORE_ACCEPT,
                refused.reason,
            )
            .retry(UNCHECKED_RETRY)),
            Some(refused) => Err(Problem::field(
                refused.field.unwrap_or(BEFORE_ACCEPT),
                &refused.reason,
            )),
            None => Ok(result),
        }
    }

    /// Sends the rest and waits until all is acknowledged. An error comes with the number of accepted events.
    pub(super) async fn finish(mut self) -> Result<UploadResult, (Problem, u64)> {
        if let Err(problem) = self.send_all().await {
            return Err((problem, self.accepted));
        }
        // A gate refuses later than the validation of the events after.
        self.refused.sort_by_key(|event| (event.index, event.line));
        Ok(UploadResult {
            accepted: self.accepted,
            refused_total: self.refused_total,
            refused: self.refused,
            sequence: self.sequence,
            durability: self.engine.durability().into(),
            warnings: warning_names(&self.findings),
            listed: self.listed,
        })
    }

    /// Drops the open batch and waits for those in flight; how many events are acknowledged.
    pub(super) async fn abandon(mut self) -> u64 {
        while let Ok(true) = self.await_ack().await {}
        self.accepted
    }

    async fn send_all(&mut self) -> Result<(), Problem> {
        self.send().await?;
        while self.await_ack().await? {}
        Ok(())
    }

    /// Sends the open batch, if there is one, when the window has room for it.
    async fn send(&mut self) -> Result<(), Problem> {
        while self.window.is_full() {
            self.await_ack().await?;
        }
        if let Some(events) = self.window.open_events() {
            self.findings.add(events.findings());
        }
        let sent = poll_fn(|cx| self.window.poll_send(cx));
        in_time(self.wait_max, async { sent.await.transpose() }).await?;
        Ok(())
    }

    /// Waits for the oldest batch in flight; whether there was one.
    async fn await_ack(&mut self) -> Result<bool, Problem> {
        let acked = poll_fn(|cx| self.window.poll_acked(cx));
        let Some(acked) = in_time(self.wait_max, async { acked.await.transpose() }).await? else {
            return Ok(false);
        };
        self.accepted += acked.tag - acked.refused.len() as u64;
        for row in acked.refused {
            let error = EventError {
                field: Some(BEFORE_ACCEPT),
                reason: row.reason,
            };
            self.list(row.id.message, error, row.is_unchecked);
        }
        if let Some(Receipt { last, .. }) = acked.receipt {
            self.sequence = last;
        }
        Ok(true)
    }
}

async fn in_time<T>(
    wait_max: Duration,
    step: impl Future<Output = Result<T, SubmitError>>,
) -> Result<T, Problem> {
    match tokio::time::timeout(wait_max, step).await {
        Ok(done) => done.map_err(|error| Problem::from(&error)),
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not acknowledged in time: events that were sent may be stored; send them again",
        )
        .retry(Duration::from_secs(1))),
    }
}
