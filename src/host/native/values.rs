//! One value of an event or of a window, from its Python object.
//!
//! Each refusal names the field as all other sources of events do. Times of models are in
//! [`super::instants`], weights and deltas in [`super::decimals`].

use std::borrow::Cow;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

use crate::aggregator::Question;
use crate::core::{Field, Micros, Refusal, TimeError, Window};

/// Text that is not empty, or the digits of an integer.
pub(super) fn id<'a>(
    field: Field,
    value: Option<&'a Bound<'_, PyAny>>,
) -> Result<Cow<'a, str>, Refusal> {
    let text = party(field, value)?.filter(|text| !text.is_empty());
    text.ok_or(Refusal::MissingId(field))
}

/// The same for a party of a transfer, which may be absent or empty.
pub(super) fn party<'a>(
    field: Field,
    value: Option<&'a Bound<'_, PyAny>>,
) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_none()) else {
        return Ok(None);
    };
    let text = match value.cast::<PyString>() {
        Ok(text) => text.to_str().ok().map(Cow::Borrowed),
        Err(_) => integer(value).and_then(|number| {
            let digits = number.str().ok()?;
            Some(Cow::Owned(digits.to_string_lossy().into_owned()))
        }),
    };
    text.map(Some).ok_or(Refusal::IdNotText(field))
}

/// Text that is not empty, or `None`.
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
    let text = text.filter(|text| !text.is_empty());
    text.map(Some).ok_or(Refusal::EventId)
}

/// An integer from 0 to 2^63-1; absent is 0. The refusal of another value is `refusal`.
pub(super) fn natural(value: Option<&Bound<'_, PyAny>>, refusal: Refusal) -> Result<u64, Refusal> {
    let Some(value) = value.filter(|value| !value.is_none()) else {
        return Ok(0);
    };
    let number = integer(value).ok_or(refusal)?;
    let number: i64 = number.extract().map_err(|_| refusal)?;
    u64::try_from(number).map_err(|_| refusal)
}

/// `True` or `False`; absent is `False`.
pub(super) fn retract(value: Option<&Bound<'_, PyAny>>) -> Result<bool, Refusal> {
    let Some(value) = value.filter(|value| !value.is_none()) else {
        return Ok(false);
    };
    let truth = value.cast::<PyBool>().map_err(|_| Refusal::Retract)?;
    Ok(truth.is_true())
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

/// The question of a call; `ValueError` names the argument.
pub(in crate::host) fn question(
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
    token_id: Option<&str>,
) -> PyResult<Question> {
    Ok(Question {
        window: window(as_of_us, from_us, closed_only)?,
        token_id: token_id.map(Into::into),
    })
}

/// How many rows are requested; `ValueError` if it is not a count.
pub(super) fn count(value: &Bound<'_, PyAny>) -> PyResult<usize> {
    if let Some(number) = integer(value) {
        if let Ok(count) = number.extract() {
            return Ok(count);
        }
        if number.gt(0)? {
            return Ok(usize::MAX);
        }
    }
    Err(PyValueError::new_err("n: not an integer of 0 or more"))
}

/// The integer that `value` is, of Python or of a library such as NumPy; `None` if it is not one. A `bool`,
/// although it is a subclass of `int`, is not an integer.
pub(super) fn integer<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    if value.is_instance_of::<PyInt>() {
        return (!value.is_instance_of::<PyBool>()).then(|| value.clone());
    }
    // Last, because this look-up is slow.
    let method = value.getattr_opt(intern!(value.py(), "__index__")).ok()??;
    method.call0().ok()
}

fn integer_micros(value: &Bound<'_, PyAny>) -> Result<Micros, TimeError> {
    let number = integer(value).ok_or(TimeError::NotATime)?;
    Micros::new(number.extract().map_err(|_| TimeError::OutOfRange)?)
}
