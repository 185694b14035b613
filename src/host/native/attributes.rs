//! The attributes of one kind of model, read from many objects.
//!
//! Fast if an object has them in its `__dict__` in the order of its class, as Pydantic models do; any other
//! object is asked for one after the other. What the values mean is decided in [`super::events`].
#![allow(
    unsafe_code,
    reason = "iterating over an instance's dictionary costs a third of as many look-ups"
)]

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The value of each attribute; `None` if there is no such attribute.
pub(super) type Values<'py, const N: usize> = [Option<Bound<'py, PyAny>>; N];

/// The names of the attributes, in the order of the class.
pub(super) struct Attributes<'py, const N: usize> {
    names: [Bound<'py, PyString>; N],
}

impl<'py, const N: usize> Attributes<'py, N> {
    /// `names` are interned, so that they are compared by identity.
    pub(super) fn new(names: [&Bound<'py, PyString>; N]) -> Self {
        Self {
            names: names.map(Clone::clone),
        }
    }

    /// The first entries of `dict`, as long as they are the attributes in order.
    pub(super) fn entries(&self, dict: Option<&Bound<'py, PyDict>>) -> Values<'py, N> {
        let mut found = [const { None }; N];
        let Some(dict) = dict else {
            return found;
        };
        let mut position: ffi::Py_ssize_t = 0;
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        for (name, place) in self.names.iter().zip(&mut found) {
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
                break;
            }
            // SAFETY: the dictionary holds `value`, which is not null after a successful step; a
            // reference of our own is taken before anything else runs.
            *place = Some(unsafe { Bound::from_borrowed_ptr(dict.py(), value) });
        }
        found
    }

    /// Adds to `found` the attributes that it lacks.
    pub(super) fn complete(
        &self,
        mut found: Values<'py, N>,
        object: &Bound<'py, PyAny>,
        dict: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Values<'py, N>> {
        for (name, value) in self.names.iter().zip(&mut found) {
            if value.is_none() {
                *value = match dict {
                    Some(dict) => dict.get_item(name)?,
                    None => None,
                };
            }
            if value.is_none() {
                *value = object.getattr_opt(name)?;
            }
        }
        Ok(found)
    }

    /// The value of the attribute `name`.
    pub(super) fn value<'a>(
        &self,
        found: &'a Values<'py, N>,
        name: &str,
    ) -> Option<&'a Bound<'py, PyAny>> {
        let place = self.names.iter().position(|known| known == name)?;
        found[place].as_ref()
    }
}

/// The dictionary of an instance; `None` if its class has none.
pub(super) fn instance_dict<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
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
