//! The thread that owns the interpreter while the service runs: it boots Python and runs its event loop.
//!
//! The service has registered its signal handlers before, and Python installs none. The interpreter is not finalised:
//! the process exits after this thread has flushed the streams and the log, see `docs/embedding.md`.

use std::ffi::OsString;
use std::sync::{Arc, mpsc};
use std::thread;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use tokio::sync::watch;

use super::bridge::Bridge;
use super::context::HostContext;
use super::error::StartError;
use super::stacks::Stacks;
use crate::host::interpreter::{self, Interpreter, Settings, Signals};
use crate::host::runtime::Runtime;
use crate::host::scripts::check_packages;

/// Deep recursion of a script ends in its own exception, long before such a stack is full; only pages that are used
/// take memory.
const STACK_BYTES: usize = 64 << 20;
/// How long one Python thread may run before another one gets the interpreter, in seconds.
const SWITCH_INTERVAL: f64 = 0.001;
/// What the event loop runs.
const MODULE: &str = "poh_holdmetrics.pipeline.serving.embedded";
/// What knows the addresses of stores.
const STORES: &str = "poh_holdmetrics.pipeline.serving.stores";

/// The running thread.
pub(super) struct PythonThread {
    /// `Some` once Python has ended: why, or an empty text if it was told to.
    ended: watch::Receiver<Option<Arc<str>>>,
    stacks: Arc<Stacks>,
}

impl PythonThread {
    /// Boots the interpreter, checks the addresses of `stores`, and waits until that is done; the event loop then
    /// begins.
    pub(super) fn start(
        context: Arc<HostContext>,
        runtime: Runtime,
        stores: Vec<String>,
    ) -> Result<Self, StartError> {
        let (report, reported) = mpsc::sync_channel(1);
        let (ends, ended) = watch::channel(None);
        thread::Builder::new()
            .name("py-main".into())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let (interpreter, stacks) = match boot(&runtime, stores) {
                    Ok(booted) => booted,
                    Err(error) => {
                        let _ = report.send(Err(error));
                        return;
                    }
                };
                let _ = report.send(Ok(stacks));
                let reason = interpreter.attach(|py| run(py, &context));
                context.asked.end();
                context.checks.end();
                context.set_loaded();
                ends.send_replace(Some(reason.into()));
            })
            .map_err(StartError::Thread)?;
        // The sender is dropped without a report only if the boot has panicked.
        let booted = reported.recv().unwrap_or(Err(StartError::Panicked));
        booted.map(|stacks| Self {
            ended,
            stacks: Arc::new(stacks),
        })
    }

    /// What writes the stacks of all threads of Python.
    pub(super) fn stacks(&self) -> &Arc<Stacks> {
        &self.stacks
    }

    /// Why Python has ended; `None` while it runs, empty if it was told to end.
    pub(super) fn ended(&self) -> Option<Arc<str>> {
        self.ended.borrow().clone()
    }

    /// Resolves once Python has ended.
    pub(super) async fn wait(&self) {
        let mut ended = self.ended.clone();
        // Fails only if the thread has panicked, and then it has ended, too.
        let _ = ended.wait_for(Option::is_some).await;
    }
}

fn boot(runtime: &Runtime, stores: Vec<String>) -> Result<(Interpreter, Stacks), StartError> {
    let settings = Settings {
        signals: Signals::OfService,
        ..Settings::default()
    };
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let interpreter = Interpreter::boot(runtime, &settings, &arguments)?;
    check_packages(&interpreter, runtime)?;
    if !stores.is_empty() {
        interpreter.attach(|py| check_stores(py, stores))?;
    }
    let stacks = interpreter.attach(|py| {
        Stacks::start(py).map_err(|error| StartError::Stacks(described(py, &error)))
    })?;
    Ok((interpreter, stacks))
}

/// Refuses addresses that nothing can be delivered to. Connects to nothing.
fn check_stores(py: Python<'_>, stores: Vec<String>) -> Result<(), StartError> {
    let checked = py
        .import(STORES)
        .and_then(|module| module.call_method1("check", (stores,)));
    match checked {
        Ok(_) => Ok(()),
        Err(error) if error.is_instance_of::<PyValueError>(py) => {
            Err(StartError::Store(error.value(py).to_string()))
        }
        Err(error) => Err(StartError::Store(described(py, &error))),
    }
}

/// Runs the event loop to its end; returns why it has ended although nobody told it to.
fn run(py: Python<'_>, context: &Arc<HostContext>) -> String {
    let result = prepare(py).and_then(|()| {
        let bridge = Bridge::new(Arc::clone(context));
        py.import(MODULE)?.call_method1("main", (bridge,))
    });
    let reason = match result {
        Ok(_) => String::new(),
        Err(error) => {
            let traceback = described(py, &error);
            tracing::error!(traceback, "Python has ended; all pipelines have stopped.");
            traceback
        }
    };
    if let Err(error) = py
        .import("logging")
        .and_then(|logging| logging.call_method0("shutdown"))
    {
        tracing::warn!(%error, "The log of Python could not be shut down.");
    }
    // Output to a pipe is lost otherwise.
    interpreter::flush(py);
    reason
}

fn prepare(py: Python<'_>) -> PyResult<()> {
    let sys = py.import("sys")?;
    sys.call_method1("setswitchinterval", (SWITCH_INTERVAL,))?;
    sys.setattr("argv", ["main_holdmetrics"])?;
    Ok(())
}

/// The exception with its traceback.
fn described(py: Python<'_>, error: &PyErr) -> String {
    let lines = py
        .import("traceback")
        .and_then(|traceback| traceback.call_method1("format_exception", (error.value(py),)))
        .and_then(|lines| lines.extract::<Vec<String>>());
    lines.map_or_else(|_| error.to_string(), |lines| lines.concat())
}
