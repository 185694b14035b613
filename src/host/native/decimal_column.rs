//! A column of weights, deltas or amounts: a list, a buffer of doubles or an Arrow column of them.
//!
//! Exact values are read at once, doubles with their rows. One value is read in [`super::decimals`].

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::buffers::{self, Doubles};
use super::decimals::{DecimalReader, Exact};
use super::found::refused_row;
use crate::core::{Delta, Deltas, Field, Refusal, Wad, WeightError, Weights};

/// The values of a column.
pub(super) enum DecimalColumn<T> {
    /// One for each row.
    Doubles(Vec<f64>),
    /// `None` is absent.
    Exact(Vec<Option<T>>),
}

impl<T: Exact> DecimalColumn<T> {
    /// Reads a column; `ValueError` if it is not one of decimals, or for the first value that is not one.
    pub(super) fn read(field: Field, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let refused = |row, error: WeightError, value: Option<&Bound<'_, PyAny>>| {
            refused_row(row, Refusal::Decimal(field, error), value)
        };
        if let Ok(list) = value.cast::<PyList>() {
            let mut reader = DecimalReader::new();
            let mut exact = Vec::with_capacity(list.len());
            for (row, value) in list.iter().enumerate() {
                let read = reader.read(Some(&value));
                exact.push(read.map_err(|error| refused(row, error, Some(&value)))?);
            }
            return Ok(Self::Exact(exact));
        }
        let doubles = match buffers::doubles(field.name(), value)? {
            Doubles::All(doubles) => return Ok(Self::Doubles(doubles)),
            Doubles::Some(doubles) => doubles,
        };
        let mut exact = Vec::with_capacity(doubles.len());
        for (row, double) in doubles.into_iter().enumerate() {
            let read = double.map(T::from_double).transpose();
            exact.push(match read {
                Ok(decimal) => decimal,
                Err(error) => {
                    let double = double.into_bound_py_any(value.py())?;
                    return Err(refused(row, error, Some(&double)));
                }
            });
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
