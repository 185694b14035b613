//! Python's `logging` into `tracing`: one log of the process, one format, one level.
//!
//! A handler on the root logger hands each record on with its logger's name, file and line.
//! `LOG_LEVEL` decides, through the filter that is at work in `tracing`; `logging.basicConfig`
//! finds a handler in place and changes nothing, as `logging` documents it.

use pyo3::prelude::*;
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The handler needs a class of Python's own; the rest of it is [`hand_on`].
const HANDLER: &std::ffi::CStr = c"
import logging

class TracingHandler(logging.Handler):
    '''Hands each record to the log of the process.'''

    def emit(self, record):
        try:
            hand_on(record.levelno, record.name, record.pathname, record.lineno, self.format(record))
        except Exception:
            self.handleError(record)
";

/// Levels as `logging` numbers them.
const DEBUG: i64 = 10;
const INFO: i64 = 20;
const WARNING: i64 = 30;
const ERROR: i64 = 40;

/// Hands on what the root logger gets from now on.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    let names = pyo3::types::PyDict::new(py);
    names.set_item("hand_on", wrap_pyfunction!(hand_on, py)?)?;
    py.run(HANDLER, Some(&names), None)?;
    let handler = names.as_any().get_item("TracingHandler")?.call0()?;
    let root = py.import("logging")?.call_method0("getLogger")?;
    root.call_method1("addHandler", (handler,))?;
    root.call_method1("setLevel", (level_of(LevelFilter::current()),))?;
    Ok(())
}

/// The lowest level that anybody listens to, as `logging` numbers it.
fn level_of(filter: LevelFilter) -> i64 {
    match filter.into_level() {
        None => ERROR + 20,
        Some(Level::ERROR) => ERROR,
        Some(Level::WARN) => WARNING,
        Some(Level::INFO) => INFO,
        Some(Level::DEBUG) => DEBUG,
        Some(Level::TRACE) => 1,
    }
}

/// Logs one record; `file` and `line` are those of the call in Python.
#[pyfunction]
fn hand_on(py: Python<'_>, level: i64, logger: &str, file: &str, line: u64, message: &str) {
    macro_rules! log {
        ($level:expr) => {
            tracing::event!(target: "python", $level, logger, file, line, "{message}")
        };
    }
    // Detached: whoever reads the log may be slow, and other threads of Python need not wait.
    py.detach(|| match level {
        ERROR.. => log!(Level::ERROR),
        WARNING.. => log!(Level::WARN),
        INFO.. => log!(Level::INFO),
        DEBUG.. => log!(Level::DEBUG),
        _ => log!(Level::TRACE),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_asks_for_the_level_that_it_passes() {
        assert_eq!(level_of(LevelFilter::INFO), 20);
        assert_eq!(level_of(LevelFilter::WARN), 30);
        assert_eq!(level_of(LevelFilter::TRACE), 1);
        assert!(level_of(LevelFilter::OFF) > 50);
    }
}
