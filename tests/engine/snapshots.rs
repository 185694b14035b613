//! An answer is that of one state: all events up to its number, none beyond, and no part of a batch.

#[cfg(debug_assertions)]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use poh_holdmetrics_rust::aggregator::KeyHeld;
use poh_holdmetrics_rust::core::{EventBatch, HolderScore, Totals, Wad};
use poh_holdmetrics_rust::engine::{Engine, PipelinePolicy, PolicyFunction, Question};

use crate::support::{
    all_time, batch, distinct, distinct_batch, enqueue, ephemeral, open, question, submit, wait,
};

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

/// A policy like that of a pipeline: an event of a new holder is stored before it answers. From the second call on it
/// says that it was asked, and waits to be let go.
struct Storing {
    engine: OnceLock<Weak<Engine>>,
    calls: Mutex<i64>,
    asked: Sender<()>,
    is_free: Mutex<Receiver<()>>,
}

impl PolicyFunction for Storing {
    fn version(&self) -> &'static str {
        "1"
    }

    fn scores(&self, _: &Question, held: Vec<KeyHeld>) -> Result<Vec<HolderScore>, String> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        let engine = self.engine.get().unwrap().upgrade().unwrap();
        submit(&engine, distinct_batch(&format!("new{calls}"), 0, 1)).unwrap();
        if *calls > 1 {
            self.asked.send(()).unwrap();
            self.is_free.lock().unwrap().recv().unwrap();
        }
        let score = |key: KeyHeld| HolderScore {
            holder_id: key.holder_id,
            totals: Totals::of(Wad::ONE, 1),
        };
        Ok(held.into_iter().map(score).collect())
    }
}

/// An engine with two holders, published under such a policy; when it was asked, and how to let it go.
fn publishing() -> (Arc<Engine>, Receiver<()>, Sender<()>) {
    let (asked, is_asked) = channel();
    let (lets_go, is_free) = channel();
    let engine = Arc::new(open(ephemeral()).unwrap());
    let function = Arc::new(Storing {
        engine: OnceLock::from(Arc::downgrade(&engine)),
        calls: Mutex::default(),
        asked,
        is_free: Mutex::new(is_free),
    });
    let policy = PipelinePolicy::Function(function);
    let named = vec![("storing".to_owned(), policy)];
    assert!(engine.policies().set_pipeline("own", named).is_empty());
    for holder in ["a", "b"] {
        submit(&engine, distinct_batch(holder, 0, 1)).unwrap();
    }
    (engine, is_asked, lets_go)
}

/// The function once read the segments after the number of the answer, which it might exceed.
#[test]
fn an_answer_under_a_function_is_of_one_state_whatever_arrives_meanwhile() {
    let (engine, _is_asked, lets_go) = publishing();
    lets_go.send(()).unwrap();
    let question = question(all_time());
    for (sequence, holders) in [(2, &["a", "b"][..]), (3, &["a", "b", "new1"])] {
        let page = engine.published("storing", &question, None, 10).unwrap();
        let ids: Vec<_> = page
            .holders
            .iter()
            .map(|row| &*row.holder.holder_id)
            .collect();
        assert_eq!((page.sequence, &ids[..]), (sequence, holders));
        assert_eq!(page.known, holders.len());
        assert_eq!(engine.sequence(), sequence + 1, "it has arrived");
    }
}

/// Python may take a minute.
#[test]
fn a_listing_that_waits_for_a_function_delays_no_other() {
    let (engine, is_asked, lets_go) = publishing();
    let (engine, question) = (&*engine, &question(all_time()));
    thread::scope(|scope| {
        let of_policy = scope.spawn(|| engine.listing(Some("storing"), question, None, 1));
        // The first page was computed, an event has arrived, and the whole leaderboard is computed anew.
        is_asked.recv_timeout(Duration::from_secs(30)).unwrap();
        let (done, is_done) = channel();
        let plain = scope.spawn(move || {
            let page = engine.listing(None, question, None, 1);
            let _ = done.send(());
            page
        });
        let waited = is_done.recv_timeout(Duration::from_secs(30));
        lets_go.send(()).unwrap();
        assert_eq!(waited, Ok(()), "it waited for the function");
        assert_eq!(plain.join().unwrap().unwrap().known, 4);
        let page = of_policy.join().unwrap().unwrap();
        assert_eq!((page.known, page.sequence), (3, 3));
    });
}
