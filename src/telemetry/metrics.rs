//! Every figure that the service tells Prometheus: all names and help texts are in this file.
//!
//! One struct of typed handles, shared as `Arc<Metrics>`. Who does the work counts it; figures that
//! are only looked up (holders, lag, segments) are read at each scrape from one [`Figures`] source.
//! It knows none of the rooms that use it. What to watch and why is in `docs/operations.md`.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry, TextEncoder,
};

pub use super::maker::Family;
use super::maker::Maker;

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;
/// The conditions of an engine, of which one is 1.
const CONDITIONS: [&str; 4] = ["ready", "disk_full", "poisoned", "closing"];
/// What an event can be refused for: its fields, a line that is no JSON, one that is too long.
const REFUSAL_REASONS: [&str; 11] = [
    "token_id",
    "holder_id",
    "start",
    "end",
    "weight",
    "weight_text",
    "event_id",
    "revision",
    "retract",
    "json",
    "line",
];
/// What a connection can be closed for before its first request.
const CONNECTION_REASONS: [&str; 3] = ["address", "handshake", "silent"];
/// How reading certificates or keys again can end.
const RELOAD_RESULTS: [&str; 2] = ["ok", "failed"];

/// What is looked up at each scrape instead of being counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Number of the last event that is applied.
    pub sequence: u64,
    /// Holders known.
    pub holders: u64,
    /// Pairs of token and holder known.
    pub keys: u64,
    /// Keys whose last mark is a start.
    pub open_holds: u64,
    /// Bytes of events that wait to be written.
    pub queue_bytes: u64,
    /// The bound of the former.
    pub queue_bytes_max: u64,
    /// Files of the journal.
    pub segments: u64,
    /// Bytes that they take.
    pub journal_bytes: u64,
    /// Events that are in the journal but not yet in the state.
    pub state_lag_events: u64,
    /// Age of the oldest of these, in seconds.
    pub state_lag_seconds: f64,
    /// "ready", "`disk_full`", "poisoned" or "closing".
    pub condition: &'static str,
}

type Source = Box<dyn Fn() -> Figures + Send + Sync>;

/// All handles. Counters only grow; a batch is counted by one addition, not by one an event.
pub struct Metrics {
    registry: Registry,
    catalogue: Vec<Family>,
    source: OnceLock<Source>,
    /// Events accepted: durable and applied.
    pub events_accepted: IntCounter,
    /// Of these, events that changed nothing.
    pub events_duplicate: IntCounter,
    events_refused: IntCounterVec,
    /// From the admission of a batch until its acknowledgement, in seconds.
    pub ack_latency: Histogram,
    /// One `fdatasync` of the journal, in seconds.
    pub journal_fsync: Histogram,
    /// Bytes appended to the journal, frame heads included.
    pub journal_appended_bytes: IntCounter,
    /// One transaction of the state, in seconds.
    pub state_flush: Histogram,
    /// Transactions of the state that failed and will be tried again.
    pub state_flush_failures: IntCounter,
    question: HistogramVec,
    grpc_requests: IntCounterVec,
    grpc_request: HistogramVec,
    http_requests: IntCounterVec,
    http_request: HistogramVec,
    /// Connections that are open.
    pub connections: IntGauge,
    connections_refused: IntCounterVec,
    /// Streaming gRPC calls that are open.
    pub streams: IntGauge,
    key_reloads: IntCounterVec,
    certificate_reloads: IntCounterVec,
    /// When the certificate in use expires, in seconds since 1970.
    pub certificate_expiry: IntGauge,
    looked_up: LookedUp,
}

/// The gauges behind [`Figures`].
struct LookedUp {
    sequence: IntGauge,
    holders: IntGauge,
    keys: IntGauge,
    open_holds: IntGauge,
    queue_bytes: IntGauge,
    queue_limit_bytes: IntGauge,
    segments: IntGauge,
    journal_bytes: IntGauge,
    state_lag_events: IntGauge,
    state_lag_seconds: Gauge,
    condition: IntGaugeVec,
}

impl Metrics {
    /// All at zero. `features` are those of the build, for `holdmetrics_build_info`.
    #[must_use]
    pub fn new(version: &str, features: &str) -> Self {
        let mut maker = Maker::default();
        let build_info = maker.gauges(
            "holdmetrics_build_info",
            &["version", "features"],
            "Always 1; says which build is running.",
        );
        build_info.with_label_values(&[version, features]).set(1);
        let looked_up = LookedUp::new(&mut maker);
        Self {
            events_accepted: maker.counter(
                "holdmetrics_events_accepted_total",
                "Events acknowledged: durable (unless the service is ephemeral) and applied.",
            ),
            events_duplicate: maker.counter(
                "holdmetrics_events_duplicate_total",
                "Accepted events that changed nothing, because all that they say was known.",
            ),
            events_refused: maker.counters_of(
                "holdmetrics_events_refused_total",
                (&["reason"], &REFUSAL_REASONS),
                "Events refused, by the field to blame or by what the message was not.",
            ),
            ack_latency: maker.histogram(
                "holdmetrics_ack_latency_seconds",
                "From the admission of events to their acknowledgement.",
            ),
            journal_fsync: maker.histogram(
                "holdmetrics_journal_fsync_seconds",
                "Duration of one fdatasync of the journal, which covers a whole frame of events.",
            ),
            journal_appended_bytes: maker.counter(
                "holdmetrics_journal_appended_bytes_total",
                "Bytes appended to the journal.",
            ),
            state_flush: maker.histogram(
                "holdmetrics_state_flush_seconds",
                "Duration of one write of changed keys to the state.",
            ),
            state_flush_failures: maker.counter(
                "holdmetrics_state_flush_failures_total",
                "Writes of the state that failed; the journal keeps all until one succeeds.",
            ),
            question: maker.histograms(
                "holdmetrics_question_seconds",
                &["question"],
                "Time to compute one answer: a snapshot page, a leaderboard, a holder.",
            ),
            grpc_requests: maker.counters(
                "holdmetrics_grpc_requests_total",
                &["method", "code"],
                "gRPC calls ended, by method and status code.",
            ),
            grpc_request: maker.histograms(
                "holdmetrics_grpc_request_seconds",
                &["method"],
                "Duration of gRPC calls, streams included, by method.",
            ),
            http_requests: maker.counters(
                "holdmetrics_http_requests_total",
                &["method", "route", "code"],
                "HTTP requests answered, by method, route and status code.",
            ),
            http_request: maker.histograms(
                "holdmetrics_http_request_seconds",
                &["route"],
                "Duration of HTTP requests, by route.",
            ),
            connections: maker.gauge("holdmetrics_connections", "Connections that are open."),
            connections_refused: maker.counters_of(
                "holdmetrics_connections_refused_total",
                (&["reason"], &CONNECTION_REASONS),
                "Connections closed before a request, by reason.",
            ),
            streams: maker.gauge(
                "holdmetrics_grpc_streams",
                "Streaming gRPC calls that are open.",
            ),
            key_reloads: maker.counters_of(
                "holdmetrics_key_reloads_total",
                (&["result"], &RELOAD_RESULTS),
                "Times the file of API keys was read again, by result: ok or failed.",
            ),
            certificate_reloads: maker.counters_of(
                "holdmetrics_certificate_reloads_total",
                (&["result"], &RELOAD_RESULTS),
                "Times the files of certificates were read again, by result: ok or failed.",
            ),
            certificate_expiry: maker.gauge(
                "holdmetrics_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires, in seconds since 1970; 0 without TLS.",
            ),
            looked_up,
            source: OnceLock::new(),
            catalogue: maker.catalogue,
            registry: maker.registry,
        }
    }

    /// Events were refused; `reason` is a field's name or a few fixed words, never text of a sender.
    pub fn refused(&self, reason: &'static str, events: u64) {
        self.events_refused
            .with_label_values(&[reason])
            .inc_by(events);
    }

    /// One question was answered; `question` is one of a few fixed words.
    pub fn answered(&self, question: &'static str, took: Duration) {
        self.question
            .with_label_values(&[question])
            .observe(took.as_secs_f64());
    }

    /// A gRPC call ended. `method` is a name of the contract, `code` is written as in `NOT_FOUND`.
    pub fn grpc_ended(&self, method: &'static str, code: &'static str, took: Duration) {
        self.grpc_requests.with_label_values(&[method, code]).inc();
        self.grpc_request
            .with_label_values(&[method])
            .observe(took.as_secs_f64());
    }

    /// An HTTP request was answered. `route` is a pattern of the router, never the path as sent.
    pub fn http_ended(&self, method: &str, route: &str, status: u16, took: Duration) {
        let code = status.to_string();
        self.http_requests
            .with_label_values(&[method, route, code.as_str()])
            .inc();
        self.http_request
            .with_label_values(&[route])
            .observe(took.as_secs_f64());
    }

    /// A connection was closed before it could ask anything; `reason` is one of a few fixed words.
    pub fn connection_refused(&self, reason: &'static str) {
        self.connections_refused.with_label_values(&[reason]).inc();
    }

    /// The file of API keys was read again.
    pub fn keys_reloaded(&self, is_ok: bool) {
        reloaded(&self.key_reloads, is_ok);
    }

    /// The files of certificates were read again.
    pub fn certificates_reloaded(&self, is_ok: bool) {
        reloaded(&self.certificate_reloads, is_ok);
    }

    /// Where [`Figures`] come from at each scrape. The first source stays.
    pub fn look_up(&self, source: impl Fn() -> Figures + Send + Sync + 'static) {
        // A second engine in one process, as in tests, has metrics of its own.
        let _ = self.source.set(Box::new(source));
    }

    /// All families with a value, those of the process included; figures are looked up first.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        if let Some(source) = self.source.get() {
            self.looked_up.set(&source());
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

    /// Every metric of this file, with or without a value so far; those of the process are not
    /// among them.
    #[must_use]
    pub fn catalogue(&self) -> &[Family] {
        &self.catalogue
    }
}

fn reloaded(reloads: &IntCounterVec, is_ok: bool) {
    let result = if is_ok { "ok" } else { "failed" };
    reloads.with_label_values(&[result]).inc();
}

impl LookedUp {
    fn new(maker: &mut Maker) -> Self {
        Self {
            sequence: maker.gauge(
                "holdmetrics_sequence",
                "Number of the last event that is applied, counted over the life of the store.",
            ),
            holders: maker.gauge("holdmetrics_holders", "Holders that are known."),
            keys: maker.gauge(
                "holdmetrics_keys",
                "Pairs of token and holder that are known.",
            ),
            open_holds: maker.gauge(
                "holdmetrics_open_holds",
                "Keys that are held until further notice: their last mark is a start.",
            ),
            queue_bytes: maker.gauge(
                "holdmetrics_queue_bytes",
                "Bytes of events that wait to be written to the journal.",
            ),
            queue_limit_bytes: maker.gauge(
                "holdmetrics_queue_limit_bytes",
                "Bytes that may wait; where all are taken, senders wait.",
            ),
            segments: maker.gauge("holdmetrics_journal_segments", "Files of the journal."),
            journal_bytes: maker.gauge(
                "holdmetrics_journal_bytes",
                "Bytes that the files of the journal take, room allocated ahead included.",
            ),
            state_lag_events: maker.gauge(
                "holdmetrics_state_lag_events",
                "Events in the journal that the state does not cover yet; a restart replays them.",
            ),
            state_lag_seconds: maker.gauge_of_seconds(
                "holdmetrics_state_lag_seconds",
                "Age of the oldest event that the state does not cover yet.",
            ),
            condition: maker.gauges(
                "holdmetrics_condition",
                &["condition"],
                "1 at the condition of the engine: ready, disk_full, poisoned or closing.",
            ),
        }
    }

    fn set(&self, figures: &Figures) {
        let set =
            |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.sequence, figures.sequence);
        set(&self.holders, figures.holders);
        set(&self.keys, figures.keys);
        set(&self.open_holds, figures.open_holds);
        set(&self.queue_bytes, figures.queue_bytes);
        set(&self.queue_limit_bytes, figures.queue_bytes_max);
        set(&self.segments, figures.segments);
        set(&self.journal_bytes, figures.journal_bytes);
        set(&self.state_lag_events, figures.state_lag_events);
        self.state_lag_seconds.set(figures.state_lag_seconds);
        for condition in CONDITIONS {
            self.condition
                .with_label_values(&[condition])
                .set(i64::from(condition == figures.condition));
        }
    }
}
