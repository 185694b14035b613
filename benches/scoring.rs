//! What scoring alone costs, without files: the events are made in memory before the clock starts.
//!
//! `cargo bench --bench scoring`. Files and other engines are compared in `benches/peers`.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use poh_holdmetrics_rust::aggregator::{BatchScorer, HoldAggregator};
use poh_holdmetrics_rust::core::{Deltas, EventColumns, EventSink, Micros, Wad, Weights, Window};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use rand_pcg::Pcg64Mcg;

const EVENTS: usize = 1_000_000;
const HOLDERS: u32 = 100_000;
const BATCH: usize = 10_000;

struct Events {
    tokens: Vec<String>,
    holders: Vec<String>,
    start: Vec<i64>,
    end: Vec<i64>,
    weight: Vec<Option<Wad>>,
}

impl Events {
    /// Zipf-skewed holders of 8 tokens; the holds of a key follow each other over a year, 30 % of them
    /// overlap another one, 5 % are exact repeats; shuffled.
    fn new(mixed_weights: bool) -> Self {
        const YEAR: i64 = 31_536_000_000_000;
        let mut random = Pcg64Mcg::seed_from_u64(7);
        let zipf = Zipf::new(f64::from(HOLDERS), 1.0).expect("a valid distribution");
        let mut keys: HashMap<(u32, u32), i64> = HashMap::new();
        let first: Vec<_> = (0..EVENTS * 65 / 100)
            .map(|_| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a rank"
                )]
                let key = (random.random_range(0..8), zipf.sample(&mut random) as u32);
                let place = keys.entry(key).or_default();
                *place += 1;
                (key, *place - 1)
            })
            .collect();
        let mut holds: Vec<_> = first
            .into_iter()
            .map(|(key, place)| {
                let slot = YEAR / keys[&key];
                let start =
                    1_700_000_000_000_000 + place * slot + random.random_range(0..=slot / 3);
                let weight = if mixed_weights {
                    random.random_range(10_000..100_000_000)
                } else {
                    1_500_000 + key.0
                };
                (
                    key,
                    start,
                    start + random.random_range(1..=slot * 2 / 3),
                    weight,
                )
            })
            .collect();
        for index in 0..EVENTS * 30 / 100 {
            let (key, start, end, weight) = holds[index * 2];
            let inside = random.random_range(start..end);
            let weight = if mixed_weights {
                random.random_range(10_000..100_000_000)
            } else {
                weight
            };
            holds.push((key, inside, inside + (end - start) / 2 + 1, weight));
        }
        for index in 0..EVENTS - holds.len() {
            holds.push(holds[index * 3]);
        }
        holds.shuffle(&mut random);
        let address = |id: u32| {
            format!(
                "0x{:040x}",
                u128::from(id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            )
        };
        Self {
            tokens: holds
                .iter()
                .map(|((token, _), ..)| address(*token))
                .collect(),
            holders: holds
                .iter()
                .map(|((_, holder), ..)| address(*holder))
                .collect(),
            start: holds.iter().map(|(_, start, ..)| *start).collect(),
            end: holds.iter().map(|(.., end, _)| *end).collect(),
            weight: holds
                .iter()
                .map(|(.., weight)| Some(Wad::from_steps(u128::from(*weight) * 1_000_000_000_000)))
                .collect(),
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let window = Window::until(Micros::MAX);
    let mut group = criterion.benchmark_group("scoring");
    group
        .throughput(Throughput::Elements(EVENTS as u64))
        .sample_size(10);
    for (name, mixed_weights) in [("equal weights", false), ("mixed weights", true)] {
        let events = Events::new(mixed_weights);
        let (tokens, holders): (Vec<_>, Vec<_>) = (
            events.tokens.iter().map(String::as_str).collect(),
            events.holders.iter().map(String::as_str).collect(),
        );
        let columns = |from: usize, to: usize| EventColumns {
            token_id: &tokens[from..to],
            holder_id: &holders[from..to],
            start: &events.start[from..to],
            end: &events.end[from..to],
            weight: Weights::Wads(&events.weight[from..to]),
            event_id: None,
            revision: None,
            retract: None,
            at: None,
            delta: Deltas::None,
            seq: None,
            transfers: None,
        };
        group.bench_function(format!("batch, {name}"), |bench| {
            let all = columns(0, EVENTS);
            bench.iter(|| {
                let scorer = BatchScorer::new();
                let mut lanes: Vec<_> = (0..2).map(|_| scorer.lane()).collect();
                rayon::scope(|scope| {
                    for (part, lane) in lanes.iter_mut().enumerate() {
                        scope.spawn(move |_| {
                            for row in part * EVENTS / 2..(part + 1) * EVENTS / 2 {
                                lane.accept(&all.event(row).expect("valid"));
                            }
                        });
                    }
                });
                scorer.finish(lanes, &window, Some(100))
            });
        });
        group.bench_function(
            format!("live in batches of 10,000, top 100 after each, {name}"),
            |bench| {
                bench.iter_batched_ref(
                    HoldAggregator::new,
                    |aggregator| {
                        for from in (0..EVENTS).step_by(BATCH) {
                            aggregator
                                .record_batch(&columns(from, from + BATCH))
                                .expect("valid");
                            black_box(aggregator.leaderboard(100, &window));
                        }
                    },
                    BatchSize::PerIteration,
                );
            },
        );
    }
    group.finish();
}

criterion_group!(scoring, benches);
criterion_main!(scoring);
