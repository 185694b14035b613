//! A list of event models, copied into [`super::owned`].
//!
//! Reads `token_id`, `holder_id`, `start`, `end`, `weight`, `event_id`, `revision` and `retract` of
//! each object: from its `__dict__` if they are there in this order, as in a `HoldEvent`, else as
//! attributes.
#![allow(
    unsafe_code,
    reason = "iterating over an instance's dictionary costs a third of eight look-ups"
)]

use std::ptr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pyo3::{ffi, intern};

use super::instants::InstantReader;
use super::memo::Memo;
use super::owned::{OwnedEvents, Span};
use super::values;
use super::weights::WeightReader;
use crate::aggregator::BatchRefusal;
use crate::core::{Draft, Field, Refusal};
use crate::host::errors::refused;

const FIELDS: usize = 8;

/// Reads every object of `events`, a list or any iterable. The first one that is refused is a `ValueError`
/// for all of them, such as `row 17: weight: negative`.
pub(super) fn read(events: &Bound<'_, PyAny>) -> PyResult<OwnedEvents> {
    let mut reader = ModelReader::new(events.py())?;
    if let Ok(list) = events.cast::<PyList>() {
        let mut owned = OwnedEvents::with_capacity(list.len());
        for event in list.iter() {
            reader.read(&event, &mut owned)?;
        }
        return Ok(owned);
    }
    let mut owned = OwnedEvents::default();
    for event in events.try_iter()? {
        reader.read(&event?, &mut owned)?;
    }
    Ok(owned)
}

/// Reads models one after the other.
struct ModelReader<'py> {
    names: [Bound<'py, PyString>; FIELDS],
    instants: InstantReader<'py>,
    weights: WeightReader<'py>,
    tokens: Memo<'py, Span>,
}

impl<'py> ModelReader<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        let names = [
            intern!(py, "token_id"),
            intern!(py, "holder_id"),
            intern!(py, "start"),
            intern!(py, "end"),
            intern!(py, "weight"),
            intern!(py, "event_id"),
            intern!(py, "revision"),
            intern!(py, "retract"),
        ];
        Ok(Self {
            names: names.map(Clone::clone),
            instants: InstantReader::new(py)?,
            weights: WeightReader::new(),
            tokens: Memo::new(),
        })
    }

    fn read(&mut self, event: &Bound<'py, PyAny>, owned: &mut OwnedEvents) -> PyResult<()> {
        let fields = self.fields(event)?;
        self.keep(&fields, owned).map_err(|refusal| {
            refused(BatchRefusal::Row {
                row: owned.len(),
                refusal,
            })
        })
    }

    fn keep(
        &mut self,
        fields: &[Option<Bound<'py, PyAny>>; FIELDS],
        owned: &mut OwnedEvents,
    ) -> Result<(), Refusal> {
        let [
            token,
            holder,
            start,
            end,
            weight,
            event_id,
            revision,
            retract,
        ] = fields.each_ref().map(Option::as_ref);
        let draft = Draft {
            token_id: values::id(Field::TokenId, token)?,
            holder_id: values::id(Field::HolderId, holder)?,
            start: self.instants.read(Field::Start, start)?,
            end: self.instants.read(Field::End, end)?,
            weight: Some(self.weights.read(weight)?),
            event_id: values::event_id(event_id)?,
            revision: values::revision(revision)?,
            retract: values::retract(retract)?,
            ..Draft::default()
        };
        let event = draft.check()?;
        let token_id = match token {
            Some(token) => {
                let keep = || Ok::<_, Refusal>(owned.keep(event.token_id));
                self.tokens.get_or(token, keep)?
            }
            None => owned.keep(event.token_id),
        };
        owned.push(token_id, &event);
        Ok(())
    }

    /// The values of the fields; `None` if there is no such attribute.
    fn fields(&self, event: &Bound<'py, PyAny>) -> PyResult<[Option<Bound<'py, PyAny>>; FIELDS]> {
        let mut found = [const { None }; FIELDS];
        let dict = instance_dict(event);
        if let Some(dict) = &dict {
            self.walk(dict, &mut found);
        }
        for (name, value) in self.names.iter().zip(&mut found) {
            if value.is_none() {
                *value = match &dict {
                    Some(dict) => dict.get_item(name)?,
                    None => None,
                };
            }
            if value.is_none() {
                *value = event.getattr_opt(name)?;
            }
        }
        Ok(found)
    }

    /// Reads the first entries of `dict` as long as they are the fields in order.
    fn walk(&self, dict: &Bound<'py, PyDict>, found: &mut [Option<Bound<'py, PyAny>>; FIELDS]) {
        let mut position: ffi::Py_ssize_t = 0;
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        for (name, place) in self.names.iter().zip(found) {
            // SAFETY: `dict` is a dictionary that we hold, we are attached, and no Python code runs
            // between two steps that could change it.
            let is_entry = unsafe {
                ffi::PyDict_Next(
                    dict.as_ptr(),
                    &raw mut position,
                    &raw mut key,
                    &raw mut value,
                )
            };
            if is_entry == 0 || key != name.as_ptr() {
                return;
            }
            // SAFETY: the dictionary holds `value`, which is not null after a successful step; a
            // reference of our own is taken before anything else runs.
            *place = Some(unsafe { Bound::from_borrowed_ptr(dict.py(), value) });
        }
    }
}

/// The dictionary of an instance; `None` if its class has none.
fn instance_dict<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    // SAFETY: `object` is a live object and we are attached; the result is a new reference, or null
    // with an exception set.
    let dict = unsafe {
        Bound::from_owned_ptr_or_err(
            object.py(),
            ffi::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut()),
        )
    };
    dict.ok()?.cast_into().ok()
}
