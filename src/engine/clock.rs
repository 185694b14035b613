//! The clock of an engine, as a trait, so that a test can choose the time.
//!
//! It limits starts in the future. Durations are measured with `std::time::Instant`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::Micros;

/// A clock.
pub trait Clock: Send + Sync {
    /// The current time, in UTC.
    fn now(&self) -> Micros;
}

/// The clock of the machine. Outside the years 0001 to 9999 it stands at the nearest end of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        nearest(micros_since_1970(SystemTime::now()))
    }
}

/// A time of the system in microseconds since 1970; one that does not fit is the nearest that does.
pub(crate) fn micros_since_1970(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |size| -size),
    }
}

fn nearest(micros: i64) -> Micros {
    Micros::new(micros).unwrap_or(if micros < 0 { Micros::MIN } else { Micros::MAX })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_far_wrong_still_says_a_time() {
        let second = Duration::from_secs(1);
        assert_eq!(micros_since_1970(UNIX_EPOCH - second), -1_000_000);
        assert_eq!(micros_since_1970(UNIX_EPOCH + second), 1_000_000);
        assert_eq!(nearest(-1_000_000).to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(nearest(i64::MAX), Micros::MAX);
        assert_eq!(nearest(i64::MIN), Micros::MIN);
    }
}
