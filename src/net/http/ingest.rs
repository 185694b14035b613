//! Events of one request on their way to the disk: judged one by one, admitted in batches, awaited at the end.
//!
//! Knows no body and no route; see `hold`.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::core::{EventBatch, Micros};
use crate::engine::{Durability, Engine, Pending, Receipt, SubmitError};
use crate::input::event_from_line;
use crate::net::house::House;
use crate::telemetry::metrics::Metrics;

/// A batch is admitted where it has so many events ...
const EVENTS_MAX: u32 = 4_096;
/// ... or so many bytes.
const BYTES_MAX: usize = 512 << 10;
/// Batches of one request that are on their way.
const FLYING_MAX: usize = 8;

/// Why an event was refused; it has changed nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedEvent {
    /// Place in the array, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
    /// Line of the stream, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u64>,
    /// The field to blame; null where it is no JSON object at all.
    pub(super) field: Option<&'static str>,
    /// One line that begins with the field.
    #[schema(example = "end: before start")]
    pub(super) reason: String,
}

/// What became of the events of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Taken {
    /// Events that are durable, as `durability` says.
    pub(super) accepted: u64,
    /// Events that were refused, listed or not.
    refused_total: u64,
    /// The refused ones; the first 1,000 of them.
    refused: Vec<RefusedEvent>,
    /// Number of the last event that was accepted; 0 where none was.
    sequence: u64,
    /// What an accepted event outlives.
    durability: Kept,
}

/// What an accepted event outlives.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Kept {
    /// The process, and a loss of power.
    Durable,
    /// Nothing: the server keeps all in memory.
    Buffered,
}

/// Where an event stands in its request.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Of an array, from 0.
    Index(u64),
    /// Of a stream, from 1.
    Line(u64),
}

/// Why a text is no event.
pub(super) struct NoEvent {
    /// The field to blame.
    pub(super) field: Option<&'static str>,
    /// One line.
    pub(super) reason: String,
}

/// Takes the events of one request.
pub(super) struct Ingest {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    wait_max: Duration,
    refused_listed_max: usize,
    line_bytes_max: usize,
    now: Micros,
    events: EventBatch,
    flights: VecDeque<Pending>,
    /// Events that are acknowledged.
    accepted: u64,
    sequence: u64,
    refused_total: u64,
    refused: Vec<RefusedEvent>,
}

impl Ingest {
    pub(super) fn new(house: &House) -> Self {
        Self {
            engine: Arc::clone(&house.engine),
            metrics: Arc::clone(&house.metrics),
            wait_max: house.limits.request_wait_max,
            refused_listed_max: house.limits.refused_listed_max,
            line_bytes_max: house.limits.line_bytes_max,
            now: house.engine.now(),
            events: EventBatch::default(),
            flights: VecDeque::new(),
            accepted: 0,
            sequence: 0,
            refused_total: 0,
            refused: Vec::new(),
        }
    }

    /// Looks at the clock again; for requests that last.
    pub(super) fn look_at_the_clock(&mut self) {
        self.now = self.engine.now();
    }

    /// Takes one JSON object, or says why it is no event.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<(), NoEvent> {
        let no_event = |field, reason: String| {
            self.metrics.refused(field, 1);
            (field, reason)
        };
        let taken = match event_from_line(text) {
            Ok(written) => match self.engine.gate().check(written.draft(), self.now) {
                Ok(event) => {
                    self.events.push(&event);
                    return Ok(());
                }
                Err(rejection) => no_event(rejection.field(), rejection.to_string()),
            },
            Err(reason) => match reason.field() {
                Some(field) => no_event(field, reason.to_string()),
                None => {
                    self.metrics.refused("json", 1);
                    return Err(NoEvent {
                        field: None,
                        reason: reason.to_string(),
                    });
                }
            },
        };
        let (field, reason) = taken;
        Err(NoEvent {
            field: Some(field),
            reason,
        })
    }

    /// Refuses a line that is too long to be read.
    pub(super) fn refuse_long_line(&mut self, number: u64) {
        self.metrics.refused("line", 1);
        let bytes_max = self.line_bytes_max;
        let no_event = NoEvent {
            field: None,
            reason: format!("longer than the {bytes_max} bytes that a line may have"),
        };
        self.refuse(Place::Line(number), no_event);
    }

    /// Lists a refused event.
    fn refuse(&mut self, place: Place, no_event: NoEvent) {
        self.refused_total += 1;
        if self.refused.len() >= self.refused_listed_max {
            return;
        }
        let (index, line) = match place {
            Place::Index(index) => (Some(index), None),
            Place::Line(line) => (None, Some(line)),
        };
        self.refused.push(RefusedEvent {
            index,
            line,
            field: no_event.field,
            reason: no_event.reason,
        });
    }

    /// Takes one of several events and lists it where it is refused.
    pub(super) fn take_at(&mut self, place: Place, text: &[u8]) {
        if let Err(no_event) = self.take(text) {
            self.refuse(place, no_event);
        }
    }

    /// Sends a full batch on its way.
    pub(super) async fn send_if_full(&mut self) -> Result<(), Problem> {
        if self.events.count() >= EVENTS_MAX || self.events.bytes().len() >= BYTES_MAX {
            self.send().await?;
        }
        Ok(())
    }

    /// Waits until all is acknowledged, and says what became of it.
    pub(super) async fn finish(mut self) -> Result<Taken, (Problem, u64)> {
        let finished = self.send_all().await;
        match finished {
            Err(problem) => Err((problem, self.accepted)),
            Ok(()) => Ok(Taken {
                accepted: self.accepted,
                refused_total: self.refused_total,
                refused: self.refused,
                sequence: self.sequence,
                durability: match self.engine.durability() {
                    Durability::Durable => Kept::Durable,
                    Durability::Buffered => Kept::Buffered,
                },
            }),
        }
    }

    /// Waits for what is on its way already; how many events are acknowledged.
    pub(super) async fn abandon(mut self) -> u64 {
        while !self.flights.is_empty() {
            if self.land().await.is_err() {
                break;
            }
        }
        self.accepted
    }

    async fn send_all(&mut self) -> Result<(), Problem> {
        if !self.events.is_empty() {
            self.send().await?;
        }
        while !self.flights.is_empty() {
            self.land().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Problem> {
        if self.flights.len() >= FLYING_MAX {
            self.land().await?;
        }
        let events = std::mem::take(&mut self.events);
        let engine = Arc::clone(&self.engine);
        let pending = self.in_time(engine.admit(events)).await?;
        self.flights.push_back(pending);
        Ok(())
    }

    async fn land(&mut self) -> Result<(), Problem> {
        let Some(pending) = self.flights.pop_front() else {
            return Ok(());
        };
        let Receipt { first, last, .. } = self.in_time(pending).await?;
        self.accepted += last - first + 1;
        self.sequence = last;
        Ok(())
    }

    async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, SubmitError>>,
    ) -> Result<T, Problem> {
        match tokio::time::timeout(self.wait_max, step).await {
            Ok(done) => done.map_err(|error| Problem::from(&error)),
            Err(_) => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not acknowledged in time: what was sent may have been taken; send it again",
            )
            .retry(Duration::from_secs(1))),
        }
    }
}
