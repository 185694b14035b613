//! Pipelines in the built binary's service: what handlers see, how they are reloaded, and what a bad one costs.
//!
//! They need the packages of `poh_holdmetrics`: those of `.venv` in the checkout, or of `VIRTUAL_ENV`.
#![cfg(all(unix, feature = "py-embed"))]

mod bad;
mod cryptopunks;
mod delivery;
mod examples;
mod life;
mod packages;
mod place;
#[path = "../support/sales.rs"]
mod sales;
#[allow(
    dead_code,
    reason = "shared with the tests of the service without pipelines"
)]
#[path = "../serve/support.rs"]
mod support;
