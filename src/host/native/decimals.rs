//! Weights, deltas and amounts from Python: text, `int`, `float` and `Decimal`, each exactly as it is written.
//!
//! A float is the shortest decimal that prints back to it; an integer or a float may be one of another library,
//! such as NumPy. Anything else is refused as not a number, also `bool`. `None` is absent.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyString, PyType};

use super::memo::Memo;
use super::values;
use crate::core::WeightError;
use crate::input::Decimal;

/// Reads decimals with a cache by identity, because most events share a few objects.
pub(super) struct DecimalReader<'py, T> {
    memo: Memo<'py, T>,
}

impl<'py, T: Decimal> DecimalReader<'py, T> {
    pub(super) fn new() -> Self {
        Self { memo: Memo::new() }
    }

    /// The decimal of `value`; `None` if it is absent.
    #[inline]
    pub(super) fn read(
        &mut self,
        value: Option<&Bound<'py, PyAny>>,
    ) -> Result<Option<T>, WeightError> {
        match value.filter(|value| !value.is_none()) {
            None => Ok(None),
            Some(value) => self.memo.get_or(value, || present(value)).map(Some),
        }
    }
}

/// The decimal of `value`; `None` if it is absent.
pub(super) fn decimal<T: Decimal>(
    value: Option<&Bound<'_, PyAny>>,
) -> Result<Option<T>, WeightError> {
    let value = value.filter(|value| !value.is_none());
    value.map(present).transpose()
}

fn present<T: Decimal>(value: &Bound<'_, PyAny>) -> Result<T, WeightError> {
    if let Ok(text) = value.cast::<PyString>() {
        return T::parse(text.to_str().map_err(|_| WeightError::NotANumber)?);
    }
    if let Ok(double) = value.cast::<PyFloat>() {
        return T::from_double(double.value());
    }
    match values::integer(value) {
        Some(whole) => from_whole(&whole),
        None => from_decimal(value),
    }
}

fn from_whole<T: Decimal>(whole: &Bound<'_, PyAny>) -> Result<T, WeightError> {
    let value = match whole.extract() {
        Ok(value) => value,
        // Beyond every decimal, as the ends of 128 bits are.
        Err(_) if whole.lt(0).map_err(|_| WeightError::NotANumber)? => i128::MIN,
        Err(_) => i128::MAX,
    };
    T::from_scaled(value, 0)
}

fn from_decimal<T: Decimal>(value: &Bound<'_, PyAny>) -> Result<T, WeightError> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static REAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let is_of = |kind: &PyOnceLock<Py<PyType>>, module, name| {
        let kind = kind.import(value.py(), module, name);
        kind.and_then(|kind| value.is_instance(kind))
            .unwrap_or(false)
    };
    // A boolean is a real number to Python.
    let is_number = is_of(&DECIMAL, "decimal", "Decimal")
        || (!value.is_instance_of::<PyBool>() && is_of(&REAL, "numbers", "Real"));
    if !is_number {
        return Err(WeightError::NotANumber);
    }
    // Decimal has no C interface; its text is exact, and the cheapest way to read it.
    let text = value.str().map_err(|_| WeightError::NotANumber)?;
    let text = text.to_str().map_err(|_| WeightError::NotANumber)?;
    if text.contains("NaN") {
        // Decimal also has `sNaN` and `NaN123`.
        return Err(WeightError::NotFinite);
    }
    T::parse(text)
}
