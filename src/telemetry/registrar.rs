//! Creates and registers metrics, and lists their names, types and labels. The names are defined in
//! [`super::metrics`].

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// Bucket bounds of durations, from a memory access to the timeout of a client.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// One metric: the content of its `# HELP` and `# TYPE` lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// "counter", "gauge" or "histogram".
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// Creates and registers metrics.
pub(super) struct Registrar {
    pub(super) registry: Registry,
    pub(super) catalogue: Vec<Family>,
}

impl Default for Registrar {
    fn default() -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry
            .register(Box::new(
                prometheus::process_collector::ProcessCollector::for_self(),
            ))
            .expect("the first collector of an empty registry");
        Self {
            registry,
            catalogue: Vec::new(),
        }
    }
}

impl Registrar {
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> IntCounter {
        let made = IntCounter::new(name, help);
        self.add(made, name, "counter", &[], help)
    }

    pub(super) fn counters(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> IntCounterVec {
        let made = IntCounterVec::new(Opts::new(name, help), labels);
        self.add(made, name, "counter", labels, help)
    }

    /// Counters for exactly these values of a label. Each is 0 from the start, so that the first count
    /// is visible as an increase.
    pub(super) fn counters_of(
        &mut self,
        name: &'static str,
        (label, values): (&'static [&'static str; 1], &[&str]),
        help: &'static str,
    ) -> IntCounterVec {
        let made = self.counters(name, label, help);
        for value in values {
            made.with_label_values(&[value]);
        }
        made
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> IntGauge {
        let made = IntGauge::new(name, help);
        self.add(made, name, "gauge", &[], help)
    }

    pub(super) fn gauge_of_seconds(&mut self, name: &'static str, help: &'static str) -> Gauge {
        let made = Gauge::new(name, help);
        self.add(made, name, "gauge", &[], help)
    }

    pub(super) fn gauges_of_seconds(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> GaugeVec {
        let made = GaugeVec::new(Opts::new(name, help), labels);
        self.add(made, name, "gauge", labels, help)
    }

    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> IntGaugeVec {
        let made = IntGaugeVec::new(Opts::new(name, help), labels);
        self.add(made, name, "gauge", labels, help)
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.add(Histogram::with_opts(options), name, "histogram", &[], help)
    }

    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let made = HistogramVec::new(options, labels);
        self.add(made, name, "histogram", labels, help)
    }

    fn add<T: Collector + Clone + 'static>(
        &mut self,
        made: prometheus::Result<T>,
        name: &'static str,
        kind: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> T {
        let metric = made.expect("names and labels are well formed");
        self.registry
            .register(Box::new(metric.clone()))
            .expect("names differ");
        self.catalogue.push(Family {
            name,
            kind,
            labels,
            help,
        });
        metric
    }
}
