//! Python's `logging` into `tracing`: one log of the process, one format, one level.
//!
//! A handler on the root logger hands each record on with its logger's name, file and line.
//! `LOG_LEVEL` decides, through the filter that is at work in `tracing`; `logging.basicConfig`
//! finds a handler in place and changes nothing, as `logging` documents it. The handler comes with
//! the first import of `logging`: importing it for everybody would double the time of a boot.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The handler needs a class of Python's own; the rest of it is [`hand_on`].
const HANDLER: &std::ffi::CStr = c"
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

/// Watches for the first import of `logging`.
#[pyclass(frozen)]
struct LoggingFinder;

#[pymethods]
impl LoggingFinder {
    /// The module as the path knows it, with a loader that adds the handler; steps aside for ever.
    #[pyo3(signature = (fullname, path=None, target=None))]
    fn find_spec<'py>(
        slf: &Bound<'py, Self>,
        fullname: &str,
        path: Option<&Bound<'py, PyAny>>,
        target: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let _ = (path, target);
        if fullname != "logging" {
            return Ok(None);
        }
        let py = slf.py();
        py.import("sys")?
            .getattr("meta_path")?
            .call_method1("remove", (slf,))?;
        let finder = py
            .import("_frozen_importlib_external")?
            .getattr("PathFinder")?;
        let spec = finder.call_method1("find_spec", (fullname,))?;
        if spec.is_none() {
            return Ok(None);
        }
        let inner = spec.getattr("loader")?.unbind();
        spec.setattr("loader", LoggingLoader { inner })?;
        Ok(Some(spec))
    }
}

/// Loads `logging` as `inner` does, then adds the handler.
#[pyclass(frozen)]
struct LoggingLoader {
    inner: Py<PyAny>,
}

#[pymethods]
impl LoggingLoader {
    fn create_module<'py>(
        &self,
        py: Python<'py>,
        spec: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.inner.bind(py).call_method1("create_module", (spec,))
    }

    fn exec_module(&self, py: Python<'_>, module: &Bound<'_, PyModule>) -> PyResult<()> {
        let inner = self.inner.bind(py);
        inner.call_method1("exec_module", (module,))?;
        // Nobody need know that we were here, least of all who asks for the module's source.
        module.setattr("__loader__", inner)?;
        module.getattr("__spec__")?.setattr("loader", inner)?;
        add_handler(module)
    }
}

/// Hands on what the root logger gets, once `logging` is imported.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    let finders = py.import("sys")?.getattr("meta_path")?;
    finders.cast_into::<PyList>()?.insert(0, LoggingFinder)
}

fn add_handler(logging: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = logging.py();
    let names = PyDict::new(py);
    names.set_item("logging", logging)?;
    names.set_item("hand_on", wrap_pyfunction!(hand_on, py)?)?;
    py.run(HANDLER, Some(&names), None)?;
    let handler = names.as_any().get_item("TracingHandler")?.call0()?;
    let root = logging.call_method0("getLogger")?;
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
