//! Errors as Python sees them: refusals, bad arguments, and panics of our own code.
//!
//! A refusal is a `ValueError` whose text is the reason. A panic is a bug in this code: it is caught at the
//! boundary, logged, and raised as a `RuntimeError`, and the process continues.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::{PyErr, PyResult};

/// A panic, caught at the boundary to Python.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{callable} panicked: {message}; please report this as a bug")]
pub struct Panicked {
    /// The callable that Python called.
    callable: &'static str,
    message: String,
}

impl From<Panicked> for PyErr {
    fn from(panicked: Panicked) -> Self {
        PyRuntimeError::new_err(panicked.to_string())
    }
}

/// A `ValueError` with the text of `refusal`.
pub(super) fn refused(refusal: impl Display) -> PyErr {
    PyValueError::new_err(refusal.to_string())
}

/// Runs the body of `callable`; a panic becomes an error of Python, not the end of the process.
pub(super) fn guarded<T>(
    callable: &'static str,
    body: impl FnOnce() -> PyResult<T>,
) -> PyResult<T> {
    caught(callable, body)?
}

/// The result of `body`, or how it panicked, which is logged.
fn caught<T>(callable: &'static str, body: impl FnOnce() -> T) -> Result<T, Panicked> {
    // A panic leaves no broken state behind: each event is applied under one lock, and an answer is built
    // anew for each call.
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let message = message_of(payload.as_ref()).to_owned();
        tracing::error!(callable, message, "A native callable panicked.");
        Panicked { callable, message }
    })
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_names_the_callable() {
        let index = std::hint::black_box(7);
        let panicked = caught("snapshot", || [1, 2, 3][index]).unwrap_err();
        let text = panicked.to_string();
        assert!(
            text.starts_with("snapshot panicked: index out of bounds"),
            "{text}"
        );
        assert_eq!(caught("snapshot", || 5), Ok(5));
    }

    #[test]
    fn literal_and_formatted_messages_are_kept() {
        let literal = caught("record", || -> () { panic!("literal") }).unwrap_err();
        assert_eq!(literal.message, "literal");
        let formatted = caught("record", || -> () { panic!("number {}", 7) }).unwrap_err();
        assert_eq!(formatted.message, "number 7");
    }

    #[cfg(feature = "py-embed")]
    #[test]
    fn python_gets_a_runtime_error_and_continues() {
        use pyo3::Python;

        Python::attach(|py| {
            let error = guarded("snapshot", || -> PyResult<()> { panic!("broken") }).unwrap_err();
            assert!(error.is_instance_of::<PyRuntimeError>(py));
            let text = error.value(py).to_string();
            assert_eq!(
                text,
                "snapshot panicked: broken; please report this as a bug"
            );
            assert_eq!(guarded("snapshot", || Ok(5)).unwrap(), 5);
            assert!(py.import("sys").is_ok());
        });
    }
}
