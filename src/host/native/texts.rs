//! A column of texts: a list of `str`, or an Arrow column of strings. An integer id is the text of its digits.
//!
//! No text is copied: references keep the texts of Python or Arrow alive for the whole call.
#![allow(
    unsafe_code,
    reason = "a text costs a nanosecond this way, and several if each step is checked again"
)]

use std::slice;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, GenericStringArray, OffsetSizeTrait, StringArray, downcast_integer_array,
};
use arrow_schema::DataType;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use super::arrow_in::{self, ArrowColumn};
use super::found::refused_row;
use super::values;
use crate::core::{Field, Refusal};

/// The objects that own the texts of a column.
pub(super) struct Texts<'py> {
    field: Field,
    held: Held<'py>,
}

enum Held<'py> {
    /// References of our own: another thread may change the list while we are detached.
    Listed(Vec<Bound<'py, PyAny>>),
    Arrow(Vec<ArrayRef>),
}

impl<'py> Texts<'py> {
    /// References a column; `ValueError` if it is not one of texts.
    pub(super) fn read(field: Field, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        let column = field.name();
        if let Ok(list) = value.cast::<PyList>() {
            let text = |object: Bound<'py, PyAny>| match field {
                Field::EventId => object,
                _ => with_digits(object),
            };
            let held = Held::Listed(list.iter().map(text).collect());
            return Ok(Self { field, held });
        }
        if !arrow_in::is_arrow(value)? {
            let kind = value.get_type().name()?;
            return Err(PyValueError::new_err(format!(
                "{column}: expected a list of str or an Arrow column of strings, found {kind}"
            )));
        }
        let ArrowColumn { mut chunks, kind } = arrow_in::import(column, value)?;
        if kind.is_integer() && field != Field::EventId {
            for chunk in &mut chunks {
                *chunk = digits(chunk);
            }
        } else if !is_text(&kind) {
            return Err(PyValueError::new_err(format!(
                "{column}: expected an Arrow column of strings, found one of {kind}"
            )));
        }
        Ok(Self {
            field,
            held: Held::Arrow(chunks),
        })
    }

    /// The texts; an empty one for a null.
    pub(super) fn present(&self) -> PyResult<Vec<&str>> {
        self.gather(Option::unwrap_or_default)
    }

    /// The texts; `None` for a null.
    pub(super) fn optional(&self) -> PyResult<Vec<Option<&str>>> {
        self.gather(|text| text)
    }

    fn gather<'a, T>(&'a self, take: impl Fn(Option<&'a str>) -> T + Copy) -> PyResult<Vec<T>> {
        match &self.held {
            Held::Listed(objects) => {
                let mut texts = Vec::with_capacity(objects.len());
                for (row, object) in objects.iter().enumerate() {
                    let text = listed(object).map_err(|NotText| {
                        let refusal = match self.field {
                            Field::EventId => Refusal::EventId,
                            field => Refusal::IdNotText(field),
                        };
                        refused_row(row, refusal, Some(object))
                    })?;
                    texts.push(take(text));
                }
                Ok(texts)
            }
            Held::Arrow(chunks) => {
                let mut texts = Vec::with_capacity(chunks.iter().map(Array::len).sum());
                for chunk in chunks {
                    gather_chunk(chunk, &mut texts, take);
                }
                Ok(texts)
            }
        }
    }
}

/// An object of a list is neither text nor `None`.
struct NotText;

/// An integer as the text of its digits, any other object as it is.
#[inline]
fn with_digits(object: Bound<'_, PyAny>) -> Bound<'_, PyAny> {
    if object.is_instance_of::<PyString>() || object.is_none() {
        return object;
    }
    let digits = values::integer(&object).and_then(|number| number.str().ok());
    digits.map_or(object, Bound::into_any)
}

/// A chunk of integers as the texts of their digits.
fn digits(chunk: &ArrayRef) -> ArrayRef {
    downcast_integer_array!(
        chunk => {
            let texts = chunk.iter().map(|number| number.map(|number| number.to_string()));
            Arc::new(texts.collect::<StringArray>())
        }
        kind => unreachable!("a column of {kind} has no integers")
    )
}

/// The text of an object of a list.
#[inline]
fn listed<'a>(object: &'a Bound<'_, PyAny>) -> Result<Option<&'a str>, NotText> {
    let Ok(text) = object.cast::<PyString>() else {
        return if object.is_none() {
            Ok(None)
        } else {
            Err(NotText)
        };
    };
    match ascii(text) {
        Some(text) => Ok(Some(text)),
        None => text.to_str().map(Some).map_err(|_| NotText),
    }
}

/// The characters of a text that Python stores as ASCII, without a call into Python.
#[cfg(not(any(Py_LIMITED_API, Py_3_14)))]
#[inline]
fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    use pyo3::ffi;

    let text = text.as_ptr();
    // SAFETY: `text` is a live `str`, which never changes; a compact ASCII one has as many bytes of
    // ASCII at its data as it is long.
    unsafe {
        if ffi::PyUnicode_IS_COMPACT_ASCII(text) == 0 {
            return None;
        }
        let length = usize::try_from(ffi::PyUnicode_GET_LENGTH(text)).ok()?;
        let bytes = slice::from_raw_parts(ffi::PyUnicode_DATA(text).cast(), length);
        Some(str::from_utf8_unchecked(bytes))
    }
}

/// If the layout of `str` is not part of the interface, Python is called for each text.
#[cfg(any(Py_LIMITED_API, Py_3_14))]
const fn ascii<'a>(_text: &'a Bound<'_, PyString>) -> Option<&'a str> {
    None
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_plain_text(values),
        kind => is_plain_text(kind),
    }
}

fn is_plain_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn gather_chunk<'a, T>(
    chunk: &'a ArrayRef,
    texts: &mut Vec<T>,
    take: impl Fn(Option<&'a str>) -> T + Copy,
) {
    let Some(dictionary) = chunk.as_any_dictionary_opt() else {
        return gather_plain(chunk, texts, take);
    };
    let mut values = Vec::with_capacity(dictionary.values().len());
    gather_plain(dictionary.values(), &mut values, |value| value);
    if values.is_empty() {
        // Without values, all keys are null.
        return texts.extend((0..chunk.len()).map(|_| take(None)));
    }
    let keys = dictionary.keys();
    let rows = dictionary.normalized_keys().into_iter().enumerate();
    texts.extend(rows.map(|(row, key)| take(if keys.is_null(row) { None } else { values[key] })));
}

fn gather_plain<'a, T>(
    chunk: &'a ArrayRef,
    texts: &mut Vec<T>,
    take: impl Fn(Option<&'a str>) -> T + Copy,
) {
    match chunk.data_type() {
        DataType::Utf8 => gather_offsets(chunk.as_string::<i32>(), texts, take),
        DataType::LargeUtf8 => gather_offsets(chunk.as_string::<i64>(), texts, take),
        DataType::Utf8View => texts.extend(chunk.as_string_view().iter().map(take)),
        kind => unreachable!("a column of {kind} is refused when it is read"),
    }
}

/// Straight from the offsets: half the time of asking the array for each row.
fn gather_offsets<'a, O: OffsetSizeTrait, T>(
    array: &'a GenericStringArray<O>,
    texts: &mut Vec<T>,
    take: impl Fn(Option<&'a str>) -> T + Copy,
) {
    if array.null_count() > 0 {
        return texts.extend(array.iter().map(take));
    }
    let data = array.value_data().as_ptr();
    texts.extend(array.value_offsets().windows(2).map(|pair| {
        let (first, last) = (pair[0].as_usize(), pair[1].as_usize());
        // SAFETY: offsets are in order and within the data, and the bytes between two of them are UTF-8: an
        // imported array was checked, and one of our own is valid.
        let text = unsafe {
            str::from_utf8_unchecked(slice::from_raw_parts(data.add(first), last - first))
        };
        take(Some(text))
    }));
}
