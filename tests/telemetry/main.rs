//! Metrics as Prometheus reads them, and what `deploy/` says of them.

#[path = "../support/golden.rs"]
mod golden;

mod deploy;
mod metrics;
