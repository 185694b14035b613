//! Questions to the engine from tasks: computed on threads that may block, few at a time.
//!
//! Shared by both protocols. What a request may ask is read in `grpc` and `http`; the answers are the
//! engine's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::engine::{Cursor, Engine, HolderAnswer, Page, Question};
use crate::telemetry::metrics::Metrics;

/// Questions that are computed at once; each uses all processors already.
const AT_ONCE_MAX: usize = 4;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    /// Others were first for too long.
    #[error("too many questions at once: try again")]
    Busy,
    /// The computation broke; a defect of ours, which the log has.
    #[error("the answer could not be computed")]
    Broken,
}

/// Why nothing can be said of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NeverSeen {
    /// No event names it.
    #[error("this holder was never seen")]
    AtAll,
    /// Events name it, but none of them with the token that was asked for.
    #[error("this holder was never seen with this token")]
    WithThisToken,
}

/// Asks an engine.
#[derive(Clone)]
pub(super) struct Questions {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    permits: Arc<Semaphore>,
    wait_max: Duration,
}

impl Questions {
    /// Questions to `engine` that wait at most `wait_max` for their turn.
    pub(super) fn new(engine: Arc<Engine>, metrics: Arc<Metrics>, wait_max: Duration) -> Self {
        Self {
            engine,
            metrics,
            permits: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            wait_max,
        }
    }

    /// `size` holders, the first ones or those behind `after`.
    pub(super) async fn page(
        &self,
        question: Question,
        after: Option<Cursor>,
        size: usize,
    ) -> Result<Page, Unanswered> {
        self.ask("page", move |engine| {
            engine.page(&question, after.as_ref(), size)
        })
        .await
    }

    /// One holder; `None` where it was never seen.
    pub(super) async fn holder(
        &self,
        holder_id: String,
        question: Question,
    ) -> Result<Option<HolderAnswer>, Unanswered> {
        self.ask("holder", move |engine| engine.holder(&holder_id, &question))
            .await
    }

    /// One holder, or how little of it was seen.
    pub(super) async fn known_holder(
        &self,
        holder_id: String,
        question: Question,
    ) -> Result<Result<HolderAnswer, NeverSeen>, Unanswered> {
        self.ask("holder", move |engine| {
            engine.holder(&holder_id, &question).ok_or_else(|| {
                let of_any_token = Question {
                    window: question.window,
                    token_id: None,
                };
                let is_filtered = question.token_id.is_some();
                if is_filtered && engine.holder(&holder_id, &of_any_token).is_some() {
                    NeverSeen::WithThisToken
                } else {
                    NeverSeen::AtAll
                }
            })
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        name: &'static str,
        compute: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = tokio::time::timeout(self.wait_max, permit)
            .await
            .map_err(|_| Unanswered::Busy)?
            .expect("the semaphore is never closed");
        let (engine, metrics) = (Arc::clone(&self.engine), Arc::clone(&self.metrics));
        // The permit goes with the computation: a caller who goes away does not make room by that.
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let answer = compute(&engine);
            metrics.answered(name, began.elapsed());
            drop(permit);
            answer
        })
        .await
        .map_err(|_| Unanswered::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Micros, Window};
    use crate::engine::{Options, SystemClock};

    #[tokio::test]
    async fn questions_beyond_those_that_are_computed_wait_for_a_bounded_time() {
        let options = Options::in_memory();
        let metrics = Arc::clone(&options.metrics);
        let engine = Engine::open(options, Arc::new(SystemClock)).unwrap();
        let questions = Questions::new(Arc::new(engine), metrics, Duration::from_millis(1));
        let ask = || {
            let question = Question {
                window: Window::until(Micros::MAX),
                token_id: None,
            };
            questions.holder("a".to_owned(), question)
        };
        let all = u32::try_from(AT_ONCE_MAX).unwrap();
        let computing = Arc::clone(&questions.permits).acquire_many_owned(all).await;
        assert_eq!(ask().await, Err(Unanswered::Busy));
        drop(computing);
        assert_eq!(ask().await, Ok(None));
    }
}
