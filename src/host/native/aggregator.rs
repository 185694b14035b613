//! The live aggregator as a Python class: frozen, shared among threads.
//!
//! It adds conversion to [`HoldAggregator`], and runs heavy calls detached.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::columns::{ColumnArguments, Columns};
use super::found::refused_event;
use super::input::Input;
use super::lines::AcceptedLines;
use super::snapshot::{Snapshot, row, rows};
use super::table::{RowRefusal, Table};
use super::used_facts::{Use, UsedFacts};
use super::{decimals, events, pages, policies, values};
#[cfg(feature = "py-embed")]
use crate::aggregator::HoldAggregator;
use crate::aggregator::Question;
use crate::core::{Draft, Field, Refusal};
use crate::host::errors::{guarded, refused};
use crate::host::workers::detached;

/// The facts of any number of keys; safe to use from any number of threads.
///
/// Times are integer microseconds since 1970. A refused event raises `ValueError` whose text names
/// the field and the reason, and changes nothing.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct Aggregator {
    facts: UsedFacts,
}

#[cfg(feature = "py-embed")]
impl From<HoldAggregator> for Aggregator {
    fn from(facts: HoldAggregator) -> Self {
        Self {
            facts: facts.into(),
        }
    }
}

impl Aggregator {
    /// Adds all events of a table or of files; with an error some of those of files may have been added.
    pub(super) fn record_input(&self, py: Python<'_>, input: &Input) -> PyResult<()> {
        let facts = self.facts.enter()?;
        detached(py, || input.record(&facts))?.map_err(refused)
    }
}

#[pymethods]
impl Aggregator {
    #[new]
    fn new() -> Self {
        Self {
            facts: UsedFacts::default(),
        }
    }

    /// Adds one event: a hold, a mark, or with `at_us` and `delta` a change of balance.
    ///
    /// Times are integer microseconds; `weight` and `delta` are a str, int, float or Decimal.
    #[pyo3(signature = (
        token_id, holder_id, start_us=None, end_us=None, weight=None, event_id=None,
        revision=None, retract=None, at_us=None, delta=None, seq=None
    ))]
    #[pyo3(
        text_signature = "($self, token_id, holder_id, start_us=None, end_us=None, \
                             weight=None, event_id=None, revision=0, retract=False, \
                             at_us=None, delta=None, seq=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "the fields of an event")]
    fn record(
        &self,
        token_id: &Bound<'_, PyAny>,
        holder_id: &Bound<'_, PyAny>,
        start_us: Option<&Bound<'_, PyAny>>,
        end_us: Option<&Bound<'_, PyAny>>,
        weight: Option<&Bound<'_, PyAny>>,
        event_id: Option<&Bound<'_, PyAny>>,
        revision: Option<&Bound<'_, PyAny>>,
        retract: Option<&Bound<'_, PyAny>>,
        at_us: Option<&Bound<'_, PyAny>>,
        delta: Option<&Bound<'_, PyAny>>,
        seq: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        guarded("Aggregator.record", || {
            let facts = self.facts.enter()?;
            let record = || -> Result<(), Refusal> {
                let decimal = |error| Refusal::Decimal(Field::Delta, error);
                let token = values::id(Field::TokenId, Some(token_id))?;
                let holder = values::id(Field::HolderId, Some(holder_id))?;
                let draft = Draft {
                    token_id: &token,
                    holder_id: &holder,
                    start: values::micros(Field::Start, start_us)?,
                    end: values::micros(Field::End, end_us)?,
                    weight: decimals::decimal(weight)?,
                    event_id: values::event_id(event_id)?,
                    revision: values::natural(revision, Refusal::Revision)?,
                    retract: values::retract(retract)?,
                    at: values::micros(Field::At, at_us)?,
                    delta: decimals::decimal(delta).map_err(decimal)?,
                    seq: values::natural(seq, Refusal::Seq)?,
                    ..Draft::default()
                };
                facts.record(&draft.check()?);
                Ok(())
            };
            record().map_err(|refusal| {
                let value = match refusal.field() {
                    "token_id" => Some(token_id),
                    "holder_id" => Some(holder_id),
                    "start" => start_us,
                    "end" => end_us,
                    "weight" => weight,
                    "event_id" => event_id,
                    "revision" => revision,
                    "retract" => retract,
                    "at" => at_us,
                    "delta" => delta,
                    "seq" => seq,
                    _ => None,
                };
                refused_event(refusal, value)
            })
        })
    }

    /// Adds all events of a list of `HoldEvent` and `Transfer` models, or none; returns how many, a transfer
    /// counting as the changes of its parties.
    fn record_events(&self, py: Python<'_>, events: &Bound<'_, PyAny>) -> PyResult<usize> {
        guarded("Aggregator.record_events", || {
            let events = events::read(events)?;
            let facts = self.facts.enter()?;
            detached(py, || {
                facts.record_events(&events.events());
                events.len()
            })
        })
    }

    /// Adds all rows of the columns, or of an Arrow table as the only argument, or none of them;
    /// returns how many events.
    #[pyo3(signature = (
        token_id, holder_id=None, start_us=None, end_us=None, weight=None, event_id=None,
        revision=None, retract=None, at_us=None, delta=None, seq=None, from_id=None,
        to_id=None, amount=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "the columns of a batch")]
    pub(super) fn record_batch(
        &self,
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
    ) -> PyResult<usize> {
        guarded("Aggregator.record_batch", || {
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
                return self.record_table(py, &Table::read(token_id, &Arc::default())?);
            }
            let mut columns = Columns::read(&arguments)?;
            let slices = columns.slices()?;
            let columns = slices.columns();
            let refused = |refusal| slices.refused(py, refusal);
            // Before the workers are called, which are not needed for this check.
            columns.rows().map_err(|length| refused(length.into()))?;
            let facts = self.facts.enter()?;
            detached(py, || facts.record_batch(&columns))?.map_err(refused)
        })
    }

    /// Adds the events of lines that `read_lines` has read; returns how many.
    fn record_lines(&self, py: Python<'_>, lines: &Bound<'_, AcceptedLines>) -> PyResult<usize> {
        guarded("Aggregator.record_lines", || {
            let lines = lines.get();
            let facts = self.facts.enter()?;
            detached(py, || {
                let events = lines.events();
                facts.record_events(&events);
                events.len()
            })
        })
    }

    /// Adds everything recorded in `other`, as if its events had been recorded here.
    fn merge(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        guarded("Aggregator.merge", || {
            let (facts, other) = (self.facts.enter()?, other.get().facts.enter()?);
            detached(py, || facts.merge(&other))
        })
    }

    /// All holders over the window, in leaderboard order.
    #[pyo3(signature = (as_of_us, from_us=None, closed_only=false))]
    pub(super) fn snapshot(
        &self,
        py: Python<'_>,
        as_of_us: &Bound<'_, PyAny>,
        from_us: Option<&Bound<'_, PyAny>>,
        closed_only: bool,
    ) -> PyResult<Snapshot> {
        guarded("Aggregator.snapshot", || {
            let window = values::window(as_of_us, from_us, closed_only)?;
            let facts = self.facts.enter()?;
            Ok(detached(py, || facts.snapshot(&window))?.into())
        })
    }

    /// The first `n` rows: tuples of rank, `holder_id`, `held_us`, score, `weighted_score`.
    #[pyo3(signature = (n, as_of_us, from_us=None, closed_only=false))]
    pub(super) fn leaderboard<'py>(
        &self,
        py: Python<'py>,
        n: &Bound<'py, PyAny>,
        as_of_us: &Bound<'py, PyAny>,
        from_us: Option<&Bound<'py, PyAny>>,
        closed_only: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        guarded("Aggregator.leaderboard", || {
            let count = values::count(n)?;
            let window = values::window(as_of_us, from_us, closed_only)?;
            let facts = self.facts.enter()?;
            let leaders = detached(py, || facts.leaderboard(count, &window))?;
            rows(py, &leaders, count)
        })
    }

    /// One holder's row with its rank among all, or None if it is unknown.
    #[pyo3(signature = (holder_id, as_of_us, from_us=None, closed_only=false))]
    fn holder<'py>(
        &self,
        py: Python<'py>,
        holder_id: &str,
        as_of_us: &Bound<'py, PyAny>,
        from_us: Option<&Bound<'py, PyAny>>,
        closed_only: bool,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        guarded("Aggregator.holder", || {
            let window = values::window(as_of_us, from_us, closed_only)?;
            let facts = self.facts.enter()?;
            let found = detached(py, || facts.holder(holder_id, &window))?;
            found
                .map(|(rank, holder)| row(py, rank, &holder))
                .transpose()
        })
    }

    /// The keys whose balance is below 0 at some instant before `as_of_us`, by token and holder: tuples of
    /// `token_id`, `holder_id`, the first such instant in microseconds, the balance there in steps of 1e-18, and
    /// the event ids of the negative changes of that instant.
    fn deficits<'py>(
        &self,
        py: Python<'py>,
        as_of_us: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        guarded("Aggregator.deficits", || {
            let question = Question::of_all_tokens(values::window(as_of_us, None, false)?);
            let facts = self.facts.enter()?;
            let found = detached(py, || facts.deficits(&question, None, usize::MAX))?;
            pages::deficit_rows(py, &found.rows)
        })
    }

    /// The first `n` of these keys, of one token or of all, or those behind the key `after`: a tuple of the rows,
    /// whether more follow, and how many keys there are.
    #[pyo3(signature = (n, as_of_us, token_id=None, after=None))]
    fn deficit_page<'py>(
        &self,
        py: Python<'py>,
        n: &Bound<'py, PyAny>,
        as_of_us: &Bound<'py, PyAny>,
        token_id: Option<&str>,
        after: Option<(String, String)>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Aggregator.deficit_page", || {
            let count = values::count(n)?;
            let question = values::question(as_of_us, None, false, token_id)?;
            let after = after.map(pages::deficit_cursor);
            let facts = self.facts.enter()?;
            let found = detached(py, || facts.deficits(&question, after.as_ref(), count))?;
            pages::deficits(py, &found)
        })
    }

    /// The first `n` holders, of one token or of all, or those behind `after`, a score as text and a `holder_id`: a
    /// tuple of the rows, how many holders follow, how many there are, and how many of their keys are below 0.
    #[pyo3(signature = (n, as_of_us, from_us=None, closed_only=false, token_id=None, after=None))]
    #[expect(clippy::too_many_arguments, reason = "a question and a cursor")]
    fn page<'py>(
        &self,
        py: Python<'py>,
        n: &Bound<'py, PyAny>,
        as_of_us: &Bound<'py, PyAny>,
        from_us: Option<&Bound<'py, PyAny>>,
        closed_only: bool,
        token_id: Option<&str>,
        after: Option<(String, String)>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Aggregator.page", || {
            let count = values::count(n)?;
            let question = values::question(as_of_us, from_us, closed_only, token_id)?;
            let after = after.map(pages::ranking_cursor).transpose()?;
            let facts = self.facts.enter()?;
            let found = detached(py, || facts.ranking(&question, after.as_ref(), count))?;
            pages::ranking(py, &found)
        })
    }

    /// What is known of one holder, with one token or with all: a tuple of its row, its keys, and how many of them
    /// are below 0; None if there is nothing. A key is a tuple of `token_id`, its segments (start, end and weight),
    /// its changes (instant, `event_id`, delta and balance), and its deficit or None.
    #[pyo3(signature = (holder_id, as_of_us, from_us=None, closed_only=false, token_id=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        holder_id: &str,
        as_of_us: &Bound<'py, PyAny>,
        from_us: Option<&Bound<'py, PyAny>>,
        closed_only: bool,
        token_id: Option<&str>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        guarded("Aggregator.explain", || {
            let question = values::question(as_of_us, from_us, closed_only, token_id)?;
            let facts = self.facts.enter()?;
            let found = detached(py, || facts.explain(holder_id, &question, usize::MAX))?;
            found.map(|found| pages::statement(py, &found)).transpose()
        })
    }

    /// What was held within the window, as columns sorted by holder, token and start: `holder_id` and `token_id` as
    /// lists, `start_us` and `end_us` as the bytes of int64, the weights in steps of 1e-18 as a list.
    #[pyo3(signature = (as_of_us, from_us=None, closed_only=false))]
    fn held_columns<'py>(
        &self,
        py: Python<'py>,
        as_of_us: &Bound<'py, PyAny>,
        from_us: Option<&Bound<'py, PyAny>>,
        closed_only: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Aggregator.held_columns", || {
            let window = values::window(as_of_us, from_us, closed_only)?;
            let facts = self.facts.enter()?;
            let keys = detached(py, || facts.held(&Question::of_all_tokens(window)))?;
            policies::held_columns(py, &keys)
        })
    }

    /// How many events were accepted, repeated ones included.
    #[getter]
    fn events(&self) -> PyResult<u64> {
        Ok(self.facts.enter()?.events())
    }

    /// How many holders are known.
    #[getter]
    fn holders(&self) -> PyResult<usize> {
        Ok(self.facts.enter()?.holders())
    }

    /// How many keys are known.
    #[getter]
    fn keys(&self, py: Python<'_>) -> PyResult<usize> {
        let facts = self.facts.enter()?;
        Ok(py.detach(|| facts.keys()))
    }

    fn __repr__(&self) -> PyResult<String> {
        let facts = self.facts.enter()?;
        let (events, holders) = (facts.events(), facts.holders());
        Ok(format!("Aggregator(events={events}, holders={holders})"))
    }
}

impl Aggregator {
    /// The facts, for one call.
    pub(super) fn holds(&self) -> PyResult<Use<'_>> {
        self.facts.enter()
    }

    fn record_table(&self, py: Python<'_>, table: &Table) -> PyResult<usize> {
        let facts = self.facts.enter()?;
        let recorded = detached(py, || {
            let events = table.events()?;
            facts.record_events(&events.events());
            Ok(events.len())
        })?;
        recorded.map_err(|refusal: RowRefusal| refused(refusal))
    }
}
