//! Python's `logging` into `tracing`: one log of the process, one format, one level.
//!
//! A handler on the root logger passes on each record with its logger's name, file and line. `LOG_LEVEL`
//! applies through the filter of `tracing`; `logging.basicConfig` finds a handler installed and changes
//! nothing, as `logging` documents. The handler is added at the first import of `logging`, because
//! importing it at every start would double the boot time.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The handler must be a Python class; it calls [`log_record`].
const HANDLER: &std::ffi::CStr = c"
class TracingHandler(logging.Handler):
    '''Passes each record to the log of the process.'''

    def emit(self, record):
        try:
            log_record(record.levelno, record.name, record.pathname, record.lineno, self.format(record))
        except Exception:
            self.handleError(record)
";

/// Levels as `logging` numbers them.
const DEBUG: i64 = 10;
const INFO: i64 = 20;
const WARNING: i64 = 30;
const ERROR: i64 = 40;

/// Intercepts the first import of `logging`.
#[pyclass(frozen)]
struct LoggingFinder;

#[pymethods]
impl LoggingFinder {
    /// Finds the module on the path, with a loader that adds the handler; then removes itself.
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
        // Restored for code that inspects the module, such as its source.
        module.setattr("__loader__", inner)?;
        module.getattr("__spec__")?.setattr("loader", inner)?;
        add_handler(module)
    }
}

/// Arranges that the handler is added when `logging` is imported.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    let finders = py.import("sys")?.getattr("meta_path")?;
    finders.cast_into::<PyList>()?.insert(0, LoggingFinder)
}

fn add_handler(logging: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = logging.py();
    let names = PyDict::new(py);
    names.set_item("logging", logging)?;
    names.set_item("log_record", wrap_pyfunction!(log_record, py)?)?;
    py.run(HANDLER, Some(&names), None)?;
    let handler = names.as_any().get_item("TracingHandler")?.call0()?;
    let root = logging.call_method0("getLogger")?;
    root.call_method1("addHandler", (handler,))?;
    root.call_method1("setLevel", (level_of(LevelFilter::current()),))?;
    Ok(())
}

/// The lowest level that is logged, as a number of `logging`.
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
fn log_record(py: Python<'_>, level: i64, logger: &str, file: &str, line: u64, message: &str) {
    macro_rules! log {
        ($level:expr) => {
            tracing::event!(target: "python", $level, logger, file, line, "{message}")
        };
    }
    // Detached: writing the log may be slow, and other Python threads should not wait.
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
    fn each_filter_maps_to_the_level_that_it_passes() {
        assert_eq!(level_of(LevelFilter::INFO), 20);
        assert_eq!(level_of(LevelFilter::WARN), 30);
        assert_eq!(level_of(LevelFilter::TRACE), 1);
        assert!(level_of(LevelFilter::OFF) > 50);
    }
}
