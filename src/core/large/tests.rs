//! A large key against the small form of the same facts, and the number of branches that changes visit.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tree::steps;
use super::*;
use crate::core::Timeline;

const NAMES: [&str; 24] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x",
];

fn at(micros: i64) -> Micros {
    Micros::new(micros).expect("in range")
}

fn hold(start: i64, end: i64, weight: i64) -> Fact {
    Fact::Closed {
        start: at(start),
        end: at(end),
        weight: Wad::from_steps(weight.unsigned_abs().into()),
    }
}

/// The effective weight of the facts in force, computed from scratch.
fn made_anew(claims: &[Claim<'_>]) -> Timeline {
    let mut timeline = Timeline::default();
    let mut named: BTreeMap<&str, Standing> = BTreeMap::new();
    for claim in claims {
        match *claim {
            Claim::Plain(fact) => {
                timeline.record(fact);
            }
            Claim::Named { event_id, standing } => {
                let known = named.entry(event_id).or_insert(standing);
                if standing.prevails_over(known) {
                    *known = standing;
                }
            }
        }
    }
    for fact in named.into_values().filter_map(|standing| standing.fact) {
        timeline.record(fact);
    }
    timeline
}

fn facts() -> impl Strategy<Value = Fact> {
    let weight = prop_oneof![
        Just(Wad::ZERO),
        (0_u128..12).prop_map(Wad::from_steps),
        Just(Wad::from_steps(u128::MAX)),
    ];
    let time = 0_i64..400;
    prop_oneof![
        5 => (time.clone(), 0_i64..12, weight.clone()).prop_map(|(start, length, weight)| Fact::Closed { start: at(start), end: at(start + length), weight }),
        2 => (time.clone(), 0_i64..300, weight.clone()).prop_map(|(start, length, weight)| Fact::Closed { start: at(start), end: at(start + length), weight }),
        2 => (time.clone(), weight, 0_u64..3).prop_map(|(start, weight, seq)| Fact::Start { at: at(start), weight, seq }),
        1 => (time, 0_u64..3).prop_map(|(start, seq)| Fact::Stop { at: at(start), seq }),
        1 => Just(Fact::Closed { start: Micros::MIN, end: Micros::MAX, weight: Wad::from_steps(3) }),
    ]
}

fn claims() -> impl Strategy<Value = Vec<Claim<'static>>> {
    let named = (
        proptest::sample::select(&NAMES[..]),
        0_u64..4,
        proptest::option::weighted(0.8, facts()),
    );
    let claim = prop_oneof![
        facts().prop_map(Claim::Plain),
        named.prop_map(|(event_id, revision, fact)| Claim::Named {
            event_id,
            standing: Standing { revision, fact }
        }),
    ];
    // Half of the cases have no marks: other curves are then in use.
    (proptest::collection::vec(claim, 0..220), any::<bool>()).prop_map(|(mut claims, has_marks)| {
        let is_mark = |fact: &Fact| !matches!(fact, Fact::Closed { .. });
        claims.retain(|claim| match claim {
            Claim::Plain(fact) => has_marks || !is_mark(fact),
            Claim::Named { standing, .. } => {
                has_marks || !standing.fact.as_ref().is_some_and(is_mark)
            }
        });
        claims
    })
}

/// Calls `visit` with the facts of each pattern, in the order in which they come.
fn patterns(count: i64) -> Vec<(&'static str, Vec<Fact>)> {
    let shuffled = |facts: &[Fact]| {
        let mut facts = facts.to_vec();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for place in (1..facts.len()).rev() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            facts.swap(
                place,
                usize::try_from(random >> 33).expect("31 bits") % (place + 1),
            );
        }
        facts
    };
    let nested: Vec<_> = (0..count).map(|i| hold(i, 4 * count - i, i + 1)).collect();
    let staircase: Vec<_> = (0..count).map(|i| hold(i, i + count, i + 1)).collect();
    let shared_end: Vec<_> = (0..count).map(|i| hold(i, 2 * count, i + 1)).collect();
    let disjoint: Vec<_> = (0..count).map(|i| hold(3 * i, 3 * i + 2, i % 5)).collect();
    let marks: Vec<_> = (0..count)
        .map(|i| match i % 3 {
            0 => Fact::Stop { at: at(i), seq: 0 },
            rest => Fact::Start {
                at: at(i),
                weight: Wad::from_steps(rest.unsigned_abs().into()),
                seq: 0,
            },
        })
        .collect();
    let teeth = (0..count / 2).map(|i| hold(4 * i, 4 * i + 1, i * 7_919 % count));
    let lifts = (0..count / 2).map(|i| hold(0, 4 * count, 2 * i));
    let comb = teeth.chain(lifts).collect();
    vec![
        ("nested, shuffled", shuffled(&nested)),
        ("nested, inwards", nested.clone()),
        ("nested, outwards", nested.into_iter().rev().collect()),
        ("staircase, shuffled", shuffled(&staircase)),
        ("staircase", staircase),
        ("shared end, late ones last", shared_end.clone()),
        (
            "shared end, late ones first",
            shared_end.into_iter().rev().collect(),
        ),
        ("disjoint, shuffled", shuffled(&disjoint)),
        ("marks, shuffled", shuffled(&marks)),
        ("marks", marks),
        ("teeth under rising lifts", comb),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_large_key_answers_as_what_is_made_anew(
        claims in claims(), from in proptest::option::of(-2_i64..720), as_of in -2_i64..720, closed_only: bool,
    ) {
        let mut key = LargeKey::default();
        let window = Window { from: from.map(at), as_of: at(as_of), closed_only };
        for (index, claim) in claims.iter().enumerate() {
            key.take(*claim);
            // Some withdrawals are still in progress when the next claim comes.
            key.proceed(index % 3);
            if index % 16 != 0 && index + 1 < claims.len() {
                continue;
            }
            let expected = made_anew(&claims[..=index]);
            prop_assert_eq!(key.score(&window), expected.score(&window));
            prop_assert_eq!(key.segments(), expected.segments());
            key.proceed(usize::MAX);
            prop_assert_eq!(key.beginning(), expected.beginning());
            prop_assert_eq!(key.horizon(), expected.horizon());
            prop_assert_eq!(key.totals(), expected.totals());
            prop_assert_eq!(key.open(), expected.open().map(|(_, weight)| weight));
            prop_assert_eq!(key.score(&window), expected.score(&window));
            prop_assert_eq!(key.segments(), expected.segments());
        }
        // Its claims make another key with the same answers, and none of them is new to this one.
        let mut copy = LargeKey::default();
        let mut count = 0;
        key.clone().claims(|claim| {
            count += 1;
            copy.take(claim);
            copy.proceed(usize::MAX);
            assert!(!key.take(claim), "the claim was added");
        });
        prop_assert_eq!(key.claim_count(usize::MAX), count);
        prop_assert_eq!(copy.score(&window), key.score(&window));
        prop_assert_eq!(copy.segments(), key.segments());
    }
}

/// Steps that a key takes for all facts of a pattern, then for corrections of a third of them, each
/// divided by the number of events and its logarithm.
fn steps_per_event(facts: &[Fact], is_named: bool) -> (u64, u64) {
    let names: Vec<String> = (0..facts.len()).map(|index| index.to_string()).collect();
    let count = facts.len() as u64;
    let log = u64::from(count.ilog2());
    let mut key = LargeKey::default();
    steps::take();
    for (fact, event_id) in facts.iter().zip(&names) {
        let fact = *fact;
        key.take(if is_named {
            let standing = Standing {
                revision: 0,
                fact: Some(fact),
            };
            Claim::Named { event_id, standing }
        } else {
            Claim::Plain(fact)
        });
        key.proceed(usize::MAX);
    }
    let added = steps::take();
    for index in (0..facts.len()).step_by(3).filter(|_| is_named) {
        let event_id = &names[index * 7_919 % facts.len()];
        let standing = Standing {
            revision: 1,
            fact: None,
        };
        key.take(Claim::Named { event_id, standing });
        key.proceed(usize::MAX);
    }
    let withdrawn = steps::take() * 3;
    assert!(key.totals() != Totals::ZERO);
    (added / count / log, withdrawn / count / log)
}

#[test]
fn no_pattern_costs_more_than_a_few_steps_times_a_logarithm() {
    for count in [500, 4_000] {
        for (name, facts) in patterns(count) {
            for is_named in [false, true] {
                let (added, withdrawn) = steps_per_event(&facts, is_named);
                assert!(added <= 16, "{name}, {count} facts: {added}");
                assert!(
                    withdrawn <= 20,
                    "{name}, {count} facts, corrected: {withdrawn}"
                );
            }
        }
    }
}
