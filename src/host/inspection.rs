//! The state of the booted interpreter, for `doctor`.
//!
//! Reports and judges nothing; if a query fails, its exception is the answer.

use pyo3::prelude::*;
use pyo3::types::PyAnyMethods;

use super::interpreter::{HOST_MODULE, Interpreter};

/// Packages whose versions matter when something is wrong.
const PACKAGES: [&str; 4] = ["poh-holdmetrics", "pydantic", "pydantic-core", "PyYAML"];

const STORE_REPORTS: &str = "poh_holdmetrics.pipeline.serving.store_reports";

/// What the interpreter reports.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    /// `sys.path`.
    pub search_path: Vec<String>,
    /// Names of packages and their versions; `None` if a package is not installed.
    pub packages: Vec<(String, Option<String>)>,
    /// The file of the imported `poh_holdmetrics`, or why it cannot be imported.
    pub package: Result<String, String>,
    /// The result of `poh_holdmetrics.native.source()`.
    pub native_source: Result<String, String>,
    /// The score of ten seconds at weight 1 through the registered callables: `10`.
    pub trial_score: Result<String, String>,
}

/// Queries the interpreter.
#[must_use]
pub(crate) fn inspect(interpreter: &Interpreter) -> Inspection {
    interpreter.attach(|py| Inspection {
        search_path: ask(py, search_path).unwrap_or_default(),
        packages: PACKAGES
            .map(|name| (name.to_owned(), installed_version(py, name)))
            .to_vec(),
        package: ask(py, |py| {
            py.import("poh_holdmetrics")?.getattr("__file__")?.extract()
        }),
        native_source: ask(py, |py| {
            let native = py.import("poh_holdmetrics.native")?;
            native.call_method0("source")?.extract()
        }),
        trial_score: ask(py, trial_score),
    })
}

/// What is told of a store: its address without secrets, its version, and what is wrong with it.
pub(crate) type StoreReport = (String, Option<String>, Option<String>);

/// Asks each store, which takes as long as the slowest one takes to answer or not.
///
/// # Errors
/// The exception, if nothing can be asked.
pub(crate) fn store_reports(
    interpreter: &Interpreter,
    addresses: Vec<String>,
) -> Result<Vec<StoreReport>, String> {
    interpreter.attach(|py| {
        ask(py, |py| {
            let module = py.import(STORE_REPORTS)?;
            module.call_method1("reports", (addresses,))?.extract()
        })
    })
}

fn ask<T>(py: Python<'_>, question: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T, String> {
    question(py).map_err(|error| error.to_string())
}

fn search_path(py: Python<'_>) -> PyResult<Vec<String>> {
    py.import("sys")?.getattr("path")?.extract()
}

fn installed_version(py: Python<'_>, name: &str) -> Option<String> {
    let metadata = py.import("importlib.metadata").ok()?;
    metadata
        .call_method1("version", (name,))
        .ok()?
        .extract()
        .ok()
}

fn trial_score(py: Python<'_>) -> PyResult<String> {
    const SECONDS: i64 = 10;
    let end = SECONDS * 1_000_000;
    let aggregator = py.import(HOST_MODULE)?.getattr("Aggregator")?.call0()?;
    aggregator.call_method1("record", ("token", "holder", 0, end))?;
    let row = aggregator.call_method1("holder", ("holder", end))?;
    row.get_item(3)?.extract()
}
