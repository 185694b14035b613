//! The only reader of the system clock in the command line, and times of files in its units.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::Micros;

/// The current instant, clamped to the range of [`Micros`].
pub(super) fn now() -> Micros {
    let micros = micros(SystemTime::now());
    Micros::new(micros).unwrap_or(if micros < 0 { Micros::MIN } else { Micros::MAX })
}

/// A time of the system in microseconds since 1970, saturated.
pub(super) fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |size| -size),
    }
}
