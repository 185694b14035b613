//! When the next message is due, when sending ends, and what was counted.
//!
//! Makes and sends nothing: a connection asks for its turn and reports what was answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Longer latencies are counted as this.
const LATENCY_US_MAX: u64 = 600_000_000;

/// With a rate, all connections together send at least this many messages per second.
const MESSAGES_PER_SECOND_MIN: u32 = 10;

/// The pace and the limits that all connections share.
pub(super) struct Schedule {
    began: Instant,
    ends: Instant,
    /// Events that are still to be sent.
    left: AtomicU64,
    /// Between two messages of one connection.
    interval: Option<Duration>,
    connections: u32,
    per_message: u32,
}

/// Permission to send one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// From when its latency counts.
    pub(super) due: Instant,
    /// Events that it may contain.
    pub(super) events: u32,
}

impl Schedule {
    pub(super) fn begin(
        duration: Duration,
        count: Option<u64>,
        rate: Option<u32>,
        connections: u32,
        per_message: u32,
    ) -> Self {
        let began = Instant::now();
        // A rate below the size of a batch would otherwise be one batch at once and then a long pause.
        let per_message = rate.map_or(per_message, |rate| {
            per_message.min((rate / MESSAGES_PER_SECOND_MIN).max(1))
        });
        let interval = rate.map(|rate| {
            let messages = f64::from(rate) / f64::from(per_message) / f64::from(connections);
            Duration::from_secs_f64(1.0 / messages)
        });
        Self {
            began,
            ends: began + duration,
            left: AtomicU64::new(count.unwrap_or(u64::MAX)),
            interval,
            connections,
            per_message,
        }
    }

    /// Waits until message `number` of `connection` is due; `None` means that sending ends. Connections
    /// take turns, so that they do not all send at the same instant.
    pub(super) async fn turn(&self, connection: u32, number: u64) -> Option<Turn> {
        let due = match self.interval {
            Some(interval) => {
                let turns = as_double(number) + f64::from(connection) / f64::from(self.connections);
                let due = self.began + interval.mul_f64(turns);
                if due >= self.ends {
                    return None;
                }
                if due > Instant::now() {
                    tokio::time::sleep_until(due.into()).await;
                }
                due
            }
            None => Instant::now(),
        };
        if due >= self.ends {
            return None;
        }
        let wanted = u64::from(self.per_message);
        let before = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(wanted))
            })
            .expect("the update never declines");
        let events = u32::try_from(before.min(wanted)).expect("at most the events of one message");
        (events > 0).then_some(Turn { due, events })
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// What one connection, or all of them together, have counted.
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    /// Per event, in microseconds.
    pub(super) latency: Histogram<u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            sent: 0,
            accepted: 0,
            refused: 0,
            latency: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("valid bounds"),
        }
    }
}

impl Counts {
    /// Counts `events` that were due at `due` and were answered now, `accepted` of them positively.
    pub(super) fn answered(&mut self, due: Instant, events: u64, accepted: u64) {
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(LATENCY_US_MAX);
        self.latency
            .record_n(micros.clamp(1, LATENCY_US_MAX), events)
            .expect("within the bounds");
        self.sent += events;
        self.accepted += accepted;
        self.refused += events - accepted.min(events);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.latency.add(&other.latency).expect("the same bounds");
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of messages, for a pace"
)]
fn as_double(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_count_is_met_exactly_and_the_last_message_is_smaller() {
        let schedule = Schedule::begin(Duration::from_secs(60), Some(25), None, 1, 10);
        let mut events = Vec::new();
        while let Some(turn) = schedule.turn(0, events.len() as u64).await {
            events.push(turn.events);
        }
        assert_eq!(events, [10, 10, 5]);
    }

    #[tokio::test]
    async fn a_rate_ends_with_the_duration_and_counts_from_when_a_message_was_due() {
        // 1,000 a second in batches of 10 over 2 connections: each sends one every 20 ms.
        let schedule = Schedule::begin(Duration::from_millis(100), None, Some(1_000), 2, 10);
        let mut due = Vec::new();
        while let Some(turn) = schedule.turn(0, due.len() as u64).await {
            due.push(turn.due);
        }
        assert_eq!(due.len(), 5);
        assert_eq!(due[4] - due[0], Duration::from_millis(80));
    }

    #[tokio::test]
    async fn a_rate_below_one_batch_per_connection_is_kept() {
        // 100 a second for 0.4 s, though 8 batches of 1,000 would be far more.
        let schedule = Schedule::begin(Duration::from_millis(400), None, Some(100), 8, 1_000);
        let mut sent = Vec::new();
        for connection in 0..8 {
            let mut number = 0;
            while let Some(turn) = schedule.turn(connection, number).await {
                number += 1;
                sent.push((turn.due - schedule.began, turn.events));
            }
        }
        sent.sort_unstable();
        let expected = [0, 100, 200, 300].map(|ms| (Duration::from_millis(ms), 10));
        assert_eq!(sent, expected);
    }
}
