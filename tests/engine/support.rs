//! Engines that a test opens, feeds and asks.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use poh_holdmetrics_rust::core::{Draft, Event, EventBatch, Micros, Window};
use poh_holdmetrics_rust::engine::{
    Clock, Engine, OpenError, Options, Pending, Question, Receipt, SubmitError,
};

/// A clock that stands still.
pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> Micros {
        instant(1_000_000_000)
    }
}

pub(crate) fn instant(micros: i64) -> Micros {
    Micros::new(micros).expect("in range")
}

/// Small files, and no state but the one at the end or the one that a test asks for.
pub(crate) fn options(folder: &Path) -> Options {
    let mut options = Options {
        retry_after: Duration::ZERO,
        ..Options::in_folder(folder)
    };
    options.store.segment_bytes = 8 << 10;
    options.store.state_lag_max = Duration::from_secs(3_600);
    options
}

pub(crate) fn ephemeral() -> Options {
    Options::in_memory()
}

pub(crate) fn open(options: Options) -> Result<Engine, OpenError> {
    Engine::open(options, Arc::new(Noon))
}

/// Runs a future to its end, which must come within half a minute.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(30), future)
            .await
            .expect("an end within half a minute")
    })
}

/// Submits a batch and waits for its receipt.
pub(crate) fn submit(engine: &Engine, batch: EventBatch) -> Result<Receipt, SubmitError> {
    wait(async { engine.submit(batch).await?.await })
}

/// Submits a batch and does not wait for its receipt.
pub(crate) fn enqueue(engine: &Engine, batch: EventBatch) -> Result<Pending, SubmitError> {
    wait(engine.submit(batch))
}

pub(crate) fn batch<'a>(events: impl IntoIterator<Item = Event<'a>>) -> EventBatch {
    let mut batch = EventBatch::default();
    for event in events {
        batch.push(&event);
    }
    batch
}

/// An event that is like no other: `number` microseconds of `holder`, in a stretch of its own.
pub(crate) fn distinct(holder: &str, number: i64) -> Event<'_> {
    Draft {
        token_id: "T",
        holder_id: holder,
        start: Some(instant(number * 1_000)),
        end: Some(instant(number * 1_000 + 1)),
        ..Draft::default()
    }
    .check()
    .expect("valid")
}

/// One batch of `count` distinct events of `holder` from `number` on.
pub(crate) fn distinct_batch(holder: &str, number: i64, count: i64) -> EventBatch {
    batch((number..number + count).map(|number| distinct(holder, number)))
}

pub(crate) fn all_time() -> Window {
    Window::until(Micros::MAX)
}

pub(crate) fn question(window: Window) -> Question {
    Question {
        window,
        token_id: None,
    }
}

/// `holder -> (held_us, steps of score)` of everything.
pub(crate) fn scores(engine: &Engine, window: Window) -> BTreeMap<String, (u128, u128)> {
    let page = engine.page(&question(window), None, usize::MAX);
    assert!(page.next.is_none(), "everything is on one page");
    page.holders
        .iter()
        .map(|row| {
            let steps = row.holder.totals.score.steps().to::<u128>();
            let held = row.holder.totals.held_us;
            (row.holder.holder_id.to_string(), (held, steps))
        })
        .collect()
}

/// Microseconds held by `holder`; 0 where it was never seen.
pub(crate) fn held(engine: &Engine, holder: &str) -> u128 {
    engine
        .holder(holder, &question(all_time()), 0)
        .map_or(0, |answer| answer.holder.holder.totals.held_us)
}

/// Waits, within half a minute, until something is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it never came to be");
        std::thread::yield_now();
    }
}
