//! The bridge between Python and the service, as Python sees it.
//!
//! Nothing here blocks for long. What takes time begins with a call that returns the number of a request, and ends
//! with a message of that number; the event loop watches [`Bridge::fd`] and takes all messages at once. What Python
//! answers or reports is a plain call. No lock of ours is held while the interpreter is waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::batch::Batch;
use super::consumer::Consumer;
use super::context::HostContext;
use super::gate;
use super::meter::Meter;
use super::policy;
use super::prefetch::Prefetch;
use super::queue::{Message, Outcome};
use super::registry::PipelineRecord;
use crate::core;
use crate::engine::gate::RowId;
use crate::engine::{Engine, RoundRequest, Start, WhenFull};
use crate::error_line::error_line;
use crate::excerpt::quoted;
use crate::host::errors::{guarded, refused};
use crate::host::native::policies::held_columns;
use crate::host::native::{Snapshot, read_question, read_rows, row};
use crate::telemetry::own_metrics::OwnKind;

/// The end of the bridge that Python holds.
#[pyclass(frozen, module = "poh_holdmetrics.native")]
pub(super) struct Bridge {
    context: Arc<HostContext>,
}

impl Bridge {
    pub(super) fn new(context: Arc<HostContext>) -> Self {
        Self { context }
    }

    /// The answer of the engine, while other Python threads continue. On this thread, because the engine computes no
    /// answer on a worker of a pool.
    fn ask<T: Send>(&self, py: Python<'_>, question: impl FnOnce(&Engine) -> T + Send) -> T {
        let engine = &*self.context.engine;
        py.detach(|| question(engine))
    }
}

#[pymethods]
impl Bridge {
    /// Readable when messages wait.
    #[getter]
    fn fd(&self) -> i64 {
        self.context.queue.descriptor()
    }

    /// The settings of the service that concern pipelines, as JSON.
    #[getter]
    fn settings(&self) -> &str {
        &self.context.settings
    }

    /// All messages that wait: tuples of the number of the request, a kind and a payload.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let messages = self.context.queue.drain();
        let messages = messages
            .into_iter()
            .filter(|message| self.is_awaited(message))
            .map(|message| self.message(py, message));
        PyList::new(py, messages.collect::<PyResult<Vec<_>>>()?)
    }

    /// The loop of Python runs, and was late by so many seconds.
    fn beat(&self, late: f64) {
        self.context.pulse.beat();
        self.context.metrics.pipelines.loop_lag.observe(late);
    }

    /// All pipelines were loaded, or could not be.
    fn loaded(&self) {
        self.context.set_loaded();
    }

    /// The garbage collection took so many seconds.
    fn collected(&self, seconds: f64) {
        self.context.metrics.pipelines.collection.observe(seconds);
    }

    /// The reply to an "asked" message, as JSON.
    fn reply(&self, request: u64, text: String) {
        self.context.asked.reply(request, text);
    }

    /// The time in microseconds since 1970.
    fn now_us(&self) -> i64 {
        self.context.engine.now().get()
    }

    /// Opens a consumer of the feed.
    fn open(&self, name: String, start: &str, when_full: &str) -> PyResult<u64> {
        let start = match start {
            "now" => Start::Now,
            "beginning" => Start::Beginning,
            _ => return Err(unknown("start", start, "now or beginning")),
        };
        let when_full = match when_full {
            "lag" => WhenFull::Lag,
            "shed" => WhenFull::Shed,
            _ => return Err(unknown("when_full", when_full, "lag or shed")),
        };
        let context = Arc::clone(&self.context);
        Ok(self.context.begin(async move {
            let feed = Arc::clone(context.engine.feed());
            // Opening may read the file of cursors.
            let opened = tokio::task::spawn_blocking(move || feed.open(&name, start, when_full));
            match opened.await {
                Ok(Ok(consumer)) => Outcome::Consumer(Prefetch::start(&context, consumer)),
                Ok(Err(error)) => Outcome::Failed(error.to_string()),
                Err(panic) => Outcome::Failed(panic.to_string()),
            }
        }))
    }

    /// Submits events of a pipeline's own; completes with why gates of other pipelines have refused some of them.
    /// Raises `ValueError` if one is invalid, and then none is submitted.
    fn submit(&self, pipeline: String, events: &Bound<'_, PyAny>) -> PyResult<u64> {
        guarded("Bridge.submit", || {
            let (events, ends) = read_rows(events)?;
            let events = events.events();
            let engine = Arc::clone(&self.context.engine);
            let mut batch = engine.row_batch(0);
            let validator = engine.validator();
            let mut begin = 0;
            for (message, end) in (0..).zip(ends) {
                let id = RowId { message, row: None };
                let row = &events[std::mem::replace(&mut begin, end)..end];
                let accepted = batch.accept_events(&validator, row, id);
                accepted.map_err(|rejection| refused(format!("row {message}: {rejection}")))?;
            }
            Ok(self.context.begin(async move {
                let submitted = match engine.submit_rows(batch, Some(&pipeline)).await {
                    Ok(submitted) => submitted,
                    Err(error) => return Outcome::Failed(error_line(&error)),
                };
                if let Some(pending) = submitted.pending
                    && let Err(error) = pending.await
                {
                    return Outcome::Failed(error_line(&error));
                }
                let refused = submitted.refused.into_iter();
                Outcome::Texts(refused.map(|row| row.reason).collect())
            }))
        })
    }

    /// Seals a round that is given as JSON, as `POST /rounds` takes it; completes with its manifest as JSON.
    fn seal_round(&self, pipeline: String, request: String) -> u64 {
        let engine = Arc::clone(&self.context.engine);
        let sealing = Arc::clone(&self.context.sealing);
        let bytes_max = self.context.round_bytes_max;
        self.context.begin(async move {
            if request.len() > bytes_max {
                return Outcome::Failed(format!(
                    "the round has {} bytes as JSON, and limits.message_bytes_max is {bytes_max} (raise that setting, \
                     or name fewer holders)",
                    request.len()
                ));
            }
            // The engine seals one at a time: a round that waits for it here holds no thread.
            let _turn = sealing.acquire_owned().await.expect("it is never closed");
            let request: RoundRequest = match serde_json::from_str(&request) {
                Ok(request) => request,
                Err(error) => return Outcome::Failed(format!("not a round to seal: {error}")),
            };
            tracing::info!(
                id = request.id,
                pipeline,
                "A pipeline asked for a round to be sealed."
            );
            match tokio::task::spawn_blocking(move || engine.seal_round(&request)).await {
                Ok(Ok(sealed)) => {
                    let manifest = serde_json::to_string(&*sealed.manifest);
                    Outcome::Texts(vec![manifest.expect("text and numbers")])
                }
                Ok(Err(error)) => Outcome::Failed(error_line(&error)),
                Err(panic) => Outcome::Failed(panic.to_string()),
            }
        })
    }

    /// Lets these gates of a pipeline check the events of others from now on, in place of those that it had.
    fn set_gates(&self, pipeline: &str, gates: Vec<gate::Described>) -> PyResult<()> {
        let gates = gate::gates(&self.context, pipeline, gates)?;
        self.context.engine.gates().set(pipeline, gates);
        Ok(())
    }

    /// Publishes scores under these policies of a pipeline from now on, in place of those that it had.
    fn set_policies(&self, pipeline: &str, policies: Vec<policy::Described>) -> PyResult<()> {
        let policies = policy::policies(&self.context, pipeline, policies).map_err(refused)?;
        for name in self
            .context
            .engine
            .policies()
            .set_pipeline(pipeline, policies)
        {
            tracing::warn!(
                pipeline,
                name,
                "A policy of this name exists already; this one is not published."
            );
        }
        Ok(())
    }

    /// What was held in the state that a "publish" request is about, once, as columns sorted by holder, token and
    /// start.
    fn held_columns<'py>(&self, py: Python<'py>, request: u64) -> PyResult<Bound<'py, PyTuple>> {
        guarded("Bridge.held_columns", || {
            let held = self.context.held.remove(&request);
            let (_, keys) =
                held.ok_or_else(|| refused("nobody waits for these scores any more"))?;
            held_columns(py, &keys)
        })
    }

    /// The reply to a "check" message: the verdicts by row, or `None` if there is no answer.
    fn verdicts(
        &self,
        request: u64,
        verdicts: Option<Vec<(u32, Bound<'_, PyAny>)>>,
    ) -> PyResult<()> {
        guarded("Bridge.verdicts", || {
            let verdicts = verdicts.map(gate::verdicts).transpose()?;
            self.context.checks.reply(request, verdicts);
            Ok(())
        })
    }

    /// The durable key-values of a pipeline; completes with pairs of keys and JSON texts.
    fn state(&self, pipeline: String) -> u64 {
        let feed = Arc::clone(self.context.engine.feed());
        self.context.begin(async move {
            match tokio::task::spawn_blocking(move || feed.state(&pipeline)).await {
                Ok(Ok(pairs)) => Outcome::Pairs(pairs),
                Ok(Err(error)) => Outcome::Failed(error.to_string()),
                Err(panic) => Outcome::Failed(panic.to_string()),
            }
        })
    }

    /// Changes of the key-values of a pipeline; completes when they are durable.
    fn commit_state(&self, pipeline: String, changes: Vec<(String, Option<String>)>) -> u64 {
        let feed = Arc::clone(self.context.engine.feed());
        self.context.begin(async move {
            match feed.commit_state(&pipeline, changes).await {
                Ok(()) => Outcome::Nothing,
                Err(error) => Outcome::Failed(error.to_string()),
            }
        })
    }

    /// The first `n` holders, or all.
    #[pyo3(signature = (n, as_of_us, from_us, closed_only))]
    fn leaderboard(
        &self,
        py: Python<'_>,
        n: Option<usize>,
        as_of_us: &Bound<'_, PyAny>,
        from_us: Option<&Bound<'_, PyAny>>,
        closed_only: bool,
    ) -> PyResult<Snapshot> {
        guarded("Bridge.leaderboard", || {
            let question = read_question(as_of_us, from_us, closed_only, None)?;
            let size = n.unwrap_or(usize::MAX);
            let page = self.ask(py, |engine| engine.page(&question, None, size));
            let holders = page.holders.into_iter().map(|row| row.holder).collect();
            let window = question.window;
            Ok(core::Snapshot::new(window, holders, page.known, page.deficits).into())
        })
    }

    /// One holder with its rank: rank, `holder_id`, `held_us`, score, `weighted_score`; None if it is unknown.
    #[pyo3(signature = (holder_id, as_of_us, from_us, closed_only))]
    fn holder<'py>(
        &self,
        py: Python<'py>,
        holder_id: &str,
        as_of_us: &Bound<'py, PyAny>,
        from_us: Option<&Bound<'py, PyAny>>,
        closed_only: bool,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        guarded("Bridge.holder", || {
            let question = read_question(as_of_us, from_us, closed_only, None)?;
            let answer = self.ask(py, |engine| engine.holder(holder_id, &question, 0));
            let row = answer.map(|answer| row(py, answer.holder.rank, &answer.holder.holder));
            row.transpose()
        })
    }

    /// The meter of one handler.
    fn meter(&self, pipeline: &str, handler: &str, kind: &str) -> Meter {
        Meter(self.context.registry.handler(pipeline, handler, kind))
    }

    /// The state of a pipeline from now on.
    #[pyo3(signature = (pipeline, state, *, generation, detail="", file="", digest=""))]
    fn pipeline_state(
        &self,
        pipeline: &str,
        state: &str,
        generation: u64,
        detail: &str,
        file: &str,
        digest: &str,
    ) {
        let record = PipelineRecord {
            state: state.to_owned(),
            generation,
            detail: detail.to_owned(),
            file: file.to_owned(),
            digest: digest.to_owned(),
            at: Instant::now(),
        };
        self.context.registry.set_pipeline(pipeline, record);
    }

    /// Records a metric of the pipeline's own; raises `ValueError` if its name or labels cannot be used.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an argument that Python passes is extracted into a value"
    )]
    fn metric(
        &self,
        pipeline: &str,
        kind: &str,
        name: &str,
        value: f64,
        labels: Vec<(String, String)>,
    ) -> PyResult<()> {
        let kind = match kind {
            "counter" => OwnKind::Counter,
            "gauge" => OwnKind::Gauge,
            "histogram" => OwnKind::Histogram,
            _ => return Err(unknown("kind", kind, "counter, gauge or histogram")),
        };
        let own = &self.context.metrics.pipelines.own;
        own.record(pipeline, kind, name, value, &labels)
            .map_err(refused)
    }
}

impl Bridge {
    /// Whether somebody waits for what a message asks.
    fn is_awaited(&self, message: &Message) -> bool {
        match message {
            Message::Check { request, .. } => self.context.checks.is_waiting(*request),
            Message::Done { .. } | Message::Asked { .. } | Message::Stop { .. } => true,
        }
    }

    fn message<'py>(&self, py: Python<'py>, message: Message) -> PyResult<Bound<'py, PyTuple>> {
        match message {
            Message::Done { request, outcome } => {
                let none = || py.None().into_bound(py);
                let (kind, payload) = match outcome {
                    Outcome::Nothing => ("done", none()),
                    Outcome::Texts(texts) => ("done", texts.into_pyobject(py)?.into_any()),
                    Outcome::Pairs(pairs) => ("done", pairs.into_pyobject(py)?.into_any()),
                    Outcome::Consumer(prefetch) => {
                        let consumer = Consumer::new(Arc::clone(&self.context), prefetch);
                        ("done", Bound::new(py, consumer)?.into_any())
                    }
                    Outcome::Failed(reason) => ("failed", reason.into_pyobject(py)?.into_any()),
                };
                (request, kind, payload).into_pyobject(py)
            }
            Message::Asked {
                request,
                verb,
                arguments,
            } => (request, "asked", (verb, arguments)).into_pyobject(py),
            Message::Check {
                request,
                gate,
                columns,
            } => (request, "check", (&*gate, Batch::new(columns))).into_pyobject(py),
            Message::Stop { drain } => (0, "stop", seconds(drain)).into_pyobject(py),
        }
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn unknown(argument: &str, found: &str, known: &str) -> PyErr {
    PyValueError::new_err(format!(
        "{argument}: expected {known}, not {}",
        quoted(found)
    ))
}
