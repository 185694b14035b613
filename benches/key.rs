//! What one key with very many facts costs, by the pattern in which they overlap.
//!
//! `cargo bench --bench key -- 1000000`, or with a part of the name of one pattern. Each pattern is quadratic in some design: in a sorted envelope,
//! in an unbalanced tree, or in a structure that is rebuilt after a correction. Changes of balance come in
//! batches too, as the service adds them: totals are then taken once for each batch.

use std::hint::black_box;
use std::time::{Duration, Instant};

use poh_holdmetrics_rust::core::{Claim, Delta, Fact, KeyFacts, Micros, Standing, Wad};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Facts per pattern by default.
const COUNT: i64 = 100_000;
/// Claims of a batch.
const BATCH: usize = 1_000;

fn at(micros: i64) -> Micros {
    Micros::new(micros).expect("in range")
}

fn weight(steps: i64) -> Wad {
    Wad::from_steps(u128::from(steps.unsigned_abs()))
}

fn hold(start: i64, end: i64, steps: i64) -> Fact {
    Fact::Closed {
        start: at(start),
        end: at(end),
        weight: weight(steps),
    }
}

fn mark(index: i64) -> Fact {
    let at = at(3 * index);
    match index % 2 {
        0 => Fact::Start {
            at,
            weight: weight(index % 100),
            seq: 0,
        },
        _ => Fact::Stop { at, seq: 0 },
    }
}

fn patterns(count: i64) -> Vec<(&'static str, Vec<Fact>)> {
    let mut random = Pcg64Mcg::seed_from_u64(7);
    let nested = |index: i64| hold(index, 4 * count - index, index + 1);
    let mut teeth = |index: i64| {
        let above = random.random_range(count..2 * count);
        hold(4 * index, 4 * index + 1, above)
    };
    let comb = (0..count / 2).map(&mut teeth).collect::<Vec<_>>();
    let lifts = (0..count / 2).map(|index| hold(0, 4 * count, index + 1));
    let comb = comb.into_iter().chain(lifts).collect();
    let mut shuffled = |facts: &dyn Fn(i64) -> Fact| {
        let mut facts: Vec<_> = (0..count).map(facts).collect();
        facts.shuffle(&mut random);
        facts
    };
    vec![
        ("nested, outwards", (0..count).rev().map(nested).collect()),
        ("nested, shuffled", shuffled(&nested)),
        (
            "staircase, shuffled",
            shuffled(&|index| hold(index, index + count, index + 1)),
        ),
        (
            "shared end, shuffled",
            shuffled(&|index| hold(index, 2 * count, index + 1)),
        ),
        (
            "disjoint, shuffled",
            shuffled(&|index| hold(3 * index, 3 * index + 2, 5 + index % 7)),
        ),
        ("teeth over rising lifts", comb),
        ("marks, shuffled", shuffled(&mark)),
    ]
}

fn change(index: i64, steps: i64) -> Fact {
    Fact::Change {
        at: at(3 * index),
        delta: Delta::new(weight(steps), steps < 0),
    }
}

/// Changes of one key: those of a balance that is never negative, and of one that crosses 0 all the time.
fn changes(count: i64) -> Vec<(&'static str, Vec<Fact>)> {
    let mut random = Pcg64Mcg::seed_from_u64(8);
    let mut balance = 0_i64;
    let held: Vec<_> = (0..count)
        .map(|index| {
            let steps = random.random_range(-1_000_i64..=1_000).max(-balance);
            balance += steps;
            change(index, steps)
        })
        .collect();
    let mut shuffled = held.clone();
    shuffled.shuffle(&mut random);
    let crossing = |index: i64| change(index, if index % 2 == 0 { -7 } else { 7 });
    let mut crossing: Vec<_> = (0..count).map(crossing).collect();
    crossing.shuffle(&mut random);
    let beside = |index: i64| match index % 2 {
        0 => mark(index),
        _ => change(index, if index % 4 == 1 { 60 } else { -60 }),
    };
    vec![
        ("changes", held),
        ("changes, shuffled", shuffled),
        ("changes around 0, shuffled", crossing),
        (
            "changes and marks in turns",
            (0..count).map(beside).collect(),
        ),
    ]
}

/// Records the claims and takes the totals after each `batch` of them; returns the total time and the slowest
/// call.
fn record<'a>(
    key: &mut KeyFacts,
    claims: impl Iterator<Item = Claim<'a>>,
    batch: usize,
) -> (Duration, Duration) {
    let (mut all, mut slowest) = (Duration::ZERO, Duration::ZERO);
    let mut timed = |call: &mut dyn FnMut() -> bool| {
        let started = Instant::now();
        let is_done = call();
        let taken = started.elapsed();
        all += taken;
        slowest = slowest.max(taken);
        is_done
    };
    for (index, claim) in claims.enumerate() {
        let mut is_done = true;
        let mut is_lowered = timed(&mut || {
            let recorded = key.record(claim);
            is_done = recorded.is_done;
            recorded.is_lowered
        });
        while !is_lowered {
            is_lowered = timed(&mut || key.lower());
        }
        if !is_done && (index + 1) % batch == 0 {
            while !timed(&mut || key.proceed()) {}
        }
        black_box(key.totals());
    }
    while !timed(&mut || key.proceed()) {}
    (all, slowest)
}

/// The resident memory of this process in bytes; 0 where the system does not say.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.map_or(0, |pages| pages * 4_096)
}

fn main() {
    let (mut count, mut part) = (COUNT, String::new());
    for argument in std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
    {
        match argument.parse() {
            Ok(number) => count = number,
            Err(_) => part = argument,
        }
    }
    let is_wanted = |name: &str| name.contains(&part);
    println!("{:<26} {:>10} {:>12}", "pattern", "ns/event", "slowest, us");
    let show = |name: &str, (all, slowest): (Duration, Duration), events: usize| {
        let each = all.as_nanos() / events.max(1) as u128;
        println!("{name:<26} {each:>10} {:>12}", slowest.as_micros());
    };
    for (name, facts) in patterns(count)
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
    {
        let mut key = KeyFacts::default();
        let claims = facts.iter().map(|fact| Claim::Plain(*fact));
        show(name, record(&mut key, claims, 1), facts.len());
        let ids: Vec<_> = (0..facts.len())
            .map(|index| format!("0x{index:040x}"))
            .collect();
        let claim = |index: usize, revision, fact| Claim::Named {
            event_id: &ids[index],
            standing: Standing { revision, fact },
        };
        let mut key = KeyFacts::default();
        let claims = (0..facts.len()).map(|index| claim(index, 0, Some(facts[index])));
        show("  named", record(&mut key, claims, 1), facts.len());
        let withdrawn = (0..facts.len()).step_by(3);
        let claims = withdrawn.clone().map(|index| claim(index, 1, None));
        show(
            "  a third withdrawn",
            record(&mut key, claims, 1),
            withdrawn.len(),
        );
    }
    for (name, facts) in changes(count)
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
    {
        let id = |index: usize| format!("0x{index:064x}:{}", index % 300);
        let ids: Vec<_> = (0..facts.len()).map(id).collect();
        let claim = |index: usize, revision, fact| Claim::Named {
            event_id: &ids[index],
            standing: Standing { revision, fact },
        };
        let claims = || (0..facts.len()).map(|index| claim(index, 0, Some(facts[index])));
        let before = resident();
        let mut key = KeyFacts::default();
        show(name, record(&mut key, claims(), BATCH), facts.len());
        let bytes = resident().saturating_sub(before) / facts.len().max(1);
        // Memory that an earlier pattern has freed is used again: right for the first one only.
        println!("  {bytes} bytes of memory each");
        let withdrawn = (0..facts.len()).step_by(3);
        let taken = withdrawn.clone().map(|index| claim(index, 1, None));
        show(
            "  a third withdrawn",
            record(&mut key, taken, BATCH),
            withdrawn.len(),
        );
    }
}
