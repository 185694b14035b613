//! What one key with very many facts costs, by the pattern in which they overlap.
//!
//! `cargo bench --bench key -- 1000000`. Each pattern is quadratic in some design: in a sorted envelope,
//! in an unbalanced tree, or in a structure that is rebuilt after a correction.

use std::hint::black_box;
use std::time::{Duration, Instant};

use poh_holdmetrics_rust::core::{Claim, Fact, KeyFacts, Micros, Standing, Wad};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Facts per pattern by default.
const COUNT: i64 = 100_000;

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

/// Records the claims; returns the total time and the slowest claim.
fn record<'a>(key: &mut KeyFacts, claims: impl Iterator<Item = Claim<'a>>) -> (Duration, Duration) {
    let (mut all, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for claim in claims {
        let started = Instant::now();
        if !key.record(claim).is_done {
            while !key.proceed() {}
        }
        black_box(key.totals());
        let taken = started.elapsed();
        all += taken;
        slowest = slowest.max(taken);
    }
    (all, slowest)
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count = count.unwrap_or(COUNT);
    println!("{:<26} {:>10} {:>12}", "pattern", "ns/event", "slowest, us");
    let show = |name: &str, (all, slowest): (Duration, Duration), events: usize| {
        let each = all.as_nanos() / events.max(1) as u128;
        println!("{name:<26} {each:>10} {:>12}", slowest.as_micros());
    };
    for (name, facts) in patterns(count) {
        let mut key = KeyFacts::default();
        let claims = facts.iter().map(|fact| Claim::Plain(*fact));
        show(name, record(&mut key, claims), facts.len());
        let ids: Vec<_> = (0..facts.len())
            .map(|index| format!("0x{index:040x}"))
            .collect();
        let claim = |index: usize, revision, fact| Claim::Named {
            event_id: &ids[index],
            standing: Standing { revision, fact },
        };
        let mut key = KeyFacts::default();
        let claims = (0..facts.len()).map(|index| claim(index, 0, Some(facts[index])));
        show("  named", record(&mut key, claims), facts.len());
        let withdrawn = (0..facts.len()).step_by(3);
        let claims = withdrawn.clone().map(|index| claim(index, 1, None));
        show(
            "  a third withdrawn",
            record(&mut key, claims),
            withdrawn.len(),
        );
    }
}
