//! An independent check: the pure-Python package scores what this program has read.
//!
//! Passes raw rows to `poh_holdmetrics.pure.row_scorer.RowScorer`, which reads, checks and scores them
//! without any code of ours, and takes the leaderboard back. Opens no file; see [`crate::input::raw`].

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::interpreter::Interpreter;
use super::policies::PolicyEvents;
use crate::core::{Findings, Micros, Spellings, Window};
use crate::input::raw::{FeedValues, NotText, RawBatch, RawValues};
use crate::input::written::Written;
use crate::output::{DeficitRow, HolderRow, Leaderboard, RefusedLine};

/// Why the check failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The package refuses an argument or a file; the text is complete.
    #[error("{0}")]
    Refused(String),
    /// The package raised an unexpected exception.
    #[error("the Python package failed")]
    Python(#[source] PyErr),
}

impl From<PyErr> for AuditError {
    fn from(error: PyErr) -> Self {
        Python::attach(|py| {
            if error.is_instance_of::<PyKeyboardInterrupt>(py) {
                return Self::Interrupted;
            }
            let refusals = py
                .import("poh_holdmetrics.errors")
                .and_then(|errors| errors.getattr("HoldMetricsError"));
            match refusals {
                Ok(refusals) if error.is_instance(py, &refusals) => {
                    Self::Refused(error.value(py).to_string())
                }
                _ => Self::Python(error),
            }
        })
    }
}

/// The rows that are passed to the Python package, and its answer.
pub(crate) struct Audit<'a> {
    interpreter: &'a Interpreter,
    audit: Py<PyAny>,
}

/// Lines that were read, and how many of them were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Without blank lines.
    pub read: u64,
    /// Accepted events.
    pub accepted: u64,
}

/// The leaderboard as Python computed it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AuditedLeaderboard {
    rows: Vec<AuditedRow>,
    known: usize,
    deficits: usize,
}

type AuditedRow = (u64, String, u128, String, f64);

/// Token, holder, instant, balance as an integer of steps, event ids.
type AuditedDeficit<'py> = (String, String, i64, Bound<'py, PyAny>, Vec<String>);

/// Ids that are another spelling of one that is counted already, and two of them.
type AuditedSpellings = (u64, Option<(String, String)>);

/// The first and the last instant, ties, conflicts, spellings of holders and of tokens.
type AuditedFindings = (
    Option<(i64, i64)>,
    u64,
    u64,
    AuditedSpellings,
    AuditedSpellings,
);

fn spellings((count, example): AuditedSpellings) -> Spellings {
    Spellings {
        count,
        example: example.map(|(one, other)| (one.into(), other.into())),
    }
}

impl<'a> Audit<'a> {
    /// Without any rows; `mapping` are the options of the input as JSON.
    ///
    /// # Errors
    /// If the package cannot be imported, or refuses the options.
    pub(crate) fn new(interpreter: &'a Interpreter, mapping: &str) -> Result<Self, AuditError> {
        let audit = interpreter.attach(|py| {
            let class = py
                .import("poh_holdmetrics.pure.row_scorer")?
                .getattr("RowScorer")?;
            PyResult::Ok(class.call1((mapping,))?.unbind())
        })?;
        Ok(Self { interpreter, audit })
    }

    /// Passes rows to the package; a refused row is listed, not an error.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn feed(&self, batch: &RawBatch) -> Result<(), AuditError> {
        Ok(self
            .interpreter
            .attach(|py| feed(self.audit.bind(py), batch))?)
    }

    /// How many rows were passed and accepted so far.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn counts(&self) -> Result<Counts, AuditError> {
        Ok(self.interpreter.attach(|py| {
            let audit = self.audit.bind(py);
            PyResult::Ok(Counts {
                read: audit.getattr("read")?.extract()?,
                accepted: audit.getattr("accepted")?.extract()?,
            })
        })?)
    }

    /// The rows refused so far, in order.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn refused(&self) -> Result<Vec<RefusedLine>, AuditError> {
        let refused: Vec<(String, u64, String)> = self
            .interpreter
            .attach(|py| self.audit.bind(py).getattr("rejected")?.extract())?;
        let line = |(file, line, reason): (String, u64, String)| RefusedLine {
            file: Arc::from(file),
            line,
            reason,
        };
        Ok(refused.into_iter().map(line).collect())
    }

    /// The columns and keys that no field was read from, in order.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn ignored_columns(&self) -> Result<Vec<String>, AuditError> {
        Ok(self.interpreter.attach(|py| {
            self.audit
                .bind(py)
                .call_method0("ignored_columns")?
                .extract()
        })?)
    }

    /// The keys whose balance is below 0 at some instant before `as_of`, by token and holder.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn deficits(&self, as_of: Micros) -> Result<Vec<DeficitRow>, AuditError> {
        Ok(self.interpreter.attach(|py| {
            let decimal = py
                .import("poh_holdmetrics.wads")?
                .getattr("decimal_from_wad")?;
            let found = self
                .audit
                .bind(py)
                .call_method1("deficits", (as_of.get(),))?;
            let found: Vec<AuditedDeficit<'_>> = found.extract()?;
            let row = |(token_id, holder_id, at, balance, event_ids): AuditedDeficit<'_>| {
                PyResult::Ok(DeficitRow {
                    token_id,
                    holder_id,
                    at: Micros::new(at)
                        .map_err(|error| PyValueError::new_err(error.to_string()))?
                        .to_string(),
                    balance: decimal
                        .call1((balance,))?
                        .call_method1("__format__", ("f",))?
                        .extract()?,
                    event_ids,
                })
            };
            found.into_iter().map(row).collect::<PyResult<_>>()
        })?)
    }

    /// What is probably not meant.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn findings(&self) -> Result<Findings, AuditError> {
        let found = self.interpreter.attach(|py| {
            let found = self.audit.bind(py).call_method0("findings")?;
            let (between, ties, conflicts, holders, tokens): AuditedFindings = found.extract()?;
            let mut findings = Findings {
                ties,
                conflicts,
                holders: spellings(holders),
                tokens: spellings(tokens),
                ..Findings::default()
            };
            if let Some((first, last)) = between {
                let instant = |micros| {
                    Micros::new(micros).map_err(|error| PyValueError::new_err(error.to_string()))
                };
                findings.see_between(instant(first)?, instant(last)?);
            }
            PyResult::Ok(findings)
        })?;
        Ok(found)
    }

    /// The events, for policies.
    ///
    /// # Errors
    /// If Python raises an exception.
    pub(crate) fn events(&self) -> Result<PolicyEvents, AuditError> {
        let events = self
            .interpreter
            .attach(|py| self.audit.bind(py).getattr("aggregator").map(Bound::unbind))?;
        Ok(PolicyEvents(events))
    }

    /// The first `top` holders over `window`, or all; `deficits` of their keys have a deficit.
    ///
    /// # Errors
    /// If Python raises an exception or is interrupted.
    pub(crate) fn leaderboard(
        &self,
        window: &Window,
        top: Option<usize>,
        deficits: usize,
    ) -> Result<AuditedLeaderboard, AuditError> {
        let question = (
            window.as_of.get(),
            window.from.map(Micros::get),
            window.closed_only,
        );
        Ok(self.interpreter.attach(|py| {
            let rows = self.audit.bind(py).call_method1("rows", question)?;
            audited(&rows, top, deficits)
        })?)
    }
}

/// The first `top` of a list of rows, or all.
pub(super) fn audited(
    rows: &Bound<'_, PyAny>,
    top: Option<usize>,
    deficits: usize,
) -> PyResult<AuditedLeaderboard> {
    let rows = rows.cast::<PyList>()?;
    let listed = rows.iter().take(top.unwrap_or(usize::MAX));
    Ok(AuditedLeaderboard {
        known: rows.len(),
        deficits,
        rows: listed.map(|row| row.extract()).collect::<PyResult<_>>()?,
    })
}

impl Leaderboard for AuditedLeaderboard {
    fn listed(&self) -> usize {
        self.rows.len()
    }

    fn known(&self) -> usize {
        self.known
    }

    fn deficits(&self) -> usize {
        self.deficits
    }

    fn rows(&self) -> Box<dyn Iterator<Item = HolderRow<'_>> + '_> {
        Box::new(
            self.rows
                .iter()
                .map(|(rank, holder_id, held_us, score, weighted_score)| {
                    HolderRow::new(*rank, holder_id, *held_us, score, *weighted_score)
                }),
        )
    }
}

fn feed(audit: &Bound<'_, PyAny>, batch: &RawBatch) -> PyResult<()> {
    let py = audit.py();
    match batch {
        RawBatch::JsonLines { file, lines } => {
            let (numbers, lines): (Vec<u64>, Vec<_>) = lines
                .iter()
                .map(|(number, line)| (number, PyBytes::new(py, line)))
                .unzip();
            audit.call_method1("feed_jsonl", (lines, &**file, numbers))?;
        }
        RawBatch::CsvRows { file, header, rows } => {
            let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
            let rows = rows.iter().map(|(_, cells)| match cells {
                Ok(cells) => cells.into_bound_py_any(py),
                Err(reason) => reason.into_bound_py_any(py),
            });
            let rows = rows.collect::<PyResult<Vec<_>>>()?;
            audit.call_method1("feed_csv", (rows, header, &**file, numbers))?;
        }
        RawBatch::Values { file, rows } => {
            let number = py
                .import("poh_holdmetrics.field_parsers")?
                .getattr("Number")?;
            let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
            let rows = rows.iter().map(|(_, values)| fields(&number, values));
            let rows = rows.collect::<PyResult<Vec<_>>>()?;
            audit.call_method1("feed_values", (rows, &**file, numbers))?;
        }
        RawBatch::Feed {
            file_index,
            file,
            rows,
        } => {
            let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
            let rows = rows.iter().map(|(_, values)| match values {
                Ok(values) => feed_row(py, values),
                Err(reason) => reason.into_bound_py_any(py),
            });
            let rows = rows.collect::<PyResult<Vec<_>>>()?;
            let of = (file_index, file.name(), file.feed(), file.columns());
            let left_out = audit.call_method1("feed_export", (rows, of, numbers))?;
            file.leave_out(left_out.extract()?);
        }
    }
    Ok(())
}

/// The values of a row by their columns: text, and timestamps in microseconds.
fn feed_row<'py>(py: Python<'py>, values: &FeedValues) -> PyResult<Bound<'py, PyAny>> {
    let row = PyDict::new(py);
    for (column, value) in values {
        match value {
            Written::Micros(micros) => row.set_item(column, *micros)?,
            Written::Number(text) | Written::Text(text) => row.set_item(column, text)?,
        }
    }
    Ok(row.into_any())
}

/// The fields in the order in which the package reads them; `number` is its class of digits.
fn fields<'py>(number: &Bound<'py, PyAny>, values: &RawValues) -> PyResult<Bound<'py, PyTuple>> {
    let py = number.py();
    let id = |id: &Option<Result<String, NotText>>| match id {
        None => Ok(py.None().into_bound(py)),
        Some(Ok(text)) => text.into_bound_py_any(py),
        // The package refuses bytes as an id.
        Some(Err(_)) => PyBytes::new(py, b"").into_bound_py_any(py),
    };
    let written = |value: &Option<Written>| match value {
        None => Ok(py.None().into_bound(py)),
        Some(Written::Micros(micros)) => micros.into_bound_py_any(py),
        Some(Written::Text(text)) => text.into_bound_py_any(py),
        Some(Written::Number(digits)) => number.call1((digits,)),
    };
    let integer = |number: Option<i64>| number.into_bound_py_any(py);
    PyTuple::new(
        py,
        [
            id(&values.token_id)?,
            id(&values.holder_id)?,
            written(&values.start)?,
            written(&values.end)?,
            written(&values.weight)?,
            values.event_id.as_deref().into_bound_py_any(py)?,
            integer(values.revision)?,
            values.retract.into_bound_py_any(py)?,
            written(&values.at)?,
            written(&values.delta)?,
            integer(values.seq)?,
            id(&values.from_id)?,
            id(&values.to_id)?,
            written(&values.amount)?,
        ],
    )
}
