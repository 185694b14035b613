//! Many events at once, as columns: lists, buffers and Arrow columns in any combination.
//!
//! Numbers are copied out of their buffers, see [`super::buffers`]; texts stay where they are, see
//! [`super::texts`]. A column of the wrong type, format or shape is refused by name before any row is read.
//! Rows are checked by [`EventColumns`].

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::buffers;
use super::decimal_column::DecimalColumn;
use super::found::refused_row;
use super::texts::Texts;
use super::values;
use crate::aggregator::BatchRefusal;
use crate::core::columns::ABSENT;
use crate::core::{
    Delta, Deltas, EventColumns, Field, LengthMismatch, Refusal, TransferColumns, Wad, Weights,
};
use crate::host::errors::refused;

/// The columns as they were passed.
pub(super) struct ColumnArguments<'a, 'py> {
    pub(super) token_id: &'a Bound<'py, PyAny>,
    pub(super) holder_id: Option<&'a Bound<'py, PyAny>>,
    pub(super) start_us: Option<&'a Bound<'py, PyAny>>,
    pub(super) end_us: Option<&'a Bound<'py, PyAny>>,
    pub(super) weight: Option<&'a Bound<'py, PyAny>>,
    pub(super) event_id: Option<&'a Bound<'py, PyAny>>,
    pub(super) revision: Option<&'a Bound<'py, PyAny>>,
    pub(super) retract: Option<&'a Bound<'py, PyAny>>,
    pub(super) at_us: Option<&'a Bound<'py, PyAny>>,
    pub(super) delta: Option<&'a Bound<'py, PyAny>>,
    pub(super) seq: Option<&'a Bound<'py, PyAny>>,
    pub(super) from_id: Option<&'a Bound<'py, PyAny>>,
    pub(super) to_id: Option<&'a Bound<'py, PyAny>>,
    pub(super) amount: Option<&'a Bound<'py, PyAny>>,
}

impl ColumnArguments<'_, '_> {
    /// Whether no column names a holder, so that `token_id` must be a table.
    pub(super) const fn is_table(&self) -> bool {
        self.holder_id.is_none() && !self.has_transfers()
    }

    const fn has_transfers(&self) -> bool {
        self.from_id.is_some() || self.to_id.is_some() || self.amount.is_some()
    }
}

/// The columns, copied or referenced.
pub(super) struct Columns<'py> {
    token_id: Texts<'py>,
    holder_id: Option<Texts<'py>>,
    start: Option<Vec<i64>>,
    end: Option<Vec<i64>>,
    weight: Option<DecimalColumn<Wad>>,
    event_id: Option<Texts<'py>>,
    revision: Option<Vec<i64>>,
    retract: Option<Vec<bool>>,
    at: Option<Vec<i64>>,
    delta: Option<DecimalColumn<Delta>>,
    seq: Option<Vec<i64>>,
    /// Whether there is a column that transfers alone have.
    has_transfers: bool,
    from_id: Option<Texts<'py>>,
    to_id: Option<Texts<'py>>,
    amount: Option<DecimalColumn<Wad>>,
}

/// The columns as slices, from which [`EventColumns`] is made.
pub(super) struct ColumnSlices<'a> {
    token_id: Vec<&'a str>,
    holder_id: Vec<&'a str>,
    start: Vec<i64>,
    end: Vec<i64>,
    weight: Option<&'a DecimalColumn<Wad>>,
    event_id: Option<Vec<Option<&'a str>>>,
    revision: Option<&'a [i64]>,
    retract: Option<&'a [bool]>,
    at: Option<&'a [i64]>,
    delta: Option<&'a DecimalColumn<Delta>>,
    seq: Option<&'a [i64]>,
    has_transfers: bool,
    from_id: Option<Vec<Option<&'a str>>>,
    to_id: Option<Vec<Option<&'a str>>>,
    amount: Option<&'a DecimalColumn<Wad>>,
}

impl<'py> Columns<'py> {
    /// Reads each column; `ValueError` names the one that cannot be used.
    pub(super) fn read(arguments: &ColumnArguments<'_, 'py>) -> PyResult<Self> {
        let wads = |field, value: Option<_>| {
            value
                .map(|value| DecimalColumn::read(field, value))
                .transpose()
        };
        let deltas = |value| DecimalColumn::read(Field::Delta, value);
        // Reading decimals may run Python code (a subclass of Decimal), so it comes first.
        let weight = wads(Field::Weight, arguments.weight)?;
        let delta = arguments.delta.map(deltas).transpose()?;
        let amount = wads(Field::Amount, arguments.amount)?;
        let texts =
            |field, value: Option<_>| value.map(|value| Texts::read(field, value)).transpose();
        let times = |column, value: Option<_>| {
            value
                .map(|value| buffers::integers(column, value, ABSENT))
                .transpose()
        };
        let numbers = |column, value: Option<_>| {
            value
                .map(|value| buffers::integers(column, value, 0))
                .transpose()
        };
        Ok(Self {
            token_id: Texts::read(Field::TokenId, arguments.token_id)?,
            holder_id: texts(Field::HolderId, arguments.holder_id)?,
            start: times("start_us", arguments.start_us)?,
            end: times("end_us", arguments.end_us)?,
            weight,
            event_id: texts(Field::EventId, arguments.event_id)?,
            revision: numbers("revision", arguments.revision)?,
            retract: arguments.retract.map(truths).transpose()?,
            at: times("at_us", arguments.at_us)?,
            delta,
            seq: numbers("seq", arguments.seq)?,
            has_transfers: arguments.has_transfers(),
            from_id: texts(Field::FromId, arguments.from_id)?,
            to_id: texts(Field::ToId, arguments.to_id)?,
            amount,
        })
    }

    /// The columns as slices; `ValueError` if a value of a text column is not text.
    pub(super) fn slices(&mut self) -> PyResult<ColumnSlices<'_>> {
        let token_id = self.token_id.present()?;
        let rows = token_id.len();
        let times =
            |times: &mut Option<Vec<i64>>| times.take().unwrap_or_else(|| vec![ABSENT; rows]);
        let holder_id = self.holder_id.as_ref().map(Texts::present).transpose()?;
        Ok(ColumnSlices {
            token_id,
            holder_id: holder_id.unwrap_or_else(|| vec![""; rows]),
            start: times(&mut self.start),
            end: times(&mut self.end),
            weight: self.weight.as_ref(),
            event_id: optional(self.event_id.as_ref())?,
            revision: self.revision.as_deref(),
            retract: self.retract.as_deref(),
            at: self.at.as_deref(),
            delta: self.delta.as_ref(),
            seq: self.seq.as_deref(),
            has_transfers: self.has_transfers,
            from_id: optional(self.from_id.as_ref())?,
            to_id: optional(self.to_id.as_ref())?,
            amount: self.amount.as_ref(),
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
            weight: self.weight.map_or(Weights::One, DecimalColumn::weights),
            event_id: self.event_id.as_deref(),
            revision: self.revision,
            retract: self.retract,
            at: self.at,
            delta: self.delta.map_or(Deltas::None, DecimalColumn::deltas),
            seq: self.seq,
            transfers: self.has_transfers.then(|| TransferColumns {
                from_id: self.from_id.as_deref(),
                to_id: self.to_id.as_deref(),
                amount: self.amount.map_or(Weights::One, DecimalColumn::weights),
            }),
        }
    }

    /// The error of a refusal of these columns: it names the column as it was passed, or quotes the value of the
    /// refused row.
    #[cold]
    pub(super) fn refused(&self, py: Python<'_>, refusal: BatchRefusal) -> PyErr {
        match refusal {
            BatchRefusal::Length(mismatch) => refused(LengthMismatch {
                column: argument_of(mismatch.column),
                ..mismatch
            }),
            BatchRefusal::Row { row, refusal } => match self.value(py, row, refusal) {
                Ok(value) => refused_row(row, refusal, value.as_ref()),
                Err(error) => error,
            },
        }
    }

    /// What stands in `row` for the field that `refusal` names.
    fn value<'py>(
        &self,
        py: Python<'py>,
        row: usize,
        refusal: Refusal,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let integer = |column: Option<&[i64]>| {
            let value = column.map(|values| values[row]);
            value.map(|value| value.into_bound_py_any(py)).transpose()
        };
        let double =
            |value: Option<f64>| value.map(|value| value.into_bound_py_any(py)).transpose();
        match refusal.field() {
            "start" => integer(Some(&self.start)),
            "end" => integer(Some(&self.end)),
            "weight" => double(self.weight.and_then(|column| column.double(row))),
            "event_id" => {
                let text = self.event_id.as_ref().and_then(|texts| texts[row]);
                text.map(|text| text.into_bound_py_any(py)).transpose()
            }
            "revision" => integer(self.revision),
            "at" => integer(self.at),
            "delta" => double(self.delta.and_then(|column| column.double(row))),
            "seq" => integer(self.seq),
            "amount" => double(self.amount.and_then(|column| column.double(row))),
            _ => Ok(None),
        }
    }
}

/// The texts of a column, `None` for a null; `None` if there is no column.
fn optional<'a>(texts: Option<&'a Texts<'_>>) -> PyResult<Option<Vec<Option<&'a str>>>> {
    texts.map(Texts::optional).transpose()
}

/// The name of the argument for a column of [`EventColumns`].
fn argument_of(column: &'static str) -> &'static str {
    match column {
        "start" => "start_us",
        "end" => "end_us",
        "at" => "at_us",
        other => other,
    }
}

/// A column of booleans: a list of `bool`, a buffer of bool or of bytes 0 and 1, or an Arrow column.
fn truths(value: &Bound<'_, PyAny>) -> PyResult<Vec<bool>> {
    if let Ok(list) = value.cast::<PyList>() {
        let read = |(row, truth): (usize, Bound<'_, PyAny>)| {
            let read = values::retract(Some(&truth));
            read.map_err(|refusal| refused_row(row, refusal, Some(&truth)))
        };
        return list.iter().enumerate().map(read).collect();
    }
    let read = |(row, byte): (usize, u8)| match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => {
            let byte = byte.into_bound_py_any(value.py())?;
            Err(refused_row(row, Refusal::Retract, Some(&byte)))
        }
    };
    let bytes = buffers::flags("retract", value)?;
    bytes.into_iter().enumerate().map(read).collect()
}
