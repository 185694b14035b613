//! Arrow data from any library, imported through the `PyCapsule` interface (`__arrow_c_array__` and
//! `__arrow_c_stream__`) without a copy.
//!
//! Producers are C code of other libraries: their data is checked in full (lengths, offsets, UTF-8) before
//! anything is read from it. What the columns mean is decided in [`super::texts`] and [`super::columns`].
#![allow(
    unsafe_code,
    reason = "the Arrow C data interface hands over raw structures"
)]

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{Array, ArrayReader, ArrayRef, GenericStringArray, OffsetSizeTrait, make_array};
use arrow_schema::{ArrowError, DataType};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

/// The chunks of an Arrow column, all of one type.
pub(super) struct ArrowColumn {
    /// In order; may be empty.
    pub(super) chunks: Vec<ArrayRef>,
    /// Their type.
    pub(super) kind: DataType,
}

/// Whether `value` exports an Arrow column, or with several fields a table.
pub(super) fn is_arrow(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    Ok(value.hasattr(intern!(py, "__arrow_c_array__"))?
        || value.hasattr(intern!(py, "__arrow_c_stream__"))?)
}

/// The chunks of the column that `value` exports; `ValueError` names `column`.
pub(super) fn import(column: &str, value: &Bound<'_, PyAny>) -> PyResult<ArrowColumn> {
    let py = value.py();
    let imported = if let Some(method) = value.getattr_opt(intern!(py, "__arrow_c_array__"))? {
        import_array(&method.call0()?)
    } else {
        import_stream(&value.call_method0(intern!(py, "__arrow_c_stream__"))?)
    };
    let imported = imported.map_err(|error| {
        // A failing stream says more than one line, if its producer is written in Python: its traceback.
        let said = error.value(py).to_string();
        let reason = said.lines().next().unwrap_or_default();
        let refusal = PyValueError::new_err(format!(
            "{column}: the Arrow data cannot be imported: {reason}"
        ));
        refusal.set_cause(py, Some(error));
        refusal
    })?;
    for chunk in &imported.chunks {
        check(chunk).map_err(|error| {
            PyValueError::new_err(format!("{column}: invalid Arrow data: {error}"))
        })?;
    }
    Ok(imported)
}

/// Checks that everything in `chunk` is valid for its type.
fn check(chunk: &ArrayRef) -> Result<(), ArrowError> {
    let data = chunk.to_data();
    let is_simple = match chunk.data_type() {
        DataType::Utf8 => is_ascii_text(chunk.as_string::<i32>()),
        DataType::LargeUtf8 => is_ascii_text(chunk.as_string::<i64>()),
        _ => false,
    };
    if is_simple {
        // Lengths and the outer offsets; everything between them has been checked.
        data.validate()
    } else {
        data.validate_full()
    }
}

/// Whether the offsets never decrease and all bytes between them are ASCII, so that every offset is the
/// start of a character. True of most columns of ids, and ten times as fast as the full check.
fn is_ascii_text<O: OffsetSizeTrait>(texts: &GenericStringArray<O>) -> bool {
    let offsets = texts.value_offsets();
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return false;
    };
    // Without an early exit the compiler vectorises the loop.
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a lazy operator is a branch for each offset"
    )]
    let steps_back = offsets
        .windows(2)
        .fold(false, |any, pair| any | (pair[0] > pair[1]));
    let span = first.to_usize().zip(last.to_usize());
    let spanned = span.and_then(|(first, last)| texts.value_data().get(first..last));
    !steps_back && spanned.is_some_and(<[u8]>::is_ascii)
}

/// From the pair of capsules `(arrow_schema, arrow_array)`.
fn import_array(pair: &Bound<'_, PyAny>) -> PyResult<ArrowColumn> {
    let pair = pair.cast::<PyTuple>()?;
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
    let schema = schema
        .cast::<PyCapsule>()?
        .pointer_checked(Some(c"arrow_schema"))?
        .cast::<FFI_ArrowSchema>();
    let array = array
        .cast::<PyCapsule>()?
        .pointer_checked(Some(c"arrow_array"))?
        .cast::<FFI_ArrowArray>();
    // SAFETY: a capsule of this name holds an `ArrowArray` by the interface's promise; it is moved
    // out and marked as released, so the capsule's destructor leaves it alone.
    let array = unsafe { FFI_ArrowArray::from_raw(array.as_ptr()) };
    if array.is_released() {
        return Err(PyValueError::new_err("the Arrow array was consumed before"));
    }
    // SAFETY: a capsule of this name holds an `ArrowSchema`, which `pair` keeps alive; both describe
    // the same array by the interface's promise.
    let data = unsafe { from_ffi(array, schema.as_ref()) }.map_err(arrow_failed)?;
    let array = make_array(data);
    Ok(ArrowColumn {
        kind: array.data_type().clone(),
        chunks: vec![array],
    })
}

/// From a capsule `arrow_array_stream`.
fn import_stream(capsule: &Bound<'_, PyAny>) -> PyResult<ArrowColumn> {
    let stream = capsule
        .cast::<PyCapsule>()?
        .pointer_checked(Some(c"arrow_array_stream"))?
        .cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds an `ArrowArrayStream` by the interface's promise; it is
    // moved out and marked as released, so the capsule's destructor leaves it alone.
    let reader = unsafe { ArrayStreamReader::from_raw(stream.as_ptr()) }.map_err(arrow_failed)?;
    let kind = reader.field().data_type().clone();
    let chunks = reader
        .map(|chunk| chunk.map_err(arrow_failed))
        .collect::<PyResult<_>>()?;
    Ok(ArrowColumn { chunks, kind })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "what `map_err` calls with the error itself"
)]
fn arrow_failed(error: ArrowError) -> PyErr {
    PyTypeError::new_err(error.to_string())
}
