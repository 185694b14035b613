//! The extension module `poh_holdmetrics_rust`, as `maturin` builds it.
//!
//! Holds nothing itself: [`crate::host::native`] registers the callables, here and in the embedding host's
//! own module. Never imported inside that host.

use pyo3::prelude::*;

/// Exact hold scores, natively; use it through the package `poh_holdmetrics`.
#[pymodule]
fn poh_holdmetrics_rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::host::native::register(module)
}
