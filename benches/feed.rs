//! What consumers of the feed cost those who send, and how fast a consumer reads from memory, from the
//! journal and from the facts.
//!
//! `cargo bench --bench feed -- [EVENTS] [ROUNDS] [FOLDER]`; by default a million closed holds of 100,000
//! holders in each of three rounds. Each round measures all cases once, so that a busy machine is seen in
//! all of them.

use std::collections::VecDeque;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use poh_holdmetrics_rust::core::{Draft, EventBatch, Micros};
use poh_holdmetrics_rust::engine::{Consumer, Engine, Options, Start, SystemClock, WhenFull};

const BATCH: u64 = 1_000;
const PENDING_MAX: usize = 32;
const HOLDERS: u64 = 100_000;
/// What a consumer asks for at once.
const ASKED_BYTES: usize = 1 << 20;
/// How often a consumer commits.
const COMMIT_EVERY: Duration = Duration::from_millis(200);

/// What reads while events are sent.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Nobody,
    KeepingUp,
    /// A consumer whose handler never returns.
    Stuck,
}

fn main() {
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|text| !text.starts_with("--"));
    let mut number = |default: u64| {
        let text = arguments.next();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (events, rounds) = (number(1_000_000), number(3));
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let batches: Vec<_> = (0..events / BATCH).map(batch).collect();
    for round in 1..=rounds {
        for reading in [Reading::Nobody, Reading::KeepingUp, Reading::Stuck] {
            let folder = tempfile::tempdir_in(&folder).expect("a folder");
            send(folder.path(), &batches, round, reading);
        }
        let folder = tempfile::tempdir_in(&folder).expect("a folder");
        read(folder.path(), &batches, round);
    }
}

/// Closed holds, each of a pair of its own.
fn batch(number: u64) -> EventBatch {
    let mut batch = EventBatch::default();
    for event in number * BATCH..(number + 1) * BATCH {
        let scattered = event.wrapping_mul(0x9e37_79b9_7f4a_7c15) % HOLDERS;
        let start = i64::try_from(event).expect("small") * 1_000;
        let at = |micros| Some(Micros::new(micros).expect("in range"));
        let draft = Draft {
            token_id: &format!("token-{}", event / HOLDERS),
            holder_id: &format!("0x{scattered:040x}"),
            start: at(start),
            end: at(start + 500),
            ..Draft::default()
        };
        batch.push(&draft.check().expect("valid"));
    }
    batch
}

fn open(folder: &Path, recent_bytes_max: usize) -> Engine {
    let mut options = Options::in_folder(folder.join("data"));
    options.recent_bytes_max = recent_bytes_max;
    Engine::open(options, Arc::new(SystemClock)).expect("opened")
}

fn send(folder: &Path, batches: &[EventBatch], round: u64, reading: Reading) {
    let engine = open(folder, 32 << 20);
    let is_over = AtomicBool::new(false);
    let last = batches.len() as u64 * BATCH;
    let (mut seconds, mut latencies) = (0.0, Vec::new());
    let consumer = || {
        engine
            .feed()
            .open("c", Start::Now, WhenFull::Lag)
            .expect("free")
    };
    thread::scope(|scope| {
        match reading {
            Reading::Nobody => {}
            Reading::KeepingUp => {
                let consumer = consumer();
                scope.spawn(|| block_on(follow(consumer, last)));
            }
            Reading::Stuck => {
                let mut consumer = consumer();
                let is_over = &is_over;
                scope.spawn(move || {
                    block_on(async {
                        let batch = consumer.next(ASKED_BYTES).await;
                        while !is_over.load(Ordering::Relaxed) {
                            thread::sleep(Duration::from_millis(5));
                        }
                        drop(batch);
                    });
                });
            }
        }
        let started = Instant::now();
        block_on(submit(&engine, batches, &mut latencies));
        seconds = started.elapsed().as_secs_f64();
        is_over.store(true, Ordering::Relaxed);
    });
    println!(
        "round {round}, {reading:?}: {} events/s durable; acknowledgement {}",
        rate(last, seconds),
        percentiles(latencies)
    );
}

async fn submit(engine: &Engine, batches: &[EventBatch], latencies: &mut Vec<Duration>) {
    let mut pendings = VecDeque::new();
    for batch in batches {
        let submitted = Instant::now();
        let pending = engine.submit(batch.clone()).await.expect("accepted");
        pendings.push_back((submitted, pending));
        if pendings.len() == PENDING_MAX {
            let (submitted, pending) = pendings.pop_front().expect("one is there");
            pending.await.expect("acknowledged");
            latencies.push(submitted.elapsed());
        }
    }
    for (submitted, pending) in pendings {
        pending.await.expect("acknowledged");
        latencies.push(submitted.elapsed());
    }
}

/// Decodes every event up to `last`, and commits from time to time.
async fn follow(mut consumer: Consumer, last: u64) {
    let mut committed = Instant::now();
    let mut position = 0;
    while position < last {
        let batch = consumer.next(ASKED_BYTES).await.expect("open");
        for (number, event) in batch.events() {
            black_box((number, event));
        }
        position = batch.last;
        if committed.elapsed() >= COMMIT_EVERY || position == last {
            let commit = consumer.commit(position, "bench", Vec::new());
            commit.await.expect("written");
            committed = Instant::now();
        }
    }
}

/// One consumer at a time reads everything.
fn read(folder: &Path, batches: &[EventBatch], round: u64) {
    let last = batches.len() as u64 * BATCH;
    let time = |what: &str, mut consumer: Consumer, is_decoded: bool| {
        let started = Instant::now();
        let mut events = 0;
        block_on(async {
            while events < last {
                let batch = consumer.next(ASKED_BYTES).await.expect("open");
                if is_decoded {
                    batch.events().for_each(|event| {
                        black_box(event);
                    });
                }
                events += batch.count() as u64;
            }
        });
        let rate = rate(last, started.elapsed().as_secs_f64());
        let decoded = if is_decoded { "decoded" } else { "as bytes" };
        println!("round {round}, from {what}, {decoded}: {rate} events/s");
    };
    let engine = open(folder, usize::MAX);
    let feed = engine.feed();
    let consumer = |name: &str, start| feed.open(name, start, WhenFull::Lag).expect("free");
    let decoded = consumer("decoded", Start::Now);
    let as_bytes = consumer("as bytes", Start::Now);
    block_on(submit(&engine, batches, &mut Vec::new()));
    time("memory", decoded, true);
    time("memory", as_bytes, false);
    // Nobody reads any more, so nothing is in memory.
    time("the journal", consumer("old", Start::Sequence(1)), true);
    time("the journal", consumer("older", Start::Sequence(1)), false);
    time("the facts", consumer("new", Start::Beginning), true);
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future);
}

fn rate(events: u64, seconds: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let rate = events as f64 / seconds;
    format!("{rate:.0}")
}

fn percentiles(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let at = |percent: usize| all[(all.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    format!("p50 {:.2} ms, p99 {:.2} ms", at(50), at(99))
}
