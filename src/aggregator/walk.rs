//! All facts of an aggregator, a few under each lock, while events are added.
//!
//! What is in force from the beginning of a walk to its end is visited; of the rest some is.

use super::hold_aggregator::HoldAggregator;
use super::ids::IdNumber;
use crate::core::Claim;
use crate::core::key::{ClaimPlace, PARTS};

/// Holders visited under one lock.
const HOLDERS_AT_ONCE: usize = 64;
/// Keys of one holder with many keys visited under one lock.
const KEYS_AT_ONCE: usize = 256;
/// A key with more claims is visited piece by piece.
const LARGE: usize = 4_096;

/// How far a walk over all facts has come.
#[derive(Default)]
pub struct FactsWalk {
    part: usize,
    /// Number of the next holder of the part.
    holder: usize,
    /// Keys of the last holders that are left: those of a holder with many keys, and those of many claims.
    left: Vec<KeyLeft>,
}

struct KeyLeft {
    holder: usize,
    token: IdNumber,
    place: ClaimPlace,
}

impl HoldAggregator {
    /// Continues a walk by one step, under one lock, and passes claims with their holder and token to `visit`;
    /// returns whether there may be more.
    pub fn walk_facts(
        &self,
        walk: &mut FactsWalk,
        mut visit: impl FnMut(&str, &str, Claim<'_>),
    ) -> bool {
        if walk.part == PARTS {
            return false;
        }
        if walk.left.is_empty() {
            self.walk_holders(walk, &mut visit);
        } else {
            self.walk_keys(walk, &mut visit);
        }
        true
    }

    fn walk_holders(&self, walk: &mut FactsWalk, visit: &mut impl FnMut(&str, &str, Claim<'_>)) {
        let shard = self.shard(walk.part);
        let holders = shard.holders();
        let end = holders.len().min(walk.holder + HOLDERS_AT_ONCE);
        for (number, holder) in holders.iter().enumerate().take(end).skip(walk.holder) {
            let keys = holder.state.keys();
            for (token, key) in keys.iter() {
                if !keys.are_few() || key.facts.claim_count(LARGE) > LARGE {
                    walk.left.push(KeyLeft {
                        holder: number,
                        token,
                        place: ClaimPlace::default(),
                    });
                    continue;
                }
                let name = self.tokens.name(token);
                key.facts.claims(|claim| visit(&holder.id, &name, claim));
            }
        }
        let is_all = end == holders.len();
        drop(shard);
        walk.holder = end;
        if is_all && walk.left.is_empty() {
            (walk.part, walk.holder) = (walk.part + 1, 0);
        }
    }

    fn walk_keys(&self, walk: &mut FactsWalk, visit: &mut impl FnMut(&str, &str, Claim<'_>)) {
        let shard = self.shard(walk.part);
        let mut claims = 0;
        for _ in 0..KEYS_AT_ONCE {
            let Some(left) = walk.left.pop() else { break };
            let holder = &shard.holders()[left.holder];
            let Some(key) = holder.state.keys().get(left.token) else {
                continue;
            };
            let name = self.tokens.name(left.token);
            let next = key.facts.claims_from(left.place, |claim| {
                claims += 1;
                visit(&holder.id, &name, claim);
            });
            if let Some(place) = next {
                walk.left.push(KeyLeft { place, ..left });
            }
            if claims >= LARGE {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::{Draft, Event, Micros};

    fn event<'a>(token_id: &'a str, holder_id: &'a str, number: i64) -> Event<'a> {
        let at = |micros| Some(Micros::new(micros).unwrap());
        let draft = Draft {
            token_id,
            holder_id,
            start: at(number * 10),
            end: at(number * 10 + 1),
            ..Draft::default()
        };
        draft.check().unwrap()
    }

    #[test]
    fn a_walk_visits_every_fact_once_also_those_of_crowded_holders_and_large_keys() {
        let aggregator = HoldAggregator::new();
        let mut expected = BTreeSet::new();
        let mut add = |token: &str, holder: &str, number: i64| {
            aggregator.record(&event(token, holder, number));
            expected.insert((holder.to_owned(), token.to_owned(), number * 10));
        };
        for number in 0..2_000 {
            add("T", &format!("h{number}"), number);
            add(&format!("t{number}"), "crowded", number);
        }
        for number in 0..10_000 {
            add("T", "large", number);
        }
        let mut found = BTreeSet::new();
        let mut walk = FactsWalk::default();
        let mut most = 0;
        let mut visited = 0;
        loop {
            let before = visited;
            let is_more = aggregator.walk_facts(&mut walk, |holder, token, claim| {
                visited += 1;
                let at = claim.instant().unwrap().get();
                found.insert((holder.to_owned(), token.to_owned(), at));
            });
            most = most.max(visited - before);
            if !is_more {
                break;
            }
        }
        assert_eq!(visited, expected.len());
        assert!(found == expected);
        assert!(most < 3 * LARGE, "{most} under one lock");
    }
}
