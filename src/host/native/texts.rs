//! A column of texts: a list of `str`, or an Arrow column of strings.
//!
//! Nothing is copied: the texts stay where Python or Arrow keeps them, held for the whole call.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use super::arrow_in::{self, ArrowColumn};

/// The objects that hold the texts of a column.
pub(super) struct Texts<'py> {
    column: &'static str,
    held: Held<'py>,
}

enum Held<'py> {
    /// References of our own: another thread may change the list while we are detached.
    Listed(Vec<Bound<'py, PyAny>>),
    Arrow(Vec<ArrayRef>),
}

impl<'py> Texts<'py> {
    /// Takes hold of a column; `ValueError` where it is none.
    pub(super) fn read(column: &'static str, value: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(list) = value.cast::<PyList>() {
            let held = Held::Listed(list.iter().collect());
            return Ok(Self { column, held });
        }
        if !arrow_in::is_arrow(value)? {
            let kind = value.get_type().name()?;
            return Err(PyValueError::new_err(format!(
                "{column}: give a list of str or an Arrow column of strings, not {kind}"
            )));
        }
        let ArrowColumn { chunks, kind } = arrow_in::import(column, value)?;
        if !is_text(&kind) {
            return Err(PyValueError::new_err(format!(
                "{column}: an Arrow column of strings is needed, not of {kind}"
            )));
        }
        Ok(Self {
            column,
            held: Held::Arrow(chunks),
        })
    }

    /// The texts, an empty one where there is none.
    pub(super) fn present(&self) -> PyResult<Vec<&str>> {
        let mut texts = Vec::with_capacity(self.len());
        self.visit(|text| texts.push(text.unwrap_or_default()))?;
        Ok(texts)
    }

    /// The texts, `None` where there is none.
    pub(super) fn optional(&self) -> PyResult<Vec<Option<&str>>> {
        let mut texts = Vec::with_capacity(self.len());
        self.visit(|text| texts.push(text))?;
        Ok(texts)
    }

    fn len(&self) -> usize {
        match &self.held {
            Held::Listed(objects) => objects.len(),
            Held::Arrow(chunks) => chunks.iter().map(Array::len).sum(),
        }
    }

    fn visit<'a>(&'a self, mut visit: impl FnMut(Option<&'a str>)) -> PyResult<()> {
        match &self.held {
            Held::Listed(objects) => {
                for (row, object) in objects.iter().enumerate() {
                    let text = object.cast::<PyString>().ok();
                    match text.and_then(|text| text.to_str().ok()) {
                        Some(text) => visit(Some(text)),
                        None if object.is_none() => visit(None),
                        None => {
                            return Err(PyValueError::new_err(format!(
                                "row {row}: {}: not text",
                                self.column
                            )));
                        }
                    }
                }
            }
            Held::Arrow(chunks) => {
                for chunk in chunks {
                    visit_chunk(chunk, &mut visit);
                }
            }
        }
        Ok(())
    }
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

fn visit_chunk<'a>(chunk: &'a ArrayRef, visit: &mut impl FnMut(Option<&'a str>)) {
    let Some(dictionary) = chunk.as_any_dictionary_opt() else {
        return visit_plain(chunk, visit);
    };
    let mut values = Vec::with_capacity(dictionary.values().len());
    visit_plain(dictionary.values(), &mut |value| values.push(value));
    if values.is_empty() {
        // All keys are null: there is nothing that they could point to.
        return (0..chunk.len()).for_each(|_| visit(None));
    }
    let keys = dictionary.keys();
    for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
        visit(if keys.is_null(row) { None } else { values[key] });
    }
}

fn visit_plain<'a>(chunk: &'a ArrayRef, visit: &mut impl FnMut(Option<&'a str>)) {
    match chunk.data_type() {
        DataType::Utf8 => chunk.as_string::<i32>().iter().for_each(visit),
        DataType::LargeUtf8 => chunk.as_string::<i64>().iter().for_each(visit),
        DataType::Utf8View => chunk.as_string_view().iter().for_each(visit),
        kind => unreachable!("a column of {kind} is refused when it is taken hold of"),
    }
}
