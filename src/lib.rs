//! Hold metrics: how much was held for how long, exact, order-independent and correctable.
//!
//! The rooms, and who may enter which, are in `docs/architecture.md`. The invariants:
//! - the answer depends on the set of events alone, never on order, batches, threads or repeats;
//! - no float takes part in scoring;
//! - what passed validation is never refused by state.

#[cfg(all(feature = "py-embed", feature = "py-ext"))]
compile_error!(
    "choose one of py-embed and py-ext: the binary that embeds CPython registers its callables \
     itself and must never import the extension module of the same code"
);

pub mod aggregator;
#[cfg(feature = "py-ext")]
mod bindings;
pub mod cli;
pub mod client;
pub mod config;
pub mod core;
pub mod engine;
mod error_line;
mod excerpt;
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub mod host;
pub mod input;
pub mod journal;
pub mod net;
pub mod output;
pub mod state;
pub mod telemetry;
pub mod workload;
