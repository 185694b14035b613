//! Pipelines inside the service: starts Python, passes requests of operators on, reports, stops.
//!
//! Everything else of this module hangs below it. A bad pipeline never stops the service: what Python cannot load
//! or do is part of the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::asked::NoReply;
use super::context::HostContext;
use super::error::{RequestError, StartError};
use super::probe::Probe;
use super::quarantine::Quarantine;
use super::queue::Message;
use super::registry::Culprit;
#[cfg(unix)]
use super::stacks::StacksTo;
use super::thread::PythonThread;
use super::watchdog::Watchdog;
use crate::config::{Pipelines, StoreAddress};
use crate::engine::Engine;
use crate::host::runtime::{Runtime, Surroundings};
use crate::telemetry::Metrics;

/// What is left of the time of a shutdown after calls must have ended, for the log and the streams.
const FLUSH_WAIT: Duration = Duration::from_millis(500);

/// Python with the pipelines of a service.
pub(crate) struct PipelineHost {
    context: Arc<HostContext>,
    quarantine: Arc<Quarantine>,
    /// The folder of the packages that `py install` has installed.
    environment: Option<PathBuf>,
    thread: PythonThread,
    watchdog: Watchdog,
    probe: Probe,
}

impl PipelineHost {
    /// Whether there is a Python that can be booted.
    ///
    /// # Errors
    /// What is missing, and the cure.
    pub(crate) fn check() -> Result<(), StartError> {
        find().map(drop)
    }

    /// Boots Python and begins to load the pipelines; blocks until it is booted and has checked the addresses of the
    /// stores. `data_dir` is the folder of the journal, `None` if nothing is kept; a round to seal has at most
    /// `round_bytes_max` bytes.
    ///
    /// # Errors
    /// If Python cannot be booted, or a store cannot be used; a pipeline that cannot be loaded does not count as one.
    pub(crate) fn start(
        engine: Arc<Engine>,
        settings: &Pipelines,
        stores: &[StoreAddress],
        data_dir: Option<&Path>,
        round_bytes_max: usize,
        metrics: Arc<Metrics>,
        runtime: Handle,
    ) -> Result<Self, StartError> {
        let python = find()?;
        let quarantine = Arc::new(Quarantine::open(data_dir));
        let stores: Vec<String> = stores.iter().map(|each| each.as_str().to_owned()).collect();
        let for_python = for_python(settings, &stores, data_dir, &quarantine);
        let bytes_max = settings.queue_bytes_max;
        let context = HostContext::new(
            engine,
            Arc::clone(&metrics),
            runtime,
            bytes_max,
            round_bytes_max,
            for_python,
        );
        let context = Arc::new(context.map_err(StartError::Thread)?);
        let environment = python.environment.clone();
        let thread = PythonThread::start(Arc::clone(&context), python, stores)?;
        let fatal = Some(settings.fatal_limit).filter(|limit| !limit.is_zero());
        let watchdog = Watchdog::start(
            Arc::clone(&context),
            Arc::clone(&quarantine),
            Arc::clone(thread.stacks()),
            fatal,
        );
        Ok(Self {
            watchdog: watchdog.map_err(StartError::Thread)?,
            probe: Probe::start(metrics).map_err(StartError::Thread)?,
            context,
            quarantine,
            environment,
            thread,
        })
    }

    /// Resolves once Python has tried to load all pipelines.
    pub(crate) async fn loaded(&self) {
        self.context.loaded().await;
    }

    /// All pipelines with their handlers, and how Python is; answers at once, also if Python is stuck.
    #[must_use]
    pub(crate) fn report(&self) -> Value {
        let consumers = self.context.engine.feed().consumers();
        let gates = self.context.engine.gates().reports();
        let stuck = self.stuck();
        let state = match (self.thread.ended(), &stuck) {
            (Some(_), _) => "ended",
            (None, Some(_)) => "stuck",
            (None, None) => "running",
        };
        let ended = self.thread.ended().filter(|reason| !reason.is_empty());
        let stuck = stuck.map(|(time, culprit)| {
            let place = culprit.as_ref();
            json!({
                "seconds": time.as_secs_f64(),
                "pipeline": place.map(|place| &place.pipeline),
                "handler": place.map(|place| &place.handler),
                "file": place.map(|place| &place.file),
            })
        });
        json!({
            "pipelines": self.context.registry.report(&consumers, &gates),
            "quarantined": self.quarantine.all(),
            "python": {
                "state": state,
                "stuck": stuck,
                "traceback": ended.as_deref(),
                "environment": self.environment,
                "messages": self.context.metrics.pipelines.queue_messages.get(),
            },
        })
    }

    /// Lets Python do what `verb` says; the answer is a JSON object. It has no time limit; if the future is
    /// dropped, what was begun goes on.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn request(
        &self,
        verb: &'static str,
        arguments: Value,
    ) -> Result<Value, RequestError> {
        if let Some((time, culprit)) = self.stuck() {
            return Err(RequestError::no_answer(stuck_text(time, culprit)));
        }
        if verb == "enable" {
            self.release(&arguments)?;
        }
        let request = self.context.next_request();
        let no_reply = |reason| match reason {
            NoReply::Full => RequestError::no_answer(
                "Python has too many requests to answer already: try again later",
            ),
            NoReply::Ended => RequestError::no_answer(
                "Python has ended, see GET /admin/pipelines for its traceback: restart the service",
            ),
        };
        let reply = self.context.asked.expect(request).map_err(no_reply)?;
        let arguments = arguments.to_string();
        self.context.queue.push(Message::Asked {
            request,
            verb,
            arguments,
        });
        let text = reply.value().await.map_err(no_reply)?;
        let answer: Value = serde_json::from_str(&text).map_err(|error| RequestError {
            kind: "defect".into(),
            detail: format!("Python has answered with something else than JSON ({error})"),
            traceback: None,
        })?;
        match answer.get("error") {
            None => Ok(answer),
            Some(error) => Err(refusal(error)),
        }
    }

    /// Loads all pipelines again, in the background; what goes wrong is logged and reported.
    pub(crate) fn reload(&self) {
        self.context.queue.push(Message::Asked {
            request: 0,
            verb: "reload",
            arguments: "{}".into(),
        });
    }

    /// Writes the stacks of all threads of Python; blocks for two seconds at most, also if Python is stuck. False if
    /// this system has no such place.
    #[cfg(unix)]
    pub(crate) fn write_stacks(&self, to: StacksTo) -> bool {
        self.thread.stacks().write(to)
    }

    /// Ends the calls that run, flushes what sinks hold, and waits for Python until `deadline`.
    pub(crate) async fn stop(&self, deadline: Instant) {
        self.watchdog.stop();
        self.probe.stop();
        let left = deadline.saturating_duration_since(Instant::now());
        let drain = left.saturating_sub(FLUSH_WAIT);
        self.context.queue.push(Message::Stop { drain });
        if timeout_at(deadline, self.thread.wait()).await.is_err() {
            let place = self.context.registry.culprit();
            let (pipeline, handler) = place.map_or_else(
                || (String::new(), String::new()),
                |place| (place.pipeline, place.handler),
            );
            tracing::warn!(
                pipeline,
                handler,
                "Python did not end in time; what its handlers had not committed is delivered again at the next start."
            );
        }
    }

    /// For how long Python has not answered, and where it is.
    fn stuck(&self) -> Option<(Duration, Option<Culprit>)> {
        let time = self.context.pulse.stuck_for()?;
        Some((time, self.context.registry.culprit()))
    }

    /// Takes a pipeline out of the quarantine.
    fn release(&self, arguments: &Value) -> Result<(), RequestError> {
        let Some(name) = arguments["name"].as_str() else {
            return Ok(());
        };
        self.quarantine
            .remove(name)
            .map(drop)
            .map_err(|error| RequestError {
                kind: "defect".into(),
                detail: format!("the list of quarantined pipelines cannot be written ({error})"),
                traceback: None,
            })
    }
}

fn find() -> Result<Runtime, StartError> {
    let surroundings = Surroundings::of_this_process().map_err(StartError::Executable)?;
    Ok(Runtime::find(&surroundings)?)
}

/// The settings as Python reads them.
fn for_python(
    settings: &Pipelines,
    stores: &[String],
    data_dir: Option<&Path>,
    quarantine: &Quarantine,
) -> String {
    let folder = data_dir.and_then(|folder| std::path::absolute(folder).ok());
    json!({
        "files": settings.files,
        "stores": stores,
        "arguments": settings.arguments,
        "watch": settings.watch,
        "events_full": settings.events_full.name(),
        "soft_limit_seconds": settings.soft_limit.as_secs_f64(),
        "hard_limit_seconds": settings.hard_limit.as_secs_f64(),
        "memory_bytes_max": settings.memory_max,
        "processor_seconds_max": settings.processor_max.as_secs_f64(),
        "data_folder": folder,
        "quarantined": quarantine.all(),
    })
    .to_string()
}

fn stuck_text(time: Duration, culprit: Option<Culprit>) -> String {
    let place = match culprit {
        None => "Python".to_owned(),
        Some(place) if place.handler.is_empty() => {
            format!("the file of pipeline {}", place.pipeline)
        }
        Some(place) => format!("handler {} of pipeline {}", place.handler, place.pipeline),
    };
    format!(
        "Python has not answered for {} s: {place} blocks it; correct it, or wait for its time limit",
        time.as_secs()
    )
}

fn refusal(error: &Value) -> RequestError {
    let text = |field: &str| error[field].as_str().map(str::to_owned);
    RequestError {
        kind: text("kind").unwrap_or_else(|| "defect".into()),
        detail: text("detail").unwrap_or_else(|| "Python gave no reason".into()),
        traceback: text("traceback"),
    }
}
