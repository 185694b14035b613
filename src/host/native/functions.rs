//! The functions of the namespace: they take whole lists and columns and return answers.
//!
//! Functions that take an aggregator are its methods under published names.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::aggregator::Aggregator;
use super::columns::{ColumnArguments, Columns};
use super::snapshot::Snapshot;
use super::table::Table;
use super::{events, integers, scoring, values};
use crate::aggregator::{HoldAggregator, Lane};
use crate::core::{self, EventSink, Micros, Totals, Window};
use crate::host::errors::{guarded, refused};
use crate::host::workers::detached;

/// Panics, as a bug in this code would: for the tests of what that costs. Builds without debug assertions, which are all
/// that are shipped, do not have it.
#[cfg(debug_assertions)]
#[pyfunction]
pub(super) fn defect() -> PyResult<()> {
    guarded("defect", || panic!("on purpose"))
}

/// Scores a list of `HoldEvent` and `Transfer` models: all holders in leaderboard order.
#[pyfunction]
#[pyo3(signature = (events, as_of_us, from_us=None, closed_only=false))]
pub(super) fn aggregate(
    events: &Bound<'_, PyAny>,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<Snapshot> {
    guarded("aggregate", || {
        let window = values::window(as_of_us, from_us, closed_only)?;
        Ok(score_events(events, &window)?.into())
    })
}

/// The score of all keys together, as the nearest double.
#[pyfunction]
#[pyo3(signature = (events, as_of_us, from_us=None, closed_only=false))]
pub(super) fn calculate_score(
    events: &Bound<'_, PyAny>,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<f64> {
    guarded("calculate_score", || {
        let window = values::window(as_of_us, from_us, closed_only)?;
        Ok(total(events, &window)?.score.nearest_double())
    })
}

/// The held time in microseconds, the exact score and the nearest double of all keys together.
#[pyfunction]
#[pyo3(signature = (events, as_of_us, from_us=None, closed_only=false))]
pub(super) fn score_exact(
    events: &Bound<'_, PyAny>,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<(u128, String, f64)> {
    guarded("score_exact", || {
        let window = values::window(as_of_us, from_us, closed_only)?;
        let Totals { held_us, score } = total(events, &window)?;
        Ok((held_us, score.to_string(), score.nearest_double()))
    })
}

/// The stretches of effective weight of each key: tuples of `token_id`, `holder_id`, `start_us`, `end_us`
/// (None while still open) and the weight in steps of 1e-18, by token, holder and time.
#[pyfunction]
pub(super) fn merge_overlaps<'py>(
    py: Python<'py>,
    events: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    guarded("merge_overlaps", || {
        let events = events::read(events)?;
        let keys = detached(py, || {
            let aggregator = HoldAggregator::new();
            aggregator.record_events(&events.events());
            aggregator.segments()
        })?;
        let segments = PyList::empty(py);
        for key in &keys {
            for segment in &key.segments {
                segments.append((
                    &*key.token_id,
                    &*key.holder_id,
                    segment.start.get(),
                    segment.end.map(Micros::get),
                    integers::from_quantity(py, segment.weight)?,
                ))?;
            }
        }
        Ok(segments)
    })
}

/// Scores columns, or an Arrow table as the only argument: all holders in leaderboard order.
///
/// Ids are lists of str or Arrow columns. `start_us`, `end_us` and `at_us` are int64 buffers of microseconds since
/// 1970, -2**63 if absent; `weight`, `delta` and `amount` float64 buffers, or lists of str, int, float, Decimal or
/// None; `revision` and `seq` int64 buffers; `retract` a list or buffer of bool. Arrow columns of these types are
/// read, too, and a null is absent. A row with `from_id`, `to_id` or `amount` is a transfer. Raises `ValueError`
/// naming the column, or the first refused row as `row 17: ...`.
#[pyfunction]
#[pyo3(signature = (
    token_id, holder_id=None, start_us=None, end_us=None, weight=None, event_id=None,
    revision=None, retract=None, at_us=None, delta=None, seq=None, from_id=None, to_id=None,
    amount=None, *, as_of_us, from_us=None, closed_only=false
))]
#[expect(
    clippy::too_many_arguments,
    reason = "the columns of a batch and a window"
)]
pub(super) fn score_columns(
    py: Python<'_>,
    token_id: &Bound<'_, PyAny>,
    holder_id: Option<&Bound<'_, PyAny>>,
    start_us: Option<&Bound<'_, PyAny>>,
    end_us: Option<&Bound<'_, PyAny>>,
    weight: Option<&Bound<'_, PyAny>>,
    event_id: Option<&Bound<'_, PyAny>>,
    revision: Option<&Bound<'_, PyAny>>,
    retract: Option<&Bound<'_, PyAny>>,
    at_us: Option<&Bound<'_, PyAny>>,
    delta: Option<&Bound<'_, PyAny>>,
    seq: Option<&Bound<'_, PyAny>>,
    from_id: Option<&Bound<'_, PyAny>>,
    to_id: Option<&Bound<'_, PyAny>>,
    amount: Option<&Bound<'_, PyAny>>,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<Snapshot> {
    guarded("score_columns", || {
        let window = values::window(as_of_us, from_us, closed_only)?;
        let arguments = ColumnArguments {
            token_id,
            holder_id,
            start_us,
            end_us,
            weight,
            event_id,
            revision,
            retract,
            at_us,
            delta,
            seq,
            from_id,
            to_id,
            amount,
        };
        if arguments.is_table() {
            let table = Table::read(token_id, &Arc::default())?;
            let snapshot = detached(py, || table.score(&window))?;
            return Ok(snapshot.map_err(refused)?.into());
        }
        let mut columns = Columns::read(&arguments)?;
        let slices = columns.slices()?;
        let columns = slices.columns();
        let refused = |refusal| slices.refused(py, refusal);
        let rows = columns.rows().map_err(|length| refused(length.into()))?;
        let snapshot = detached(py, || {
            let accept = |row, lane: &mut Lane<'_>| columns.visit(row, |event| lane.accept(event));
            scoring::score(rows, accept, &window)
        })?;
        Ok(snapshot.map_err(refused)?.into())
    })
}

/// `aggregator.record_batch(...)`; columns as for `score_columns`.
#[pyfunction]
#[pyo3(signature = (
    aggregator, token_id, holder_id=None, start_us=None, end_us=None, weight=None, event_id=None,
    revision=None, retract=None, at_us=None, delta=None, seq=None, from_id=None, to_id=None,
    amount=None
))]
#[expect(clippy::too_many_arguments, reason = "the columns of a batch")]
pub(super) fn record_batch(
    py: Python<'_>,
    aggregator: &Bound<'_, Aggregator>,
    token_id: &Bound<'_, PyAny>,
    holder_id: Option<&Bound<'_, PyAny>>,
    start_us: Option<&Bound<'_, PyAny>>,
    end_us: Option<&Bound<'_, PyAny>>,
    weight: Option<&Bound<'_, PyAny>>,
    event_id: Option<&Bound<'_, PyAny>>,
    revision: Option<&Bound<'_, PyAny>>,
    retract: Option<&Bound<'_, PyAny>>,
    at_us: Option<&Bound<'_, PyAny>>,
    delta: Option<&Bound<'_, PyAny>>,
    seq: Option<&Bound<'_, PyAny>>,
    from_id: Option<&Bound<'_, PyAny>>,
    to_id: Option<&Bound<'_, PyAny>>,
    amount: Option<&Bound<'_, PyAny>>,
) -> PyResult<usize> {
    aggregator.get().record_batch(
        py, token_id, holder_id, start_us, end_us, weight, event_id, revision, retract, at_us,
        delta, seq, from_id, to_id, amount,
    )
}

/// `aggregator.snapshot(...)`.
#[pyfunction]
#[pyo3(signature = (aggregator, as_of_us, from_us=None, closed_only=false))]
pub(super) fn snapshot(
    py: Python<'_>,
    aggregator: &Bound<'_, Aggregator>,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<Snapshot> {
    aggregator
        .get()
        .snapshot(py, as_of_us, from_us, closed_only)
}

/// `aggregator.leaderboard(...)`.
#[pyfunction]
#[pyo3(signature = (aggregator, n, as_of_us, from_us=None, closed_only=false))]
pub(super) fn leaderboard<'py>(
    py: Python<'py>,
    aggregator: &Bound<'py, Aggregator>,
    n: &Bound<'py, PyAny>,
    as_of_us: &Bound<'py, PyAny>,
    from_us: Option<&Bound<'py, PyAny>>,
    closed_only: bool,
) -> PyResult<Bound<'py, PyList>> {
    aggregator
        .get()
        .leaderboard(py, n, as_of_us, from_us, closed_only)
}

fn score_events(events: &Bound<'_, PyAny>, window: &Window) -> PyResult<core::Snapshot> {
    let py = events.py();
    let events = events::read(events)?;
    detached(py, || {
        let accept = |row, lane: &mut Lane<'_>| {
            lane.accept(&events.event(row));
            Ok(())
        };
        scoring::score(events.len(), accept, window)
    })?
    .map_err(refused)
}

fn total(events: &Bound<'_, PyAny>, window: &Window) -> PyResult<Totals> {
    Ok(scoring::total(&score_events(events, window)?))
}
