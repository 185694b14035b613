//! What storages keep of events: their values, and ids that are derived from these.
//!
//! `poh_holdmetrics.storage.rows` defines both and computes the same in pure Python. Stores nothing, and checks
//! nothing: the records were checked before.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use blake2::digest::consts::U20;
use blake2::{Blake2b, Digest};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::host::errors::guarded;

/// Tuples of the id and the values of each record, a tuple in the order of `Record`.
#[pyfunction]
pub(super) fn rows_with_ids<'py>(
    py: Python<'py>,
    records: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    guarded("rows_with_ids", || {
        let mut maker = RowMaker::default();
        let rows = PyList::empty(py);
        for record in records.try_iter()? {
            let record = record?.cast_into::<PyTuple>()?;
            rows.append(maker.row(&StoredValues::of_record(&record)?)?)?;
        }
        Ok(rows)
    })
}

/// The values of an event as Python's objects, weights and deltas as the digits of their steps.
pub(in crate::host) struct StoredValues<'py> {
    pub(in crate::host) token_id: Bound<'py, PyString>,
    pub(in crate::host) holder_id: Bound<'py, PyString>,
    pub(in crate::host) start_us: Option<i64>,
    pub(in crate::host) end_us: Option<i64>,
    pub(in crate::host) weight_wads: Bound<'py, PyString>,
    pub(in crate::host) event_id: Option<Bound<'py, PyString>>,
    pub(in crate::host) revision: i64,
    pub(in crate::host) retract: bool,
    pub(in crate::host) at_us: Option<i64>,
    pub(in crate::host) delta_wads: Option<Bound<'py, PyString>>,
    pub(in crate::host) seq: i64,
}

impl<'py> StoredValues<'py> {
    fn of_record(record: &Bound<'py, PyTuple>) -> PyResult<Self> {
        let value = |place| record.get_item(place);
        let delta: Option<Bound<'py, PyAny>> = value(9)?.extract()?;
        Ok(Self {
            token_id: value(0)?.cast_into()?,
            holder_id: value(1)?.cast_into()?,
            start_us: value(2)?.extract()?,
            end_us: value(3)?.extract()?,
            weight_wads: value(4)?.str()?,
            event_id: value(5)?.extract()?,
            revision: value(6)?.extract()?,
            retract: value(7)?.extract()?,
            at_us: value(8)?.extract()?,
            delta_wads: delta.map(|delta| delta.str()).transpose()?,
            seq: value(10)?.extract()?,
        })
    }
}

/// Makes rows, with one buffer for what is hashed.
#[derive(Default)]
pub(in crate::host) struct RowMaker {
    written: String,
}

impl RowMaker {
    /// The id, and the values.
    pub(in crate::host) fn row<'py>(
        &mut self,
        values: &StoredValues<'py>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = values.token_id.py();
        self.write(values)?;
        let id = Blake2b::<U20>::digest(self.written.as_bytes());
        (
            PyBytes::new(py, &id),
            &values.token_id,
            &values.holder_id,
            values.start_us,
            values.end_us,
            &values.weight_wads,
            values.event_id.as_ref(),
            values.revision,
            values.retract,
            values.at_us,
            values.delta_wads.as_ref(),
            values.seq,
        )
            .into_pyobject(py)
    }

    /// Writes what is hashed: ids are preceded by their lengths and `event_id` is last, so that no two events are
    /// written alike.
    fn write(&mut self, values: &StoredValues<'_>) -> PyResult<()> {
        let (token_id, holder_id) = (values.token_id.to_cow()?, values.holder_id.to_cow()?);
        let weight_wads = values.weight_wads.to_cow()?;
        let delta_wads = text(values.delta_wads.as_ref())?;
        let event_id = text(values.event_id.as_ref())?;
        self.written.clear();
        write!(
            self.written,
            "{}:{token_id}{}:{holder_id}{},{},{weight_wads},{},{},{},{delta_wads},{},{event_id}",
            token_id.chars().count(),
            holder_id.chars().count(),
            OrNothing(values.start_us),
            OrNothing(values.end_us),
            values.revision,
            u8::from(values.retract),
            OrNothing(values.at_us),
            values.seq,
        )
        .expect("a String takes every text");
        Ok(())
    }
}

fn text<'a>(value: Option<&'a Bound<'_, PyString>>) -> PyResult<Cow<'a, str>> {
    value.map_or(Ok(Cow::default()), PyStringMethods::to_cow)
}

/// Digits, or no text.
struct OrNothing(Option<i64>);

impl Display for OrNothing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |number| number.fmt(out))
    }
}
