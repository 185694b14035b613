//! All pipelines of the service and their handlers, as operators and the watchdog see them.
//!
//! Python reports; nothing here calls it. So a report is there also if Python is stuck, and names the handler in
//! which it is stuck.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use serde_json::{Value, json};

use super::handler::HandlerRecord;
use crate::engine::ConsumerReport;
use crate::engine::gate::GateReport;
use crate::telemetry::Metrics;

/// States in which Python executes the file of a pipeline.
const LOADING: [&str; 2] = ["loading", "reloading"];

/// The state of a pipeline that is to be forgotten.
const REMOVED: &str = "removed";

/// What is known of all pipelines.
pub(super) struct Registry {
    pipelines: DashMap<String, PipelineRecord>,
    handlers: DashMap<(String, String), Arc<HandlerRecord>>,
    metrics: Arc<Metrics>,
    origin: Instant,
}

/// What Python has said of a pipeline.
#[derive(Clone)]
pub(super) struct PipelineRecord {
    /// As in `running`.
    pub(super) state: String,
    /// How many times it was loaded.
    pub(super) generation: u64,
    /// What is to be added to the state, such as a traceback.
    pub(super) detail: String,
    /// Its file.
    pub(super) file: String,
    /// SHA-256 of its sources.
    pub(super) digest: String,
    /// When this was said.
    pub(super) at: Instant,
}

/// Where Python is when it does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Culprit {
    pub(super) pipeline: String,
    /// Empty while the file of the pipeline is executed.
    pub(super) handler: String,
    pub(super) file: String,
    pub(super) running_for: Duration,
}

impl Registry {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            pipelines: DashMap::new(),
            handlers: DashMap::new(),
            metrics,
            origin: Instant::now(),
        }
    }

    /// The record of a handler, which is kept from one generation of its pipeline to the next.
    pub(super) fn handler(&self, pipeline: &str, name: &str, kind: &str) -> Arc<HandlerRecord> {
        let key = (pipeline.to_owned(), name.to_owned());
        let handler = self.handlers.entry(key).or_insert_with(|| {
            let metrics = self.metrics.pipelines.handler(pipeline, name);
            let record = HandlerRecord::new((pipeline, name), kind, metrics, self.origin);
            Arc::new(record)
        });
        Arc::clone(&handler)
    }

    /// What Python says of a pipeline; one that is removed is forgotten.
    pub(super) fn set_pipeline(&self, name: &str, record: PipelineRecord) {
        if record.state == REMOVED {
            self.pipelines.remove(name);
            self.handlers.retain(|(pipeline, _), _| pipeline != name);
        } else {
            self.pipelines.insert(name.to_owned(), record);
        }
    }

    /// The handler that runs and began last, or the pipeline whose file is executed: there Python is, if it does
    /// not answer.
    pub(super) fn culprit(&self) -> Option<Culprit> {
        let running = self.handlers.iter().filter_map(|handler| {
            let running_for = handler.running_for()?;
            Some((running_for, Arc::clone(&handler)))
        });
        let last = running.min_by_key(|(running_for, _)| *running_for);
        if let Some((running_for, handler)) = last {
            let file = self.pipelines.get(&*handler.pipeline);
            return Some(Culprit {
                pipeline: handler.pipeline.to_string(),
                handler: handler.name.to_string(),
                file: file.map_or_else(String::new, |pipeline| pipeline.file.clone()),
                running_for,
            });
        }
        let loading = self
            .pipelines
            .iter()
            .filter(|pipeline| LOADING.contains(&&*pipeline.state));
        let last = loading.max_by_key(|pipeline| pipeline.at)?;
        Some(Culprit {
            pipeline: last.key().clone(),
            handler: String::new(),
            file: last.file.clone(),
            running_for: last.at.elapsed(),
        })
    }

    /// All pipelines by name, each with its handlers and its consumers of the feed.
    pub(super) fn report(&self, consumers: &[ConsumerReport], gates: &[GateReport]) -> Vec<Value> {
        let mut names: Vec<String> = self
            .pipelines
            .iter()
            .map(|entry| entry.key().clone())
            .collect();
        names.sort_unstable();
        let one = |name: &String| {
            let pipeline = self.pipelines.get(name)?.clone();
            Some(json!({
                "name": name,
                "state": pipeline.state,
                "detail": pipeline.detail,
                "generation": pipeline.generation,
                "file": pipeline.file,
                "digest": pipeline.digest,
                "handlers": self.handlers_of(name),
                "consumers": consumers_of(name, consumers),
                "gates": gates_of(name, gates),
            }))
        };
        names.iter().filter_map(one).collect()
    }

    fn handlers_of(&self, pipeline: &str) -> Vec<Value> {
        let mut handlers: Vec<Arc<HandlerRecord>> = self
            .handlers
            .iter()
            .filter(|handler| &*handler.pipeline == pipeline)
            .map(|handler| Arc::clone(&handler))
            .collect();
        handlers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        handlers.iter().map(|handler| handler.report()).collect()
    }
}

/// The `before_accept` handlers that the engine asks.
fn gates_of(pipeline: &str, gates: &[GateReport]) -> Vec<Value> {
    let own = gates
        .iter()
        .filter(|gate| gate.options.pipeline == pipeline);
    let report = own.map(|gate| {
        json!({
            "name": gate.options.handler,
            "budget_seconds": gate.options.budget.as_secs_f64(),
            "on_timeout": gate.options.on_timeout.name(),
            "is_bypassed": gate.is_bypassed,
        })
    });
    report.collect()
}

/// The consumers of a pipeline: their names begin with its own.
fn consumers_of(pipeline: &str, consumers: &[ConsumerReport]) -> Vec<Value> {
    let own = consumers.iter().filter_map(|consumer| {
        let name = consumer.name.strip_prefix(pipeline)?.strip_prefix('/')?;
        Some(json!({
            "name": name,
            "position": consumer.position,
            "lag_events": consumer.lag_events,
            "lag_bytes": consumer.lag_bytes,
            "lag_seconds": consumer.lag_seconds,
            "is_open": consumer.is_open,
            "is_detached": consumer.is_detached,
            "is_reading_facts": consumer.is_reading_facts,
            "shed": consumer.shed,
        }))
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::new(Arc::new(Metrics::new("", "")))
    }

    fn loaded(state: &str) -> PipelineRecord {
        PipelineRecord {
            state: state.into(),
            generation: 1,
            detail: String::new(),
            file: "tiers.py".into(),
            digest: "ab".into(),
            at: Instant::now(),
        }
    }

    #[test]
    fn the_handler_that_began_last_is_the_one_in_which_python_is_stuck() {
        let registry = registry();
        assert_eq!(registry.culprit(), None);
        registry.set_pipeline("tiers", loaded("loading"));
        let found = registry.culprit().unwrap();
        assert_eq!((&*found.pipeline, &*found.handler), ("tiers", ""));
        registry.set_pipeline("tiers", loaded("running"));
        assert_eq!(registry.culprit(), None);

        let waits = registry.handler("tiers", "publish", "every");
        let loops = registry.handler("tiers", "follow", "on_batch");
        waits.begin();
        std::thread::sleep(Duration::from_millis(2));
        loops.begin();
        let found = registry.culprit().unwrap();
        assert_eq!((&*found.handler, &*found.file), ("follow", "tiers.py"));
        loops.end(3);
        assert_eq!(registry.culprit().unwrap().handler, "publish");
        waits.failed("Traceback: no");
        assert_eq!(registry.culprit(), None);
    }

    #[test]
    fn a_removed_pipeline_is_forgotten() {
        let registry = registry();
        registry.set_pipeline("tiers", loaded("running"));
        registry.handler("tiers", "follow", "on_batch").begin();
        registry.set_pipeline("tiers", loaded(REMOVED));
        assert_eq!(
            (registry.report(&[], &[]).len(), registry.culprit()),
            (0, None)
        );
    }

    #[test]
    fn a_report_has_the_figures_of_each_handler_and_its_last_failure() {
        let registry = registry();
        registry.set_pipeline("tiers", loaded("running"));
        let handler = registry.handler("tiers", "follow", "on_batch");
        handler.begin();
        handler.end(3);
        handler.begin();
        handler.failed("Traceback: no");
        assert!(handler.count("shed", 5) && !handler.count("spilt", 1));
        handler.set_state("backing_off", "2 s");
        let again = registry.handler("tiers", "follow", "on_batch");
        assert!(Arc::ptr_eq(&handler, &again));
        let report = &registry.report(&[], &[])[0];
        assert_eq!(report["generation"], 1);
        let handler = &report["handlers"][0];
        for (field, value) in [
            ("calls", json!(2)),
            ("failures", json!(1)),
            ("events", json!(3)),
            ("state", json!("backing_off")),
            ("outcomes", json!({"shed": 5})),
            ("running_for_seconds", Value::Null),
        ] {
            assert_eq!(handler[field], value, "{field}");
        }
        assert_eq!(handler["last_failure"]["traceback"], "Traceback: no");
    }
}
