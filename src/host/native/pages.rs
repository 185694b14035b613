//! Pages of holders, the statement of one holder and pages of deficits, as the tuples that Python sees.
//!
//! Nothing is computed here; see [`crate::aggregator`].

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use ruint::aliases::U256;

use super::integers;
use super::snapshot::row;
use crate::aggregator::{DeficitCursor, DeficitList, HolderView, KeyReport, Ranking};
use crate::core::{Deficit, HolderScore, Score, Totals};

/// Decimal places of a score.
const SCORE_PLACES: usize = 24;

/// The last row of a page of holders, by its score as text and its `holder_id`.
pub(super) fn ranking_cursor(after: (String, String)) -> PyResult<HolderScore> {
    let (text, holder_id) = after;
    let score = score(&text)
        .ok_or_else(|| PyValueError::new_err("after: does not begin with the text of a score"))?;
    Ok(HolderScore {
        holder_id: holder_id.into(),
        // Holders are ordered by score and id alone.
        totals: Totals { held_us: 0, score },
    })
}

/// The last row of a page of deficits.
pub(super) fn deficit_cursor(after: (String, String)) -> DeficitCursor {
    let (token_id, holder_id) = after;
    DeficitCursor {
        token_id: token_id.into(),
        holder_id: holder_id.into(),
    }
}

/// The rows, the number of holders behind them, of all holders, and of their deficits.
pub(super) fn ranking<'py>(py: Python<'py>, found: &Ranking) -> PyResult<Bound<'py, PyTuple>> {
    let rows = found.rows.iter();
    let rows = rows.map(|each| row(py, each.rank, &each.holder));
    (
        PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)?,
        found.behind,
        found.known,
        found.deficits,
    )
        .into_pyobject(py)
}

/// The row of a holder, its keys, and the number of their deficits.
pub(super) fn statement<'py>(py: Python<'py>, found: &HolderView) -> PyResult<Bound<'py, PyTuple>> {
    let keys = found.keys.iter().map(|key| report(py, key));
    (
        row(py, found.row.rank, &found.row.holder)?,
        PyList::new(py, keys.collect::<PyResult<Vec<_>>>()?)?,
        found.deficits,
    )
        .into_pyobject(py)
}

/// The rows, whether more follow, and the number of all deficits.
pub(super) fn deficits<'py>(py: Python<'py>, found: &DeficitList) -> PyResult<Bound<'py, PyTuple>> {
    (
        deficit_rows(py, &found.rows)?,
        found.next.is_some(),
        found.known,
    )
        .into_pyobject(py)
}

/// Tuples of `token_id`, `holder_id`, the first instant below 0, the balance there, and the event ids.
pub(super) fn deficit_rows<'py>(py: Python<'py>, rows: &[Deficit]) -> PyResult<Bound<'py, PyList>> {
    let rows = rows.iter().map(|deficit| deficit_row(py, deficit));
    PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
}

fn deficit_row<'py>(py: Python<'py>, deficit: &Deficit) -> PyResult<Bound<'py, PyTuple>> {
    let event_ids = deficit.event_ids.iter().map(|event_id| &**event_id);
    (
        &*deficit.token_id,
        &*deficit.holder_id,
        deficit.at.get(),
        integers::from_balance(py, deficit.balance)?,
        event_ids.collect::<Vec<_>>(),
    )
        .into_pyobject(py)
}

fn report<'py>(py: Python<'py>, key: &KeyReport) -> PyResult<Bound<'py, PyTuple>> {
    let segments = PyList::empty(py);
    for segment in &key.segments {
        segments.append((
            segment.start.get(),
            segment.end.map(crate::core::Micros::get),
            integers::from_quantity(py, segment.weight)?,
        ))?;
    }
    let changes = PyList::empty(py);
    for change in &key.changes {
        changes.append((
            change.at.get(),
            &*change.event_id,
            integers::from_balance(py, change.delta.into())?,
            integers::from_balance(py, change.balance)?,
        ))?;
    }
    let deficit = key.deficit.as_ref();
    (
        &*key.token_id,
        segments,
        changes,
        deficit
            .map(|deficit| deficit_row(py, deficit))
            .transpose()?,
    )
        .into_pyobject(py)
}

/// The score that prints as `text`.
fn score(text: &str) -> Option<Score> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || fraction.len() > SCORE_PLACES
        || !is_digits(whole)
        || !is_digits(fraction)
    {
        return None;
    }
    let steps = format!("{whole}{fraction:0<SCORE_PLACES$}");
    steps.parse::<U256>().ok().map(Score::from_steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    #[test]
    fn a_score_is_read_as_it_is_printed() {
        let weights = [0, 1, 15 * 10_u128.pow(17), u128::MAX];
        for (weight, micros) in weights.map(|steps| (Wad::from_steps(steps), 1_000_003)) {
            let printed = Score::product(weight, micros);
            assert_eq!(score(&printed.to_string()), Some(printed));
        }
        let too_long = format!("1.{}", "0".repeat(SCORE_PLACES + 1));
        for text in ["", ".5", "-1", "1e3", "0x10", "1.2.3", &too_long] {
            assert_eq!(score(text), None, "{text:?}");
        }
    }
}
