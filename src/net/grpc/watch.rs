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

/// Rank, held time and score of each holder that was listed.
type Rows = HashMap<Box<str>, (u64, u128, Score)>;

struct State {
    watch: Watch,
    ticks: Interval,
    /// As last sent; `None` before the first message.
    sent: Option<Rows>,
    /// As last sent.
    deficits: usize,
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
            deficits: 0,
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
            let page = queries.leaders(answers, (question, self.watch.rows)).await;
            let page = page.map_err(query_failed)?;
            let change = LeaderboardChange {
                as_of: Some(wire_from_instant(as_of)),
                sequence: page.sequence,
                deficits: page.deficits as u64,
                ..self.difference(&page)
            };
            let is_other = self.sent.is_none() || self.deficits != page.deficits;
            self.sent = Some(rows(&page));
            self.deficits = page.deficits;
            if is_other || !change.changed.is_empty() || !change.left.is_empty() {
                return Ok(change);
            }
        }
    }

    /// The rows that differ from those last sent, and the ids that are no longer listed.
    fn difference(&self, page: &Page) -> LeaderboardChange {
        let none = Rows::new();
        let before = self.sent.as_ref().unwrap_or(&none);
        let now = rows(page);
        let mut left: Vec<String> = before
            .keys()
            .filter(|id| !now.contains_key(*id))
            .map(ToString::to_string)
            .collect();
        left.sort_unstable();
        LeaderboardChange {
            changed: page
                .holders
                .iter()
                .filter(|row| before.get(&row.holder.holder_id) != now.get(&row.holder.holder_id))
                .map(wire_from_holder)
                .collect(),
            left,
            ..LeaderboardChange::default()
        }
    }
}

fn rows(page: &Page) -> Rows {
    page.holders
        .iter()
        .map(|row| {
            let totals = &row.holder.totals;
            let values = (row.rank, totals.held_us, totals.score);
            (row.holder.holder_id.clone(), values)
        })
        .collect()
}
