//! A column of weights, deltas or amounts: a list, a buffer of doubles, or an Arrow column of any numeric type or text.
//!
//! Exact values are read at once, doubles with their rows. One value is read in [`super::decimals`].

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::arrow_in::ArrowColumn;
use super::buffers;
use super::decimals::DecimalReader;
use super::found::{refused_row, refused_row_showing};
use crate::core::{Delta, Deltas, Field, Refusal, Wad, Weights};
use crate::input::{self, Decimal};

/// The values of a column.
pub(super) enum DecimalColumn<T> {
    /// One for each row.
    Doubles(Vec<f64>),
    /// `None` is absent.
    Exact(Vec<Option<T>>),
}

impl<T: Decimal> DecimalColumn<T> {
    /// Reads a column; `ValueError` if it is not one of decimals, or for the first value that is not one.
    pub(super) fn read(field: Field, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(list) = value.cast::<PyList>() {
            return Self::listed(field, list);
        }
        match buffers::exported(field.name(), value)? {
            Some(column) => Self::imported(field, &column),
            None => buffers::doubles(field.name(), value).map(Self::Doubles),
        }
    }

    fn listed(field: Field, list: &Bound<'_, PyList>) -> PyResult<Self> {
        let mut reader = DecimalReader::new();
        let mut exact = Vec::with_capacity(list.len());
        for (row, value) in list.iter().enumerate() {
            let read = reader.read(Some(&value));
            exact.push(
                read.map_err(|error| {
                    refused_row(row, Refusal::Decimal(field, error), Some(&value))
                })?,
            );
        }
        Ok(Self::Exact(exact))
    }

    fn imported(field: Field, column: &ArrowColumn) -> PyResult<Self> {
        let chunks = || column.chunks.iter();
        let values = match &column.kind {
            DataType::Dictionary(_, values) => values,
            plain => plain,
        };
        if !input::DecimalColumn::can_read(values) {
            return Err(buffers::wrong_kind(field.name(), "decimals", &column.kind));
        }
        if *values == DataType::Float64 && chunks().all(is_plain) {
            let doubles = chunks().flat_map(|chunk| chunk.as_primitive::<Float64Type>().values());
            return Ok(Self::Doubles(doubles.copied().collect()));
        }
        let mut exact = Vec::with_capacity(chunks().map(Array::len).sum());
        for chunk in chunks() {
            let values = input::DecimalColumn::new(chunk);
            for row in 0..chunk.len() {
                exact.push(values.get(row).map_err(|error| {
                    let found = values.written(row).map(|written| written.to_string());
                    refused_row_showing(exact.len(), Refusal::Decimal(field, error), found)
                })?);
            }
        }
        Ok(Self::Exact(exact))
    }

    /// What a refusal of `row` shows; exact values were refused when they were read.
    pub(super) fn double(&self, row: usize) -> Option<f64> {
        match self {
            Self::Doubles(doubles) => Some(doubles[row]),
            Self::Exact(_) => None,
        }
    }
}

/// Whether the chunk has a value for each row, and no dictionary.
fn is_plain(chunk: &ArrayRef) -> bool {
    chunk.null_count() == 0 && chunk.as_any_dictionary_opt().is_none()
}

impl DecimalColumn<Wad> {
    pub(super) fn weights(&self) -> Weights<'_> {
        match self {
            Self::Doubles(doubles) => Weights::Doubles(doubles),
            Self::Exact(wads) => Weights::Wads(wads),
        }
    }
}

impl DecimalColumn<Delta> {
    pub(super) fn deltas(&self) -> Deltas<'_> {
        match self {
            Self::Doubles(doubles) => Deltas::Doubles(doubles),
            Self::Exact(deltas) => Deltas::Exact(deltas),
        }
    }
}
