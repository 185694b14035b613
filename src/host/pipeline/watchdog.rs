//! Watches the event loop of Python, and ends the process if it is stuck for too long.
//!
//! A thread that never needs the interpreter: it reads atomics and the registry. Before the end it writes the stack of
//! every thread of Python to standard error and the name of the pipeline to the quarantine, so that the supervisor
//! starts the service without it.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::context::HostContext;
use super::quarantine::{Quarantine, Quarantined};
use super::stacks::{Stacks, StacksTo};
use crate::error_line::error_line;

/// The exit code, for the supervisor.
const EXIT_STUCK: i32 = 70;
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(100);

/// The thread, which ends with the process or when it is told to.
pub(super) struct Watchdog {
    is_over: Arc<AtomicBool>,
}

impl Watchdog {
    /// Watches; `fatal` is the longest time without an answer, `None` for no limit.
    pub(super) fn start(
        context: Arc<HostContext>,
        quarantine: Arc<Quarantine>,
        stacks: Arc<Stacks>,
        fatal: Option<Duration>,
    ) -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_over);
        thread::Builder::new()
            .name("py-watchdog".into())
            .spawn(move || watch(&context, &quarantine, &stacks, fatal, &watched))?;
        Ok(Self { is_over })
    }

    /// Ends the watch: from now on a Python that does not answer is a matter of the shutdown.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Release);
    }
}

fn watch(
    context: &HostContext,
    quarantine: &Quarantine,
    stacks: &Stacks,
    fatal: Option<Duration>,
    is_over: &AtomicBool,
) {
    let mut last = Instant::now();
    while !is_over.load(Ordering::Acquire) {
        thread::sleep(INTERVAL);
        let since = last.elapsed();
        last = Instant::now();
        let silent = context.pulse.tick(since);
        let shown = context.pulse.stuck_for().unwrap_or_default();
        context
            .metrics
            .pipelines
            .stuck_seconds
            .set(shown.as_secs_f64());
        if fatal.is_some_and(|fatal| silent >= fatal) && !is_over.load(Ordering::Acquire) {
            end_process(context, quarantine, stacks, silent);
        }
    }
}

fn end_process(
    context: &HostContext,
    quarantine: &Quarantine,
    stacks: &Stacks,
    silent: Duration,
) -> ! {
    let seconds = silent.as_secs();
    if let Some(culprit) = context.registry.culprit() {
        let (pipeline, handler) = (&*culprit.pipeline, &*culprit.handler);
        tracing::error!(
            pipeline,
            handler,
            file = &*culprit.file,
            seconds,
            "Python is stuck in a pipeline; the process ends, and the next start leaves this pipeline out."
        );
        let reason = Quarantined {
            handler: culprit.handler.clone(),
            file: culprit.file.clone(),
            stuck_seconds: seconds,
            at: context.engine.now().to_string(),
        };
        if let Err(error) = quarantine.add(pipeline, reason) {
            let error = error_line(&error);
            tracing::error!(
                error,
                "The list of quarantined pipelines cannot be written."
            );
        }
    } else {
        tracing::error!(
            seconds,
            "Python is stuck outside all handlers; the process ends."
        );
    }
    stacks.write(StacksTo::Log);
    process::exit(EXIT_STUCK)
}
