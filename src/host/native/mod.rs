//! The callables and classes that Python sees as the native namespace.
//!
//! [`register`] fills both the host's module and the extension module, so that they are the same. Each callable
//! converts, detaches, calls the core and maps its errors once; [`values`] converts one value, [`events`] a list of
//! models, [`columns`] and [`table`] many rows at once, [`arrow_in`] and [`arrow_out`] exchange columns without a
//! copy, [`input`] reads files and tables with options, [`lines`] reads what a service was sent, [`pages`] converts
//! answers, [`airdrop`] shares pools and builds trees, [`stored_rows`] makes what storages keep, [`found`] words
//! refusals. Nothing is scored here; see [`crate::core`] and [`crate::aggregator`].

mod aggregator;
mod airdrop;
mod arrow_in;
mod arrow_out;
mod attributes;
mod buffers;
mod columns;
mod decimal_column;
mod decimals;
mod events;
mod found;
mod functions;
mod input;
mod instants;
mod integers;
mod lines;
mod memo;
mod owned;
mod pages;
pub(super) mod policies;
mod scoring;
mod snapshot;
mod stored_rows;
mod table;
mod texts;
mod used_facts;
mod values;

#[cfg(feature = "py-embed")]
pub(super) use arrow_out::stream;
#[cfg(feature = "py-embed")]
pub(super) use events::{read as read_events, read_rows};
pub(super) use snapshot::Snapshot;
#[cfg(feature = "py-embed")]
pub(super) use snapshot::row;
#[cfg(feature = "py-embed")]
pub(super) use stored_rows::{RowMaker, StoredValues};
#[cfg(feature = "py-embed")]
pub(super) use values::question as read_question;

use pyo3::prelude::*;
use pyo3::wrap_pyfunction;

/// The version of this namespace that the Python package checks.
const API: u32 = 6;

/// A native aggregator as the object that Python sees.
#[cfg(feature = "py-embed")]
pub(super) fn aggregator_object(
    py: Python<'_>,
    events: crate::aggregator::HoldAggregator,
) -> PyResult<Py<PyAny>> {
    Ok(Bound::new(py, aggregator::Aggregator::from(events))?
        .into_any()
        .unbind())
}

/// Fills `module` with `__version__`, `API`, the classes and the functions.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("API", API)?;
    module.add_class::<aggregator::Aggregator>()?;
    module.add_class::<Snapshot>()?;
    module.add_class::<lines::AcceptedLines>()?;
    module.add_class::<airdrop::MerkleTree>()?;
    module.add_function(wrap_pyfunction!(functions::aggregate, module)?)?;
    module.add_function(wrap_pyfunction!(airdrop::allocate_pool, module)?)?;
    module.add_function(wrap_pyfunction!(policies::apply_policy, module)?)?;
    module.add_function(wrap_pyfunction!(airdrop::checksummed_address, module)?)?;
    module.add_function(wrap_pyfunction!(functions::calculate_score, module)?)?;
    module.add_function(wrap_pyfunction!(functions::leaderboard, module)?)?;
    module.add_function(wrap_pyfunction!(functions::merge_overlaps, module)?)?;
    module.add_function(wrap_pyfunction!(input::read_input, module)?)?;
    module.add_function(wrap_pyfunction!(lines::read_lines, module)?)?;
    module.add_function(wrap_pyfunction!(functions::record_batch, module)?)?;
    module.add_function(wrap_pyfunction!(input::record_input, module)?)?;
    module.add_function(wrap_pyfunction!(functions::score_columns, module)?)?;
    module.add_function(wrap_pyfunction!(input::score_input, module)?)?;
    module.add_function(wrap_pyfunction!(functions::score_exact, module)?)?;
    module.add_function(wrap_pyfunction!(stored_rows::rows_with_ids, module)?)?;
    #[cfg(debug_assertions)]
    module.add_function(wrap_pyfunction!(functions::defect, module)?)?;
    module.add_function(wrap_pyfunction!(functions::snapshot, module)?)?;
    Ok(())
}
