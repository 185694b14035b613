//! Columns of numbers and flags: buffers of one dimension, and Arrow columns of the same types. Arrow columns of
//! decimals have more types and are read in [`super::decimal_column`].
//!
//! Numbers are copied, because Python may change a buffer while we are detached. A column of another type,
//! format or shape is refused by name. What the numbers mean is decided in [`super::columns`].

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use pyo3::buffer::{Element, PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

use super::arrow_in::{self, ArrowColumn};

/// A column of `int64`; `absent` takes the place of the nulls of an Arrow column.
pub(super) fn integers(column: &str, value: &Bound<'_, PyAny>, absent: i64) -> PyResult<Vec<i64>> {
    let Some(imported) = arrow(column, "int64", &DataType::Int64, value)? else {
        return buffer(column, "int64", value);
    };
    let chunks = imported.chunks.iter();
    let values = chunks.flat_map(AsArray::as_primitive::<Int64Type>);
    Ok(values.map(|value| value.unwrap_or(absent)).collect())
}

/// A buffer of `float64`.
pub(super) fn doubles(column: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<f64>> {
    buffer(column, "float64", value)
}

/// A column of bool, or of bytes that stand for one; a null of an Arrow column is `false`.
pub(super) fn flags(column: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let Some(imported) = arrow(column, "bool", &DataType::Boolean, value)? else {
        return buffer(column, "bool", value);
    };
    let values = imported.chunks.iter().flat_map(AsArray::as_boolean);
    Ok(values
        .map(|value| u8::from(value.unwrap_or(false)))
        .collect())
}

/// The Arrow column that `value` exports; `None` if it is a buffer or exports none.
pub(super) fn exported(column: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<ArrowColumn>> {
    if PyMemoryView::from(value).is_ok() || !arrow_in::is_arrow(value)? {
        return Ok(None);
    }
    arrow_in::import(column, value).map(Some)
}

/// The error of an Arrow column of another type than `needed`.
pub(super) fn wrong_kind(column: &str, needed: &str, found: &DataType) -> PyErr {
    PyValueError::new_err(format!(
        "{column}: expected an Arrow column of {needed}, found one of {found}"
    ))
}

/// The Arrow column that `value` exports, of the type `kind`; `None` if it is a buffer or exports none.
fn arrow(
    column: &str,
    needed: &str,
    kind: &DataType,
    value: &Bound<'_, PyAny>,
) -> PyResult<Option<ArrowColumn>> {
    let imported = exported(column, value)?;
    match imported {
        Some(imported) if imported.kind != *kind => Err(wrong_kind(column, needed, &imported.kind)),
        imported => Ok(imported),
    }
}

/// A type of number that a column may have.
trait Number: Element {
    /// Its format characters in the notation of `struct`, in native byte order.
    const FORMATS: &'static [u8];
    const LETTER: &'static str;
}

impl Number for i64 {
    const FORMATS: &'static [u8] = b"qln";
    const LETTER: &'static str = "q";
}

impl Number for f64 {
    const FORMATS: &'static [u8] = b"d";
    const LETTER: &'static str = "d";
}

/// Also booleans, one byte each.
impl Number for u8 {
    const FORMATS: &'static [u8] = b"B?";
    const LETTER: &'static str = "B";
}

/// A copy of a one-dimensional, contiguous buffer of `T` in native byte order.
fn buffer<T: Number>(column: &str, needed: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<T>> {
    let refused = |found: &str| {
        PyValueError::new_err(format!(
            "{column}: expected a contiguous one-dimensional buffer of {needed}, found {found}"
        ))
    };
    // A memoryview adds what some exporters omit, such as the strides of ctypes.
    let Ok(view) = PyMemoryView::from(value) else {
        return Err(refused(&value.get_type().name()?.to_string()));
    };
    let untyped = PyUntypedBuffer::get(&view)?;
    if !has_format::<T>(&untyped) {
        let format = untyped.format().to_string_lossy();
        return Err(refused(&format!("one of format '{format}'")));
    }
    if untyped.dimensions() != 1 {
        let dimensions = untyped.dimensions();
        return Err(refused(&format!("one of {dimensions} dimensions")));
    }
    if !untyped.is_c_contiguous() {
        return Err(refused("a strided one"));
    }
    if let Ok(typed) = untyped.as_typed::<T>() {
        return typed.to_vec(value.py());
    }
    // The same type in another notation, such as `<q` for `q`.
    let bytes = view.call_method0("tobytes")?;
    let numbers = PyMemoryView::from(&bytes)?.call_method1("cast", (T::LETTER,))?;
    PyBuffer::<T>::get(&numbers)?.to_vec(value.py())
}

fn has_format<T: Number>(buffer: &PyUntypedBuffer) -> bool {
    let letter = match buffer.format().to_bytes() {
        [letter] | [b'@' | b'=', letter] => letter,
        [b'<', letter] if cfg!(target_endian = "little") => letter,
        [b'>' | b'!', letter] if cfg!(target_endian = "big") => letter,
        _ => return false,
    };
    T::FORMATS.contains(letter) && buffer.item_size() == size_of::<T>()
}
