//! Refusals as Python sees them: with the row of a batch, and with the offending value.
//!
//! The core names the field and the reason. The value is looked up only when an event is refused, so that
//! accepted events cost nothing.

use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyString};

use crate::core::Refusal;
use crate::excerpt::{literal, quoted};
use crate::host::errors::refused;
use crate::input::RefusalReason;

/// The error of one event; `value` is what was given for the field that the refusal names.
pub(super) fn refused_event(refusal: Refusal, value: Option<&Bound<'_, PyAny>>) -> PyErr {
    refused(reason(refusal, value))
}

/// The error of a batch that is refused for one of its rows.
pub(super) fn refused_row(row: usize, refusal: Refusal, value: Option<&Bound<'_, PyAny>>) -> PyErr {
    refused(format!("row {row}: {}", reason(refusal, value)))
}

/// The same if the value is not an object of Python: `found` is what the message shows.
pub(super) fn refused_row_showing(row: usize, refusal: Refusal, found: Option<String>) -> PyErr {
    let reason = RefusalReason::with_found(refusal, found);
    refused(format!("row {row}: {reason}"))
}

fn reason(refusal: Refusal, value: Option<&Bound<'_, PyAny>>) -> RefusalReason {
    RefusalReason::with_found(refusal, value.map(shown))
}

/// Text in quotes, a `datetime` as its text, anything else as Python prints it.
fn shown(value: &Bound<'_, PyAny>) -> String {
    if let Ok(text) = value.cast::<PyString>()
        && let Ok(text) = text.to_str()
    {
        return quoted(text);
    }
    if value.is_instance_of::<PyDateTime>() {
        return value
            .str()
            .map_or_else(|_| kind(value), |text| quoted(&text.to_string_lossy()));
    }
    let printed = value.repr();
    printed.map_or_else(|_| kind(value), |text| literal(&text.to_string_lossy()))
}

fn kind(value: &Bound<'_, PyAny>) -> String {
    let name = value.get_type().name();
    name.map_or_else(|_| "?".into(), |name| name.to_string_lossy().into_owned())
}
