//! Weights, deltas and amounts from Python: text, `int`, `float` and `Decimal`, each exactly as it is written.
//!
//! A float is the shortest decimal that prints back to it; an integer may be one of another library, such as
//! NumPy. Anything else is refused as not a number, also `bool`. `None` is absent.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyString, PyType};

use super::memo::Memo;
use super::values;
use crate::core::{Delta, Wad, WeightError};

/// A decimal of the core: a [`Wad`], or with a sign a [`Delta`].
pub(super) trait Exact: Copy {
    /// Reads a decimal as it is written.
    fn from_text(text: &str) -> Result<Self, WeightError>;
    /// Reads the shortest decimal that reads back as `value`.
    fn from_double(value: f64) -> Result<Self, WeightError>;
    /// A decimal of this size; `None` if the size is too large.
    fn from_size(size: Option<Wad>, is_negative: bool) -> Result<Self, WeightError>;
}

impl Exact for Wad {
    fn from_text(text: &str) -> Result<Self, WeightError> {
        Self::parse(text)
    }

    fn from_double(value: f64) -> Result<Self, WeightError> {
        Self::from_double(value)
    }

    fn from_size(size: Option<Wad>, is_negative: bool) -> Result<Self, WeightError> {
        if is_negative {
            return Err(WeightError::Negative);
        }
        size.ok_or(WeightError::TooLarge)
    }
}

impl Exact for Delta {
    fn from_text(text: &str) -> Result<Self, WeightError> {
        Self::parse(text)
    }

    fn from_double(value: f64) -> Result<Self, WeightError> {
        Self::from_double(value)
    }

    fn from_size(size: Option<Wad>, is_negative: bool) -> Result<Self, WeightError> {
        let size = size.ok_or(WeightError::TooLarge)?;
        Ok(Self::new(size, is_negative))
    }
}

/// Reads decimals with a cache by identity, because most events share a few objects.
pub(super) struct DecimalReader<'py, T> {
    memo: Memo<'py, T>,
}

impl<'py, T: Exact> DecimalReader<'py, T> {
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
pub(super) fn decimal<T: Exact>(
    value: Option<&Bound<'_, PyAny>>,
) -> Result<Option<T>, WeightError> {
    let value = value.filter(|value| !value.is_none());
    value.map(present).transpose()
}

fn present<T: Exact>(value: &Bound<'_, PyAny>) -> Result<T, WeightError> {
    if let Ok(text) = value.cast::<PyString>() {
        return T::from_text(text.to_str().map_err(|_| WeightError::NotANumber)?);
    }
    if let Ok(double) = value.cast::<PyFloat>() {
        return T::from_double(double.value());
    }
    match values::integer(value) {
        Some(whole) => from_whole(&whole),
        None => from_decimal(value),
    }
}

fn from_whole<T: Exact>(whole: &Bound<'_, PyAny>) -> Result<T, WeightError> {
    let wad = |size: u128| size.checked_mul(Wad::ONE.steps()).map(Wad::from_steps);
    if let Ok(size) = whole.extract() {
        return T::from_size(wad(size), false);
    }
    let is_negative = whole.lt(0).map_err(|_| WeightError::NotANumber)?;
    let size = whole.abs().map_err(|_| WeightError::NotANumber)?;
    T::from_size(size.extract().ok().and_then(wad), is_negative)
}

fn from_decimal<T: Exact>(value: &Bound<'_, PyAny>) -> Result<T, WeightError> {
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
    T::from_text(text)
}
