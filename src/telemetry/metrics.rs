//! All metrics of the service, with their names and help texts.
//!
//! One struct of typed handles, shared as `Arc<Metrics>`. The code that does the work counts it; gauges
//! of the engine (holders, lag, segments) are read from [`EngineGauges`] at each scrape.
//! `docs/operations.md` describes what to watch.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Registry, TextEncoder,
};

pub use super::feed_metrics::{ConsumerGauges, FeedMetrics};
use super::gate_metrics::GateFamilies;
pub use super::gate_metrics::GateMetrics;
use super::pipeline_metrics::PipelineMetrics;
pub use super::registrar::Family;
use super::registrar::Registrar;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The conditions of an engine; the gauge of the current one is 1.
const CONDITIONS: [&str; 6] = [
    "ready",
    "disk_full",
    "disk_stalled",
    "applier_stalled",
    "poisoned",
    "closing",
];
/// Why an event can be refused: one of its fields, a line that is not JSON, a line that is too long, a pipeline.
const REFUSAL_REASONS: [&str; 20] = [
    "token_id",
    "holder_id",
    "start",
    "end",
    "weight",
    "weight_text",
    "event_id",
    "revision",
    "retract",
    "at",
    "delta",
    "delta_text",
    "seq",
    "from_id",
    "to_id",
    "amount",
    "amount_text",
    "json",
    "line",
    "before_accept",
];
/// Why a connection can be closed before its first request.
const CONNECTION_REASONS: [&str; 3] = ["address", "handshake", "silent"];
/// Results of reloading certificates or keys.
const RELOAD_RESULTS: [&str; 2] = ["ok", "failed"];

/// The gauges of an engine, read at each scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineGauges {
    /// Number of the last applied event.
    pub sequence: u64,
    /// Number of holders.
    pub holders: u64,
    /// Number of pairs of token and holder.
    pub keys: u64,
    /// Number of keys whose last mark is a start.
    pub open_holds: u64,
    /// Number of keys whose balance is below 0 at some instant.
    pub deficits: u64,
    /// Bytes of events that are not acknowledged yet.
    pub queue_bytes: u64,
    /// The maximum of `queue_bytes`.
    pub queue_bytes_max: u64,
    /// Number of segments of the journal.
    pub segments: u64,
    /// Size of all segments.
    pub journal_bytes: u64,
    /// Number of events that the state does not cover yet.
    pub state_lag_events: u64,
    /// Age of the oldest one, in seconds.
    pub state_lag_seconds: f64,
    /// "ready", "`disk_full`", "`disk_stalled`", "`applier_stalled`", "poisoned" or "closing".
    pub condition: &'static str,
    /// For how long the disk has not answered, in seconds.
    pub disk_stalled_seconds: f64,
    /// For how long no event was applied that is on disk, in seconds.
    pub applier_stalled_seconds: f64,
    /// Bytes of the journal that are kept for a consumer of the feed that lags.
    pub feed_lag_bytes_max: u64,
    /// The consumers of the feed.
    pub consumers: Vec<ConsumerGauges>,
}

type Source = Box<dyn Fn() -> EngineGauges + Send + Sync>;

/// All metrics. A batch is counted with one addition, not with one per event.
pub struct Metrics {
    registry: Registry,
    catalogue: Vec<Family>,
    source: OnceLock<Source>,
    /// Accepted events: durable and applied.
    pub events_accepted: IntCounter,
    /// Accepted events that changed nothing.
    pub events_duplicate: IntCounter,
    events_refused: IntCounterVec,
    /// From the submission of a batch to its acknowledgement, in seconds.
    pub ack_latency: Histogram,
    /// Duration of one `fdatasync` of the journal, in seconds.
    pub journal_fsync: Histogram,
    /// Bytes appended to the journal, including frame headers.
    pub journal_appended_bytes: IntCounter,
    /// Duration of one flush of the state, in seconds.
    pub state_flush: Histogram,
    /// Flushes of the state that failed and will be repeated.
    pub state_flush_failures: IntCounter,
    /// What the consumers of the feed do.
    pub feed: FeedMetrics,
    question: HistogramVec,
    grpc_requests: IntCounterVec,
    grpc_request: HistogramVec,
    http_requests: IntCounterVec,
    http_request: HistogramVec,
    /// Open connections.
    pub connections: IntGauge,
    connections_refused: IntCounterVec,
    /// Open streaming gRPC calls.
    pub streams: IntGauge,
    key_reloads: IntCounterVec,
    certificate_reloads: IntCounterVec,
    /// When the certificate in use expires, in seconds since 1970.
    pub certificate_expiry: IntGauge,
    /// Those of pipelines.
    pub pipelines: PipelineMetrics,
    gates: GateFamilies,
    gauges: GaugeHandles,
}

/// The gauges behind [`EngineGauges`].
struct GaugeHandles {
    sequence: IntGauge,
    holders: IntGauge,
    keys: IntGauge,
    open_holds: IntGauge,
    deficits: IntGauge,
    queue_bytes: IntGauge,
    queue_limit_bytes: IntGauge,
    segments: IntGauge,
    journal_bytes: IntGauge,
    state_lag_events: IntGauge,
    state_lag_seconds: Gauge,
    condition: IntGaugeVec,
    stalled_seconds: GaugeVec,
}

impl Metrics {
    /// All metrics, at zero. `features` are those of the build, for `holdmetrics_build_info`.
    #[must_use]
    pub fn new(version: &str, features: &str) -> Self {
        let mut registrar = Registrar::default();
        let build_info = registrar.gauges(
            "holdmetrics_build_info",
            &["version", "features"],
            "Always 1; its labels name the build.",
        );
        build_info.with_label_values(&[version, features]).set(1);
        let gauges = GaugeHandles::new(&mut registrar);
        Self {
            events_accepted: registrar.counter(
                "holdmetrics_events_accepted_total",
                "Events acknowledged: durable (unless the service is ephemeral) and applied.",
            ),
            events_duplicate: registrar.counter(
                "holdmetrics_events_duplicate_total",
                "Accepted events that changed nothing, because what they state was already known.",
            ),
            events_refused: registrar.counters_of(
                "holdmetrics_events_refused_total",
                (&["reason"], &REFUSAL_REASONS),
                "Events refused, by the field that is invalid; json or line if there was no event, before_accept if a pipeline refused it.",
            ),
            ack_latency: registrar.histogram(
                "holdmetrics_ack_latency_seconds",
                "From the submission of events to their acknowledgement.",
            ),
            journal_fsync: registrar.histogram(
                "holdmetrics_journal_fsync_seconds",
                "Duration of one fdatasync of the journal, which covers a whole frame of events.",
            ),
            journal_appended_bytes: registrar.counter(
                "holdmetrics_journal_appended_bytes_total",
                "Bytes appended to the journal.",
            ),
            state_flush: registrar.histogram(
                "holdmetrics_state_flush_seconds",
                "Duration of one write of changed keys to the state.",
            ),
            state_flush_failures: registrar.counter(
                "holdmetrics_state_flush_failures_total",
                "Writes of the state that failed; the journal keeps all events until one succeeds.",
            ),
            feed: FeedMetrics::new(&mut registrar),
            question: registrar.histograms(
                "holdmetrics_question_seconds",
                &["question"],
                "Duration of computing one answer: a snapshot page, a leaderboard, a holder.",
            ),
            grpc_requests: registrar.counters(
                "holdmetrics_grpc_requests_total",
                &["method", "code"],
                "gRPC calls ended, by method and status code.",
            ),
            grpc_request: registrar.histograms(
                "holdmetrics_grpc_request_seconds",
                &["method"],
                "Duration of gRPC calls, streams included, by method.",
            ),
            http_requests: registrar.counters(
                "holdmetrics_http_requests_total",
                &["method", "route", "code"],
                "HTTP requests answered, by method, route and status code.",
            ),
            http_request: registrar.histograms(
                "holdmetrics_http_request_seconds",
                &["route"],
                "Duration of HTTP requests, by route.",
            ),
            connections: registrar.gauge("holdmetrics_connections", "Open connections."),
            connections_refused: registrar.counters_of(
                "holdmetrics_connections_refused_total",
                (&["reason"], &CONNECTION_REASONS),
                "Connections closed before a request, by reason.",
            ),
            streams: registrar.gauge(
                "holdmetrics_grpc_streams",
                "Open streaming gRPC calls.",
            ),
            key_reloads: registrar.counters_of(
                "holdmetrics_key_reloads_total",
                (&["result"], &RELOAD_RESULTS),
                "Reloads of the file of API keys, by result: ok or failed.",
            ),
            certificate_reloads: registrar.counters_of(
                "holdmetrics_certificate_reloads_total",
                (&["result"], &RELOAD_RESULTS),
                "Reloads of the certificates, by result: ok or failed.",
            ),
            certificate_expiry: registrar.gauge(
                "holdmetrics_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires, in seconds since 1970; 0 without TLS.",
            ),
            pipelines: PipelineMetrics::new(&mut registrar),
            gates: GateFamilies::new(&mut registrar),
            gauges,
            source: OnceLock::new(),
            catalogue: registrar.catalogue,
            registry: registrar.registry,
        }
    }

    /// Counts refused events; `reason` is a field or one of a few fixed words, never text of a sender.
    pub fn refused(&self, reason: &'static str, events: u64) {
        self.events_refused
            .with_label_values(&[reason])
            .inc_by(events);
    }

    /// The series of one gate.
    #[must_use]
    pub fn gate(&self, pipeline: &str, handler: &str) -> GateMetrics {
        self.gates.gate(pipeline, handler)
    }

    /// Records the duration of a query; `question` is one of a few fixed words.
    pub fn answered(&self, question: &'static str, took: Duration) {
        self.question
            .with_label_values(&[question])
            .observe(took.as_secs_f64());
    }

    /// Counts a gRPC call. `method` is a name of the contract, `code` is as in `NOT_FOUND`.
    pub fn grpc_ended(&self, method: &'static str, code: &'static str, took: Duration) {
        self.grpc_requests.with_label_values(&[method, code]).inc();
        self.grpc_request
            .with_label_values(&[method])
            .observe(took.as_secs_f64());
    }

    /// Counts an HTTP request. `route` is a pattern of the router, never the path that was sent.
    pub fn http_ended(&self, method: &str, route: &str, status: u16, took: Duration) {
        let code = status.to_string();
        self.http_requests
            .with_label_values(&[method, route, code.as_str()])
            .inc();
        self.http_request
            .with_label_values(&[route])
            .observe(took.as_secs_f64());
    }

    /// Counts a connection that was closed before a request; `reason` is one of a few fixed words.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.with_label_values(&[reason]).inc();
    }

    /// Counts a reload of the file of API keys.
    pub fn keys_reloaded(&self, is_ok: bool) {
        reloaded(&self.key_reloads, is_ok);
    }

    /// Counts a reload of the certificates.
    pub fn certificates_reloaded(&self, is_ok: bool) {
        reloaded(&self.certificate_reloads, is_ok);
    }

    /// Sets the source of [`EngineGauges`] that is called at each scrape, unless there is one already.
    pub fn read_gauges_from(&self, source: impl Fn() -> EngineGauges + Send + Sync + 'static) {
        // Fails if there is a source already; every engine has metrics of its own.
        let _ = self.source.set(Box::new(source));
    }

    /// All families with a value, including those of the process; reads the gauges of the engine first.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        if let Some(source) = self.source.get() {
            let values = source();
            self.gauges.set(&values);
            self.feed.set(values.feed_lag_bytes_max, &values.consumers);
        }
        self.registry.gather()
    }

    /// The page that Prometheus reads, of type [`CONTENT_TYPE`].
    ///
    /// # Panics
    /// Never: text into memory cannot fail, and no family is empty.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut page = Vec::new();
        TextEncoder::new()
            .encode(&self.gather(), &mut page)
            .expect("families that are not empty, into memory");
        page
    }

    /// Every metric of this file, with or without a value; without those of the process.
    #[must_use]
    pub fn catalogue(&self) -> &[Family] {
        &self.catalogue
    }
}

fn reloaded(reloads: &IntCounterVec, is_ok: bool) {
    let result = if is_ok { "ok" } else { "failed" };
    reloads.with_label_values(&[result]).inc();
}

impl GaugeHandles {
    fn new(registrar: &mut Registrar) -> Self {
        Self {
            sequence: registrar.gauge(
                "holdmetrics_sequence",
                "Number of the last applied event, counted over the life of the store.",
            ),
            holders: registrar.gauge("holdmetrics_holders", "Number of holders."),
            keys: registrar.gauge("holdmetrics_keys", "Number of pairs of token and holder."),
            open_holds: registrar.gauge(
                "holdmetrics_open_holds",
                "Pairs of token and holder with an open hold: their last mark is a start.",
            ),
            deficits: registrar.gauge(
                "holdmetrics_deficits",
                "Pairs of token and holder whose balance is below 0 at some time: input is missing.",
            ),
            queue_bytes: registrar.gauge(
                "holdmetrics_queue_bytes",
                "Bytes of events in the queue, which are not acknowledged yet.",
            ),
            queue_limit_bytes: registrar.gauge(
                "holdmetrics_queue_limit_bytes",
                "Size of the queue in bytes; senders wait while it is full.",
            ),
            segments: registrar.gauge(
                "holdmetrics_journal_segments",
                "Number of segments of the journal.",
            ),
            journal_bytes: registrar.gauge(
                "holdmetrics_journal_bytes",
                "Size of all segments of the journal, including preallocated space.",
            ),
            state_lag_events: registrar.gauge(
                "holdmetrics_state_lag_events",
                "Events in the journal that the state does not cover yet; a restart replays them.",
            ),
            state_lag_seconds: registrar.gauge_of_seconds(
                "holdmetrics_state_lag_seconds",
                "Age of the oldest event that the state does not cover yet.",
            ),
            condition: registrar.gauges(
                "holdmetrics_condition",
                &["condition"],
                "1 for the current condition of the engine: ready, disk_full, disk_stalled, applier_stalled, poisoned or closing.",
            ),
            stalled_seconds: registrar.gauges_of_seconds(
                "holdmetrics_stalled_seconds",
                &["part"],
                "For how long the part has had work and finished none of it: the disk, or the applier of what is on disk.",
            ),
        }
    }

    fn set(&self, values: &EngineGauges) {
        let set =
            |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.sequence, values.sequence);
        set(&self.holders, values.holders);
        set(&self.keys, values.keys);
        set(&self.open_holds, values.open_holds);
        set(&self.deficits, values.deficits);
        set(&self.queue_bytes, values.queue_bytes);
        set(&self.queue_limit_bytes, values.queue_bytes_max);
        set(&self.segments, values.segments);
        set(&self.journal_bytes, values.journal_bytes);
        set(&self.state_lag_events, values.state_lag_events);
        self.state_lag_seconds.set(values.state_lag_seconds);
        for (part, seconds) in [
            ("disk", values.disk_stalled_seconds),
            ("applier", values.applier_stalled_seconds),
        ] {
            self.stalled_seconds.with_label_values(&[part]).set(seconds);
        }
        for condition in CONDITIONS {
            self.condition
                .with_label_values(&[condition])
                .set(i64::from(condition == values.condition));
        }
    }
}
