//! Events to send: closed holds of random holders and tokens, each different from all others.

use std::fmt::Write as _;

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::client::{Batch, Message};
use crate::core::{Claim, Event, Fact, Micros, Wad};

/// 2020-01-01, in microseconds since 1970.
const FIRST_START_US: i64 = 1_577_836_800_000_000;
/// Two years.
const SPREAD_US: u64 = 63_072_000_000_000;
/// A day.
const LENGTH_US_MAX: u64 = 86_400_000_000;

/// The events of one connection.
pub(super) struct RandomHolds {
    connection: u32,
    random: Pcg64Mcg,
    holders: u64,
    tokens: u64,
    /// Buffers for the ids of one event: making events should cost little beside sending them.
    holder_id: String,
    token_id: String,
}

impl RandomHolds {
    pub(super) fn new(seed: u64, connection: u32, holders: u64, tokens: u64) -> Self {
        let mut seeds = Pcg64Mcg::seed_from_u64(seed);
        let first = seeds.next_u64();
        Self {
            connection,
            random: Pcg64Mcg::seed_from_u64(first.wrapping_add(connection.into())),
            holders,
            tokens,
            holder_id: String::new(),
            token_id: String::new(),
        }
    }

    /// The number of the connection, from 0.
    pub(super) fn connection(&self) -> u32 {
        self.connection
    }

    /// Makes the next event and passes it to `take`.
    fn with_next<T>(&mut self, take: impl FnOnce(&Event<'_>) -> T) -> T {
        let holder = self.random.random_range(0..self.holders);
        let token = self.random.random_range(0..self.tokens);
        number(&mut self.holder_id, "holder-", holder);
        number(&mut self.token_id, "token-", token);
        let ahead = self.random.random_range(0..SPREAD_US);
        let start = Micros::new(FIRST_START_US)
            .expect("a year within range")
            .after(ahead);
        let end = start.after(self.random.random_range(1..LENGTH_US_MAX));
        take(&Event {
            token_id: &self.token_id,
            holder_id: &self.holder_id,
            claim: Claim::Plain(Fact::Closed {
                start,
                end,
                weight: Wad::ONE,
            }),
        })
    }

    pub(super) fn message(&mut self) -> Message {
        self.with_next(|event| Message::from(event))
    }

    pub(super) fn batch(&mut self, events: u32) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..events {
            self.with_next(|event| batch.push(event));
        }
        batch
    }

    /// The next events as lines of JSON.
    pub(super) fn lines(&mut self, events: u32) -> String {
        let mut lines = String::new();
        for _ in 0..events {
            self.with_next(|event| {
                let Claim::Plain(Fact::Closed { start, end, .. }) = event.claim else {
                    unreachable!("only closed holds are made");
                };
                writeln!(
                    lines,
                    "{{\"token_id\":\"{}\",\"holder_id\":\"{}\",\"start\":\"{start}\",\"end\":\"{end}\"}}",
                    event.token_id, event.holder_id
                )
                .expect("a string accepts every write");
            });
        }
        lines
    }
}

/// Writes a prefix and a number; `format!` would cost as much as everything else.
fn number(id: &mut String, prefix: &str, value: u64) {
    id.clear();
    id.push_str(prefix);
    id.push_str(itoa::Buffer::new().format(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_makes_the_same_events_and_two_connections_differ() {
        let lines = |connection| RandomHolds::new(7, connection, 100, 10).lines(50);
        assert_eq!(lines(0), lines(0));
        assert_ne!(lines(0), lines(1));
        assert_eq!(lines(0).lines().count(), 50);
    }
}
