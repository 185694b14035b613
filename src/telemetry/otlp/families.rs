//! Converts Prometheus metric families to OTLP metrics with the same names, labels and values.
//!
//! Counters and histograms are cumulative since the start of the process, as in Prometheus.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus::proto::{LabelPair, Metric as Sample, MetricFamily, MetricType};

/// Builds export requests from what is the same in all of them.
pub(super) struct RequestBuilder {
    attributes: Vec<KeyValue>,
    started_ns: u64,
}

impl RequestBuilder {
    /// `started` is the time at which the counters were 0.
    pub(super) fn new(attributes: Vec<KeyValue>, started: SystemTime) -> Self {
        Self {
            attributes,
            started_ns: nanoseconds(started),
        }
    }

    /// A request with the values of `families` at `now`.
    pub(super) fn request(
        &self,
        families: &[MetricFamily],
        now: SystemTime,
    ) -> ExportMetricsServiceRequest {
        let interval = Interval {
            started_ns: self.started_ns,
            now_ns: nanoseconds(now),
        };
        let scope = ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: env!("CARGO_PKG_NAME").into(),
                version: env!("CARGO_PKG_VERSION").into(),
                ..InstrumentationScope::default()
            }),
            metrics: families
                .iter()
                .filter_map(|family| interval.metric(family))
                .collect(),
            ..ScopeMetrics::default()
        };
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource {
                    attributes: self.attributes.clone(),
                    ..Resource::default()
                }),
                scope_metrics: vec![scope],
                ..ResourceMetrics::default()
            }],
        }
    }
}

/// From the start of counting to the time of an export.
struct Interval {
    started_ns: u64,
    now_ns: u64,
}

impl Interval {
    /// `None` for a type of metric that this project does not use.
    fn metric(&self, family: &MetricFamily) -> Option<Metric> {
        let samples = family.get_metric();
        let numbers = |value: fn(&Sample) -> f64| -> Vec<NumberDataPoint> {
            let point = |sample| self.number(sample, value(sample));
            samples.iter().map(point).collect()
        };
        let data = match family.get_field_type() {
            MetricType::COUNTER => Data::Sum(Sum {
                data_points: numbers(|sample| sample.get_counter().get_value()),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic: true,
            }),
            MetricType::GAUGE => Data::Gauge(Gauge {
                data_points: numbers(|sample| sample.get_gauge().get_value()),
            }),
            MetricType::HISTOGRAM => Data::Histogram(Histogram {
                data_points: samples
                    .iter()
                    .map(|sample| self.histogram(sample))
                    .collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            }),
            MetricType::SUMMARY | MetricType::UNTYPED => return None,
        };
        Some(Metric {
            name: family.name().to_owned(),
            description: family.help().to_owned(),
            unit: unit(family.name()).to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    }

    fn number(&self, sample: &Sample, value: f64) -> NumberDataPoint {
        NumberDataPoint {
            attributes: attributes(sample.get_label()),
            start_time_unix_nano: self.started_ns,
            time_unix_nano: self.now_ns,
            value: Some(Value::AsDouble(value)),
            ..NumberDataPoint::default()
        }
    }

    fn histogram(&self, sample: &Sample) -> HistogramDataPoint {
        let histogram = sample.get_histogram();
        let bounded = || {
            histogram
                .get_bucket()
                .iter()
                .filter(|bucket| bucket.upper_bound().is_finite())
        };
        // Prometheus counts the values up to a bound; OTLP those between two bounds, with a last bucket for the rest.
        let mut bucket_counts = Vec::new();
        let mut below = 0;
        for upto in bounded()
            .map(prometheus::proto::Bucket::cumulative_count)
            .chain([histogram.get_sample_count()])
        {
            bucket_counts.push(upto - below);
            below = upto;
        }
        HistogramDataPoint {
            attributes: attributes(sample.get_label()),
            start_time_unix_nano: self.started_ns,
            time_unix_nano: self.now_ns,
            count: histogram.get_sample_count(),
            sum: Some(histogram.get_sample_sum()),
            bucket_counts,
            explicit_bounds: bounded()
                .map(prometheus::proto::Bucket::upper_bound)
                .collect(),
            ..HistogramDataPoint::default()
        }
    }
}

fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    let attribute = |label: &LabelPair| KeyValue {
        key: label.name().to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(label.value().to_owned())),
        }),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

/// The OTLP unit for the suffix of a name.
fn unit(name: &str) -> &'static str {
    let name = name.strip_suffix("_total").unwrap_or(name);
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes") {
        "By"
    } else {
        "1"
    }
}

fn nanoseconds(instant: SystemTime) -> u64 {
    let since_1970 = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn label(name: &str, value: &str) -> LabelPair {
        let mut label = LabelPair::default();
        label.set_name(name.into());
        label.set_value(value.into());
        label
    }

    #[test]
    fn names_labels_and_values_are_those_of_prometheus() {
        let metrics = Metrics::new("1", "");
        metrics.refused("end", 3);
        metrics.ack_latency.observe(0.002);
        metrics.ack_latency.observe(60.0);
        let builder = RequestBuilder::new(Vec::new(), UNIX_EPOCH);
        let mut request = builder.request(&metrics.gather(), SystemTime::now());
        let found = request.resource_metrics.remove(0).scope_metrics.remove(0);
        let data = |name: &str| {
            let metric = found.metrics.iter().find(|metric| metric.name == name);
            metric.unwrap_or_else(|| panic!("{name}")).data.clone()
        };
        let Some(Data::Sum(refused)) = data("holdmetrics_events_refused_total") else {
            panic!("a counter is a sum");
        };
        assert!(refused.is_monotonic);
        let reasons = attributes(&[label("reason", "end")]);
        let end = refused.data_points.iter();
        let end = end.filter(|point| point.attributes == reasons);
        let values: Vec<_> = end.map(|point| point.value).collect();
        assert_eq!(values, [Some(Value::AsDouble(3.0))]);
        let Some(Data::Histogram(latency)) = data("holdmetrics_ack_latency_seconds") else {
            panic!("a histogram stays one");
        };
        let point = &latency.data_points[0];
        assert_eq!(point.count, 2);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), 2);
        assert_eq!(point.bucket_counts.last(), Some(&1));
        let at = point
            .explicit_bounds
            .iter()
            .position(|bound| *bound >= 0.002);
        assert_eq!(point.bucket_counts[at.unwrap()], 1);
    }
}
