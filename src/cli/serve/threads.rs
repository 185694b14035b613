//! The threads that the service needs are made at the start, or the start fails with a sentence: later it would be a
//! panic, or a question that nobody computes.
//!
//! A runtime that cannot make a thread later queues its work for those that are there, so some are kept for good.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use rayon::ThreadPoolBuilder;
use tokio::runtime::{Builder, Runtime};

/// Threads that may block and are always there: those of all questions at once, and two for files and metrics.
const BLOCKING_KEPT: usize = 8;
/// What else is started: the journal, the applier, the state, the feed and those of Python.
const OTHERS: usize = 8;
/// Longer than any process runs.
const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// The runtime of the service, and the threads that compute its answers.
///
/// # Errors
/// If the system has too few threads for it.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let needed = 2 * cores + BLOCKING_KEPT + OTHERS;
    let start = |barrier: Arc<Barrier>| {
        let name = "start".to_owned();
        thread::Builder::new().name(name).spawn(move || {
            barrier.wait();
        })
    };
    all_at_once(needed, start).with_context(|| {
        format!(
            "the service needs {needed} threads and cannot start them: raise the limit of processes (ulimit -u, \
             TasksMax= of the unit, pids.max of the container)"
        )
    })?;
    ThreadPoolBuilder::new()
        .build_global()
        .context("the threads that compute answers cannot be started")?;
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_name("serve")
        .thread_keep_alive(FOR_GOOD)
        .build()
        .context("the threads of the server cannot be started")?;
    let barrier = Arc::new(Barrier::new(BLOCKING_KEPT));
    for _ in 0..BLOCKING_KEPT {
        let barrier = Arc::clone(&barrier);
        runtime.spawn_blocking(move || barrier.wait());
    }
    Ok(runtime)
}

/// Whether `count` threads can run at the same time; all of them have ended when it returns.
fn all_at_once(
    count: usize,
    mut start: impl FnMut(Arc<Barrier>) -> io::Result<JoinHandle<()>>,
) -> io::Result<()> {
    let barrier = Arc::new(Barrier::new(count));
    let mut started = Vec::new();
    for _ in 0..count {
        // If one fails, those that wait are abandoned: the process is about to end.
        started.push(start(Arc::clone(&barrier))?);
    }
    for thread in started {
        // They do nothing that could panic.
        let _ = thread.join();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_be_started_is_an_error_before_anything_runs() {
        let start = |barrier: Arc<Barrier>| {
            Ok(thread::spawn(move || {
                barrier.wait();
            }))
        };
        assert!(all_at_once(3, start).is_ok());
        let mut left = 2;
        let failing = |barrier: Arc<Barrier>| {
            left -= 1;
            if left < 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            start(barrier)
        };
        let failed = all_at_once(3, failing).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::WouldBlock);
    }
}
