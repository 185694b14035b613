//! The stacks of all threads of Python, written when somebody asks, also if no script gives the interpreter up.
//!
//! A thread takes the interpreter and lets `faulthandler` write, while no other thread can change a frame. Only if it
//! does not get the interpreter in time, because code of C holds it, `faulthandler` writes without: at a signal on
//! Unix, at an exception of the system on Windows. Beside a running script that would read frames that are freed
//! meanwhile, and end the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How long the thread may wait for the interpreter; other threads give it up several hundred times a second.
const INTERPRETER_WAIT: Duration = Duration::from_millis(1500);
/// How long `faulthandler` may take to write without it.
const WRITE_WAIT: Duration = Duration::from_millis(300);
/// The descriptor of standard error.
const LOG: i32 = 2;

/// Where stacks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StacksTo {
    /// Standard error.
    Log,
    /// The file in memory that `py stack` reads.
    #[cfg_attr(windows, allow(dead_code, reason = "nobody asks for it there"))]
    Reader,
}

/// The thread that writes them.
pub(super) struct Stacks {
    asks: Sender<Ask>,
    /// The descriptor of the file in memory, which lives as long as the process; `None` if this system has none.
    reader: Option<i32>,
}

/// Stacks are wanted.
struct Ask {
    descriptor: i32,
    /// Set by the one of the two that writes them.
    is_taken: Arc<AtomicBool>,
    written: SyncSender<()>,
}

impl Stacks {
    /// Starts the thread, and names the script if code of C crashes from now on.
    pub(super) fn start(py: Python<'_>) -> PyResult<Self> {
        let faulthandler = py.import("faulthandler")?;
        faulthandler.call_method0("enable")?;
        let reader = without_interpreter::register(&faulthandler)?;
        let (asks, asked) = mpsc::channel();
        let faulthandler = faulthandler.unbind();
        thread::Builder::new()
            .name("py-stacks".into())
            .spawn(move || answer(&asked, &faulthandler))?;
        Ok(Self { asks, reader })
    }

    /// Writes the stacks; blocks for two seconds at most. False if this system has no such place.
    pub(super) fn write(&self, to: StacksTo) -> bool {
        let descriptor = match (to, self.reader) {
            (StacksTo::Log, _) => LOG,
            (StacksTo::Reader, Some(descriptor)) => descriptor,
            (StacksTo::Reader, None) => return false,
        };
        let is_taken = Arc::new(AtomicBool::new(false));
        let (written, end) = mpsc::sync_channel(1);
        let ask = Ask {
            descriptor,
            is_taken: Arc::clone(&is_taken),
            written,
        };
        let is_asked = self.asks.send(ask).is_ok();
        let is_written = is_asked && end.recv_timeout(INTERPRETER_WAIT).is_ok();
        if !is_written {
            if is_taken.swap(true, Ordering::AcqRel) {
                // The thread got the interpreter at the last moment, and writes.
                let _ = end.recv_timeout(WRITE_WAIT);
            } else {
                without_interpreter::write(to);
                thread::sleep(WRITE_WAIT);
            }
        }
        true
    }
}

/// Until nobody can ask any more.
fn answer(asked: &Receiver<Ask>, faulthandler: &Py<PyModule>) {
    for ask in asked {
        Python::attach(|py| {
            if ask.is_taken.swap(true, Ordering::AcqRel) {
                return;
            }
            if let Err(error) = dump(faulthandler.bind(py), ask.descriptor) {
                tracing::warn!(%error, "The stacks of Python cannot be written.");
            }
        });
        // The one who asked may have gone.
        let _ = ask.written.send(());
    }
}

fn dump(faulthandler: &Bound<'_, PyModule>, descriptor: i32) -> PyResult<()> {
    let options = options(faulthandler.py(), descriptor)?;
    faulthandler.call_method("dump_traceback", (), Some(&options))?;
    Ok(())
}

/// The stacks of all threads, to this descriptor.
fn options(py: Python<'_>, descriptor: i32) -> PyResult<Bound<'_, PyDict>> {
    let options = PyDict::new(py);
    options.set_item("file", descriptor)?;
    options.set_item("all_threads", true)?;
    Ok(options)
}

/// Stacks of a Python that code of C holds.
#[cfg(unix)]
mod without_interpreter {
    use pyo3::prelude::*;
    use rustix::process::{Signal, getpid, kill_process};

    use super::{LOG, StacksTo, options};

    /// Signals that nothing else sends, by place.
    fn signal(to: StacksTo) -> Signal {
        match to {
            StacksTo::Log => Signal::PROF,
            StacksTo::Reader => Signal::VTALARM,
        }
    }

    /// Returns the descriptor of the file in memory.
    pub(super) fn register(faulthandler: &Bound<'_, PyModule>) -> PyResult<Option<i32>> {
        let register = |to, descriptor: i32| {
            let options = options(faulthandler.py(), descriptor)?;
            let signal = signal(to).as_raw();
            faulthandler.call_method("register", (signal,), Some(&options))
        };
        register(StacksTo::Log, LOG)?;
        let reader = reader()?;
        if let Some(descriptor) = reader {
            register(StacksTo::Reader, descriptor)?;
        }
        Ok(reader)
    }

    pub(super) fn write(to: StacksTo) {
        // A process may always send itself a signal.
        let _ = kill_process(getpid(), signal(to));
    }

    /// By its name `poh_holdmetrics.attachment.stacks` finds the file among the descriptors of this process.
    #[cfg(target_os = "linux")]
    fn reader() -> std::io::Result<Option<i32>> {
        use std::os::fd::IntoRawFd;

        use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};

        let file = memfd_create("holdmetrics-stacks", MemfdFlags::CLOEXEC)?;
        // The reader empties it.
        fcntl_setfl(&file, OFlags::APPEND)?;
        Ok(Some(file.into_raw_fd()))
    }

    #[cfg(not(target_os = "linux"))]
    fn reader() -> std::io::Result<Option<i32>> {
        Ok(None)
    }
}

/// As above: `faulthandler` writes at each exception of the system that is an error, also if it is then passed over.
#[cfg(windows)]
mod without_interpreter {
    use pyo3::prelude::*;

    use super::StacksTo;

    /// An error, by the two highest bits, of an application, by the third; the rest is the exit code of a stuck service.
    const STUCK: u32 = 0xE000_0046;

    pub(super) fn register(_faulthandler: &Bound<'_, PyModule>) -> PyResult<Option<i32>> {
        Ok(None)
    }

    pub(super) fn write(_to: StacksTo) {
        crate::windows::raise_and_go_on(STUCK);
    }
}
