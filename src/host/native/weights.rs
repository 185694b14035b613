//! Weights from Python: text, `int`, `float` and `Decimal`, each exactly as it is written.
//!
//! A float is the shortest decimal that prints back to it. Anything else is refused as not a number, also
//! `bool`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyString, PyType};

use super::memo::Memo;
use super::values::is_integer;
use crate::core::{Wad, WeightError};

/// Reads weights with a cache by identity, because most events share a few objects.
pub(super) struct WeightReader<'py> {
    memo: Memo<'py, Wad>,
}

impl<'py> WeightReader<'py> {
    pub(super) fn new() -> Self {
        Self { memo: Memo::new() }
    }

    /// The weight of `value`; 1 for `None`.
    #[inline]
    pub(super) fn read(&mut self, value: Option<&Bound<'py, PyAny>>) -> Result<Wad, WeightError> {
        match value {
            None => Ok(Wad::ONE),
            Some(value) => self.memo.get_or(value, || weight(value)),
        }
    }
}

/// The weight of `value`; 1 for `None`.
pub(super) fn weight(value: &Bound<'_, PyAny>) -> Result<Wad, WeightError> {
    if let Ok(text) = value.cast::<PyString>() {
        return Wad::parse(text.to_str().map_err(|_| WeightError::NotANumber)?);
    }
    if let Ok(double) = value.cast::<PyFloat>() {
        return Wad::from_double(double.value());
    }
    if value.is_none() {
        return Ok(Wad::ONE);
    }
    if is_integer(value) {
        return whole(value);
    }
    decimal(value)
}

fn whole(value: &Bound<'_, PyAny>) -> Result<Wad, WeightError> {
    let Ok(whole) = value.extract::<u128>() else {
        let is_negative = value.lt(0).map_err(|_| WeightError::NotANumber)?;
        return Err(if is_negative {
            WeightError::Negative
        } else {
            WeightError::TooLarge
        });
    };
    whole
        .checked_mul(Wad::ONE.steps())
        .map(Wad::from_steps)
        .ok_or(WeightError::TooLarge)
}

fn decimal(value: &Bound<'_, PyAny>) -> Result<Wad, WeightError> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let kind = DECIMAL
        .import(value.py(), "decimal", "Decimal")
        .map_err(|_| WeightError::NotANumber)?;
    if !value.is_instance(kind).unwrap_or(false) {
        return Err(WeightError::NotANumber);
    }
    // Decimal has no C interface; its text is exact, and the cheapest way to read it.
    let text = value.str().map_err(|_| WeightError::NotANumber)?;
    let text = text.to_str().map_err(|_| WeightError::NotANumber)?;
    if text.contains("NaN") {
        // Decimal also has `sNaN` and `NaN123`.
        return Err(WeightError::NotFinite);
    }
    Wad::parse(text)
}
