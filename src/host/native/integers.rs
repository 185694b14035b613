//! Sums of more than 128 bits as Python's `int`, in steps of 1e-18.
//!
//! By their bytes, because neither the stable interface of Python nor `PyO3` has a conversion of 256 bits.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};

use crate::core::{Balance, Quantity};

/// The steps of `quantity`.
pub(super) fn from_quantity(py: Python<'_>, quantity: Quantity) -> PyResult<Bound<'_, PyAny>> {
    let bytes = PyBytes::new(py, &quantity.steps().to_le_bytes::<32>());
    py.get_type::<PyInt>()
        .call_method1("from_bytes", (bytes, "little"))
}

/// The steps of `balance`, negative if it is below 0.
pub(super) fn from_balance(py: Python<'_>, balance: Balance) -> PyResult<Bound<'_, PyAny>> {
    match (balance.held(), (-balance).held()) {
        (Some(held), _) => from_quantity(py, held),
        (None, Some(missing)) => from_quantity(py, missing)?.neg(),
        (None, None) => 0_i64.into_bound_py_any(py),
    }
}
