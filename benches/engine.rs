//! What the engine costs without network: acknowledged events, questions during a stream of events,
//! memory, and a start from journal and state.
//!
//! `cargo bench --bench engine -- [EVENTS] [HOLDERS] [FOLDER]`; by default ten million closed holds of one
//! million holders, below the system's folder for temporary files. Beside the sync time of the journal it
//! prints how long the disk takes for a bare sync.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use poh_holdmetrics_rust::core::{Draft, EventBatch, Micros, Window};
use poh_holdmetrics_rust::engine::{Engine, Options, Question, SystemClock};

const BATCH: u64 = 1_000;
const PENDING_MAX: usize = 32;
/// 2024-01-01.
const BEGINNING: i64 = 1_704_067_200_000_000;

fn main() {
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|text| !text.starts_with("--"));
    let mut number = |default: u64| {
        let text = arguments.next();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (events, holders) = (number(10_000_000), number(1_000_000));
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let folder = folder.path();
    println!("fdatasync of 64 KiB: {}", percentiles(floor(folder)));

    let engine = open(folder, "empty store");
    fill(&engine, events, holders);
    memory("after the last event");
    questions(&engine, events, holders);
    let sequence = engine.sequence();
    close(engine, "with what the state lacks in the journal");

    let engine = open(folder, "state and journal");
    assert_eq!(engine.sequence(), sequence);
    memory("after a start");
    until_covered(&engine);
    close(engine, "with all in the state");
    let engine = open(folder, "state alone");
    memory("after a start from the state");
    drop(engine);
}

/// The seconds of single syncs of an open file.
fn floor(folder: &Path) -> Vec<Duration> {
    let mut file = File::create(folder.join("floor")).expect("a file");
    let bytes = vec![7; 64 << 10];
    file.write_all(&vec![0; 16 << 20]).expect("disk space");
    file.sync_all().expect("synced");
    std::io::Seek::rewind(&mut file).expect("the beginning");
    let sync = |_| {
        file.write_all(&bytes).expect("disk space");
        let started = Instant::now();
        file.sync_data().expect("synced");
        started.elapsed()
    };
    (0..200).map(sync).collect()
}

fn open(folder: &Path, what: &str) -> Engine {
    let options = Options::in_folder(folder.join("data"));
    let started = Instant::now();
    let engine = Engine::open(options, Arc::new(SystemClock)).expect("opened");
    println!("open, {what}: {:.3} s", started.elapsed().as_secs_f64());
    engine
}

fn close(engine: Engine, what: &str) {
    let started = Instant::now();
    let lag = engine.gauges().state_lag_events;
    drop(engine);
    println!(
        "close, {what} ({lag} events): {:.3} s",
        started.elapsed().as_secs_f64()
    );
}

/// The event with this number: holders in scattered order, each with ten or more tokens.
fn push(
    batch: &mut EventBatch,
    number: u64,
    holders: u64,
    holder: &mut String,
    token: &mut String,
) {
    use std::fmt::Write;
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % holders;
    holder.clear();
    token.clear();
    write!(
        holder,
        "0x{:040x}",
        u128::from(scattered) * 0x9e37_79b9_7f4a_7c15_f39c_c060
    )
    .expect("into memory");
    write!(token, "token-{}", number / holders).expect("into memory");
    let start = BEGINNING + i64::try_from(number % 10_000_019).expect("small") * 1_000_000;
    let length = i64::try_from(number % 86_399 + 1).expect("small") * 1_000_000;
    let at = |micros| Some(Micros::new(micros).expect("in range"));
    let draft = Draft {
        token_id: token,
        holder_id: holder,
        start: at(start),
        end: at(start + length),
        ..Draft::default()
    };
    batch.push(&draft.check().expect("valid"));
}

fn batch(first: u64, count: u64, holders: u64) -> EventBatch {
    let mut batch = EventBatch::default();
    let (mut holder, mut token) = (String::new(), String::new());
    for number in first..first + count {
        push(&mut batch, number, holders, &mut holder, &mut token);
    }
    batch
}

fn fill(engine: &Engine, events: u64, holders: u64) {
    let started = Instant::now();
    let mut latencies = Vec::new();
    block_on(async {
        let mut pendings = VecDeque::new();
        let mut first = 0;
        while first < events {
            let count = BATCH.min(events - first);
            let events = batch(first, count, holders);
            first += count;
            pendings.push_back((
                Instant::now(),
                engine.submit(events).await.expect("accepted"),
            ));
            if pendings.len() == PENDING_MAX {
                receive(&mut pendings, &mut latencies).await;
            }
        }
        while !pendings.is_empty() {
            receive(&mut pendings, &mut latencies).await;
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let rate = events as f64 / seconds;
    println!("{events} events in batches of {BATCH}: {seconds:.1} s, {rate:.0} events/s durable");
    println!("acknowledgement at full speed: {}", percentiles(latencies));
}

async fn receive(
    pendings: &mut VecDeque<(Instant, poh_holdmetrics_rust::engine::Pending)>,
    latencies: &mut Vec<Duration>,
) {
    let (submitted, pending) = pendings.pop_front().expect("one is there");
    pending.await.expect("acknowledged");
    latencies.push(submitted.elapsed());
}

/// Leaderboards while events come in at 500,000 a second, half of what the service must sustain.
fn questions(engine: &Engine, events: u64, holders: u64) {
    let stop = AtomicBool::new(false);
    let question = |as_of| Question {
        window: Window::until(as_of),
        token_id: None,
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            block_on(async {
                // The same events again: they cost the same, and memory does not grow.
                let started = Instant::now();
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    let due = Duration::from_micros(sent * 2);
                    if let Some(early) = due.checked_sub(started.elapsed()) {
                        tokio::time::sleep(early).await;
                    }
                    let again = batch(sent % events, BATCH, holders);
                    sent += BATCH;
                    let pending = engine.submit(again).await.expect("accepted");
                    if sent % (8 * BATCH) == 0 {
                        pending.await.expect("acknowledged");
                    }
                }
            });
        });
        let mut took = Vec::new();
        for _ in 0..300 {
            let started = Instant::now();
            let page = engine.page(&question(engine.now()), None, 100);
            took.push(started.elapsed());
            assert_eq!(page.holders.len(), 100);
            thread::sleep(Duration::from_millis(10));
        }
        println!(
            "top 100 of {holders} while events come in: {}",
            percentiles(took)
        );
        let page = engine.page(&question(engine.now()), None, 100);
        let started = Instant::now();
        let next = engine.page(&question(engine.now()), page.next.as_ref(), 100);
        println!(
            "the page behind it: {:.1} ms ({} rows)",
            milliseconds(started.elapsed()),
            next.holders.len()
        );
        stop.store(true, Ordering::Relaxed);
    });
}

fn until_covered(engine: &Engine) {
    let started = Instant::now();
    while engine.gauges().state_lag_events > 0 && started.elapsed() < Duration::from_secs(300) {
        thread::sleep(Duration::from_millis(50));
    }
    println!(
        "state written after {:.1} s",
        started.elapsed().as_secs_f64()
    );
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(future);
}

/// The resident memory of the process, if the system reports it.
fn memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.map_or("", |line| line[name.len()..].trim()).to_owned()
    };
    println!("memory {when}: {}, at most {}", of("VmRSS:"), of("VmHWM:"));
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn percentiles(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let at = |percent: usize| milliseconds(all[(all.len() - 1) * percent / 100]);
    format!(
        "p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        at(50),
        at(90),
        at(99),
        at(100)
    )
}
