//! The threads that heavy calls run on, detached from the interpreter.
//!
//! One pool per process, created at its first heavy call and again after a fork: a forked child
//! inherits the memory of a pool but none of its threads, and would wait for them forever.
//! `RAYON_NUM_THREADS` sets their number; the default is one per core.
#![allow(
    unsafe_code,
    reason = "one pointer to a leaked value is shared without a lock, which a fork could leave taken"
)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::{PyResult, Python};
use rayon::{ThreadPool, ThreadPoolBuilder};

struct Workers {
    process: u32,
    pool: ThreadPool,
}

/// Null, or a value that is never freed.
static CURRENT: AtomicPtr<Workers> = AtomicPtr::new(ptr::null_mut());

/// Runs `work` on the workers while other Python threads continue; `RuntimeError` if no thread can be
/// started.
pub(super) fn detached<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> PyResult<R> {
    py.detach(|| {
        let workers = workers().map_err(|error| {
            PyRuntimeError::new_err(format!("no worker threads could be started: {error}"))
        })?;
        Ok(workers.pool.install(work))
    })
}

fn workers() -> Result<&'static Workers, rayon::ThreadPoolBuildError> {
    let process = std::process::id();
    let current = CURRENT.load(Ordering::Acquire);
    // SAFETY: `CURRENT` is null or comes from `Box::leak` below and is never freed.
    if let Some(known) = unsafe { current.as_ref() }.filter(|known| known.process == process) {
        return Ok(known);
    }
    let pool = ThreadPoolBuilder::new()
        .thread_name(|index| format!("holdmetrics-{index}"))
        .build()?;
    let ours: &'static mut Workers = Box::leak(Box::new(Workers { process, pool }));
    // Two threads may get here at once: the pool that is replaced serves its one call and then idles.
    CURRENT.store(ptr::from_mut(ours), Ordering::Release);
    Ok(ours)
}
