//! What the process says about itself while it works: log lines, figures, spans.
//!
//! [`log`] writes events of `tracing` to standard error, [`metrics`] holds every figure that
//! Prometheus reads, [`otlp`] sends figures and spans to a receiver where one is named, [`call`] says
//! how one call stands in all that. It knows none of the rooms that it is told about.

pub mod call;
pub mod log;
mod maker;
pub mod metrics;
pub mod otlp;

pub use log::{LEVEL_VARIABLE, LevelError, LineForm, start, start_as};
pub use metrics::{Figures, Metrics};
pub use otlp::{Otlp, OtlpError};
