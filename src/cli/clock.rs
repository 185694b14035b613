//! The time now and the times of files, in the units of the core.

use crate::core::Micros;
pub(super) use crate::engine::micros_since_1970 as micros;
use crate::engine::{Clock as _, SystemClock};

/// The current instant.
pub(super) fn now() -> Micros {
    SystemClock.now()
}
