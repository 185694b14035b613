//! Measures how long another thread waits for the interpreter lock.
//!
//! A thread that attaches a few times a second and does nothing with it. It ends when it is told to, and never runs
//! while the process exits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::Python;

use crate::telemetry::Metrics;

/// Between two measurements.
const INTERVAL: Duration = Duration::from_millis(500);

/// The thread.
pub(super) struct Probe {
    is_over: Arc<AtomicBool>,
}

impl Probe {
    /// Measures from now on.
    pub(super) fn start(metrics: Arc<Metrics>) -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let measure = move || {
            while !stop.load(Ordering::Acquire) {
                let asked = Instant::now();
                let took = Python::attach(|_| asked.elapsed());
                metrics.pipelines.lock_wait.observe(took.as_secs_f64());
                thread::sleep(INTERVAL);
            }
        };
        thread::Builder::new()
            .name("py-probe".into())
            .spawn(measure)?;
        Ok(Self { is_over })
    }

    /// Measures no more.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Release);
    }
}
