//! A batch of acknowledged events as handlers see it: columns, each made when it is first asked for.
//!
//! Integers are views of the memory of Rust; ids are tuples in which equal texts are one object. A filter or a slice
//! copies nothing but the numbers of its rows. Nothing of a batch can be changed, so all handlers share it.

use std::sync::Arc;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyCapsule, PyInt, PyList, PyMemoryView, PyString, PyTuple};

use super::columns::{ABSENT, ColumnsBuilder, EventColumns, Ids, Integer};
use super::int64_column::Int64Column;
use super::models::Models;
use super::record_batch;
use super::rows::Rows;
use crate::core::{Glob, Wad};
use crate::host::errors::{guarded, refused};
use crate::host::native::{RowMaker, StoredValues, stream};
use crate::host::workers::detached;

/// Where models and JSON lines of a batch are made.
const MODULE: &str = "poh_holdmetrics.pipeline.batch";

/// Acknowledged events, in the order of the feed.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct Batch {
    columns: Arc<EventColumns>,
    rows: Rows,
    first: u64,
    last: u64,
    texts: [PyOnceLock<Py<PyTuple>>; 3],
    amounts: [PyOnceLock<Py<PyTuple>>; 2],
    integers: [PyOnceLock<Py<PyMemoryView>>; Integer::COUNT],
    retract: PyOnceLock<Py<PyMemoryView>>,
}

impl Batch {
    /// All rows of `columns`.
    pub(super) fn new(columns: Arc<EventColumns>) -> Self {
        let rows = Rows::Range(0..columns.len());
        let (first, last) = (columns.first, columns.last);
        Self::of_rows(columns, rows, first, last)
    }

    fn of_rows(columns: Arc<EventColumns>, rows: Rows, first: u64, last: u64) -> Self {
        Self {
            columns,
            rows,
            first,
            last,
            texts: [const { PyOnceLock::new() }; 3],
            amounts: [const { PyOnceLock::new() }; 2],
            integers: [const { PyOnceLock::new() }; Integer::COUNT],
            retract: PyOnceLock::new(),
        }
    }

    pub(super) fn columns(&self) -> &EventColumns {
        &self.columns
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(super) fn tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.texts(py, 0, &self.columns.tokens)
    }

    pub(super) fn holders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.texts(py, 1, &self.columns.holders)
    }

    pub(super) fn event_ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.texts(py, 2, &self.columns.event_ids)
    }

    fn texts<'py>(
        &self,
        py: Python<'py>,
        place: usize,
        ids: &Ids,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let made = self.texts[place].get_or_try_init(py, || {
            // Equal texts are one object.
            let mut known: Vec<Option<Bound<'py, PyString>>> = vec![None; ids.count()];
            let text = |row| {
                let code = ids.code(row)?;
                let text = known[code].get_or_insert_with(|| PyString::new(py, ids.text(code)));
                Some(text.clone())
            };
            PyTuple::new(py, self.rows.iter().map(text)).map(Bound::unbind)
        });
        Ok(made?.bind(py).clone())
    }

    fn integers<'py>(
        &self,
        py: Python<'py>,
        column: Integer,
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let made = self.integers[column as usize].get_or_try_init(py, || {
            let values = self.rows.values(&self.columns.integers[column as usize]);
            Int64Column::view(py, values).map(Bound::unbind)
        });
        Ok(made?.bind(py).clone())
    }

    fn amounts<'py, T: Copy + PartialEq>(
        &self,
        py: Python<'py>,
        place: usize,
        amount: impl Fn(usize) -> Option<T>,
        convert: impl Fn(T) -> PyResult<Bound<'py, PyInt>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let made = self.amounts[place].get_or_try_init(py, || {
            let mut last: Option<(T, Bound<'py, PyInt>)> = None;
            let mut numbers = Vec::with_capacity(self.rows.len());
            for row in self.rows.iter() {
                let Some(amount) = amount(row) else {
                    numbers.push(None);
                    continue;
                };
                // Most rows of a batch have the same weight.
                let known = last.as_ref().filter(|(known, _)| *known == amount);
                let number = match known {
                    Some((_, number)) => number.clone(),
                    None => last.insert((amount, convert(amount)?)).1.clone(),
                };
                numbers.push(Some(number));
            }
            PyTuple::new(py, numbers).map(Bound::unbind)
        });
        Ok(made?.bind(py).clone())
    }

    fn stored_values<'py>(
        &self,
        py: Python<'py>,
        [tokens, holders, event_ids]: &[Bound<'py, PyTuple>; 3],
        place: usize,
        row: usize,
    ) -> PyResult<StoredValues<'py>> {
        let columns = &*self.columns;
        let integer = |column| columns.integer(column, row);
        let time = |column| Some(integer(column)).filter(|us| *us != ABSENT);
        // A change of balance has the weight of every record that names none.
        let weight = columns.weight(row).unwrap_or(Wad::ONE.steps());
        let delta = columns.delta(row).map(|delta| {
            let steps = delta.size().steps();
            let sign = if delta.is_negative() && steps > 0 {
                "-"
            } else {
                ""
            };
            PyString::new(py, &format!("{sign}{steps}"))
        });
        Ok(StoredValues {
            token_id: tokens.get_item(place)?.cast_into()?,
            holder_id: holders.get_item(place)?.cast_into()?,
            start_us: time(Integer::Start),
            end_us: time(Integer::End),
            weight_wads: PyString::new(py, &weight.to_string()),
            event_id: event_ids.get_item(place)?.extract()?,
            revision: integer(Integer::Revision),
            retract: columns.retract[row] == 1,
            at_us: time(Integer::At),
            delta_wads: delta,
            seq: integer(Integer::Seq),
        })
    }

    /// The rows whose ids match; `None` if all do.
    fn matching(&self, token: Option<&str>, holder: Option<&str>) -> Option<Vec<u32>> {
        let columns = &*self.columns;
        let matches = |pattern: Option<&str>, ids: &Ids| {
            let pattern = Glob::new(pattern?);
            let of_text = |code| pattern.matches(ids.text(code));
            Some((0..ids.count()).map(of_text).collect::<Vec<bool>>())
        };
        let tokens = matches(token, &columns.tokens);
        let holders = matches(holder, &columns.holders);
        let is_kept = |matches: &Option<Vec<bool>>, ids: &Ids, row| {
            let matches = matches.as_ref();
            matches.is_none_or(|matches| ids.code(row).is_some_and(|code| matches[code]))
        };
        let kept: Vec<u32> = self
            .rows
            .iter()
            .filter(|row| {
                is_kept(&tokens, &columns.tokens, *row) && is_kept(&holders, &columns.holders, *row)
            })
            .map(|row| u32::try_from(row).expect("fewer than 2^32 rows in a batch"))
            .collect();
        (kept.len() < self.rows.len()).then_some(kept)
    }
}

#[pymethods]
impl Batch {
    /// The first number of the feed that this batch covers, rows removed by a filter included.
    #[getter]
    fn first_sequence(&self) -> u64 {
        self.first
    }

    /// The last number of the feed that this batch covers.
    #[getter]
    fn last_sequence(&self) -> u64 {
        self.last
    }

    /// Whether these are the facts of the state.
    #[getter]
    fn is_from_facts(&self) -> bool {
        self.columns.is_from_facts
    }

    fn __len__(&self) -> usize {
        self.rows.len()
    }

    fn __repr__(&self) -> String {
        let (count, first, last) = (self.rows.len(), self.first, self.last);
        format!("Batch({count} events, sequence {first} to {last})")
    }

    #[getter]
    fn token_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Batch.token_id", || self.tokens(py))
    }

    #[getter]
    fn holder_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Batch.holder_id", || self.holders(py))
    }

    #[getter]
    fn event_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Batch.event_id", || self.event_ids(py))
    }

    #[getter]
    fn sequence<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.sequence", || self.integers(py, Integer::Sequence))
    }

    #[getter]
    fn start_us<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.start_us", || self.integers(py, Integer::Start))
    }

    #[getter]
    fn end_us<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.end_us", || self.integers(py, Integer::End))
    }

    #[getter]
    fn at_us<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.at_us", || self.integers(py, Integer::At))
    }

    #[getter]
    fn revision<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.revision", || self.integers(py, Integer::Revision))
    }

    #[getter]
    fn seq<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.seq", || self.integers(py, Integer::Seq))
    }

    #[getter]
    fn weight_wads<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Batch.weight_wads", || {
            let weight = |row| self.columns.weight(row);
            self.amounts(py, 0, weight, |steps| Ok(steps.into_pyobject(py)?))
        })
    }

    #[getter]
    fn delta_wads<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Batch.delta_wads", || {
            let delta = |row| self.columns.delta(row);
            self.amounts(py, 1, delta, |delta| {
                let size = delta.size().steps().into_pyobject(py)?;
                if delta.is_negative() {
                    Ok(size.neg()?.cast_into()?)
                } else {
                    Ok(size)
                }
            })
        })
    }

    #[getter]
    fn retract<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        guarded("Batch.retract", || {
            let made = self.retract.get_or_try_init(py, || {
                let flags = &self.columns.retract;
                let flags: Vec<u8> = self.rows.iter().map(|row| flags[row]).collect();
                PyMemoryView::from(PyBytes::new(py, &flags).as_any()).map(Bound::unbind)
            });
            Ok(made?.bind(py).clone())
        })
    }

    /// The rows as models, each made when it is reached.
    fn events(slf: &Bound<'_, Self>) -> PyResult<Models> {
        guarded("Batch.events", || Models::new(slf))
    }

    /// The rows whose ids match the patterns, in which `*` is any text and `?` any one character.
    #[pyo3(signature = (token=None, holder=None))]
    fn filter<'py>(
        slf: &Bound<'py, Self>,
        token: Option<&str>,
        holder: Option<&str>,
    ) -> PyResult<Bound<'py, Self>> {
        guarded("Batch.filter", || {
            let batch = slf.get();
            let Some(kept) = batch.matching(token, holder) else {
                return Ok(slf.clone());
            };
            let columns = Arc::clone(&batch.columns);
            let rows = Rows::Listed(kept.into());
            Bound::new(
                slf.py(),
                Self::of_rows(columns, rows, batch.first, batch.last),
            )
        })
    }

    /// The rows from `start` up to `stop`, which covers the numbers before the row at `stop`.
    fn slice(&self, start: usize, stop: usize) -> PyResult<Self> {
        guarded("Batch.slice", || {
            let length = self.rows.len();
            let stop = stop.min(length);
            if start > stop {
                return Err(PyIndexError::new_err(format!(
                    "slice: {start} is behind {stop}, the end of the rows"
                )));
            }
            let last = if stop == length {
                self.last
            } else {
                let (next, _) = self.columns.event(self.rows.at(stop));
                next.saturating_sub(1)
            };
            let first = if start == 0 || start == length {
                self.first
            } else {
                self.columns.event(self.rows.at(start)).0
            };
            let columns = Arc::clone(&self.columns);
            Ok(Self::of_rows(
                columns,
                self.rows.part(start..stop),
                first,
                last,
            ))
        })
    }

    /// The rows of this batch and of those that follow it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an argument that Python passes is extracted into a value"
    )]
    fn joined<'py>(
        slf: &Bound<'py, Self>,
        others: Vec<Bound<'py, Self>>,
    ) -> PyResult<Bound<'py, Self>> {
        guarded("Batch.joined", || {
            let Some(end) = others.last() else {
                return Ok(slf.clone());
            };
            let last = end.get().last;
            let batches: Vec<&Self> = std::iter::once(slf)
                .chain(&others)
                .map(Bound::get)
                .collect();
            let joined = detached(slf.py(), || {
                let count = batches.iter().map(|batch| batch.rows.len()).sum();
                let mut builder = ColumnsBuilder::with_capacity(count);
                for batch in &batches {
                    for row in batch.rows.iter() {
                        let (sequence, event) = batch.columns.event(row);
                        builder.push(sequence, &event);
                    }
                }
                let is_from_facts = batches.iter().any(|batch| batch.columns.is_from_facts);
                builder.finish(batches[0].first, last, is_from_facts)
            })?;
            Bound::new(slf.py(), Self::new(Arc::new(joined)))
        })
    }

    /// What storages keep of the rows: tuples of the content-derived id and the values; see
    /// `poh_holdmetrics.storage.rows`.
    fn rows_with_ids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guarded("Batch.rows_with_ids", || {
            let mut maker = RowMaker::default();
            let texts = [self.tokens(py)?, self.holders(py)?, self.event_ids(py)?];
            let rows = PyList::empty(py);
            for (place, row) in self.rows.iter().enumerate() {
                rows.append(maker.row(&self.stored_values(py, &texts, place, row)?)?)?;
            }
            Ok(rows)
        })
    }

    /// JSON lines, which `batch_from_bytes` and `score` read.
    fn to_bytes<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyBytes>> {
        let py = slf.py();
        let bytes = py
            .import(MODULE)?
            .call_method1("bytes_from_batch", (slf,))?;
        Ok(bytes.cast_into()?)
    }

    /// An Arrow stream with the columns that `score` reads from a Parquet file, and `sequence`;
    /// `requested_schema` is not negotiated.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        guarded("Batch.__arrow_c_stream__", || {
            let columns = Arc::clone(&self.columns);
            let rows = self.rows.clone();
            let batch = detached(py, move || record_batch::record_batch(&columns, &rows))?;
            let batch = batch.map_err(refused)?;
            stream(py, batch.schema(), vec![batch])
        })
    }
}

#[cfg(test)]
mod tests {
    use pyo3::types::{PyDict, PyModule};

    use super::*;
    use crate::core::{Delta, Draft, Micros, Wad};
    use crate::host::native;

    /// Ten events of two tokens and three holders; the last three are not closed holds.
    fn columns() -> EventColumns {
        let at = |micros| Some(Micros::new(micros).unwrap());
        let ids: Vec<String> = (0..10).map(|number| format!("e{number}")).collect();
        let holders = ["0xa", "0xb", "c"];
        let mut builder = ColumnsBuilder::with_capacity(10);
        for (number, id) in ids.iter().enumerate() {
            let base = Draft {
                token_id: if number % 2 == 0 { "punk/1" } else { "ape/2" },
                holder_id: holders[number % 3],
                event_id: Some(id),
                ..Draft::default()
            };
            let micros = i64::try_from(number).unwrap();
            let draft = match number {
                7 => Draft {
                    at: at(5),
                    delta: Some(Delta::parse("-0.5").unwrap()),
                    ..base
                },
                8 => Draft { end: at(9), ..base },
                9 => Draft {
                    retract: true,
                    revision: 2,
                    ..base
                },
                _ => Draft {
                    start: at(micros),
                    end: at(micros + 10),
                    weight: Some(Wad::from_steps(u128::MAX)),
                    ..base
                },
            };
            builder.push(100 + number as u64, &draft.check().unwrap());
        }
        builder.finish(100, 112, false)
    }

    /// Runs `code`, whose variable `b` is a batch of [`columns`] and `native` the registered callables.
    #[track_caller]
    fn run(code: &std::ffi::CStr) {
        Python::attach(|py| {
            let names = PyDict::new(py);
            let batch = Bound::new(py, Batch::new(Arc::new(columns()))).unwrap();
            names.set_item("b", batch).unwrap();
            let module = PyModule::new(py, "native").unwrap();
            native::register(&module).unwrap();
            names.set_item("native", module).unwrap();
            if let Err(error) = py.run(code, Some(&names), None) {
                error.print(py);
                panic!("{error}");
            }
        });
    }

    #[test]
    fn columns_have_the_values_of_the_events() {
        run(c"
ABSENT = -2**63
assert len(b) == 10 and (b.first_sequence, b.last_sequence, b.is_from_facts) == (100, 112, False)
assert list(b.sequence) == list(range(100, 110))
assert b.token_id[:3] == ('punk/1', 'ape/2', 'punk/1') and b.token_id[0] is b.token_id[2]
assert b.holder_id[3] is b.holder_id[0] and b.event_id[4] == 'e4'
assert list(b.start_us) == [*range(7), ABSENT, ABSENT, ABSENT]
assert list(b.end_us) == [*range(10, 17), ABSENT, 9, ABSENT]
assert list(b.at_us)[6:9] == [ABSENT, 5, ABSENT]
assert b.weight_wads == (*[2**128 - 1] * 7, None, 10**18, 10**18)
assert b.delta_wads == (*[None] * 7, -5 * 10**17, None, None)
assert list(b.retract) == [0] * 9 + [1] and list(b.revision)[9] == 2 and list(b.seq) == [0] * 10
assert b.start_us is b.start_us and b.token_id is b.token_id
");
    }

    #[test]
    fn nothing_of_a_batch_can_be_changed() {
        run(c"
view = b.start_us
assert (view.readonly, view.format, view.itemsize, view.shape) == (True, 'q', 8, (10,))
try:
    view[0] = 1
except TypeError:
    pass
else:
    raise AssertionError
for name in ('token_id', 'start_us', 'weight_wads'):
    try:
        setattr(b, name, ())
    except AttributeError:
        pass
    else:
        raise AssertionError(name)
del b
assert view[3] == 3
");
    }

    #[test]
    fn a_filter_keeps_the_rows_that_match_and_the_range_of_the_feed() {
        run(c"
punks = b.filter(token='punk/*')
assert list(punks.sequence) == [100, 102, 104, 106, 108] and set(punks.token_id) == {'punk/1'}
assert (punks.first_sequence, punks.last_sequence) == (100, 112)
both = punks.filter(holder='0x?')
assert list(both.sequence) == [100, 104, 106] and both.weight_wads == (2**128 - 1,) * 3
assert b.filter(token='*') is b and b.filter() is b and len(b.filter(token='x')) == 0
assert list(b.filter(holder='c').retract) == [0, 0, 0]
");
    }

    #[test]
    fn slices_cover_the_numbers_before_the_next_row_and_join_again() {
        run(c"
punks = b.filter(token='punk/*')
head, tail = punks.slice(0, 2), punks.slice(2, 99)
assert (head.first_sequence, head.last_sequence) == (100, 103)
assert (tail.first_sequence, tail.last_sequence) == (104, 112)
whole = head.joined([tail])
assert (whole.first_sequence, whole.last_sequence, len(whole)) == (100, 112, 5)
for name in ('token_id', 'holder_id', 'event_id', 'weight_wads', 'delta_wads'):
    assert getattr(whole, name) == getattr(punks, name), name
for name in ('sequence', 'start_us', 'end_us', 'at_us', 'revision', 'seq', 'retract'):
    assert list(getattr(whole, name)) == list(getattr(punks, name)), name
assert head.joined([]) is head
");
    }

    #[test]
    fn stored_rows_are_those_of_the_records() {
        run(c"
ABSENT = -2**63
or_none = lambda us: None if us == ABSENT else us
for rows in (b, b.filter(token='punk/*'), b.slice(7, 10)):
    records = [
        (token, holder, or_none(start), or_none(end), 10**18 if weight is None else weight, event_id, revision,
         bool(retract), or_none(at), delta, seq)
        for token, holder, start, end, weight, event_id, revision, retract, at, delta, seq in zip(
            rows.token_id, rows.holder_id, rows.start_us, rows.end_us, rows.weight_wads, rows.event_id,
            rows.revision, rows.retract, rows.at_us, rows.delta_wads, rows.seq, strict=True)
    ]
    assert rows.rows_with_ids() == native.rows_with_ids(records)
(change,) = b.slice(7, 8).rows_with_ids()
assert change[1:] == ('ape/2', '0xb', None, None, str(10**18), 'e7', 0, False, 5, '-' + str(5 * 10**17), 0)
");
    }

    #[test]
    fn native_code_scores_a_batch_through_arrow() {
        run(c"
holds = b.slice(0, 7)
rows = native.score_columns(holds, as_of_us=100).rows()
expected = native.score_columns(
    list(holds.token_id), list(holds.holder_id), holds.start_us, holds.end_us,
    [str(wads)[:-18] + '.' + str(wads)[-18:] for wads in holds.weight_wads], list(holds.event_id), as_of_us=100,
).rows()
assert rows == expected and len(rows) == 3
changes = native.score_columns(b, as_of_us=100)
assert len(changes) == 3
");
    }
}
