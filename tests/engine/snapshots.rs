//! An answer is that of one state: all events up to its number, none beyond, and no part of a batch.

#[cfg(debug_assertions)]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use poh_holdmetrics_rust::core::EventBatch;
use poh_holdmetrics_rust::engine::Engine;

use crate::support::{all_time, batch, distinct, enqueue, ephemeral, open, question, wait};

/// They lie in different parts of the aggregator.
const HOLDERS: u64 = 40;
const BATCHES: i64 = 400;

fn names() -> Vec<String> {
    (0..HOLDERS).map(|number| format!("h{number}")).collect()
}

/// A microsecond for each holder.
fn one_each(names: &[String], number: i64) -> EventBatch {
    batch(names.iter().map(|name| distinct(name, number)))
}

/// Asks until `is_over`; how many answers were of a state between the first and the last one.
fn ask(engine: &Engine, names: &[String], is_over: &AtomicBool) -> u64 {
    let question = question(all_time());
    let mut between = 0;
    let mut last = 0;
    while !is_over.load(Ordering::SeqCst) {
        let page = engine.page(&question, None, usize::MAX);
        assert_eq!(page.sequence % HOLDERS, 0, "half a batch");
        assert!(page.sequence >= last, "older than the answer before");
        last = page.sequence;
        let each = u128::from(page.sequence / HOLDERS);
        for row in &page.holders {
            let holder = &row.holder;
            assert_eq!(holder.totals.held_us, each, "{}", holder.holder_id);
        }
        between += u64::from(0 < last && last < HOLDERS * BATCHES as u64);
        for name in names.iter().take(3) {
            if let Some(answer) = engine.holder(name, &question, 0) {
                let held = answer.holder.holder.totals.held_us;
                assert_eq!(held, u128::from(answer.sequence / HOLDERS), "{name}");
                assert_eq!(answer.holder.rank, 1, "all have the same score");
            }
        }
    }
    between
}

#[test]
fn answers_under_load_are_of_one_state() {
    let engine = open(ephemeral()).unwrap();
    let names = names();
    let is_over = AtomicBool::new(false);
    let between: u64 = thread::scope(|scope| {
        let asking: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| ask(&engine, &names, &is_over)))
            .collect();
        let pending: Vec<_> = (0..BATCHES)
            .map(|number| enqueue(&engine, one_each(&names, number)).unwrap())
            .collect();
        for receipt in pending {
            wait(receipt).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        asking.into_iter().map(|asked| asked.join().unwrap()).sum()
    });
    assert!(between > 0, "nothing was asked under load");
}

/// Such a worker would take up another answer while it waits for parts of its own, and a batch that waits to be applied
/// between the two would wait for ever.
#[cfg(debug_assertions)]
#[test]
fn no_answer_is_computed_on_a_worker_of_rayon() {
    let engine = open(ephemeral()).unwrap();
    let workers = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let ask = || engine.page(&question(all_time()), None, 1);
    let refused = catch_unwind(AssertUnwindSafe(|| workers.install(ask))).unwrap_err();
    assert_eq!(
        refused.downcast_ref::<&str>(),
        Some(&"an answer on a worker of rayon")
    );
}
