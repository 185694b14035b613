//! Lines of JSON that a service was sent, read into events that pass its limits.
//!
//! Nothing is recorded here, so that a caller can first make room for the events; see [`super::aggregator`].

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::integers;
use super::owned::OwnedEvents;
use super::snapshot::findings_row;
use crate::core::{Addressed, Claim, Event, EventSink, Fact, Findings, Micros, Wad};
use crate::engine::{EventLimits, Rejection};
use crate::host::errors::guarded;
use crate::input::{ParsedEvent, RefusalReason, event_from_line, is_blank, refused_line};

/// The events of some lines, and the lines that were refused.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct AcceptedLines {
    lines: usize,
    accepted: usize,
    refused: Vec<RefusedLine>,
    events: OwnedEvents,
}

struct RefusedLine {
    /// From 1.
    line: usize,
    /// The invalid field, or `json` or `line` if there is none.
    blamed: &'static str,
    reason: String,
}

/// Reads lines of JSON, without the break of the last one; each is accepted or refused alone.
///
/// An event is refused if an id has more than `id_bytes_max` bytes, if it begins more than `ahead_us_max` after
/// `now_us`, or if its line has more than `line_bytes_max` bytes.
#[pyfunction]
#[pyo3(signature = (text, now_us, *, id_bytes_max, ahead_us_max, line_bytes_max))]
pub(super) fn read_lines(
    py: Python<'_>,
    text: &[u8],
    now_us: i64,
    id_bytes_max: usize,
    ahead_us_max: u64,
    line_bytes_max: usize,
) -> PyResult<AcceptedLines> {
    guarded("read_lines", || {
        let now = Micros::new(now_us)
            .map_err(|error| crate::host::errors::refused(format!("now_us: {error}")))?;
        let limits = EventLimits {
            id_bytes_max,
            earliest: None,
            ahead_us_max,
        };
        Ok(py.detach(|| AcceptedLines::read(text, &limits, now, line_bytes_max)))
    })
}

impl AcceptedLines {
    /// The events of the accepted lines.
    pub(super) fn events(&self) -> Vec<Event<'_>> {
        self.events.events()
    }

    fn read(text: &[u8], limits: &EventLimits, now: Micros, line_bytes_max: usize) -> Self {
        let mut read = Self {
            lines: 0,
            accepted: 0,
            refused: Vec::new(),
            events: OwnedEvents::default(),
        };
        for line in text.split(|byte| *byte == b'\n') {
            read.lines += 1;
            if line.len() > line_bytes_max {
                let reason = format!("a line may have at most {line_bytes_max} bytes");
                read.refuse("line", reason);
            } else if !is_blank(line) {
                match event_from_line(line) {
                    Ok(parsed) => read.accept(line, &parsed, limits, now),
                    Err(reason) => read.refuse_line(&reason),
                }
            }
        }
        read
    }

    fn accept(&mut self, line: &[u8], parsed: &ParsedEvent<'_>, limits: &EventLimits, now: Micros) {
        let draft = parsed.draft();
        let accepted = if draft.is_transfer() {
            limits.check_transfer(draft, now).map(|events| {
                for event in &events {
                    self.events.accept(event);
                }
            })
        } else {
            limits
                .check(draft, now)
                .map(|event| self.events.accept(&event))
        };
        match accepted {
            Ok(()) => self.accepted += 1,
            Err(Rejection::Invalid(refusal)) => self.refuse_line(&refused_line(line, refusal)),
            Err(rejection) => self.refuse(rejection.field(), rejection.for_service()),
        }
    }

    fn refuse_line(&mut self, reason: &RefusalReason) {
        self.refuse(reason.field().unwrap_or("json"), reason.for_service());
    }

    fn refuse(&mut self, blamed: &'static str, reason: String) {
        self.refused.push(RefusedLine {
            line: self.lines,
            blamed,
            reason,
        });
    }
}

#[pymethods]
impl AcceptedLines {
    /// How many lines were read, blank ones included.
    #[getter]
    const fn lines(&self) -> usize {
        self.lines
    }

    /// How many lines were accepted.
    #[getter]
    const fn accepted(&self) -> usize {
        self.accepted
    }

    /// Tuples of the number of a line from 1, what is to blame (a field, `json` or `line`) and the reason.
    #[getter]
    fn refused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let refused = self.refused.iter();
        PyList::new(
            py,
            refused
                .map(|line| (line.line, line.blamed, &*line.reason).into_pyobject(py))
                .collect::<PyResult<Vec<_>>>()?,
        )
    }

    /// The number of events: a transfer between two holders is two.
    fn __len__(&self) -> usize {
        self.events.len()
    }

    /// What is probably not meant among the events: as `findings` of a snapshot.
    fn findings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let findings = Findings::of(self.events().into_iter());
        findings_row(&findings).into_bound_py_any(py)
    }

    /// The events as tuples in the order of `Record`.
    fn records<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guarded("AcceptedLines.records", || {
            let records = (0..self.events.len()).map(|row| record(py, &self.events.event(row)));
            PyList::new(py, records.collect::<PyResult<Vec<_>>>()?)
        })
    }
}

/// An event as a tuple in the order of `Record`.
pub(super) fn record<'py>(py: Python<'py>, event: &Event<'_>) -> PyResult<Bound<'py, PyTuple>> {
    let (event_id, revision, fact) = match event.claim {
        Claim::Plain(fact) => (None, 0, Some(fact)),
        Claim::Named { event_id, standing } => (Some(event_id), standing.revision, standing.fact),
    };
    let (mut start, mut end, mut weight, mut at, mut change, mut order) =
        (None, None, Wad::ONE, None, None, 0);
    match fact {
        Some(Fact::Closed {
            start: first,
            end: last,
            weight: held,
        }) => (start, end, weight) = (Some(first), Some(last), held),
        Some(Fact::Start {
            at: first,
            weight: held,
            seq,
        }) => (start, weight, order) = (Some(first), held, seq),
        Some(Fact::Stop { at: last, seq }) => (end, order) = (Some(last), seq),
        Some(Fact::Change { at: instant, delta }) => (at, change) = (Some(instant), Some(delta)),
        None => {}
    }
    (
        event.token_id,
        event.holder_id,
        start.map(Micros::get),
        end.map(Micros::get),
        integers::from_quantity(py, weight.into())?,
        event_id,
        revision,
        fact.is_none(),
        at.map(Micros::get),
        change
            .map(|delta| integers::from_balance(py, delta.into()))
            .transpose()?,
        order,
    )
        .into_pyobject(py)
}
