//! Keeps the extension module out of this process.
//!
//! It would be a second copy of the same native code, with types and state of its own: an aggregator of one
//! copy is not an aggregator to the other. A finder in front of all others refuses to import its name.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// The extension's name.
const EXTENSION_MODULE: &str = "poh_holdmetrics_rust";

#[pyclass(frozen)]
struct ExtensionGuard;

#[pymethods]
impl ExtensionGuard {
    /// Refuses the extension; everything else is left to the next finder.
    #[expect(clippy::unused_self, reason = "the import system calls a method")]
    #[pyo3(signature = (fullname, path=None, target=None))]
    fn find_spec(
        &self,
        fullname: &str,
        path: Option<&Bound<'_, PyAny>>,
        target: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = (path, target);
        if fullname != EXTENSION_MODULE {
            return Ok(());
        }
        Err(PyImportError::new_err(format!(
            "{EXTENSION_MODULE} cannot be imported inside main_holdmetrics, which contains the same \
             native code: import poh_holdmetrics, which uses it"
        )))
    }
}

/// Puts the guard in front of all finders.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    let finders = py.import("sys")?.getattr("meta_path")?;
    finders.cast_into::<PyList>()?.insert(0, ExtensionGuard)
}
