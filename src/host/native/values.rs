//! One value of an event or of a window, from its Python object.
//!
//! Each refusal names the field as all other sources of events do. Times of models are in
//! [`super::instants`], weights in [`super::weights`].

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

use crate::core::{Field, Micros, Refusal, TimeError, Window};

/// Text; an empty one is refused later, with the other fields.
pub(super) fn id<'a>(
    field: Field,
    value: Option<&'a Bound<'_, PyAny>>,
) -> Result<&'a str, Refusal> {
    let value = value.ok_or(Refusal::MissingId(field))?;
    let text = value
        .cast::<PyString>()
        .ok()
        .and_then(|text| text.to_str().ok());
    match text {
        Some(text) => Ok(text),
        None if value.is_none() => Err(Refusal::MissingId(field)),
        None => Err(Refusal::IdNotText(field)),
    }
}

/// Text or `None`.
pub(super) fn event_id<'a>(
    value: Option<&'a Bound<'_, PyAny>>,
) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_none()) else {
        return Ok(None);
    };
    let text = value
        .cast::<PyString>()
        .ok()
        .and_then(|text| text.to_str().ok());
    text.map(Some).ok_or(Refusal::EventId)
}

/// An integer from 0 to 2^63-1, checked against the upper bound later; absent is 0.
pub(super) fn revision(value: Option<&Bound<'_, PyAny>>) -> Result<u64, Refusal> {
    match value {
        None => Ok(0),
        Some(value) if is_integer(value) => value.extract().map_err(|_| Refusal::Revision),
        Some(_) => Err(Refusal::Revision),
    }
}

/// `True` or `False`; absent is `False`.
pub(super) fn retract(value: Option<&Bound<'_, PyAny>>) -> Result<bool, Refusal> {
    value.map_or(Ok(false), |value| {
        let truth = value.cast::<PyBool>().map_err(|_| Refusal::Retract)?;
        Ok(truth.is_true())
    })
}

/// Integer microseconds since 1970, or `None`.
pub(super) fn micros(
    field: Field,
    value: Option<&Bound<'_, PyAny>>,
) -> Result<Option<Micros>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_none()) else {
        return Ok(None);
    };
    integer_micros(value)
        .map(Some)
        .map_err(|error| Refusal::Time(field, error))
}

/// The window of a query; `ValueError` names the argument.
pub(super) fn window(
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<Window> {
    let instant = |name: &str, value: &Bound<'_, PyAny>| {
        integer_micros(value).map_err(|error| match error {
            TimeError::OutOfRange => PyValueError::new_err(format!("{name}: {error}")),
            _ => PyValueError::new_err(format!(
                "{name}: not an integer count of microseconds since 1970"
            )),
        })
    };
    Ok(Window {
        from: from_us.map(|from| instant("from_us", from)).transpose()?,
        as_of: instant("as_of_us", as_of_us)?,
        closed_only,
    })
}

/// How many rows are requested; `ValueError` if it is not a count.
pub(super) fn count(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    if is_integer(value) {
        if let Ok(count) = value.extract() {
            return Ok(count);
        }
        if value.gt(0)? {
            return Ok(usize::MAX);
        }
    }
    Err(PyValueError::new_err("n: not an integer of 0 or more"))
}

/// Whether the value is an `int`, but not a `bool`, which is a subclass of `int`.
pub(super) fn is_integer(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>()
}

fn integer_micros(value: &Bound<'_, PyAny>) -> Result<Micros, TimeError> {
    if !is_integer(value) {
        return Err(TimeError::NotATime);
    }
    Micros::new(value.extract().map_err(|_| TimeError::OutOfRange)?)
}
