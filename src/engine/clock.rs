//! The clock of an engine, as a trait, so that a test can choose the time.
//!
//! It limits starts in the future. Durations are measured with `std::time::Instant`.

use std::time::SystemTime;

use crate::core::Micros;

/// A clock.
pub trait Clock: Send + Sync {
    /// The current time, in UTC.
    fn now(&self) -> Micros;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// # Panics
    /// If the machine's clock is before 1970 or after the year 9999.
    fn now(&self) -> Micros {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = since_1970.expect("a clock after 1970").as_micros();
        Micros::new(i64::try_from(micros).unwrap_or(i64::MAX))
            .expect("a clock before the year 10000")
    }
}
