//! The meter of one handler as a Python class.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::handler::HandlerRecord;
use crate::excerpt::quoted;
use crate::telemetry::pipeline_metrics::COUNTED;

/// Counts what one handler does; never blocks.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct Meter(pub(super) Arc<HandlerRecord>);

#[pymethods]
impl Meter {
    /// A call has started.
    fn begin(&self) {
        self.0.begin();
    }

    /// The call has ended well.
    fn end(&self, events: u64) {
        self.0.end(events);
    }

    /// The call has ended in an exception.
    fn failed(&self, traceback: &str) {
        self.0.failed(traceback);
    }

    /// Adds to one of the counters.
    #[pyo3(signature = (what, by=1))]
    fn count(&self, what: &str, by: u64) -> PyResult<()> {
        if self.0.count(what, by) {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "what: unknown counter {}; known are {}",
            quoted(what),
            COUNTED.join(", ")
        )))
    }

    /// The state of the handler from now on.
    #[pyo3(signature = (state, detail=""))]
    fn state(&self, state: &str, detail: &str) {
        self.0.set_state(state, detail);
    }
}
