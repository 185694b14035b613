//! Policies: the leaderboard under a ready one, and the columns that any other one is computed from.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::aggregator::Aggregator;
use super::snapshot::Snapshot;
use super::{integers, values};
use crate::aggregator::{KeyHeld, PublishedScores, Question};
use crate::host::errors::{guarded, refused};
use crate::host::workers::detached;
use crate::policy::Policy;

/// The leaderboard under the policy that `document` describes. Raises `ValueError` naming the step and the field.
#[pyfunction]
#[pyo3(signature = (aggregator, document, as_of_us, from_us=None, closed_only=false))]
pub(super) fn apply_policy(
    py: Python<'_>,
    aggregator: &Bound<'_, Aggregator>,
    document: &str,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<Snapshot> {
    guarded("apply_policy", || {
        let window = values::window(as_of_us, from_us, closed_only)?;
        let policy = Policy::from_document(document).map_err(refused)?;
        let aggregator = aggregator.get().holds()?;
        let snapshot = detached(py, || {
            let mut scores = PublishedScores::new(Question::of_all_tokens(window));
            scores.refresh(&aggregator, &policy, window.as_of);
            scores.snapshot(&aggregator, &policy)
        })?;
        Ok(snapshot.into())
    })
}

/// What some keys held, as columns sorted by holder, token and start: `holder_id` and `token_id` as
/// lists, `start_us` and `end_us` as the bytes of int64, the weights in steps of 1e-18 as a list.
pub(in crate::host) fn held_columns<'py>(
    py: Python<'py>,
    keys: &[KeyHeld],
) -> PyResult<Bound<'py, PyTuple>> {
    let rows = || {
        keys.iter()
            .flat_map(|key| key.segments.iter().map(move |held| (key, held)))
    };
    let weights: Vec<_> = rows()
        .map(|(_, held)| integers::from_quantity(py, held.weight))
        .collect::<PyResult<_>>()?;
    let bytes = |values: Vec<i64>| PyBytes::new(py, bytemuck::cast_slice(&values));
    (
        PyList::new(
            py,
            rows().map(|(key, _)| &*key.holder_id).collect::<Vec<_>>(),
        )?,
        PyList::new(
            py,
            rows().map(|(key, _)| &*key.token_id).collect::<Vec<_>>(),
        )?,
        bytes(rows().map(|(_, held)| held.start.get()).collect()),
        bytes(rows().map(|(_, held)| held.end.get()).collect()),
        weights,
    )
        .into_pyobject(py)
}
