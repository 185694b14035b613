//! Code generated from `proto/poh/hold.proto`, and nothing else. Used by [`crate::net`], the client, and tests.
//!
//! `tests/net/generated.rs` compares it with the contract, or regenerates it on request.

#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    unused_qualifications,
    reason = "generated, and kept as it came"
)]
mod poh {
    include!("poh.rs");
}

pub use poh::*;

/// The contract as server reflection answers it.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");
