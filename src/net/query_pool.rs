//! Asks the engine from async tasks: on threads that may block, and only a few queries at once.
//!
//! Shared by both protocols. Requests are converted in `grpc` and `http`; the answers are the engine's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::page_token::PageStart;
use super::report_limit::CHANGES_MAX;
use crate::engine::{
    Cursor, DeficitCursor, DeficitPage, Engine, HolderAnswer, Page, PublishError, Question,
    RoundError, RoundProof, RoundRequest, SealError, Sealed,
};
use crate::telemetry::metrics::Metrics;

/// Queries that are computed at once; each one uses all processors.
const CONCURRENT_MAX: usize = 4;
/// Queries under policies that are computed at once, beside the others: one that waits for Python delays no other
/// query.
const PUBLISHED_MAX: usize = 2;

/// Why a query has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    /// The wait for a turn was too long.
    #[error("too many queries at once; try again")]
    Busy,
    /// The computation panicked; the log has the reason.
    #[error("internal error: see the log of the server")]
    Broken,
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
    /// The engine seals one round at a time: those that wait for it hold none of the permits above.
    sealing: Arc<Semaphore>,
    wait_max: Duration,
}

impl QueryPool {
    /// Asks `engine`; a query waits at most `wait_max` for its turn.
    pub(super) fn new(engine: Arc<Engine>, metrics: Arc<Metrics>, wait_max: Duration) -> Self {
        Self {
            engine,
            metrics,
            permits: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            published_permits: Arc::new(Semaphore::new(PUBLISHED_MAX)),
            sealing: Arc::new(Semaphore::new(1)),
            wait_max,
        }
    }

    /// `size` holders, from the first one or from the one after `after`.
    pub(super) async fn page(
        &self,
        question: Question,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page, QueryError> {
        self.ask("page", move |engine| {
            engine.page(&question, after.as_ref(), size)
        })
        .await
    }

    /// The same under a policy, if there is one with this name.
    pub(super) async fn listed(
        &self,
        start: PageStart,
        size: usize,
    ) -> Result<Result<Page, PublishError>, QueryError> {
        let PageStart {
            question,
            policy,
            after,
            ..
        } = start;
        let Some(policy) = policy else {
            return self.page(question, after, size).await.map(Ok);
        };
        let permits = Arc::clone(&self.published_permits);
        self.ask_with(permits, "published_page", move |engine| {
            engine.published(&policy, &question, after.as_ref(), size)
        })
        .await
    }

    /// One holder without the changes of its balances; `None` if no event names it.
    pub(super) async fn holder(
        &self,
        holder_id: String,
        question: Question,
    ) -> Result<Option<HolderAnswer>, QueryError> {
        self.ask("holder", move |engine| {
            engine.holder(&holder_id, &question, 0)
        })
        .await
    }

    /// One holder, or why it is unknown.
    pub(super) async fn known_holder(
        &self,
        holder_id: String,
        question: Question,
    ) -> Result<Result<HolderAnswer, UnknownHolder>, QueryError> {
        self.ask("holder", move |engine| {
            engine
                .holder(&holder_id, &question, CHANGES_MAX)
                .ok_or_else(|| {
                    let of_any_token = Question::of_all_tokens(question.window);
                    let is_filtered = question.token_id.is_some();
                    if is_filtered && engine.holder(&holder_id, &of_any_token, 0).is_some() {
                        UnknownHolder::NoEventWithToken
                    } else {
                        UnknownHolder::NoEvent
                    }
                })
        })
        .await
    }

    /// `size` deficits, from the first one or from the one after `after`.
    pub(super) async fn deficits(
        &self,
        question: Question,
        after: Option<DeficitCursor>,
        size: usize,
    ) -> Result<DeficitPage, QueryError> {
        self.ask("deficits", move |engine| {
            engine.deficits(&question, after.as_ref(), size)
        })
        .await
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
        self.ask_with(Arc::clone(permits), "seal_round", move |engine| {
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
        if let Some(answer) = self.engine.rounds().ready_proof(&id, &holder) {
            return Ok(answer);
        }
        self.ask("round_proof", move |engine| {
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
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        self.ask_with(Arc::clone(&self.permits), name, compute)
            .await
    }

    async fn ask_with<T: Send + 'static>(
        &self,
        permits: Arc<Semaphore>,
        name: &'static str,
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.permit(&permits).await?;
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
    use super::*;
    use crate::core::{Micros, Window};
    use crate::engine::{Options, SystemClock};

    #[tokio::test]
    async fn a_query_waits_for_its_turn_for_a_limited_time() {
        let options = Options::in_memory();
        let metrics = Arc::clone(&options.metrics);
        let engine = Engine::open(options, Arc::new(SystemClock)).unwrap();
        let pool = QueryPool::new(Arc::new(engine), metrics, Duration::from_millis(1));
        let ask = || {
            let question = Question::of_all_tokens(Window::until(Micros::MAX));
            pool.holder("a".to_owned(), question)
        };
        let all = u32::try_from(CONCURRENT_MAX).unwrap();
        let computing = Arc::clone(&pool.permits).acquire_many_owned(all).await;
        assert_eq!(ask().await, Err(QueryError::Busy));
        drop(computing);
        assert_eq!(ask().await, Ok(None));
    }
}
