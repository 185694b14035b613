//! A large key against the small form of the same facts, and the number of branches that changes visit.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::tree::steps;
use super::*;
use crate::core::timeline::{HeldSegments, push_joined};
use crate::core::{Balance, Delta, HeldSegment, KeyFacts, Segment, Timeline, Window};

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

/// The facts in force, put together from scratch.
#[derive(Default)]
struct Anew {
    stated: Timeline,
    /// Sums of deltas by instant.
    deltas: BTreeMap<Micros, Balance>,
}

impl Anew {
    fn of(claims: &[Claim<'_>]) -> Self {
        let mut anew = Self::default();
        let mut named: BTreeMap<&str, Standing> = BTreeMap::new();
        for claim in claims {
            match *claim {
                Claim::Plain(fact) => anew.add(fact),
                Claim::Named { event_id, standing } => {
                    let known = named.entry(event_id).or_insert(standing);
                    if standing.prevails_over(known) {
                        *known = standing;
                    }
                }
            }
        }
        for fact in named.into_values().filter_map(|standing| standing.fact) {
            anew.add(fact);
        }
        anew
    }

    fn add(&mut self, fact: Fact) {
        if let Fact::Change { at, delta } = fact {
            *self.deltas.entry(at).or_default() += delta.into();
        } else {
            self.stated.record(fact);
        }
    }

    fn levels(&self) -> Vec<(Micros, Balance)> {
        let mut balance = Balance::ZERO;
        let sum = |(at, delta): (&Micros, &Balance)| {
            balance += *delta;
            (*at, balance)
        };
        self.deltas.iter().map(sum).collect()
    }

    fn segments(&self, closed_only: bool) -> Vec<Segment> {
        let (mut stated, mut levels) = (self.stated.clone(), self.levels());
        if closed_only {
            let marks = stated
                .facts()
                .filter(|fact| matches!(fact, Fact::Start { .. } | Fact::Stop { .. }));
            if let Some(at) = marks.map(Fact::instant).max() {
                stated.record(Fact::Stop { at, seq: u64::MAX });
            }
            if let Some(last) = levels.last_mut() {
                last.1 = Balance::ZERO;
            }
        }
        let stated = stated.segments();
        let ends = stated.iter().filter_map(|segment| segment.end);
        let starts = stated.iter().map(|segment| segment.start);
        let mut edges: Vec<_> = levels
            .iter()
            .map(|(at, _)| *at)
            .chain(starts)
            .chain(ends)
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let mut segments = Vec::new();
        for (place, start) in edges.iter().copied().enumerate() {
            let end = edges.get(place + 1).copied();
            let before = stated.partition_point(|segment| segment.start <= start);
            let covering = stated[..before]
                .last()
                .filter(|last| last.end.is_none_or(|end| start < end));
            let before = levels.partition_point(|(at, _)| *at <= start);
            let held = levels[..before]
                .last()
                .and_then(|(_, balance)| balance.held());
            if let Some(weight) = covering.map(|segment| segment.weight).max(held) {
                push_joined(&mut segments, Segment { start, end, weight });
            }
        }
        segments
    }

    fn held_within(&self, window: &Window) -> Vec<HeldSegment> {
        let mut held = Vec::new();
        for segment in self.segments(window.closed_only) {
            let start = segment.start.max(window.start());
            let end = segment.end.unwrap_or(window.as_of).min(window.as_of);
            if start < end {
                held.push(HeldSegment {
                    start,
                    end,
                    weight: segment.weight,
                });
            }
        }
        held
    }

    fn score(&self, window: &Window) -> Totals {
        let segments = self.segments(window.closed_only).into_iter();
        let each = |segment: Segment| {
            let end = segment.end.unwrap_or(window.as_of);
            match window.overlap(segment.start, end) {
                0 => Totals::ZERO,
                micros => Totals::of_quantity(segment.weight, micros),
            }
        };
        segments.map(each).sum()
    }

    fn outline(&self) -> Outline {
        let (levels, last_end) = (self.levels(), self.stated.horizon());
        let horizon = last_end.max(levels.last().map(|(at, _)| *at));
        let (open, balance) = (
            self.stated.open(),
            levels.last().map(|(_, balance)| *balance),
        );
        let beginnings = self.stated.beginning().into_iter();
        Outline {
            beginning: beginnings.chain(levels.first().map(|(at, _)| *at)).min(),
            horizon,
            open: open
                .map(|(_, weight)| weight.into())
                .max(balance.and_then(Balance::held)),
            totals: horizon.map_or(Totals::ZERO, |horizon| self.score(&Window::until(horizon))),
            deficit: levels
                .into_iter()
                .find(|(_, balance)| balance.is_negative()),
        }
    }
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

/// Changes that keep a balance above 0 for a while, and large ones.
fn changes() -> impl Strategy<Value = Fact> {
    let delta = prop_oneof![
        8 => (-6_i64..10).prop_map(|steps| Delta::new(Wad::from_steps(steps.unsigned_abs().into()), steps < 0)),
        1 => any::<bool>().prop_map(|is_negative| Delta::new(Wad::from_steps(u128::MAX), is_negative)),
    ];
    (0_i64..400, delta).prop_map(|(start, delta)| Fact::Change {
        at: at(start),
        delta,
    })
}

fn claims() -> impl Strategy<Value = Vec<Claim<'static>>> {
    let named = |fact| {
        let fact = proptest::option::weighted(0.8, fact);
        (proptest::sample::select(&NAMES[..]), 0_u64..4, fact).prop_map(
            |(event_id, revision, fact)| Claim::Named {
                event_id,
                standing: Standing { revision, fact },
            },
        )
    };
    // Many more names than other facts need: what adds up are changes of different ones.
    let change = (
        0_usize..400,
        0_u64..3,
        proptest::option::weighted(0.9, changes()),
    )
        .prop_map(|(name, revision, fact)| Claim::Named {
            event_id: CHANGES[name].as_str(),
            standing: Standing { revision, fact },
        });
    let claim = prop_oneof![
        2 => facts().prop_map(Claim::Plain),
        2 => named(facts().boxed()),
        1 => named(changes().boxed()),
        3 => change,
    ];
    // In some of the cases there are no marks, no changes or nothing else: other curves are then in use.
    (proptest::collection::vec(claim, 0..220), 0_u8..8).prop_map(|(mut claims, kinds)| {
        let is_kept = |fact: Fact| match fact {
            Fact::Closed { .. } => kinds != 7,
            Fact::Start { .. } | Fact::Stop { .. } => kinds & 1 == 0,
            Fact::Change { .. } => kinds & 2 == 0 || kinds == 7,
        };
        claims.retain(|claim| match claim {
            Claim::Plain(fact) => is_kept(*fact),
            Claim::Named { standing, .. } => standing.fact.is_none_or(is_kept),
        });
        claims
    })
}

static CHANGES: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..400).map(|number| format!("0x5c:{number}")).collect());

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

fn held_within(key: &LargeKey, window: &Window) -> Vec<HeldSegment> {
    let mut held = Vec::new();
    key.held_within(window, &mut HeldSegments::new(&mut held, window));
    held
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_large_key_answers_as_what_is_made_anew(
        claims in claims(), from in proptest::option::of(-2_i64..720), as_of in -2_i64..720, closed_only: bool,
        pieces in 1_usize..9,
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
            let expected = Anew::of(&claims[..=index]);
            prop_assert_eq!(key.score(&window), expected.score(&window));
            prop_assert_eq!(key.segments(), expected.segments(false));
            prop_assert_eq!(held_within(&key, &window), expected.held_within(&window));
            key.proceed(usize::MAX);
            prop_assert_eq!(*key.outline(), expected.outline());
            prop_assert_eq!(key.score(&window), expected.score(&window));
            prop_assert_eq!(key.segments(), expected.segments(false));
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
        prop_assert_eq!(key.claim_count(usize::MAX - 1), count);
        // So do those that are yielded piece by piece.
        let (mut copy, mut next) = (LargeKey::default(), Some(ClaimPlace::Holds(Micros::MIN)));
        while let Some(place) = next {
            let mut yielded = 0;
            next = key.claims_from(place, pieces, |claim| {
                yielded += 1;
                copy.take(claim);
            });
            // A bucket of names is not divided.
            prop_assert!(yielded < pieces + 100);
        }
        copy.proceed(usize::MAX);
        prop_assert_eq!(copy.outline(), key.outline());
        prop_assert_eq!(copy.segments(), key.segments());
        prop_assert_eq!(copy.score(&window), key.score(&window));
        prop_assert_eq!(copy.segments(), key.segments());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    /// Many more changes than a block holds, of a balance that returns to 0 and in half of the cases never falls
    /// below it, beside a few holds and marks.
    #[test]
    fn an_account_of_many_blocks_answers_as_what_is_made_anew(
        steps in proptest::collection::vec(-4_i64..5, 300..900),
        order in any::<prop::sample::Index>(),
        others in proptest::collection::vec(facts(), 0..4),
        withdrawn in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
        windows in proptest::collection::vec((0_i64..1_900, 0_i64..1_900, any::<bool>()), 6),
        is_never_negative: bool,
    ) {
        let mut balance = 0;
        let mut claims: Vec<_> = steps.iter().zip(0_i64..).zip(&*MANY).map(|((steps, index), event_id)| {
            let steps = if is_never_negative { (*steps).max(-balance) } else { *steps };
            balance += steps;
            let delta = Delta::new(Wad::from_steps(steps.unsigned_abs().into()), steps < 0);
            let fact = Some(Fact::Change { at: at(2 * index), delta });
            Claim::Named { event_id, standing: Standing { revision: 0, fact } }
        }).collect();
        // Not in order of time: one part comes before the other, backwards.
        claims.rotate_left(order.index(steps.len()));
        claims[..steps.len() / 2].reverse();
        claims.extend(others.iter().map(|fact| match *fact {
            Fact::Closed { start, end, weight } => Fact::Closed { start, end, weight: Wad::from_steps(weight.steps() % 12) },
            other => other,
        }).map(Claim::Plain));
        claims.extend(withdrawn.iter().map(|index| Claim::Named {
            event_id: &MANY[index.index(steps.len())],
            standing: Standing { revision: 1, fact: None },
        }));
        let mut key = LargeKey::default();
        for (index, claim) in claims.iter().enumerate() {
            key.take(*claim);
            if index % 50 == 0 {
                key.proceed(index % 7);
            }
        }
        key.proceed(usize::MAX);
        let expected = Anew::of(&claims);
        prop_assert_eq!(*key.outline(), expected.outline());
        prop_assert_eq!(key.segments(), expected.segments(false));
        for (from, as_of, closed_only) in windows {
            let window = Window { from: Some(at(from)), as_of: at(as_of), closed_only };
            prop_assert_eq!(key.score(&window), expected.score(&window));
            prop_assert_eq!(held_within(&key, &window), expected.held_within(&window));
        }
    }
}

static MANY: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..900).map(|number| number.to_string()).collect());

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
    assert!(key.outline().totals != Totals::ZERO);
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

/// Changes of one key in several orders: of a balance that stays above 0, and of one that crosses it.
fn patterns_of_changes(count: i64) -> Vec<(&'static str, Vec<Fact>)> {
    let change = |index: i64, steps: i64| Fact::Change {
        at: at(3 * index),
        delta: Delta::new(Wad::from_steps(steps.unsigned_abs().into()), steps < 0),
    };
    let place = |index: i64| index * 7_919 % count;
    let walk = |index: i64| change(index, if index % 3 == 2 { -5 } else { 3 });
    let crossing = |index: i64| change(index, if index % 2 == 0 { -7 } else { 7 });
    vec![
        ("above 0", (0..count).map(walk).collect()),
        (
            "above 0, shuffled",
            (0..count).map(place).map(walk).collect(),
        ),
        ("above 0, backwards", (0..count).rev().map(walk).collect()),
        ("around 0", (0..count).map(crossing).collect()),
        (
            "around 0, shuffled",
            (0..count).map(place).map(crossing).collect(),
        ),
    ]
}

/// Adding a change visits one path of the tree; the totals, taken once for a batch, visit no more than
/// all blocks.
#[test]
fn a_change_costs_a_few_steps_times_a_logarithm_and_a_batch_no_more_than_its_key() {
    const BATCH: usize = 100;
    for count in [500_i64, 4_000] {
        let log = u64::from(count.unsigned_abs().ilog2());
        for (name, facts) in patterns_of_changes(count) {
            let mut key = LargeKey::default();
            let (mut added, mut totalled) = (0, 0);
            let ids: Vec<_> = (0..facts.len()).map(|index| index.to_string()).collect();
            for revision in 0..2 {
                for (index, (fact, event_id)) in facts.iter().zip(&ids).enumerate() {
                    // The second time, a third is withdrawn, and the others are stated again.
                    let fact = Some(*fact).filter(|_| revision == 0 || index % 3 > 0);
                    steps::take();
                    key.take(Claim::Named {
                        event_id,
                        standing: Standing { revision, fact },
                    });
                    added += steps::take();
                    if index % BATCH == 0 {
                        key.proceed(usize::MAX);
                        totalled = totalled.max(steps::take());
                    }
                }
            }
            let each = added / (2 * facts.len() as u64) / log;
            assert!(each <= 2, "{name}, {count} changes: {each}");
            let blocks = facts.len() as u64 / 8 + 16;
            assert!(
                totalled <= blocks,
                "{name}, {count} changes: {totalled} for the totals"
            );
            if name.starts_with("above 0") {
                assert!(
                    totalled <= 4 * log + 16,
                    "{name}, {count} changes: {totalled} for the totals"
                );
            }
        }
    }
}

#[test]
fn marks_and_changes_that_are_restored_together_cost_a_few_steps_each() {
    let count = 4_000_i64;
    let names: Vec<_> = (0..count).map(|index| index.to_string()).collect();
    let claims = names.iter().zip(0_i64..).map(|(event_id, index)| {
        let at = at(3 * index);
        if index % 2 == 0 {
            // Each second start is below the one before it, so that the curve falls.
            let weight = Wad::from_steps(u128::from(index.unsigned_abs() % 4));
            return Claim::Plain(Fact::Start { at, weight, seq: 0 });
        }
        let delta = Delta::new(Wad::from_steps(60), index % 4 == 1);
        let standing = Standing {
            revision: 0,
            fact: Some(Fact::Change { at, delta }),
        };
        Claim::Named { event_id, standing }
    });
    let mut key = KeyFacts::default();
    steps::take();
    key.record_all(claims);
    let each = steps::take() / count.unsigned_abs();
    assert!(each <= 200, "{each} steps");
}
