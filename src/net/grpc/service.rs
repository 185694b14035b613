//! The service `poh.HoldMetrics`, call by call.
//!
//! Each call reads its request, asks the engine, and writes the answer; who may call is decided before, in
//! `door`.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream::{StreamExt, unfold};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::answer::{
    count_from_wire, holders, report_from_answer, stat_from_holder, window_from_wire,
    wire_from_holder, wire_from_window,
};
use super::event::Judge;
use super::group::wire_from_durability;
use super::intake::Intake;
use super::status::{bad_field, not_taken};
use super::watch::{Watch, interval_from_wire};
use crate::core::{EventBatch, Micros, Window};
use crate::engine::{Cursor, Engine, Page, Question};
use crate::net::page_token::{PageTokenError, page_token, read_page_token};
use crate::net::pb::hold_metrics_server::HoldMetrics;
use crate::net::pb::{
    GetHolderRequest, GetLeaderboardRequest, GetSnapshotRequest, HoldAck, HoldBatch, HoldMsg,
    HoldStat, HolderReport, Leaderboard, LeaderboardChange, Snapshot, WatchRequest,
};
use crate::net::questions::{Questions, Unanswered};
use crate::telemetry::metrics::Metrics;

const ACK_EVERY: &str = "ack-every";
const ACK_EVERY_MAX: u32 = 65_536;
/// Holders of `Stats` that are computed at once.
const STATS_PIECE: usize = 50_000;
/// A usual event, encoded.
const EVENT_BYTES: usize = 128;

/// Answers the calls.
#[derive(Clone)]
pub(super) struct HoldService {
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) questions: Questions,
    pub(super) batch_events_max: usize,
    pub(super) stop: CancellationToken,
}

/// Where `Stats` stands.
enum Piece {
    Read(Page),
    Behind(Cursor),
    None,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl HoldMetrics for HoldService {
    async fn record(&self, request: Request<HoldMsg>) -> Result<Response<HoldAck>, Status> {
        let mut events = EventBatch::with_capacity(EVENT_BYTES);
        let judge = Judge::new(&self.engine, &self.metrics);
        judge
            .take(request.get_ref(), &mut events)
            .map_err(|refusal| {
                judge.count_refused(refusal.field(), 1);
                bad_field(refusal.field(), &refusal)
            })?;
        let pending = self.engine.admit(events).await;
        let receipt = match pending {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        }
        .map_err(|error| not_taken(&error))?;
        Ok(Response::new(HoldAck {
            sequence: receipt.last,
            durability: wire_from_durability(Some(receipt.durability)).into(),
            accepted: 1,
            ..HoldAck::default()
        }))
    }

    type BroadcastStream = Intake<Streaming<HoldMsg>>;

    async fn broadcast(
        &self,
        request: Request<Streaming<HoldMsg>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        let ack_every = ack_every(request.metadata())?;
        Ok(Response::new(self.intake(request.into_inner(), ack_every)))
    }

    type BroadcastBatchStream = Intake<Streaming<HoldBatch>>;

    async fn broadcast_batch(
        &self,
        request: Request<Streaming<HoldBatch>>,
    ) -> Result<Response<Self::BroadcastBatchStream>, Status> {
        Ok(Response::new(self.intake(request.into_inner(), 1)))
    }

    type StatsStream = Answers<HoldStat>;

    async fn stats(&self, _: Request<()>) -> Result<Response<Self::StatsStream>, Status> {
        let question = Question {
            window: Window {
                closed_only: true,
                ..Window::until(Micros::MAX)
            },
            token_id: None,
        };
        let first = self.page(question.clone(), None, STATS_PIECE).await?;
        let updated_at = self.engine.now();
        if first.holders.is_empty() {
            let nothing = futures_util::stream::iter([Ok(HoldStat::default())]);
            return Ok(Response::new(Box::pin(nothing)));
        }
        let service = self.clone();
        let pieces = unfold(Piece::Read(first), move |piece| {
            let (service, question) = (service.clone(), question.clone());
            async move {
                let page = match piece {
                    Piece::Read(page) => Ok(page),
                    Piece::Behind(cursor) => {
                        service.page(question, Some(cursor), STATS_PIECE).await
                    }
                    Piece::None => return None,
                };
                let next = page.as_ref().ok().and_then(|page| page.next.clone());
                Some((page, next.map_or(Piece::None, Piece::Behind)))
            }
        });
        let stats = pieces.flat_map(move |piece: Result<Page, Status>| {
            let rows = match piece {
                Ok(page) => page.holders.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            futures_util::stream::iter(rows)
                .map(move |row| row.map(|row| stat_from_holder(&row, updated_at)))
        });
        Ok(Response::new(Box::pin(stats)))
    }

    async fn get_snapshot(
        &self,
        request: Request<GetSnapshotRequest>,
    ) -> Result<Response<Snapshot>, Status> {
        let request = request.into_inner();
        let size = count_from_wire("page_size", request.page_size, 1_000, 10_000)?;
        let (question, after) = self.place(&request)?;
        if !request.holder_id.is_empty() {
            let answer = self
                .questions
                .holder(request.holder_id, question.clone())
                .await
                .map_err(unanswered)?;
            return Ok(Response::new(Snapshot {
                window: Some(wire_from_window(&question.window)),
                holders: answer
                    .iter()
                    .map(|answer| wire_from_holder(&answer.holder))
                    .collect(),
                next_page_token: String::new(),
                holders_total: u64::from(answer.is_some()),
                sequence: answer.map_or_else(|| self.engine.sequence(), |answer| answer.sequence),
            }));
        }
        let page = self.page(question.clone(), after, size).await?;
        Ok(Response::new(Snapshot {
            window: Some(wire_from_window(&question.window)),
            holders: holders(&page),
            next_page_token: page
                .next
                .as_ref()
                .map_or_else(String::new, |cursor| page_token(&question, cursor)),
            holders_total: page.known as u64,
            sequence: page.sequence,
        }))
    }

    async fn get_leaderboard(
        &self,
        request: Request<GetLeaderboardRequest>,
    ) -> Result<Response<Leaderboard>, Status> {
        let request = request.into_inner();
        let count = count_from_wire("n", request.n, 100, 10_000)?;
        let question = Question {
            window: window_from_wire(request.window.as_ref(), self.engine.now())?,
            token_id: filter(request.token_id),
        };
        let page = self.page(question.clone(), None, count).await?;
        Ok(Response::new(Leaderboard {
            window: Some(wire_from_window(&question.window)),
            holders: holders(&page),
            sequence: page.sequence,
            holders_total: page.known as u64,
        }))
    }

    async fn get_holder(
        &self,
        request: Request<GetHolderRequest>,
    ) -> Result<Response<HolderReport>, Status> {
        let request = request.into_inner();
        if request.holder_id.is_empty() {
            return Err(bad_field("holder_id", &"holder_id: missing or empty"));
        }
        let question = Question {
            window: window_from_wire(request.window.as_ref(), self.engine.now())?,
            token_id: filter(request.token_id),
        };
        let window = question.window;
        let found = self
            .questions
            .known_holder(request.holder_id, question)
            .await
            .map_err(unanswered)?;
        let answer = found.map_err(|unseen| Status::not_found(format!("holder_id: {unseen}")))?;
        Ok(Response::new(report_from_answer(&answer, &window)))
    }

    type WatchStream = Answers<LeaderboardChange>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        let interval = interval_from_wire(&request)?;
        let watch = Watch {
            engine: Arc::clone(&self.engine),
            questions: self.questions.clone(),
            stop: self.stop.clone(),
            rows: count_from_wire("n", request.n, 10, 1_000)?,
            closed_only: request.closed_only,
            token_id: filter(request.token_id),
        };
        Ok(Response::new(Box::pin(watch.changes(interval))))
    }
}

impl HoldService {
    fn intake<M>(&self, source: Streaming<M>, ack_every: u32) -> Intake<Streaming<M>> {
        Intake::new(
            Arc::clone(&self.engine),
            Arc::clone(&self.metrics),
            source,
            self.batch_events_max,
            ack_every,
            self.stop.clone(),
        )
    }

    async fn page(
        &self,
        question: Question,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page, Status> {
        self.questions
            .page(question, after, size)
            .await
            .map_err(unanswered)
    }

    /// What a page is asked of, and behind whom it begins.
    fn place(&self, request: &GetSnapshotRequest) -> Result<(Question, Option<Cursor>), Status> {
        if request.page_token.is_empty() {
            let question = Question {
                window: window_from_wire(request.window.as_ref(), self.engine.now())?,
                token_id: filter(request.token_id.clone()),
            };
            return Ok((question, None));
        }
        let refused = |error: PageTokenError| bad_field("page_token", &error);
        let (question, cursor) = read_page_token(&request.page_token).map_err(refused)?;
        let is_same = filter(request.token_id.clone()) == question.token_id
            && request.holder_id.is_empty()
            && request.window.as_ref().is_none_or(|window| {
                let known = question.window;
                window_from_wire(Some(window), known.as_of).is_ok_and(|window| window == known)
            });
        if !is_same {
            return Err(refused(PageTokenError::OtherQuestion));
        }
        Ok((question, Some(cursor)))
    }
}

/// An empty text filters nothing.
fn filter(token_id: String) -> Option<Box<str>> {
    (!token_id.is_empty()).then(|| token_id.into())
}

fn ack_every(metadata: &MetadataMap) -> Result<u32, Status> {
    let Some(text) = metadata.get(ACK_EVERY) else {
        return Ok(1);
    };
    text.to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|every| (1..=ACK_EVERY_MAX).contains(every))
        .ok_or_else(|| bad_field(ACK_EVERY, &"ack-every: not an integer from 1 to 65536"))
}

/// Why a question has no answer.
pub(super) fn unanswered(reason: Unanswered) -> Status {
    match reason {
        Unanswered::Busy => {
            super::status::try_later(&reason, std::time::Duration::from_secs(1), "BUSY")
        }
        Unanswered::Broken => super::status::defect(&reason),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn too_many_questions_are_told_when_to_come_back() {
        let status = unanswered(Unanswered::Busy);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_details_retry_info().is_some());
        assert_eq!(status.get_details_error_info().unwrap().reason, "BUSY");
        assert_eq!(unanswered(Unanswered::Broken).code(), Code::Internal);
    }
}
