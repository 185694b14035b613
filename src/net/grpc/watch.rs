//! The leaderboard, and from then on what changes in it.
//!
//! It asks the engine again at the interval of the request. Time alone can change the answer, also that about closed
//! holds: those that end in the future count until now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::event::wire_from_instant;
use super::response::wire_from_holder;
use super::status::{bad_field, closing, query_failed};
use crate::core::{Score, Window};
use crate::engine::{Engine, Page, Question};
use crate::net::answer_budget::AnswerBudget;
use crate::net::pb::{LeaderboardChange, WatchRequest};
use crate::net::query_pool::QueryPool;

const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);

/// The interval of a request.
pub(super) fn interval_from_wire(request: &WatchRequest) -> Result<Duration, Status> {
    let Some(interval) = request.interval else {
        return Ok(INTERVAL);
    };
    Duration::try_from(interval)
        .ok()
        .filter(|interval| (INTERVAL_MIN..=INTERVAL_MAX).contains(interval))
        .ok_or_else(|| bad_field("interval", &"interval: must be from 100 ms to 1 h"))
}

/// The request of one watcher, and what it needs to be answered.
pub(super) struct Watch {
    pub(super) engine: Arc<Engine>,
    pub(super) queries: QueryPool,
    pub(super) answers: AnswerBudget,
    pub(super) stop: CancellationToken,
    pub(super) token_id: Option<Box<str>>,
    pub(super) rows: usize,
    pub(super) closed_only: bool,
}

/// A leaderboard as a watcher knows it.
struct Board {
    /// Rank, held time and score of each holder that is listed.
    rows: HashMap<Box<str>, (u64, u128, Score)>,
    deficits: usize,
}

struct State {
    watch: Watch,
    ticks: Interval,
    /// As last sent; `None` before the first message.
    sent: Option<Board>,
    has_ended: bool,
}

impl Watch {
    /// The changes, until the caller disconnects or the server stops.
    pub(super) fn changes(
        self,
        interval: Duration,
    ) -> impl Stream<Item = Result<LeaderboardChange, Status>> + Send {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = State {
            watch: self,
            ticks,
            sent: None,
            has_ended: false,
        };
        unfold(state, |mut state| async move {
            if state.has_ended {
                return None;
            }
            let change = state.next().await;
            state.has_ended = change.is_err();
            Some((change, state))
        })
    }
}

impl State {
    async fn next(&mut self) -> Result<LeaderboardChange, Status> {
        loop {
            tokio::select! {
                _ = self.ticks.tick() => {}
                () = self.watch.stop.cancelled() => return Err(closing()),
            }
            let as_of = self.watch.engine.now();
            let question = Question {
                window: Window {
                    closed_only: self.watch.closed_only,
                    ..Window::until(as_of)
                },
                token_id: self.watch.token_id.clone(),
            };
            let Watch {
                queries, answers, ..
            } = &self.watch;
            let sent = self.sent.take();
            let change = queries.leaders(answers, (question, self.watch.rows), move |page| {
                let board = Board::of(page);
                let change = board.change(sent.as_ref(), page);
                (board, change)
            });
            let (board, change) = change.await.map_err(query_failed)?;
            self.sent = Some(board);
            if let Some(change) = change {
                return Ok(LeaderboardChange {
                    as_of: Some(wire_from_instant(as_of)),
                    ..change
                });
            }
        }
    }
}

impl Board {
    fn of(page: &Page) -> Self {
        let rows = page.holders.iter().map(|row| {
            let totals = &row.holder.totals;
            let values = (row.rank, totals.held_us, totals.score);
            (row.holder.holder_id.clone(), values)
        });
        Self {
            rows: rows.collect(),
            deficits: page.deficits,
        }
    }

    /// What differs from the one that was sent before; `page` is the one that this was made of.
    fn change(&self, sent: Option<&Self>, page: &Page) -> Option<LeaderboardChange> {
        let known = |id: &str| sent.and_then(|sent| sent.rows.get(id));
        let listed = page.holders.iter();
        let changed = listed.filter(|row| {
            let id = &row.holder.holder_id;
            known(id) != self.rows.get(id)
        });
        let changed: Vec<_> = changed.map(wire_from_holder).collect();
        let before = sent.into_iter().flat_map(|sent| sent.rows.keys());
        let left = before.filter(|id| !self.rows.contains_key(*id));
        let mut left: Vec<String> = left.map(ToString::to_string).collect();
        left.sort_unstable();
        let is_same = sent.is_some_and(|sent| sent.deficits == self.deficits);
        let has_change = !is_same || !changed.is_empty() || !left.is_empty();
        has_change.then(|| LeaderboardChange {
            sequence: page.sequence,
            deficits: self.deficits as u64,
            changed,
            left,
            ..LeaderboardChange::default()
        })
    }
}
