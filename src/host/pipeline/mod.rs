//! Operators' pipelines inside the service: one thread of Python, and a bridge between it and the rest.
//!
//! The service never waits for Python, and no thread of the service attaches to the interpreter. Read in this
//! order: `service_host` (the public face), `thread` (boots Python), `bridge` (what Python calls), `queue` and
//! `asked` (messages in both directions), `prefetch` and `consumer` (the feed), `columns` and `batch` (what
//! handlers get), `gate` (`before_accept`), `registry`, `handler` and `meter` (what operators see), `watchdog`,
//! `stacks` and `quarantine` (a Python that is stuck). How pipelines are loaded and called is written in Python, in
//! `poh_holdmetrics.pipeline`.

mod asked;
mod batch;
mod bridge;
mod columns;
mod consumer;
mod context;
mod error;
mod gate;
mod handler;
mod int64_column;
mod meter;
mod models;
mod policy;
mod prefetch;
mod probe;
mod pulse;
mod quarantine;
mod queue;
mod record_batch;
mod registry;
mod rows;
mod service_host;
mod stacks;
mod thread;
mod wake;
mod watchdog;

pub(crate) use error::{RequestError, StartError};
pub(crate) use service_host::PipelineHost;
#[cfg(unix)]
pub(crate) use stacks::StacksTo;
