//! The service `poh.HoldMetrics`, call by call.
//!
//! Each call converts its request, asks the engine, and converts the response. Callers are authorized before, in
//! `dispatcher`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::{StreamExt, unfold};
use tokio_util::sync::CancellationToken;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status, Streaming};

use super::ack_group::wire_from_durability;
use super::ack_stream::AckStream;
use super::columns::BatchBounds;
use super::counted_messages::Messages;
use super::event::{WireRefusal, draft_from_wire, transfer_from_wire};
use super::response::{
    count_from_wire, holders, report_from_answer, stat_from_holder, window_from_wire,
    wire_from_holder, wire_from_window,
};
use super::status::{bad_field, not_taken, pages_gone, query_failed, unchecked};
use super::unfolded::Unfolded;
use super::watch::{Watch, interval_from_wire};
use crate::core::{Addressed, Draft, Micros, Window};
use crate::engine::gate::{BEFORE_ACCEPT, RowBatch, RowId, SubmittedRows};
use crate::engine::{Cursor, Engine, ListingError, Page, PublishError, Question, RankedHolder};
use crate::net::access::{Access, Caller};
use crate::net::answer_budget::{AnswerBudget, Counted, InFlight, is_small};
use crate::net::page_token::{PageStart, PageTokenError, read_page_token};
use crate::net::pb::hold_metrics_server::HoldMetrics;
use crate::net::pb::{
    Deficits, FeedBatch, FeedRequest, GetDeficitsRequest, GetHolderRequest, GetLeaderboardRequest,
    GetRoundProofRequest, GetRoundRequest, GetSnapshotRequest, HoldAck, HoldBatch, HoldMsg,
    HoldStat, HolderReport, Leaderboard, LeaderboardChange, ListRoundsRequest, Policy, Round,
    RoundProof, Rounds, SealRoundRequest, Snapshot, TransferBatch, TransferMsg, WatchRequest,
};
use crate::net::query_pool::{Answered, QueryPool};
use crate::output::warning_names;

const ACK_EVERY: &str = "ack-every";
/// The store that takes the events of a stream.
const STORE_ID: &str = "store-id";
/// The sequence number of its last event.
const STORE_SEQUENCE: &str = "store-sequence";
const ACK_EVERY_MAX: u32 = 65_536;
/// `Stats` computes this many holders at once, and keeps them until they are sent.
const STATS_PAGE_SIZE: usize = 20_000;
/// The size of a typical encoded event.
const EVENT_BYTES: usize = 128;

/// Answers the calls.
#[derive(Clone)]
pub(super) struct HoldService {
    pub(super) engine: Arc<Engine>,
    pub(super) queries: QueryPool,
    pub(super) access: Access,
    pub(super) batch_bounds: BatchBounds,
    pub(super) request_wait_max: Duration,
    pub(super) stop: CancellationToken,
}

/// What `Stats` sends next.
enum NextPage {
    /// A page that was computed already.
    Ready(Rows),
    /// The page after this cursor.
    After(Cursor),
    /// Nothing more.
    End,
}

/// The holders of a page, and what they take until the last one is sent.
struct Rows {
    holders: Vec<RankedHolder>,
    next: Option<Cursor>,
    in_flight: Arc<InFlight>,
}

type ResponseStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl HoldMetrics for HoldService {
    async fn record(&self, request: Request<HoldMsg>) -> Result<Response<HoldAck>, Status> {
        let events = self.accepted(draft_from_wire(request.get_ref()))?;
        self.store(events).await
    }

    type BroadcastStream = AckStream<Messages<HoldMsg>, HoldMsg>;

    async fn broadcast(
        &self,
        request: Request<Streaming<HoldMsg>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        let ack_every = ack_every(request.metadata())?;
        Ok(self.acks(&request, ack_every))
    }

    type BroadcastBatchStream = AckStream<Messages<HoldBatch>, HoldBatch>;

    async fn broadcast_batch(
        &self,
        request: Request<Streaming<HoldBatch>>,
    ) -> Result<Response<Self::BroadcastBatchStream>, Status> {
        Ok(self.acks(&request, 1))
    }

    async fn record_transfer(
        &self,
        request: Request<TransferMsg>,
    ) -> Result<Response<HoldAck>, Status> {
        let events = self.accepted(transfer_from_wire(request.get_ref()))?;
        self.store(events).await
    }

    type BroadcastTransfersStream = AckStream<Messages<TransferMsg>, TransferMsg>;

    async fn broadcast_transfers(
        &self,
        request: Request<Streaming<TransferMsg>>,
    ) -> Result<Response<Self::BroadcastTransfersStream>, Status> {
        let ack_every = ack_every(request.metadata())?;
        Ok(self.acks(&request, ack_every))
    }

    type BroadcastTransferBatchStream = AckStream<Messages<TransferBatch>, TransferBatch>;

    async fn broadcast_transfer_batch(
        &self,
        request: Request<Streaming<TransferBatch>>,
    ) -> Result<Response<Self::BroadcastTransferBatchStream>, Status> {
        Ok(self.acks(&request, 1))
    }

    type StatsStream = ResponseStream<HoldStat>;

    async fn stats(&self, request: Request<()>) -> Result<Response<Self::StatsStream>, Status> {
        let answers = answers(&request);
        let question = Question::of_all_tokens(Window {
            closed_only: true,
            ..Window::until(Micros::MAX)
        });
        let start = PageStart::first(question, None);
        let first = self.rows(&answers, start.clone()).await?;
        let updated_at = self.engine.now();
        if first.holders.is_empty() {
            let default = futures_util::stream::iter([Ok(HoldStat::default())]);
            return Ok(Response::new(Box::pin(default)));
        }
        let service = self.clone();
        let pages = unfold(NextPage::Ready(first), move |next| {
            let (service, start) = (service.clone(), start.clone());
            let answers = answers.clone();
            async move {
                let page = match next {
                    NextPage::Ready(page) => Ok(page),
                    NextPage::After(cursor) => {
                        let after = Some(cursor);
                        service.rows(&answers, PageStart { after, ..start }).await
                    }
                    NextPage::End => return None,
                };
                let next = page.as_ref().ok().and_then(|rows: &Rows| rows.next.clone());
                Some((page, next.map_or(NextPage::End, NextPage::After)))
            }
        });
        let stats = pages.flat_map(move |page: Result<Rows, Status>| {
            let (rows, in_flight) = match page {
                Ok(page) => (
                    page.holders.into_iter().map(Ok).collect(),
                    Some(page.in_flight),
                ),
                Err(error) => (vec![Err(error)], None),
            };
            futures_util::stream::iter(rows).map(move |row| {
                // The rows that are not sent yet are counted.
                let _in_flight = &in_flight;
                row.map(|row| stat_from_holder(&row, updated_at))
            })
        });
        Ok(Response::new(Box::pin(stats)))
    }

    async fn get_snapshot(
        &self,
        request: Request<GetSnapshotRequest>,
    ) -> Result<Response<Snapshot>, Status> {
        let answers = answers(&request);
        let request = request.into_inner();
        let size = count_from_wire("page_size", request.page_size, 1_000, 10_000)?;
        let start = self.page_start(&request)?;
        let question = start.question.clone();
        if !request.holder_id.is_empty() {
            if start.policy.is_some() {
                let problem = "policy: lists no single holder; leave out holder_id";
                return Err(bad_field("policy", &problem));
            }
            let asked = (request.holder_id, question.clone());
            let answered = self
                .queries
                .holder(&answers, asked, move |answer, sequence| Snapshot {
                    window: Some(wire_from_window(&question.window)),
                    holders: answer
                        .iter()
                        .map(|answer| wire_from_holder(&answer.holder))
                        .collect(),
                    next_page_token: String::new(),
                    holders_total: u64::from(answer.is_some()),
                    policy: None,
                    deficits: answer.as_ref().map_or(0, |answer| answer.deficits as u64),
                    sequence: answer.map_or(sequence, |answer| answer.sequence),
                });
            return Ok(counted(answered.await.map_err(query_failed)?));
        }
        let asked = (start, size);
        let answered = self.queries.listed(&answers, asked, |start, page| {
            let page = page.map_err(|error| unlisted(&error, start.by_key()))?;
            start
                .check(&page)
                .map_err(|error| bad_field("page_token", &error))?;
            Ok::<_, Status>(Snapshot {
                window: Some(wire_from_window(&start.question.window)),
                holders: holders(&page),
                next_page_token: start.next(&page).unwrap_or_default(),
                holders_total: page.known as u64,
                deficits: page.deficits as u64,
                sequence: page.sequence,
                policy: policy_of(start, &page),
            })
        });
        let answered = answered.await.map_err(query_failed)?;
        Ok(counted(answered.ok()?))
    }

    async fn get_leaderboard(
        &self,
        request: Request<GetLeaderboardRequest>,
    ) -> Result<Response<Leaderboard>, Status> {
        let answers = answers(&request);
        let request = request.into_inner();
        let count = count_from_wire("n", request.n, 100, 10_000)?;
        let question = Question {
            window: window_from_wire(request.window.as_ref(), self.engine.now())?,
            token_id: filter(request.token_id),
        };
        let start = PageStart::first(question, named(request.policy));
        let asked = (start, count);
        let answered = self.queries.first(&answers, asked, |start, page| {
            let page = page.map_err(|error| unlisted(&error, start.by_key()))?;
            Ok::<_, Status>(Leaderboard {
                window: Some(wire_from_window(&start.question.window)),
                holders: holders(&page),
                sequence: page.sequence,
                holders_total: page.known as u64,
                deficits: page.deficits as u64,
                policy: policy_of(start, &page),
            })
        });
        let answered = answered.await.map_err(query_failed)?;
        Ok(counted(answered.ok()?))
    }

    async fn get_holder(
        &self,
        request: Request<GetHolderRequest>,
    ) -> Result<Response<HolderReport>, Status> {
        let answers = answers(&request);
        let request = request.into_inner();
        if request.holder_id.is_empty() {
            return Err(bad_field("holder_id", &"holder_id: missing or empty"));
        }
        let question = Question {
            window: window_from_wire(request.window.as_ref(), self.engine.now())?,
            token_id: filter(request.token_id),
        };
        let window = question.window;
        let asked = (request.holder_id, question);
        let answered = self.queries.known_holder(&answers, asked, move |answer| {
            report_from_answer(&answer, &window)
        });
        let found = answered.await.map_err(query_failed)?.ok();
        let unknown = |unknown| Status::not_found(format!("holder_id: {unknown}"));
        Ok(counted(found.map_err(unknown)?))
    }

    async fn get_deficits(
        &self,
        request: Request<GetDeficitsRequest>,
    ) -> Result<Response<Deficits>, Status> {
        let answers = answers(&request);
        let answered = self.deficits(&answers, request.into_inner()).await?;
        Ok(counted(answered))
    }

    type WatchStream = ResponseStream<LeaderboardChange>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let answers = answers(&request);
        let request = request.into_inner();
        let interval = interval_from_wire(&request)?;
        let watch = Watch {
            engine: Arc::clone(&self.engine),
            queries: self.queries.clone(),
            answers,
            stop: self.stop.clone(),
            rows: count_from_wire("n", request.n, 10, 1_000)?,
            closed_only: request.closed_only,
            token_id: filter(request.token_id),
        };
        Ok(Response::new(Box::pin(watch.changes(interval))))
    }

    type FeedStream = ResponseStream<FeedBatch>;

    async fn feed(
        &self,
        request: Request<Streaming<FeedRequest>>,
    ) -> Result<Response<Self::FeedStream>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.expect("the dispatcher adds the caller to each read");
        let responses = self.feed_responses(&caller, request.into_inner()).await?;
        Ok(Response::new(Box::pin(responses)))
    }

    async fn seal_round(
        &self,
        request: Request<SealRoundRequest>,
    ) -> Result<Response<Round>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.expect("the dispatcher adds the caller to what operates the service");
        let round = self.sealed_round(&caller, request.into_inner()).await?;
        Ok(Response::new(round))
    }

    async fn list_rounds(
        &self,
        request: Request<ListRoundsRequest>,
    ) -> Result<Response<Rounds>, Status> {
        let answers = answers(&request);
        let answered = self.listed_rounds(&answers, request.into_inner()).await?;
        Ok(counted(answered))
    }

    async fn get_round(
        &self,
        request: Request<GetRoundRequest>,
    ) -> Result<Response<Round>, Status> {
        let round = self.one_round(&request.get_ref().id)?;
        Ok(Response::new(round))
    }

    async fn get_round_proof(
        &self,
        request: Request<GetRoundProofRequest>,
    ) -> Result<Response<RoundProof>, Status> {
        let proof = self.round_proof(request.into_inner()).await?;
        Ok(Response::new(proof))
    }
}

impl HoldService {
    /// The events of one message, or why it is refused.
    fn accepted(&self, draft: Result<Draft<'_>, WireRefusal>) -> Result<RowBatch, Status> {
        let mut events = self.engine.row_batch(EVENT_BYTES);
        let validator = self.engine.validator();
        let id = RowId {
            message: 0,
            row: None,
        };
        draft
            .and_then(|draft| Ok(events.accept(&validator, draft, id)?))
            .map_err(|refusal| {
                validator.count_refused(refusal.field(), 1);
                bad_field(refusal.field(), &refusal.for_service())
            })?;
        Ok(events)
    }

    /// Stores the events of one message.
    async fn store(&self, events: RowBatch) -> Result<Response<HoldAck>, Status> {
        let warnings = warning_names(&events.events().findings());
        let submitted = self.engine.submit_rows(events, None).await;
        let SubmittedRows { pending, refused } = submitted.map_err(|error| not_taken(&error))?;
        if let Some(row) = refused.first() {
            return Err(if row.is_unchecked {
                unchecked(&row.reason)
            } else {
                bad_field(BEFORE_ACCEPT, &row.reason)
            });
        }
        let pending = pending.expect("the one row of the batch was not refused");
        let receipt = pending.await.map_err(|error| not_taken(&error))?;
        Ok(Response::new(HoldAck {
            sequence: receipt.last,
            durability: wire_from_durability(Some(receipt.durability)).into(),
            accepted: 1,
            warnings,
            ..HoldAck::default()
        }))
    }

    /// The acknowledgements of a stream. Its first metadata says which store takes the events and how far it is, so
    /// that a sender knows whether it is the store that it sent to before.
    fn acks<M: Unfolded>(
        &self,
        request: &Request<Streaming<M>>,
        ack_every: u32,
    ) -> Response<AckStream<Messages<M>, M>> {
        let acks = AckStream::new(
            Arc::clone(&self.engine),
            Messages::of(request, self.batch_bounds.rows_max),
            self.batch_bounds,
            ack_every,
            self.stop.clone(),
        );
        let mut response = Response::new(acks);
        let store = self.engine.store().to_string();
        let store = MetadataValue::try_from(store).expect("digits are text");
        let metadata = response.metadata_mut();
        metadata.insert(STORE_ID, store);
        metadata.insert(STORE_SEQUENCE, MetadataValue::from(self.engine.sequence()));
        response
    }

    /// The next holders of `Stats`. If their leaderboard is no longer kept, they are those behind the same row of the
    /// present state: the caller has no page to ask for again.
    async fn rows(&self, answers: &AnswerBudget, mut start: PageStart) -> Result<Rows, Status> {
        let size = STATS_PAGE_SIZE.min(QueryPool::stream_rows_max(answers));
        let Answered { value, in_flight } = loop {
            let asked = (start.clone(), size);
            let answered = self.queries.listed(answers, asked, |_, page| page);
            match (answered.await.map_err(query_failed)?.ok(), &mut start.after) {
                (Err(ListingError::Gone), Some(after)) => after.kept = None,
                (answered, _) => {
                    break answered.map_err(|error| unlisted(&error, start.by_key()))?;
                }
            }
        };
        Ok(Rows {
            holders: value.holders,
            next: value.next,
            in_flight,
        })
    }

    /// What a page is about, and where it begins.
    fn page_start(&self, request: &GetSnapshotRequest) -> Result<PageStart, Status> {
        let policy = named(request.policy.clone());
        if request.page_token.is_empty() {
            let question = Question {
                window: window_from_wire(request.window.as_ref(), self.engine.now())?,
                token_id: filter(request.token_id.clone()),
            };
            return Ok(PageStart::first(question, policy));
        }
        let refused = |error: PageTokenError| bad_field("page_token", &error);
        let start = read_page_token(&request.page_token).map_err(refused)?;
        let question = &start.question;
        let is_same = filter(request.token_id.clone()) == question.token_id
            && policy == start.policy
            && request.holder_id.is_empty()
            && request.window.as_ref().is_none_or(|window| {
                let known = question.window;
                window_from_wire(Some(window), known.as_of).is_ok_and(|window| window == known)
            });
        if !is_same {
            return Err(refused(PageTokenError::OtherQuestion));
        }
        Ok(start)
    }
}

/// What the answers of the connection of a request may take.
fn answers<T>(request: &Request<T>) -> AnswerBudget {
    let answers = request.extensions().get::<AnswerBudget>().cloned();
    answers.expect("every connection adds its budget to its requests")
}

/// A response whose bytes are counted until they are sent.
fn counted<T>(answered: Answered<T>) -> Response<T> {
    let mut response = Response::new(answered.value);
    if is_small(answered.in_flight.bytes()) {
        // It is on its way in one piece, and packing it would take longer than computing it.
        response.disable_compression();
    }
    let counted = Counted::Whole(answered.in_flight);
    response.extensions_mut().insert(counted);
    response
}

/// Why there is no page; `by_key` is the token that goes on where it would begin.
pub(super) fn unlisted(error: &ListingError, by_key: Option<String>) -> Status {
    match error {
        ListingError::Publish(PublishError::Unknown { .. }) => {
            bad_field("policy", &format!("policy: {error}"))
        }
        ListingError::Publish(PublishError::Failed { .. }) => {
            Status::unavailable(error.to_string())
        }
        ListingError::Gone => pages_gone(error, by_key),
        ListingError::Foreign => bad_field("page_token", &PageTokenError::Unknown),
    }
}

/// The policy of a request; an empty text means none.
fn named(policy: String) -> Option<String> {
    (!policy.is_empty()).then_some(policy)
}

/// The policy under which a page was computed.
fn policy_of(start: &PageStart, page: &Page) -> Option<Policy> {
    let version = page.policy_version.as_deref()?.to_owned();
    let name = start.policy.clone()?;
    Some(Policy { name, version })
}

/// The filter of a request; an empty text means none.
pub(super) fn filter(token_id: String) -> Option<Box<str>> {
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
        .ok_or_else(|| {
            bad_field(
                ACK_EVERY,
                &format!("{ACK_EVERY}: must be an integer from 1 to {ACK_EVERY_MAX}"),
            )
        })
}
