//! A list of event models, read into memory of our own.
//!
//! Reads `token_id`, `holder_id`, `start`, `end`, `weight`, `event_id`, `revision` and `retract` of
//! each object: from its `__dict__` where they lie there in this order, as in a `HoldEvent`, else as
//! attributes. Everything is copied, so that scoring can run detached whatever Python does to the
//! models meanwhile.
#![allow(
    unsafe_code,
    reason = "walking an instance's dictionary by hand is a third of the cost of eight look-ups"
)]

use std::ptr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pyo3::{ffi, intern};

use super::instants::InstantReader;
use super::memo::Memo;
use super::values;
use super::weights::WeightReader;
use crate::aggregator::BatchRefusal;
use crate::core::{Draft, Event, Field, Micros, Refusal, Wad};
use crate::host::errors::refused;

const FIELDS: usize = 8;

/// Valid events with their texts in one piece of memory.
#[derive(Default)]
pub(super) struct OwnedEvents {
    text: String,
    rows: Vec<Row>,
}

/// A part of [`OwnedEvents::text`].
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

struct Row {
    token_id: Span,
    holder_id: Span,
    start: Option<Micros>,
    end: Option<Micros>,
    weight: Wad,
    event_id: Option<Span>,
    revision: u64,
    retract: bool,
}

impl OwnedEvents {
    /// Reads every object of `events`, a list or any iterable; the first that is no event refuses
    /// all of them with a `ValueError` such as `row 17: weight: negative`.
    pub(super) fn read(events: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut owned = Self::default();
        let mut reader = ModelReader::new(events.py())?;
        if let Ok(list) = events.cast::<PyList>() {
            owned.rows.reserve(list.len());
            for event in list.iter() {
                reader.read(&event, &mut owned)?;
            }
        } else {
            for event in events.try_iter()? {
                reader.read(&event?, &mut owned)?;
            }
        }
        Ok(owned)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The event in `row`.
    ///
    /// # Panics
    /// Where there is no such row.
    #[inline]
    pub(super) fn event(&self, row: usize) -> Event<'_> {
        let row = &self.rows[row];
        Draft {
            token_id: self.part(row.token_id),
            holder_id: self.part(row.holder_id),
            start: row.start,
            end: row.end,
            weight: Some(row.weight),
            event_id: row.event_id.map(|span| self.part(span)),
            revision: row.revision,
            retract: row.retract,
        }
        .check()
        .expect("a row is kept only after it was checked")
    }

    /// All events, in the order of the list.
    pub(super) fn events(&self) -> Vec<Event<'_>> {
        (0..self.len()).map(|row| self.event(row)).collect()
    }

    fn part(&self, span: Span) -> &str {
        &self.text[span.start..span.end]
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span {
            start,
            end: self.text.len(),
        }
    }
}

/// Reads one model after the other.
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
        let [token, holder, start, end, weight, event_id, revision, retract] =
            fields.each_ref().map(Option::as_ref);
        let draft = Draft {
            token_id: values::id(Field::TokenId, token)?,
            holder_id: values::id(Field::HolderId, holder)?,
            start: self.instants.read(Field::Start, start)?,
            end: self.instants.read(Field::End, end)?,
            weight: Some(self.weights.read(weight)?),
            event_id: values::event_id(event_id)?,
            revision: values::revision(revision)?,
            retract: values::retract(retract)?,
        };
        draft.check()?;
        let token_id = match token {
            Some(token) => self
                .tokens
                .get_or(token, || Ok::<_, Refusal>(owned.keep(draft.token_id)))?,
            None => owned.keep(draft.token_id),
        };
        let row = Row {
            token_id,
            holder_id: owned.keep(draft.holder_id),
            start: draft.start,
            end: draft.end,
            weight: draft.weight.unwrap_or(Wad::ONE),
            event_id: draft.event_id.map(|event_id| owned.keep(event_id)),
            revision: draft.revision,
            retract: draft.retract,
        };
        owned.rows.push(row);
        Ok(())
    }

    /// The values of the fields, `None` where there is no such attribute.
    fn fields(
        &self,
        event: &Bound<'py, PyAny>,
    ) -> PyResult<[Option<Bound<'py, PyAny>>; FIELDS]> {
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

    /// Takes the leading entries of `dict` as long as they are the fields in their order.
    fn walk(&self, dict: &Bound<'py, PyDict>, found: &mut [Option<Bound<'py, PyAny>>; FIELDS]) {
        let mut position: ffi::Py_ssize_t = 0;
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        for (name, place) in self.names.iter().zip(found) {
            // SAFETY: `dict` is a dictionary that we hold, we are attached, and no Python code runs
            // between two steps that could change it.
            let is_entry = unsafe {
                ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value)
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

/// The dictionary of an instance; `None` where its class has none.
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
