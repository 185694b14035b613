//! Many events at once, as columns: lists, buffers and Arrow columns in any combination.
//!
//! Numbers are copied out of their buffers, because Python may change those while we are detached;
//! texts stay where they are, see [`super::texts`]. A column of the wrong type, format or shape is
//! refused by name before any row is read. Rows are checked by [`EventColumns`].

use arrow_array::types::{Float64Type, Int64Type};
use arrow_schema::DataType;
use pyo3::buffer::{Element, PyBuffer, PyUntypedBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyMemoryView};

use super::arrow_in;
use super::texts::Texts;
use super::values;
use super::weights::WeightReader;
use crate::aggregator::BatchRefusal;
use crate::core::columns::ABSENT;
use crate::core::{Deltas, EventColumns, Refusal, Wad, Weights};
use crate::host::errors::refused;

/// The columns as they were passed.
pub(super) struct ColumnArguments<'a, 'py> {
    pub(super) token_id: &'a Bound<'py, PyAny>,
    pub(super) holder_id: &'a Bound<'py, PyAny>,
    pub(super) start_us: Option<&'a Bound<'py, PyAny>>,
    pub(super) end_us: Option<&'a Bound<'py, PyAny>>,
    pub(super) weight: Option<&'a Bound<'py, PyAny>>,
    pub(super) event_id: Option<&'a Bound<'py, PyAny>>,
    pub(super) revision: Option<&'a Bound<'py, PyAny>>,
    pub(super) retract: Option<&'a Bound<'py, PyAny>>,
}

/// The columns, copied or referenced.
pub(super) struct Columns<'py> {
    token_id: Texts<'py>,
    holder_id: Texts<'py>,
    start: Option<Vec<i64>>,
    end: Option<Vec<i64>>,
    weight: WeightColumn,
    event_id: Option<Texts<'py>>,
    revision: Option<Vec<i64>>,
    retract: Option<Vec<bool>>,
}

enum WeightColumn {
    One,
    Doubles(Vec<f64>),
    Wads(Vec<Option<Wad>>),
}

/// The columns as slices, from which [`EventColumns`] is made.
pub(super) struct ColumnSlices<'a> {
    token_id: Vec<&'a str>,
    holder_id: Vec<&'a str>,
    start: Vec<i64>,
    end: Vec<i64>,
    weight: &'a WeightColumn,
    event_id: Option<Vec<Option<&'a str>>>,
    revision: Option<&'a [i64]>,
    retract: Option<&'a [bool]>,
}

impl<'py> Columns<'py> {
    /// Reads each column; `ValueError` names the one that cannot be used.
    pub(super) fn read(arguments: &ColumnArguments<'_, 'py>) -> PyResult<Self> {
        // Reading weights may run Python code (a subclass of Decimal), so it comes first.
        let weight = arguments.weight.map_or(Ok(WeightColumn::One), weights)?;
        let texts =
            |column, value: Option<_>| value.map(|value| Texts::read(column, value)).transpose();
        let integers =
            |column, value: Option<_>| value.map(|value| integers(column, value)).transpose();
        Ok(Self {
            token_id: Texts::read("token_id", arguments.token_id)?,
            holder_id: Texts::read("holder_id", arguments.holder_id)?,
            start: integers("start_us", arguments.start_us)?,
            end: integers("end_us", arguments.end_us)?,
            weight,
            event_id: texts("event_id", arguments.event_id)?,
            revision: integers("revision", arguments.revision)?,
            retract: arguments.retract.map(truths).transpose()?,
        })
    }

    /// The columns as slices; `ValueError` if a value of a text column is not text.
    pub(super) fn slices(&mut self) -> PyResult<ColumnSlices<'_>> {
        let token_id = self.token_id.present()?;
        let rows = token_id.len();
        let times =
            |times: &mut Option<Vec<i64>>| times.take().unwrap_or_else(|| vec![ABSENT; rows]);
        Ok(ColumnSlices {
            token_id,
            holder_id: self.holder_id.present()?,
            start: times(&mut self.start),
            end: times(&mut self.end),
            weight: &self.weight,
            event_id: self.event_id.as_ref().map(Texts::optional).transpose()?,
            revision: self.revision.as_deref(),
            retract: self.retract.as_deref(),
        })
    }
}

impl ColumnSlices<'_> {
    /// The rows.
    pub(super) fn columns(&self) -> EventColumns<'_> {
        EventColumns {
            token_id: &self.token_id,
            holder_id: &self.holder_id,
            start: &self.start,
            end: &self.end,
            weight: match self.weight {
                WeightColumn::One => Weights::One,
                WeightColumn::Doubles(doubles) => Weights::Doubles(doubles),
                WeightColumn::Wads(wads) => Weights::Wads(wads),
            },
            event_id: self.event_id.as_deref(),
            revision: self.revision,
            retract: self.retract,
            at: None,
            delta: Deltas::None,
            seq: None,
        }
    }
}

/// A column of `int64`; a null of an Arrow column is an absent value.
fn integers(column: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    if !is_buffer(value) && arrow_in::is_arrow(value)? {
        let imported = arrow_in::import(column, value)?;
        if imported.kind != DataType::Int64 {
            return Err(wrong_kind(column, "int64", &imported.kind.to_string()));
        }
        let chunks = imported.chunks.iter();
        let values = chunks.flat_map(arrow_array::cast::AsArray::as_primitive::<Int64Type>);
        return Ok(values.map(|value| value.unwrap_or(ABSENT)).collect());
    }
    buffer(column, "int64", value)
}

fn weights<'py>(value: &Bound<'py, PyAny>) -> PyResult<WeightColumn> {
    let column = "weight";
    if let Ok(list) = value.cast::<PyList>() {
        let mut reader = WeightReader::new();
        let read = |(row, weight): (usize, Bound<'py, PyAny>)| {
            reader.read(Some(&weight)).map(Some).map_err(|error| {
                let refusal = Refusal::from(error);
                refused(BatchRefusal::Row { row, refusal })
            })
        };
        let wads = list.iter().enumerate().map(read).collect::<PyResult<_>>()?;
        return Ok(WeightColumn::Wads(wads));
    }
    if !is_buffer(value) && arrow_in::is_arrow(value)? {
        let imported = arrow_in::import(column, value)?;
        if imported.kind != DataType::Float64 {
            return Err(wrong_kind(column, "float64", &imported.kind.to_string()));
        }
        let chunks = imported.chunks.iter();
        let values = chunks.flat_map(arrow_array::cast::AsArray::as_primitive::<Float64Type>);
        return Ok(WeightColumn::Doubles(
            values.map(|value| value.unwrap_or(1.0)).collect(),
        ));
    }
    buffer(column, "float64", value).map(WeightColumn::Doubles)
}

/// A column of booleans: a buffer of bool or of bytes 0 and 1, or a list of bool.
fn truths(value: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    let refused_row = |row| {
        refused(BatchRefusal::Row {
            row,
            refusal: Refusal::Retract,
        })
    };
    if let Ok(list) = value.cast::<PyList>() {
        let read = |(row, truth): (usize, Bound<'_, PyAny>)| {
            values::retract(Some(&truth)).map_err(|_| refused_row(row))
        };
        return list.iter().enumerate().map(read).collect();
    }
    let bytes: Vec<u8> = buffer("retract", "bool", value)?;
    let truth = |(row, byte)| match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(refused_row(row)),
    };
    bytes.into_iter().enumerate().map(truth).collect()
}

fn is_buffer(value: &Bound<'_, PyAny>) -> bool {
    PyMemoryView::from(value).is_ok()
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
    // A memoryview adds what some exporters omit, such as the strides of ctypes.
    let Ok(view) = PyMemoryView::from(value) else {
        let kind = value.get_type().name()?;
        return Err(wrong_kind(column, needed, &kind.to_string()));
    };
    let untyped = PyUntypedBuffer::get(&view)?;
    if !has_format::<T>(&untyped) {
        let found = format!(
            "a buffer of format {:?}",
            untyped.format().to_string_lossy()
        );
        return Err(wrong_kind(column, needed, &found));
    }
    if untyped.dimensions() != 1 || !untyped.is_c_contiguous() {
        return Err(wrong_kind(
            column,
            needed,
            "a strided or multi-dimensional buffer",
        ));
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

fn wrong_kind(column: &str, needed: &str, found: &str) -> PyErr {
    PyValueError::new_err(format!(
        "{column}: a contiguous one-dimensional buffer of {needed} is needed, not {found}"
    ))
}
