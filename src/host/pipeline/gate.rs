//! A `before_accept` handler of Python as a gate of the engine: the batch goes to Python as a message, the verdicts
//! come back as a reply.
//!
//! Nothing here waits for Python; the engine drops a check that takes too long, and a message whose check is dropped is
//! not passed on. Events have no sequence yet; in the batch that Python sees it is the number of the row, from 0.

use std::sync::{Arc, Weak};
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::columns::ColumnsBuilder;
use super::context::HostContext;
use super::queue::Message;
use crate::core::{EventBatch, Glob, encoding};
use crate::engine::gate::{Answer, Gate, GateOptions, NoAnswer, OnTimeout, Verdict, Verdicts};
use crate::excerpt::quoted;
use crate::host::native::read_events;

/// What Python says of a gate: the name of the handler, the budget in seconds, `on_timeout`, and the patterns of tokens
/// and holders.
pub(super) type Described = (String, f64, String, Option<String>, Option<String>);

/// One handler.
struct PythonGate {
    /// Weak, because the engine has the gate and the context has the engine.
    context: Weak<HostContext>,
    /// The pipeline and the handler, by which Python knows it.
    name: Arc<str>,
}

/// The gates of `pipeline` as the engine takes them.
pub(super) fn gates(
    context: &Arc<HostContext>,
    pipeline: &str,
    described: Vec<Described>,
) -> PyResult<Vec<(GateOptions, Arc<dyn Gate>)>> {
    let glob = |pattern: Option<String>| pattern.as_deref().map(Glob::new);
    let gate = |(handler, seconds, on_timeout, token, holder): Described| {
        let options = GateOptions {
            pipeline: pipeline.to_owned(),
            handler,
            token: glob(token),
            holder: glob(holder),
            budget: budget(seconds)?,
            on_timeout: match &*on_timeout {
                "accept" => OnTimeout::Accept,
                "refuse" => OnTimeout::Refuse,
                _ => {
                    let found = quoted(&on_timeout);
                    let text = format!("on_timeout: expected accept or refuse, not {found}");
                    return Err(PyValueError::new_err(text));
                }
            },
        };
        let gate: Arc<dyn Gate> = Arc::new(PythonGate {
            context: Arc::downgrade(context),
            name: options.to_string().into(),
        });
        Ok((options, gate))
    };
    described.into_iter().map(gate).collect()
}

fn budget(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| {
        PyValueError::new_err(format!("budget: {seconds} s cannot be a limit ({error})"))
    })
}

/// The verdicts of Python by row: a reason, or a `HoldEvent` that takes the place of the row.
pub(super) fn verdicts(found: Vec<(u32, Bound<'_, PyAny>)>) -> PyResult<Verdicts> {
    let verdict = |(row, entry): (u32, Bound<'_, PyAny>)| {
        if let Ok(reason) = entry.extract::<String>() {
            return Ok((row, Verdict::Refuse(reason)));
        }
        let events = read_events(PyList::new(entry.py(), [&entry])?.as_any());
        Ok(match events {
            Ok(events) => {
                let mut batch = EventBatch::default();
                for event in events.events() {
                    batch.push(&event);
                }
                (row, Verdict::Replace(batch))
            }
            Err(error) if error.is_instance_of::<PyValueError>(entry.py()) => {
                let text = error.value(entry.py()).to_string();
                // The only row of the list that was read.
                let text = text.strip_prefix("row 0: ").unwrap_or(&text);
                let reason = format!("changed the event, which is invalid now: {text}");
                (row, Verdict::Refuse(reason))
            }
            Err(error) => return Err(error),
        })
    };
    found.into_iter().map(verdict).collect()
}

impl Gate for PythonGate {
    fn check(&self, events: Arc<EventBatch>) -> Answer {
        let Some(context) = self.context.upgrade() else {
            return Box::pin(async { Err(NoAnswer) });
        };
        let request = context.next_request();
        let Ok(reply) = context.checks.expect(request) else {
            return Box::pin(async { Err(NoAnswer) });
        };
        let mut columns = ColumnsBuilder::with_capacity(events.count() as usize);
        for (row, event) in (0..).zip(encoding::events(events.bytes())) {
            columns.push(row, &event.expect("events of a batch can be decoded"));
        }
        let last = u64::from(events.count()).saturating_sub(1);
        context.queue.push(Message::Check {
            request,
            gate: Arc::clone(&self.name),
            columns: Arc::new(columns.finish(0, last, false)),
        });
        Box::pin(async move { reply.value().await.ok().flatten().ok_or(NoAnswer) })
    }
}
