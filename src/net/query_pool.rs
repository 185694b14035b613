//! Asks the engine from async tasks: on threads that may block, and only a few queries at once.
//!
//! Shared by both protocols, which convert requests before. They convert, write, hash and compress answers within the
//! turn of the query: a thread that serves connections would meanwhile answer nobody, health checks included.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer_budget::{AnswerBudget, InFlight};
use super::page_token::{DeficitPageStart, PageStart};
use super::report_limit::{CHANGES_MAX, deficit_room};
use crate::engine::{
    DeficitPage, Engine, HolderAnswer, ListingError, Page, Question, RoundError, RoundPage,
    RoundProof, RoundRequest, SealError, Sealed,
};
use crate::telemetry::metrics::Metrics;

/// Queries that are computed at once; each one uses all processors.
const CONCURRENT_MAX: usize = 4;
/// Queries under policies that are computed at once, beside the others: one that waits for Python delays no other
/// query.
const PUBLISHED_MAX: usize = 2;
/// Answers that are written at once beside the queries.
const BESIDE_MAX: usize = 2;
/// What is taken of the room for answers before the size is known: a row, a round in short, and the report of a holder.
const ROW_BYTES: usize = 256;
const ROUND_BYTES: usize = 512;
const REPORT_BYTES: usize = 64 << 10;

/// Why a query has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    /// The wait for a turn was too long.
    #[error("too many queries at once; try again")]
    Busy,
    /// The answers before it were not read.
    #[error("too many answers that were not read yet; read them, or try again")]
    Unread,
    /// The computation panicked; the log has the reason.
    #[error("internal error: see the log of the server")]
    Broken,
}

impl QueryError {
    /// The name by which programs know it.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
            Self::Unread => "ANSWERS_UNREAD",
            Self::Broken => "DEFECT",
        }
    }
}

/// Why a holder has no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnknownHolder {
    /// No event names it.
    #[error("unknown holder: no event names it")]
    NoEvent,
    /// Events name it, but none with the token of the question.
    #[error("this holder has no event with this token")]
    NoEventWithToken,
}

/// Asks an engine, a limited number of queries at once.
#[derive(Clone)]
pub(super) struct QueryPool {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    permits: Arc<Semaphore>,
    published_permits: Arc<Semaphore>,
    /// Of answers other than queries: monitoring must not wait for queries.
    beside_permits: Arc<Semaphore>,
    /// The engine seals one round at a time: those that wait for it hold none of the permits above.
    sealing: Arc<Semaphore>,
    /// The same for one tree of a round.
    building: Arc<Semaphore>,
    wait_max: Duration,
}

/// What a caller is answered, and the bytes of it that are counted.
pub(super) struct Answered<T> {
    pub(super) value: T,
    pub(super) in_flight: Arc<InFlight>,
}

impl<T, E> Answered<Result<T, E>> {
    /// The answer, if it is one; an error is not counted.
    pub(super) fn ok(self) -> Result<Answered<T>, E> {
        let Self { value, in_flight } = self;
        value.map(|value| Answered { value, in_flight })
    }
}

impl QueryPool {
    /// Asks `engine`; a query waits at most `wait_max` for its turn.
    pub(super) fn new(engine: Arc<Engine>, metrics: Arc<Metrics>, wait_max: Duration) -> Self {
        Self {
            engine,
            metrics,
            permits: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            published_permits: Arc::new(Semaphore::new(PUBLISHED_MAX)),
            beside_permits: Arc::new(Semaphore::new(BESIDE_MAX)),
            sealing: Arc::new(Semaphore::new(1)),
            building: Arc::new(Semaphore::new(1)),
            wait_max,
        }
    }

    /// The most rows of a page that a stream takes at once: it sends them while they are counted, so they must not
    /// exceed what it may have.
    pub(super) fn stream_rows_max(answers: &AnswerBudget) -> usize {
        answers.bytes_max() / ROW_BYTES
    }

    /// The first `size` holders, for a stream, which counts what it sends of them.
    pub(super) async fn leaders<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (question, size): (Question, usize),
        convert: impl FnOnce(&Page) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let room = (answers, size * ROW_BYTES);
        let answered = self.ask("page", room, move |engine| {
            convert(&engine.page(&question, None, size))
        });
        Ok(answered.await?.value)
    }

    /// The first holders alone, under a policy if there is one with this name.
    pub(super) async fn first<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (start, size): (PageStart, usize),
        convert: impl FnOnce(&PageStart, Result<Page, ListingError>) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        self.listing(answers, (start, size), move |engine, start| {
            let page = match &start.policy {
                None => Ok(engine.page(&start.question, None, size)),
                Some(policy) => engine
                    .published(policy, &start.question, None, size)
                    .map_err(ListingError::from),
            };
            convert(start, page)
        })
        .await
    }

    /// A page of holders; all pages behind one first page are of one state.
    pub(super) async fn listed<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (start, size): (PageStart, usize),
        convert: impl FnOnce(&PageStart, Result<Page, ListingError>) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        self.listing(answers, (start, size), move |engine, start| {
            let (policy, after) = (start.policy.as_deref(), start.after.as_ref());
            convert(start, engine.listing(policy, &start.question, after, size))
        })
        .await
    }

    async fn listing<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (start, size): (PageStart, usize),
        compute: impl FnOnce(&Engine, &PageStart) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        let (name, permits) = match &start.policy {
            None => ("page", &self.permits),
            Some(_) => ("published_page", &self.published_permits),
        };
        let permits = Arc::clone(permits);
        let room = (answers, size * ROW_BYTES);
        self.ask_with(permits, name, room, move |engine| compute(engine, &start))
            .await
    }

    /// One holder without the changes of its balances; `None` if no event names it.
    pub(super) async fn holder<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (holder_id, question): (String, Question),
        convert: impl FnOnce(Option<HolderAnswer>, u64) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        self.ask("holder", (answers, ROW_BYTES), move |engine| {
            let answer = engine.holder(&holder_id, &question, 0);
            convert(answer, engine.sequence())
        })
        .await
    }

    /// One holder, or why it is unknown.
    pub(super) async fn known_holder<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (holder_id, question): (String, Question),
        convert: impl FnOnce(HolderAnswer) -> T + Send + 'static,
    ) -> Result<Answered<Result<T, UnknownHolder>>, QueryError> {
        self.ask("holder", (answers, REPORT_BYTES), move |engine| {
            let answer = engine
                .holder(&holder_id, &question, CHANGES_MAX)
                .ok_or_else(|| {
                    let of_any_token = Question::of_all_tokens(question.window);
                    let is_filtered = question.token_id.is_some();
                    if is_filtered && engine.holder(&holder_id, &of_any_token, 0).is_some() {
                        UnknownHolder::NoEventWithToken
                    } else {
                        UnknownHolder::NoEvent
                    }
                });
            answer.map(convert)
        })
        .await
    }

    /// A page of deficits; all pages behind one first page are of one state.
    pub(super) async fn deficits<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (start, size): (DeficitPageStart, usize),
        convert: impl FnOnce(&DeficitPageStart, Result<DeficitPage, ListingError>) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        self.ask("deficits", (answers, size * ROW_BYTES), move |engine| {
            let (after, room) = (start.after.as_ref(), deficit_room(size));
            convert(&start, engine.deficits(&start.question, after, room))
        })
        .await
    }

    /// Does what remains to be done for an answer, such as packing it.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permits = Arc::clone(&self.permits);
        self.turn(permits, "finish", move |_| work()).await
    }

    /// Writes an answer other than to a query, such as the metrics; it may block, and does not wait for queries.
    pub(super) async fn beside<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        bytes: usize,
        write: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        let permits = Arc::clone(&self.beside_permits);
        self.ask_with(permits, "beside", (answers, bytes), move |_| write())
            .await
    }

    /// Does what remains to be done for such an answer.
    pub(super) async fn finish_beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permits = Arc::clone(&self.beside_permits);
        self.turn(permits, "beside", move |_| work()).await
    }

    /// `size` rounds in short after the one of the number `after`.
    pub(super) async fn rounds<T: Send + 'static>(
        &self,
        answers: &AnswerBudget,
        (after, size): (u64, usize),
        convert: impl FnOnce(&RoundPage) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        let page = self.engine.rounds().page(after, size);
        let room = (answers, page.rounds.len() * ROUND_BYTES);
        self.ask("rounds", room, move |_| convert(&page)).await
    }

    /// Seals a round, as one query.
    pub(super) async fn seal(
        &self,
        request: RoundRequest,
    ) -> Result<Result<Sealed, SealError>, QueryError> {
        let turn = self.permit(&self.sealing).await?;
        let permits = match request.policy {
            None => &self.permits,
            Some(_) => &self.published_permits,
        };
        self.turn(Arc::clone(permits), "seal_round", move |engine| {
            let _turn = turn;
            engine.seal_round(&request)
        })
        .await
    }

    /// The proof of a holder; only if its tree has to be built, it is a query.
    pub(super) async fn round_proof(
        &self,
        id: String,
        holder: String,
    ) -> Result<Result<RoundProof, RoundError>, QueryError> {
        let rounds = self.engine.rounds();
        if let Some(answer) = rounds.ready_proof(&id, &holder) {
            return Ok(answer);
        }
        let turn = self.permit(&self.building).await?;
        // The one before may have asked for the same round.
        if let Some(answer) = rounds.ready_proof(&id, &holder) {
            return Ok(answer);
        }
        self.turn(Arc::clone(&self.permits), "round_proof", move |engine| {
            let _turn = turn;
            engine.rounds().proof(&id, &holder)
        })
        .await
    }

    async fn permit(&self, permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, QueryError> {
        let permit = Arc::clone(permits).acquire_owned();
        let permit = tokio::time::timeout(self.wait_max, permit)
            .await
            .map_err(|_| QueryError::Busy)?;
        Ok(permit.expect("the semaphore is never closed"))
    }

    async fn ask<T: Send + 'static>(
        &self,
        name: &'static str,
        room: (&AnswerBudget, usize),
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        self.ask_with(Arc::clone(&self.permits), name, room, compute)
            .await
    }

    /// Takes the room for an answer, and then a turn: one that waits for its caller to read holds nobody up.
    async fn ask_with<T: Send + 'static>(
        &self,
        permits: Arc<Semaphore>,
        name: &'static str,
        (answers, bytes): (&AnswerBudget, usize),
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<Answered<T>, QueryError> {
        // One that may be larger than all there is must not wait for itself.
        let bytes = bytes.min(answers.bytes_max());
        let room = tokio::time::timeout(self.wait_max, answers.take(bytes)).await;
        let in_flight = Arc::new(room.map_err(|_| QueryError::Unread)?);
        let mut permit = self.permit(&permits).await?;
        // Those before it may have become larger than was known.
        while answers.is_exceeded() {
            drop(permit);
            let room = tokio::time::timeout(self.wait_max, answers.room()).await;
            room.map_err(|_| QueryError::Unread)?;
            permit = self.permit(&permits).await?;
        }
        let value = self.compute(permit, name, compute).await?;
        Ok(Answered { value, in_flight })
    }

    async fn turn<T: Send + 'static>(
        &self,
        permits: Arc<Semaphore>,
        name: &'static str,
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.permit(&permits).await?;
        self.compute(permit, name, compute).await
    }

    async fn compute<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        name: &'static str,
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let (engine, metrics) = (Arc::clone(&self.engine), Arc::clone(&self.metrics));
        // The computation holds the permit: it goes on even if the caller disconnects.
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let answer = compute(&engine);
            metrics.answered(name, began.elapsed());
            drop(permit);
            answer
        })
        .await
        .map_err(|_| QueryError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::core::{Draft, EventBatch, Micros, Window};
    use crate::engine::{Options, SystemClock};
    use crate::net::byte_account::Account;

    fn pool() -> QueryPool {
        of(Options::in_memory())
    }

    fn of(options: Options) -> QueryPool {
        let metrics = Arc::clone(&options.metrics);
        let engine = Engine::open(options, Arc::new(SystemClock)).unwrap();
        QueryPool::new(Arc::new(engine), metrics, Duration::from_millis(1))
    }

    /// Health checks share their thread with all connections: 10,000 rows that were written and packed there once held
    /// them up.
    #[tokio::test]
    async fn answers_are_written_and_packed_within_the_turn_and_on_another_thread() {
        let pool = pool();
        let where_it_runs = || {
            let permits = Arc::clone(&pool.permits);
            move || (permits.available_permits(), thread::current().id())
        };
        let answers = AnswerBudget::new(1 << 20, Account::new(1 << 20));
        let question = Question::of_all_tokens(Window::until(Micros::MAX));
        let start = PageStart::first(question, None);
        let of = where_it_runs();
        let listed = pool.listed(&answers, (start, 1), move |_, _| of()).await;
        let packed = pool.finish(where_it_runs()).await;
        for (permits, thread) in [listed.ok().unwrap().value, packed.unwrap()] {
            assert_eq!(permits, CONCURRENT_MAX - 1);
            assert_ne!(thread, thread::current().id());
        }
    }

    #[tokio::test]
    async fn a_query_waits_for_its_turn_for_a_limited_time() {
        let pool = pool();
        let answers = AnswerBudget::new(1 << 20, Account::new(1 << 20));
        let ask = async || {
            let question = Question::of_all_tokens(Window::until(Micros::MAX));
            let asked = ("a".to_owned(), question);
            let answered = pool.holder(&answers, asked, |answer, _| answer);
            answered.await.map(|answered| answered.value)
        };
        let all = u32::try_from(CONCURRENT_MAX).unwrap();
        let computing = Arc::clone(&pool.permits).acquire_many_owned(all).await;
        assert_eq!(ask().await, Err(QueryError::Busy));
        drop(computing);
        assert_eq!(ask().await, Ok(None));
        let unread = answers.take(1 << 20).await;
        assert_eq!(ask().await, Err(QueryError::Unread));
        drop(unread);
        assert_eq!(ask().await, Ok(None));
    }

    #[tokio::test]
    async fn a_proof_that_waits_for_another_tree_delays_no_query() {
        let mut options = Options::in_memory();
        options.rounds.leaves_max = 1;
        let pool = of(options);
        let address = "0x1111111111111111111111111111111111111111";
        let draft = Draft {
            token_id: "T",
            holder_id: address,
            start: Some(Micros::new(0).unwrap()),
            ..Draft::default()
        };
        let mut events = EventBatch::default();
        events.push(&draft.check().unwrap());
        pool.engine.submit(events).await.unwrap().await.unwrap();
        for id in ["one", "two"] {
            let json = format!(r#"{{"id":"{id}","pool":"1","decimals":0}}"#);
            let sealed = pool.seal(serde_json::from_str(&json).unwrap()).await;
            assert!(sealed.unwrap().unwrap().is_new);
        }
        let ask = async |id: &str| {
            let proof = pool.round_proof(id.to_owned(), address.to_owned()).await?;
            Ok(proof.unwrap().amount)
        };
        let building = Arc::clone(&pool.building).acquire_owned().await;
        assert_eq!(ask("one").await, Err(QueryError::Busy));
        assert_eq!(pool.permits.available_permits(), CONCURRENT_MAX);
        assert_eq!(ask("two").await, Ok("1".to_owned()), "its tree is there");
        drop(building);
        assert_eq!(ask("one").await, Ok("1".to_owned()));
    }
}
