//! A snapshot as a Python class.
//!
//! Rows become Python objects only when they are requested; Arrow readers get whole columns instead,
//! see [`super::arrow_out`].

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList, PyTuple};

use super::{arrow_out, values};
use crate::aggregator::BatchScores;
use crate::core;
use crate::core::{Findings, HolderScore, Instants, RankedHolder, Spellings};
use crate::host::errors::{guarded, refused};
use crate::host::workers::detached;

/// Holders in leaderboard order, frozen.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(in crate::host) struct Snapshot {
    inner: Arc<core::Snapshot>,
    findings: Option<Findings>,
}

impl From<core::Snapshot> for Snapshot {
    fn from(snapshot: core::Snapshot) -> Self {
        Self {
            inner: Arc::new(snapshot),
            findings: None,
        }
    }
}

impl From<BatchScores> for Snapshot {
    fn from(scores: BatchScores) -> Self {
        Self {
            inner: Arc::new(scores.snapshot),
            findings: Some(scores.findings),
        }
    }
}

/// How many ids are another spelling of one that is counted already, and two of them.
type SpellingsRow<'a> = (u64, Option<(&'a str, &'a str)>);

/// The first and the last instant, ties, conflicts, spellings of holders and of tokens.
pub(super) type FindingsRow<'a> = (
    Option<(i64, i64)>,
    u64,
    u64,
    SpellingsRow<'a>,
    SpellingsRow<'a>,
);

/// The findings as Python takes them.
pub(super) fn findings_row(findings: &Findings) -> FindingsRow<'_> {
    let between = |Instants { first, last }: Instants| (first.get(), last.get());
    (
        findings.instants.map(between),
        findings.ties,
        findings.conflicts,
        spellings_row(&findings.holders),
        spellings_row(&findings.tokens),
    )
}

fn spellings_row(spellings: &Spellings) -> SpellingsRow<'_> {
    let example = spellings.example.as_ref();
    let example = example.map(|(one, other)| (&**one, &**other));
    (spellings.count, example)
}

#[pymethods]
impl Snapshot {
    /// First instant that no longer counts, in microseconds since 1970.
    #[getter]
    fn as_of_us(&self) -> i64 {
        self.inner.window().as_of.get()
    }

    /// First instant that counts; None for the beginning of time.
    #[getter]
    #[expect(
        clippy::wrong_self_convention,
        reason = "the published name of an attribute"
    )]
    fn from_us(&self) -> Option<i64> {
        self.inner.window().from.map(core::Micros::get)
    }

    /// Whether only what is already closed counts.
    #[getter]
    fn closed_only(&self) -> bool {
        self.inner.window().closed_only
    }

    /// How many keys have a balance below 0 at some instant before `as_of_us`.
    #[getter]
    fn deficits(&self) -> usize {
        self.inner.deficits()
    }

    /// What is probably not meant, of a table or of files that were scored at once: first and last instant, ties,
    /// conflicts, ids of holders and of tokens that differ by case.
    #[getter]
    fn findings(&self) -> Option<FindingsRow<'_>> {
        self.findings.as_ref().map(findings_row)
    }

    fn __len__(&self) -> usize {
        self.inner.holders().len()
    }

    fn __repr__(&self) -> String {
        let as_of = self.inner.window().as_of;
        format!("Snapshot(holders={}, as_of={as_of})", self.__len__())
    }

    /// The first `n` rows, or all: tuples of rank, `holder_id`, `held_us`, score, `weighted_score`.
    #[pyo3(signature = (n=None))]
    fn rows<'py>(
        &self,
        py: Python<'py>,
        n: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        guarded("Snapshot.rows", || {
            let count = n.map_or(Ok(usize::MAX), values::count)?;
            rows(py, &self.inner, count)
        })
    }

    /// An Arrow stream with the columns rank, `holder_id`, `held_us`, score, `weighted_score` and
    /// `total_seconds`; `requested_schema` is not negotiated.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        guarded("Snapshot.__arrow_c_stream__", || {
            let snapshot = Arc::clone(&self.inner);
            let batches = detached(py, move || arrow_out::batches(&snapshot))?;
            arrow_out::stream(py, arrow_out::schema(), batches.map_err(refused)?)
        })
    }
}

/// The first `count` rows.
pub(super) fn rows<'py>(
    py: Python<'py>,
    snapshot: &core::Snapshot,
    count: usize,
) -> PyResult<Bound<'py, PyList>> {
    let rows = snapshot
        .ranked()
        .take(count)
        .map(|RankedHolder { rank, holder }| row(py, rank, holder))
        .collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, rows)
}

/// One row: rank, `holder_id`, `held_us`, score, `weighted_score`.
pub(in crate::host) fn row<'py>(
    py: Python<'py>,
    rank: u64,
    holder: &HolderScore,
) -> PyResult<Bound<'py, PyTuple>> {
    let score = holder.totals.score;
    (
        rank,
        &*holder.holder_id,
        holder.totals.held_us,
        score.to_string(),
        score.nearest_double(),
    )
        .into_pyobject(py)
}
