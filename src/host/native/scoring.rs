//! Many rows into one snapshot, without an aggregator.
//!
//! The rows are divided among the workers; the first row that is refused refuses all.

use rayon::prelude::*;

use crate::aggregator::{BatchRefusal, BatchScorer, Lane};
use crate::core::{Refusal, Snapshot, Totals, Window};

/// Fewer rows are not worth another thread.
const STRIDE_MIN: usize = 4_096;

/// Scores `rows` rows over `window`, each of which `accept` passes to a lane; runs on the workers that it is
/// called on.
pub(super) fn score(
    rows: usize,
    accept: impl Fn(usize, &mut Lane<'_>) -> Result<(), Refusal> + Sync,
    window: &Window,
) -> Result<Snapshot, BatchRefusal> {
    let scorer = BatchScorer::new();
    let stride = rows.div_ceil(rayon::current_num_threads()).max(STRIDE_MIN);
    let lanes: Vec<Result<_, BatchRefusal>> = (0..rows.div_ceil(stride))
        .into_par_iter()
        .map(|index| {
            let mut lane = scorer.lane();
            for row in index * stride..rows.min((index + 1) * stride) {
                accept(row, &mut lane).map_err(|refusal| BatchRefusal::Row { row, refusal })?;
            }
            Ok(lane)
        })
        .collect();
    // The parts are in order, so the first refusal is that of the first refused row.
    let lanes = lanes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(scorer.finish(lanes, window, None))
}

/// The sums over all holders.
pub(super) fn total(snapshot: &Snapshot) -> Totals {
    snapshot.holders().iter().map(|holder| holder.totals).sum()
}
