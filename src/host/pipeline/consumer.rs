//! A consumer of the feed as a Python class: takes what was read ahead, commits, closes.
//!
//! Nothing here blocks. A batch that is not taken stays, so that a task that is cancelled while it waits loses
//! nothing.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::batch::Batch;
use super::context::HostContext;
use super::prefetch::{Prefetch, Taken};

/// A durable place in the feed.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct Consumer {
    context: Arc<HostContext>,
    prefetch: Arc<Prefetch>,
}

impl Consumer {
    pub(super) fn new(context: Arc<HostContext>, prefetch: Arc<Prefetch>) -> Self {
        Self { context, prefetch }
    }

    fn request(&self, send: impl FnOnce(u64) -> bool) -> PyResult<u64> {
        let request = self.context.next_request();
        if send(request) {
            return Ok(request);
        }
        let name = self.prefetch.name();
        Err(PyRuntimeError::new_err(format!(
            "consumer: {name} is closed"
        )))
    }
}

impl Drop for Consumer {
    /// Frees the name, if nobody has closed the consumer.
    fn drop(&mut self) {
        self.prefetch.close(0);
    }
}

#[pymethods]
impl Consumer {
    #[getter]
    fn name(&self) -> &str {
        self.prefetch.name()
    }

    /// The last committed sequence.
    #[getter]
    fn position(&self) -> u64 {
        self.prefetch.position()
    }

    /// The next batch; the number of a request that completes once there is one; or None after the end.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let request = self.context.next_request();
        match self.prefetch.take(request) {
            Taken::Batch(columns) => Ok(Some(Bound::new(py, Batch::new(columns))?.into_any())),
            Taken::Later => Ok(Some(request.into_pyobject(py)?.into_any())),
            Taken::Ended => Ok(None),
        }
    }

    /// Commits a position with changes of the state of a pipeline; returns the number of the request.
    fn commit(
        &self,
        position: u64,
        pipeline: String,
        changes: Vec<(String, Option<String>)>,
    ) -> PyResult<u64> {
        self.request(|request| self.prefetch.commit(request, position, pipeline, changes))
    }

    /// Closes it; returns the number of a request that completes when the name is free.
    fn close(&self) -> PyResult<u64> {
        self.request(|request| self.prefetch.close(request))
    }
}
