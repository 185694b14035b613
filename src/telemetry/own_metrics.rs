//! Metrics that the handlers of pipelines record themselves, under names and labels of their own.
//!
//! A metric exists from its first record on. The number of names and of series is bounded, because a label with
//! the id of a holder would otherwise fill the memory of the service.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry};

/// What the names begin with.
const PREFIX: &str = "holdmetrics_user_";
/// The label that names the pipeline.
const PIPELINE: &str = "pipeline";
/// Most metrics of all pipelines together.
const NAMES_MAX: usize = 256;
/// Most combinations of label values of one metric.
const SERIES_MAX: usize = 1_000;
/// Bucket bounds of observed values, of any unit.
const BUCKETS: &[f64] = &[
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0,
    100.0, 250.0, 500.0, 1_000.0, 10_000.0,
];

/// What kind a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnKind {
    /// It adds up.
    Counter,
    /// It has the value that was set last.
    Gauge,
    /// It counts values by size.
    Histogram,
}

/// Why a value was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnMetricError {
    /// The name, or that of a label, is not one of Prometheus.
    #[error("metric: \"{name}\" is not a name: use letters, digits and _, and no digit first")]
    Name {
        /// The name.
        name: String,
    },
    /// The metric exists with another kind or other labels.
    #[error(
        "metric: {name} was recorded before with another kind or other labels; choose another name"
    )]
    Differs {
        /// The name.
        name: String,
    },
    /// There are too many metrics, or too many combinations of labels.
    #[error("metric: {name} exceeds the maximum of {maximum} {what}; use fewer")]
    TooMany {
        /// The name.
        name: String,
        /// The limit.
        maximum: usize,
        /// What is limited.
        what: &'static str,
    },
    /// A counter cannot fall.
    #[error("metric: {name} is a counter and cannot fall; add 0 or more")]
    Falls {
        /// The name.
        name: String,
    },
}

/// The metrics of all pipelines.
pub struct OwnMetrics {
    registry: Registry,
    known: Mutex<HashMap<String, Known>>,
}

struct Known {
    family: Family,
    labels: Vec<String>,
    /// The values of the labels, of each series.
    series: HashSet<Vec<String>>,
}

enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

impl OwnMetrics {
    pub(super) fn new(registry: Registry) -> Self {
        Self {
            registry,
            known: Mutex::default(),
        }
    }

    /// Adds `value` to a counter, sets a gauge to it, or counts it in a histogram.
    ///
    /// # Errors
    /// If the name or the labels cannot be used.
    pub fn record(
        &self,
        pipeline: &str,
        kind: OwnKind,
        name: &str,
        value: f64,
        labels: &[(String, String)],
    ) -> Result<(), OwnMetricError> {
        let mut labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        labels.sort_unstable();
        labels.insert(0, (PIPELINE, pipeline));
        let mut known = self.known.lock();
        let count = known.len();
        let known = match known.entry(name.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if count >= NAMES_MAX => {
                return Err(too_many(name, NAMES_MAX, "metrics"));
            }
            Entry::Vacant(place) => {
                place.insert(self.create(kind, name, labels.iter().map(|(label, _)| *label))?)
            }
        };
        if known.family.kind() != kind || !labels.iter().map(|(label, _)| *label).eq(&known.labels)
        {
            return Err(OwnMetricError::Differs { name: name.into() });
        }
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        let owned: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        if !known.series.contains(&owned) {
            if known.series.len() >= SERIES_MAX {
                return Err(too_many(name, SERIES_MAX, "combinations of labels"));
            }
            known.series.insert(owned);
        }
        match &known.family {
            Family::Counter(family) if value >= 0.0 => {
                family.with_label_values(&values).inc_by(value);
            }
            Family::Counter(_) => return Err(OwnMetricError::Falls { name: name.into() }),
            Family::Gauge(family) => family.with_label_values(&values).set(value),
            Family::Histogram(family) => family.with_label_values(&values).observe(value),
        }
        Ok(())
    }

    fn create<'a>(
        &self,
        kind: OwnKind,
        name: &str,
        labels: impl Iterator<Item = &'a str>,
    ) -> Result<Known, OwnMetricError> {
        let labels: Vec<&str> = labels.collect();
        if let Some(name) = [name].iter().chain(&labels).find(|name| !is_name(name)) {
            return Err(OwnMetricError::Name {
                name: name.chars().take(40).collect(),
            });
        }
        let full = format!("{PREFIX}{name}");
        let help = format!("Recorded by pipelines as {name}.");
        // Fails only if a name or a label is given twice.
        let differs = |_| OwnMetricError::Differs { name: name.into() };
        let options = Opts::new(&full, &help);
        let family = match kind {
            OwnKind::Counter => {
                let made = CounterVec::new(options, &labels).map_err(differs)?;
                self.registry
                    .register(Box::new(made.clone()))
                    .map_err(differs)?;
                Family::Counter(made)
            }
            OwnKind::Gauge => {
                let made = GaugeVec::new(options, &labels).map_err(differs)?;
                self.registry
                    .register(Box::new(made.clone()))
                    .map_err(differs)?;
                Family::Gauge(made)
            }
            OwnKind::Histogram => {
                let options = HistogramOpts::from(options).buckets(BUCKETS.to_vec());
                let made = HistogramVec::new(options, &labels).map_err(differs)?;
                self.registry
                    .register(Box::new(made.clone()))
                    .map_err(differs)?;
                Family::Histogram(made)
            }
        };
        Ok(Known {
            family,
            labels: labels.into_iter().map(str::to_owned).collect(),
            series: HashSet::new(),
        })
    }
}

impl Family {
    const fn kind(&self) -> OwnKind {
        match self {
            Self::Counter(_) => OwnKind::Counter,
            Self::Gauge(_) => OwnKind::Gauge,
            Self::Histogram(_) => OwnKind::Histogram,
        }
    }
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn too_many(name: &str, maximum: usize, what: &'static str) -> OwnMetricError {
    OwnMetricError::TooMany {
        name: name.to_owned(),
        maximum,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> (Registry, OwnMetrics) {
        let registry = Registry::new();
        (registry.clone(), OwnMetrics::new(registry))
    }

    fn label(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn values_are_kept_by_pipeline_and_labels() {
        let (registry, metrics) = metrics();
        let counter = OwnKind::Counter;
        for (pipeline, value) in [("a", 1.0), ("a", 2.5), ("b", 4.0)] {
            let labels = [label("tier", "gold")];
            metrics
                .record(pipeline, counter, "moves", value, &labels)
                .unwrap();
        }
        metrics
            .record("a", OwnKind::Gauge, "size", -3.0, &[])
            .unwrap();
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        for line in [
            "holdmetrics_user_moves{pipeline=\"a\",tier=\"gold\"} 3.5",
            "holdmetrics_user_moves{pipeline=\"b\",tier=\"gold\"} 4",
            "holdmetrics_user_size{pipeline=\"a\"} -3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let (_, metrics) = metrics();
        let record = |kind, name: &str, value, labels: &[(String, String)]| {
            let refused = metrics.record("a", kind, name, value, labels);
            refused.map_err(|error| error.to_string())
        };
        record(OwnKind::Counter, "moves", 1.0, &[]).unwrap();
        let differs = record(OwnKind::Gauge, "moves", 1.0, &[]).unwrap_err();
        assert!(
            differs.starts_with("metric: moves was recorded before"),
            "{differs}"
        );
        let falls = record(OwnKind::Counter, "moves", -1.0, &[]).unwrap_err();
        assert!(falls.contains("cannot fall"), "{falls}");
        let name = record(OwnKind::Gauge, "2nd place", 1.0, &[]).unwrap_err();
        assert!(
            name.starts_with("metric: \"2nd place\" is not a name"),
            "{name}"
        );
        for number in 0..SERIES_MAX {
            let labels = [label("holder", &number.to_string())];
            record(OwnKind::Gauge, "held", 1.0, &labels).unwrap();
        }
        let known = record(OwnKind::Gauge, "held", 2.0, &[label("holder", "7")]);
        assert_eq!(known, Ok(()));
        let many = record(OwnKind::Gauge, "held", 1.0, &[label("holder", "new")]).unwrap_err();
        assert!(many.contains("1000 combinations of labels"), "{many}");
    }
}
