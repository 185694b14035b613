//! Telemetry: logs, metrics and traces.
//!
//! [`log`] writes `tracing` events to standard error, [`metrics`] defines all metrics that Prometheus reads,
//! [`pipeline_metrics`] those of pipelines and [`own_metrics`] what their handlers record, [`otlp`] exports metrics
//! and spans to a collector if one is configured, [`call`] logs and traces a single request. It imports no other
//! module of the crate but the helper for error texts.

pub(crate) mod call;
mod feed_metrics;
mod gate_metrics;
pub(crate) mod log;
pub mod metrics;
pub(crate) mod otlp;
pub mod own_metrics;
pub mod pipeline_metrics;
mod registrar;

pub(crate) use log::{LEVEL_VARIABLE, LevelError, LineForm, start, start_as};
pub use metrics::{EngineGauges, Metrics};
pub(crate) use otlp::{Otlp, OtlpError};
