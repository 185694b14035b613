//! A pool shared by ten million holders.

use criterion::{Criterion, criterion_group, criterion_main};
use poh_holdmetrics_rust::airdrop::{Curve, Share, Terms, allocate};
use ruint::aliases::U256;

const HOLDERS: u64 = 10_000_000;

fn allocation(criterion: &mut Criterion) {
    // A multiplier that spreads the scores over 100 bits, none of which divides another.
    let shares: Vec<_> = (0..HOLDERS)
        .map(|holder| Share {
            holder_id: format!("0x{holder:040x}").into(),
            score: U256::from(holder + 1) * U256::from(0x9e37_79b9_7f4a_7c15_u64),
        })
        .collect();
    let pool = U256::from(1_000_000_u64) * U256::from(10_u64).pow(U256::from(18));
    let terms = |cap| Terms {
        pool,
        curve: Curve::Linear,
        cap,
        minimum: U256::ZERO,
    };
    let mut group = criterion.benchmark_group("allocation of 10M holders");
    group.sample_size(10);
    group.bench_function("linear", |bencher| {
        bencher.iter(|| allocate(&shares, &terms(None)).expect("a pool"));
    });
    let cap = Some(pool / U256::from(HOLDERS / 2 + 1) * U256::from(2));
    group.bench_function("with a cap", |bencher| {
        bencher.iter(|| allocate(&shares, &terms(cap)).expect("a pool"));
    });
    group.finish();
}

criterion_group!(benches, allocation);
criterion_main!(benches);
