//! The pulse of Python's event loop, and for how long there was none.
//!
//! Python beats several times a second, from a timer of its loop. The watchdog ticks and counts time without a beat;
//! a tick counts one second at most, so that a suspended machine or a stopped process does not look like a loop that
//! is stuck.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest time that one tick counts.
const TICK_MAX: Duration = Duration::from_secs(1);
/// Shorter times without a beat are ordinary.
const STUCK_MIN: Duration = Duration::from_secs(1);

/// Atomics only.
#[derive(Default)]
pub(super) struct Pulse {
    beats: AtomicU64,
    /// The beats at the last tick.
    seen: AtomicU64,
    silent_micros: AtomicU64,
}

impl Pulse {
    /// The loop runs.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Release);
    }

    /// The watchdog looks, `since` after the last time; returns the time without a beat, which is 0
    /// before the first beat.
    pub(super) fn tick(&self, since: Duration) -> Duration {
        let beats = self.beats.load(Ordering::Acquire);
        if beats == 0 || self.seen.swap(beats, Ordering::AcqRel) != beats {
            self.silent_micros.store(0, Ordering::Release);
            return Duration::ZERO;
        }
        let counted = u64::try_from(since.min(TICK_MAX).as_micros()).unwrap_or(0);
        let before = self.silent_micros.fetch_add(counted, Ordering::AcqRel);
        Duration::from_micros(before + counted)
    }

    /// For how long the loop has not answered; `None` if it answers.
    pub(super) fn stuck_for(&self) -> Option<Duration> {
        let silent = Duration::from_micros(self.silent_micros.load(Ordering::Acquire));
        (silent >= STUCK_MIN).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_without_a_beat_counts_and_a_long_tick_counts_little() {
        let pulse = Pulse::default();
        let second = Duration::from_secs(1);
        assert_eq!(pulse.tick(second), Duration::ZERO);
        pulse.beat();
        assert_eq!(pulse.tick(second), Duration::ZERO);
        assert_eq!(pulse.tick(second / 4), second / 4);
        assert_eq!(pulse.stuck_for(), None);
        assert_eq!(pulse.tick(100 * second), second / 4 + second);
        assert_eq!(pulse.stuck_for(), Some(second / 4 + second));
        pulse.beat();
        assert_eq!(pulse.tick(second), Duration::ZERO);
        assert_eq!(pulse.stuck_for(), None);
    }
}
