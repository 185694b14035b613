//! Exports spans and metrics to an OTLP collector over gRPC.
//!
//! The SDK sends the spans of this crate in the background; if the collector is unavailable, spans are
//! lost, but requests are not affected. The metrics are those that Prometheus reads, see `families`.
//! Service name and resource attributes come from `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, as
//! the OpenTelemetry specification says; see `variables` for the other variables.

mod families;
mod variables;

use std::env;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithTonicConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Layer, Registry};

use super::Metrics;
use crate::error_line::error_line;
use crate::excerpt::quoted;

/// The layer that exports spans.
pub(crate) type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

const SERVICE_NAME: &str = "holdmetrics";
/// Timeout of an export, including the connection.
const EXPORT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why telemetry cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OtlpError {
    /// The endpoint is not a valid URL.
    #[error(
        "OTEL_EXPORTER_OTLP_ENDPOINT: {} is not the address of a collector, as in http://127.0.0.1:4317",
        quoted(endpoint)
    )]
    Endpoint {
        /// The endpoint.
        endpoint: String,
        /// Why it is invalid.
        source: tonic::transport::Error,
    },
    /// A variable has a value that this exporter does not support.
    #[error(
        "{name}: {} is not supported: unset it or set it to {supported:?}, and use a collector to convert",
        quoted(text)
    )]
    Unsupported {
        /// The variable.
        name: String,
        /// Its value.
        text: String,
        /// The only supported value.
        supported: &'static str,
    },
    /// A header for the exports is malformed.
    #[error("{name}: entry {position} is not a header as in name=value")]
    Header {
        /// The variable.
        name: String,
        /// Position of the entry, from 1.
        position: usize,
    },
    /// The exporter of spans rejects a variable.
    #[error("the exporter of traces cannot be started")]
    Exporter(#[from] ExporterBuildError),
}

/// The running export of spans and metrics.
pub(crate) struct Otlp {
    spans: SdkTracerProvider,
    metrics: JoinHandle<()>,
    stop: CancellationToken,
}

impl Otlp {
    /// Checks that this exporter supports the values of the OTLP variables. Sends nothing.
    ///
    /// # Errors
    /// The first value that is not supported.
    pub(crate) fn check_variables() -> Result<(), OtlpError> {
        variables::check(&variables::from_environment)?;
        variables::metric_headers(&variables::from_environment).map(drop)
    }

    /// Starts the export to `endpoint`: spans as they end, `metrics` at every `metrics_interval`. Connects
    /// with the first export. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// If `endpoint` or an OTLP variable is invalid.
    pub(crate) fn start(
        endpoint: &str,
        metrics_interval: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, SpanLayer), OtlpError> {
        variables::check(&variables::from_environment)?;
        let headers = variables::metric_headers(&variables::from_environment)?;
        let channel = Endpoint::from_shared(endpoint.to_owned())
            .map_err(|source| OtlpError::Endpoint {
                endpoint: endpoint.to_owned(),
                source,
            })?
            .connect_timeout(EXPORT_WAIT_MAX)
            .timeout(EXPORT_WAIT_MAX)
            .connect_lazy();
        let resource = resource();
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_channel(channel.clone())
            .build()?;
        let spans = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(exporter)
            .build();
        // The transport of the exporter creates spans too, which must not be exported.
        let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO);
        let layer = tracing_opentelemetry::layer()
            .with_tracer(spans.tracer(SERVICE_NAME))
            .with_filter(ours)
            .boxed();
        // Requests join the traces of their callers from now on.
        global::set_text_map_propagator(TraceContextPropagator::new());
        let stop = CancellationToken::new();
        let metrics_export = tokio::spawn(export_metrics(
            channel,
            headers,
            families::RequestBuilder::new(
                ResourceAttributesWithSchema::from(&resource).attributes.0,
                SystemTime::now(),
            ),
            metrics_interval,
            metrics,
            stop.clone(),
        ));
        let exports = Self {
            spans,
            metrics: metrics_export,
            stop,
        };
        Ok((exports, layer))
    }

    /// Exports what is left, including the last metrics, and ends; gives up after `wait_max`.
    pub(crate) async fn finish(self, wait_max: Duration) {
        self.stop.cancel();
        let spans = tokio::task::spawn_blocking(move || self.spans.shutdown_with_timeout(wait_max));
        let all = async { tokio::join!(spans, self.metrics) };
        match timeout(wait_max, all).await {
            Ok((Ok(Ok(())), _)) => {}
            Ok((Ok(Err(error)), _)) => {
                warn!(error = %error_line(&error), "The last spans could not be exported.");
            }
            Ok((Err(_), _)) | Err(_) => {
                warn!("The last spans and metrics were not exported in time.");
            }
        }
    }
}

fn resource() -> Resource {
    let mut builder = Resource::builder();
    // The builder has read the variables; values that are set here would override them.
    let attributes = env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    if env::var_os("OTEL_SERVICE_NAME").is_none() && !attributes.contains("service.name=") {
        builder = builder.with_service_name(SERVICE_NAME);
    }
    if !attributes.contains("service.version=") {
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        builder = builder.with_attribute(version);
    }
    builder.build()
}

async fn export_metrics(
    channel: Channel,
    headers: MetadataMap,
    builder: families::RequestBuilder,
    interval: Duration,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut client = MetricsServiceClient::new(channel);
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_unavailable = false;
    loop {
        let is_last = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        let mut request = Request::new(builder.request(&metrics.gather(), SystemTime::now()));
        request.metadata_mut().clone_from(&headers);
        // Logged when the collector becomes unavailable and when it is available again.
        match client.export(request).await {
            Ok(_) if is_unavailable => {
                is_unavailable = false;
                info!("The collector of metrics is available again.");
            }
            Err(status) if !is_unavailable => {
                is_unavailable = true;
                warn!(error = %status.message(), "The collector of metrics is unavailable.");
            }
            Ok(_) | Err(_) => {}
        }
        if is_last {
            return;
        }
    }
}
