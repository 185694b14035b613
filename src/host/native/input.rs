//! What a program scores in one call: an Arrow table, or files, under options for how either is read.
//!
//! Files are read by the readers of the command line, on all cores. The options are the table `[input]` of a
//! mapping file, written as JSON. Explains nothing and keeps nothing; a file may be read again for the events
//! of one holder.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::aggregator::Aggregator;
use super::lines::record;
use super::owned::OwnedEvents;
use super::snapshot::Snapshot;
use super::table::{RowRefusal, Table};
use super::{arrow_in, values};
use crate::aggregator::{BatchScorer, BatchScores, HoldAggregator};
use crate::core::{Event, EventSink, Window};
use crate::host::errors::{guarded, refused};
use crate::host::workers::detached;
use crate::input::{
    InputError, InputOptions, MappingTable, OnError, Progress, ReadOptions, Source, read,
};

/// A table or files, not yet scored.
pub(super) enum Input {
    Table(Box<Table>),
    Files(Vec<Source>, Arc<InputOptions>),
}

/// Why an input is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputRefusal {
    #[error(transparent)]
    Table(#[from] RowRefusal),
    #[error(transparent)]
    Files(#[from] InputError),
}

impl Input {
    /// `source` is an Arrow table or a list of paths, `options` an object of JSON.
    pub(super) fn new(source: &Bound<'_, PyAny>, options: &str) -> PyResult<Self> {
        let options = Arc::new(options_from(options)?);
        if arrow_in::is_arrow(source)? {
            let table = Table::read(source, &options)?;
            return Ok(Self::Table(Box::new(table)));
        }
        let paths = source.extract::<Vec<PathBuf>>()?;
        let sources = paths.into_iter().map(Source::from).collect();
        Ok(Self::Files(sources, options))
    }

    /// Adds all events; with an error some of those of the files may have been added.
    pub(super) fn record(&self, aggregator: &HoldAggregator) -> Result<(), InputRefusal> {
        match self {
            Self::Table(table) => {
                aggregator.record_events(&table.events()?.events());
            }
            Self::Files(sources, options) => {
                read(sources, &on_workers(options), || aggregator)?;
            }
        }
        Ok(())
    }

    fn score(&self, window: &Window) -> Result<BatchScores, InputRefusal> {
        match self {
            Self::Table(table) => Ok(table.score(window)?),
            Self::Files(sources, options) => {
                let scorer = BatchScorer::new();
                let outcome = read(sources, &on_workers(options), || scorer.lane())?;
                Ok(scorer.finish_in_full(outcome.sinks, window, None))
            }
        }
    }

    /// The events of one holder, or all of them.
    fn events(&self, holder_id: Option<&str>) -> Result<OwnedEvents, InputRefusal> {
        match self {
            Self::Table(table) => {
                let mut chosen = Chosen::of(holder_id);
                table.feed_all(&mut chosen)?;
                Ok(chosen.events)
            }
            Self::Files(sources, options) => {
                let options = ReadOptions {
                    threads: NonZeroUsize::MIN,
                    ..on_workers(options)
                };
                let outcome = read(sources, &options, || Chosen::of(holder_id))?;
                let mut sinks = outcome.sinks.into_iter();
                Ok(sinks.next().map(|chosen| chosen.events).unwrap_or_default())
            }
        }
    }
}

/// Copies the events of one holder, or all.
struct Chosen<'a> {
    holder_id: Option<&'a str>,
    events: OwnedEvents,
}

impl<'a> Chosen<'a> {
    fn of(holder_id: Option<&'a str>) -> Self {
        Self {
            holder_id,
            events: OwnedEvents::default(),
        }
    }
}

impl EventSink for Chosen<'_> {
    fn accept(&mut self, event: &Event<'_>) {
        if self
            .holder_id
            .is_none_or(|chosen| chosen == event.holder_id)
        {
            self.events.accept(event);
        }
    }
}

/// Scores an Arrow table or a list of paths: all holders in leaderboard order.
///
/// `options` is an object of JSON with the keys of the table `[input]` of a mapping file. Raises `ValueError` that
/// names the first refused row or line.
#[pyfunction]
#[pyo3(signature = (source, options, *, as_of_us, from_us=None, closed_only=false))]
pub(super) fn score_input(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    options: &str,
    as_of_us: &Bound<'_, PyAny>,
    from_us: Option<&Bound<'_, PyAny>>,
    closed_only: bool,
) -> PyResult<Snapshot> {
    guarded("score_input", || {
        let window = values::window(as_of_us, from_us, closed_only)?;
        let input = Input::new(source, options)?;
        let snapshot = detached(py, || input.score(&window))?;
        Ok(snapshot.map_err(refused)?.into())
    })
}

/// Adds all events of an Arrow table or a list of paths to an aggregator; `source` and `options` as for `score_input`.
///
/// With an error some of the events of files may have been added.
#[pyfunction]
pub(super) fn record_input(
    py: Python<'_>,
    aggregator: &Bound<'_, Aggregator>,
    source: &Bound<'_, PyAny>,
    options: &str,
) -> PyResult<()> {
    guarded("record_input", || {
        aggregator
            .get()
            .record_input(py, &Input::new(source, options)?)
    })
}

/// The events of an Arrow table or a list of paths as tuples in the order of `Record`; those of one holder if
/// `holder_id` is given.
#[pyfunction]
#[pyo3(signature = (source, options, holder_id=None))]
pub(super) fn read_input<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    options: &str,
    holder_id: Option<&str>,
) -> PyResult<Bound<'py, PyList>> {
    guarded("read_input", || {
        let input = Input::new(source, options)?;
        let events = detached(py, || input.events(holder_id))?.map_err(refused)?;
        let events = events.events();
        let records = events.iter().map(|event| record(py, event));
        PyList::new(py, records.collect::<PyResult<Vec<_>>>()?)
    })
}

fn options_from(text: &str) -> PyResult<InputOptions> {
    let table = serde_json::from_str::<MappingTable>(text);
    table
        .map_err(|error| error.to_string())
        .and_then(MappingTable::options)
        .map_err(|reason| refused(format!("options: {reason}")))
}

/// One thread of the readers for each of the workers.
fn on_workers(options: &Arc<InputOptions>) -> ReadOptions {
    ReadOptions {
        input: Arc::clone(options),
        on_error: OnError::Fail,
        threads: NonZeroUsize::new(rayon::current_num_threads()).unwrap_or(NonZeroUsize::MIN),
        progress: Arc::new(Progress::default()),
    }
}
