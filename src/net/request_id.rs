//! Request ids, which identify a call in the logs: the caller's own, or a generated one.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rand::{Rng, SeedableRng, rngs::SysRng};

/// The header, in requests and responses.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LENGTH_MAX: usize = 64;

/// Generates ids from a random start, so that those of two processes differ.
pub(super) struct RequestIds {
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        let seed = rand_pcg::Pcg64Mcg::try_from_rng(&mut SysRng);
        let mut seed = seed.expect("the system provides random numbers");
        Self {
            next: AtomicU64::new(seed.next_u64()),
        }
    }

    /// The caller's id if it is short and printable, or a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let given = headers.get(&REQUEST_ID).filter(|given| {
            let bytes = given.as_bytes();
            (1..=LENGTH_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        given.cloned().unwrap_or_else(|| {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            HeaderValue::try_from(format!("{number:016x}")).expect("digits are printable")
        })
    }
}

/// The id as text.
pub(super) fn text(id: &HeaderValue) -> &str {
    id.to_str().expect("ids are printable")
}
