//! The rows of a batch as `HoldEvent` models, each made when it is reached.
//!
//! The service has checked the events, so a model is filled as its own `model_construct` fills it, and not checked
//! again: one event then costs a microsecond, which is what calling a handler for each of them leaves. A test holds
//! the models to those that Python makes of the same rows.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDict, PySet, PyString, PyTuple, PyType};

use super::batch::Batch;
use super::columns::{ABSENT, Integer};
use crate::core::Delta;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// Iterates over the rows.
#[pyclass(module = "poh_holdmetrics.native")]
pub(super) struct Models {
    batch: Py<Batch>,
    next: usize,
    maker: Maker,
}

/// What every model is made with.
struct Maker {
    class: Py<PyType>,
    /// `HoldEvent.__new__`.
    new: Py<PyAny>,
    /// `object.__setattr__`: a model that is filled is frozen.
    set: Py<PyAny>,
    /// The names of all fields.
    fields: Py<PySet>,
    /// Of 1970.
    epoch: Py<PyAny>,
    /// `wads.decimal_from_wad`.
    decimal: Py<PyAny>,
    tokens: Py<PyTuple>,
    holders: Py<PyTuple>,
    event_ids: Py<PyTuple>,
    /// The last weight, because most rows of a batch have the same.
    weight: Option<(u128, Py<PyAny>)>,
}

impl Models {
    /// From the first row on.
    pub(super) fn new(batch: &Bound<'_, Batch>) -> PyResult<Self> {
        let py = batch.py();
        let class = py
            .import("poh_holdmetrics.data_models")?
            .getattr("HoldEvent")?
            .cast_into::<PyType>()?;
        let object = py.import("builtins")?.getattr("object")?;
        let fields = class.getattr("model_fields")?;
        let fields = PySet::new(py, fields.try_iter()?.collect::<PyResult<Vec<_>>>()?)?;
        let rows = batch.get();
        Ok(Self {
            batch: batch.clone().unbind(),
            next: 0,
            maker: Maker {
                new: class.getattr("__new__")?.unbind(),
                set: object.getattr("__setattr__")?.unbind(),
                fields: fields.unbind(),
                epoch: py
                    .import("poh_holdmetrics.instants")?
                    .getattr("EPOCH")?
                    .unbind(),
                decimal: py
                    .import("poh_holdmetrics.wads")?
                    .getattr("decimal_from_wad")?
                    .unbind(),
                class: class.unbind(),
                tokens: rows.tokens(py)?.unbind(),
                holders: rows.holders(py)?.unbind(),
                event_ids: rows.event_ids(py)?.unbind(),
                weight: None,
            },
        })
    }
}

#[pymethods]
impl Models {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let batch = self.batch.get();
        let place = self.next;
        if place >= batch.rows().len() {
            return Ok(None);
        }
        self.next += 1;
        self.maker.model(py, batch, place).map(Some)
    }
}

impl Maker {
    fn model<'py>(
        &mut self,
        py: Python<'py>,
        batch: &Batch,
        place: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let columns = batch.columns();
        let row = batch.rows().at(place);
        let integer = |column| columns.integer(column, row);
        let time = |column| self.time(py, integer(column));
        let fields = PyDict::new(py);
        fields.set_item(
            intern!(py, "token_id"),
            self.tokens.bind(py).get_item(place)?,
        )?;
        fields.set_item(
            intern!(py, "holder_id"),
            self.holders.bind(py).get_item(place)?,
        )?;
        fields.set_item(intern!(py, "start"), time(Integer::Start)?)?;
        fields.set_item(intern!(py, "end"), time(Integer::End)?)?;
        let at = time(Integer::At)?;
        // A change of balance has the weight of every model that names none.
        let weight = columns.weight(row).unwrap_or(crate::core::Wad::ONE.steps());
        fields.set_item(intern!(py, "weight"), self.weight(py, weight)?)?;
        fields.set_item(
            intern!(py, "event_id"),
            self.event_ids.bind(py).get_item(place)?,
        )?;
        fields.set_item(intern!(py, "revision"), integer(Integer::Revision))?;
        fields.set_item(intern!(py, "retract"), columns.retract[row] == 1)?;
        fields.set_item(intern!(py, "at"), at)?;
        let delta = columns.delta(row).map(|delta| self.delta(py, delta));
        fields.set_item(intern!(py, "delta"), delta.transpose()?)?;
        fields.set_item(intern!(py, "seq"), integer(Integer::Seq))?;

        let model = self.new.bind(py).call1((&self.class,))?;
        let set = |name: &Bound<'py, PyString>, value: &Bound<'py, PyAny>| {
            self.set.bind(py).call1((&model, name, value)).map(drop)
        };
        let none = py.None().into_bound(py);
        set(intern!(py, "__dict__"), fields.as_any())?;
        let given = self.fields.bind(py).call_method0(intern!(py, "copy"))?;
        set(intern!(py, "__pydantic_fields_set__"), &given)?;
        set(intern!(py, "__pydantic_extra__"), &none)?;
        set(intern!(py, "__pydantic_private__"), &none)?;
        Ok(model)
    }

    fn time<'py>(&self, py: Python<'py>, micros: i64) -> PyResult<Option<Bound<'py, PyAny>>> {
        if micros == ABSENT {
            return Ok(None);
        }
        let (days, rest) = (
            micros.div_euclid(MICROS_PER_DAY),
            micros.rem_euclid(MICROS_PER_DAY),
        );
        let part = |number: i64| i32::try_from(number).expect("a part of an instant in range");
        let since = PyDelta::new(
            py,
            part(days),
            part(rest / MICROS_PER_SECOND),
            part(rest % MICROS_PER_SECOND),
            false,
        )?;
        self.epoch.bind(py).add(since).map(Some)
    }

    fn weight<'py>(&mut self, py: Python<'py>, steps: u128) -> PyResult<Bound<'py, PyAny>> {
        if let Some((known, decimal)) = &self.weight
            && *known == steps
        {
            return Ok(decimal.bind(py).clone());
        }
        let decimal = self.decimal.bind(py).call1((steps,))?;
        self.weight = Some((steps, decimal.clone().unbind()));
        Ok(decimal)
    }

    fn delta<'py>(&self, py: Python<'py>, delta: Delta) -> PyResult<Bound<'py, PyAny>> {
        let size = delta.size().steps().into_pyobject(py)?;
        let decimal = self.decimal.bind(py);
        if delta.is_negative() {
            decimal.call1((size.neg()?,))
        } else {
            decimal.call1((size,))
        }
    }
}
