//! The extension module `poh_holdmetrics_rust`, as `maturin` builds it.
//!
//! Only the door: what is in it is in [`crate::host::native`], which the embedding host fills its
//! own module from. Never imported inside that host.

use pyo3::prelude::*;

/// Exact hold scores, natively; use it through the package `poh_holdmetrics`.
#[pymodule]
fn poh_holdmetrics_rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    crate::host::native::register(module)
}
