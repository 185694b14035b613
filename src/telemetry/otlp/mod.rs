//! Spans and figures to an OTLP receiver (a collector) over gRPC.
//!
//! Spans are those of this crate, sent in the background by the SDK; a receiver that is away costs
//! them, never a call. Figures are the very families that Prometheus reads, see `families`. The
//! service's name and further attributes come from `OTEL_SERVICE_NAME` and
//! `OTEL_RESOURCE_ATTRIBUTES`, as the standard says; see `variables` for the others.

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

/// The layer that hands spans over.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

const SERVICE_NAME: &str = "holdmetrics";
/// One export, connecting included.
const EXPORT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The endpoint is no address.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {endpoint:?} is no address of a receiver")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// A variable asks for what this exporter cannot do.
    #[error(
        "{name}: {text:?} is not spoken: unset it or say {spoken:?}, and run a collector beside the service"
    )]
    Unspoken {
        /// Of the variable.
        name: String,
        /// What it says.
        text: String,
        /// What it may say.
        spoken: &'static str,
    },
    /// A header that is to go with exports is none.
    #[error("{name}: entry {place} is not a header as in name=value")]
    Header {
        /// Of the variable.
        name: String,
        /// From 1.
        place: usize,
    },
    /// A variable of the standard makes no sense.
    #[error("the exporter of traces cannot be set up")]
    Exporter(#[from] ExporterBuildError),
}

/// Exports until it is finished.
pub struct Otlp {
    spans: SdkTracerProvider,
    figures: JoinHandle<()>,
    stop: CancellationToken,
}

impl Otlp {
    /// Refuses variables of the standard that ask for what this exporter cannot do; sends nothing.
    ///
    /// # Errors
    /// At the first of them.
    pub fn check_variables() -> Result<(), OtlpError> {
        variables::check(&variables::of_the_process)?;
        variables::headers_of_figures(&variables::of_the_process).map(drop)
    }

    /// Sends to `endpoint` from now on: spans as they end, the figures of `metrics` at every
    /// `metrics_interval`. Connects when there is something to send. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// Where `endpoint`, or a variable of the standard, makes no sense.
    pub fn start(
        endpoint: &str,
        metrics_interval: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, SpanLayer), OtlpError> {
        variables::check(&variables::of_the_process)?;
        let headers = variables::headers_of_figures(&variables::of_the_process)?;
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
        // The transport of the exporter makes spans, too, and must not be traced by itself.
        let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO);
        let layer = tracing_opentelemetry::layer()
            .with_tracer(spans.tracer(SERVICE_NAME))
            .with_filter(ours)
            .boxed();
        // From now on, calls join the traces of their callers.
        global::set_text_map_propagator(TraceContextPropagator::new());
        let stop = CancellationToken::new();
        let figures = tokio::spawn(export_figures(
            channel,
            headers,
            families::Envelope::new(
                ResourceAttributesWithSchema::from(&resource).attributes.0,
                SystemTime::now(),
            ),
            metrics_interval,
            metrics,
            stop.clone(),
        ));
        let exports = Self {
            spans,
            figures,
            stop,
        };
        Ok((exports, layer))
    }

    /// Sends what is left, the last figures included, and ends; gives up after `wait_max`.
    pub async fn finish(self, wait_max: Duration) {
        self.stop.cancel();
        let spans = tokio::task::spawn_blocking(move || self.spans.shutdown_with_timeout(wait_max));
        let all = async { tokio::join!(spans, self.figures) };
        match timeout(wait_max, all).await {
            Ok((Ok(Ok(())), _)) => {}
            Ok((Ok(Err(error)), _)) => {
                warn!(error = %error_line(&error), "The last spans could not be sent.");
            }
            Ok((Err(_), _)) | Err(_) => warn!("The last spans and figures were given up."),
        }
    }
}

fn resource() -> Resource {
    let mut builder = Resource::builder();
    // The builder has read the variables; what is set here would prevail over them.
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

async fn export_figures(
    channel: Channel,
    headers: MetadataMap,
    envelope: families::Envelope,
    every: Duration,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut client = MetricsServiceClient::new(channel);
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_away = false;
    loop {
        let is_last = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        let mut request = Request::new(envelope.request(&metrics.gather(), SystemTime::now()));
        request.metadata_mut().clone_from(&headers);
        // Said once when it begins and once when it ends, however long a receiver is away.
        match client.export(request).await {
            Ok(_) if is_away => {
                is_away = false;
                info!("The receiver of figures is back.");
            }
            Err(status) if !is_away => {
                is_away = true;
                warn!(error = %status.message(), "The receiver of figures cannot be reached.");
            }
            Ok(_) | Err(_) => {}
        }
        if is_last {
            return;
        }
    }
}
