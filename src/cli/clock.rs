//! The only reader of the system clock in the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::Micros;

/// The current instant, clamped to the range of [`Micros`].
pub(super) fn now() -> Micros {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |size| -size),
    };
    Micros::new(micros).unwrap_or(if micros < 0 { Micros::MIN } else { Micros::MAX })
}
