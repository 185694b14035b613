//! When a gate is bypassed: after several batches in a row without an answer, for a time that doubles until one
//! batch is answered again.
//!
//! Values in, values out; time is an argument.

use std::time::{Duration, Instant};

/// After so many batches in a row without an answer the gate is bypassed.
const UNANSWERED_MAX: u32 = 5;
/// How long it is bypassed for the first time, and at most.
const BACK_OFF: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(60);

/// Whether a gate is asked, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It answers.
    Yes,
    /// It was bypassed, and this batch shows whether it answers again.
    Probe,
    /// It is bypassed.
    No,
}

/// Counts the batches without an answer.
#[derive(Debug)]
pub(super) struct Breaker {
    unanswered: u32,
    /// Until when it is bypassed; `None` if it is asked.
    until: Option<Instant>,
    back_off: Duration,
}

impl Breaker {
    pub(super) const fn new() -> Self {
        Self {
            unanswered: 0,
            until: None,
            back_off: *BACK_OFF.start(),
        }
    }

    /// Whether the gate is bypassed.
    pub(super) const fn is_open(&self) -> bool {
        self.until.is_some()
    }

    /// Whether to ask about the next batch.
    pub(super) fn ask(&mut self, now: Instant) -> Ask {
        match self.until {
            None => Ask::Yes,
            Some(until) if now < until => Ask::No,
            Some(_) => {
                // One batch is enough to learn whether it answers; the others do not wait for it.
                self.until = Some(now + self.back_off);
                Ask::Probe
            }
        }
    }

    /// A batch was answered; whether the gate was bypassed until now.
    pub(super) fn answered(&mut self) -> bool {
        let was_bypassed = self.until.is_some();
        *self = Self::new();
        was_bypassed
    }

    /// A batch was not answered; for how long the gate is bypassed from now on, if that changes.
    pub(super) fn unanswered(&mut self, asked: Ask, now: Instant) -> Option<Duration> {
        self.unanswered = self.unanswered.saturating_add(1);
        match self.until {
            Some(_) if asked == Ask::Probe => {
                self.back_off = (self.back_off * 2).min(*BACK_OFF.end());
            }
            None if self.unanswered >= UNANSWERED_MAX => {}
            // Asked before the gate was bypassed, or not often enough in vain.
            _ => return None,
        }
        self.until = Some(now + self.back_off);
        Some(self.back_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_bypassed_after_several_batches_in_a_row_without_an_answer() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 1..UNANSWERED_MAX {
            assert_eq!(breaker.unanswered(Ask::Yes, now), None);
        }
        assert!(!breaker.answered(), "it was asked all the time");
        for _ in 1..UNANSWERED_MAX {
            assert_eq!(breaker.unanswered(Ask::Yes, now), None);
            assert_eq!(breaker.ask(now), Ask::Yes);
        }
        let second = Duration::from_secs(1);
        assert_eq!(breaker.unanswered(Ask::Yes, now), Some(second));
        assert_eq!(breaker.ask(now), Ask::No);
        assert_eq!(breaker.unanswered(Ask::Yes, now), None, "asked before");
        assert_eq!(breaker.ask(now + second), Ask::Probe);
        assert_eq!(breaker.ask(now + second), Ask::No, "one probe at a time");
        assert!(breaker.answered());
        assert_eq!(breaker.ask(now + second), Ask::Yes);
    }

    #[test]
    fn each_probe_in_vain_doubles_the_time_up_to_a_minute() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new();
        let mut back_off = None;
        for _ in 0..UNANSWERED_MAX {
            back_off = breaker.unanswered(Ask::Yes, now);
        }
        let mut seconds = Vec::new();
        for _ in 0..8 {
            let until = back_off.expect("it is bypassed");
            seconds.push(until.as_secs());
            now += until;
            let asked = breaker.ask(now);
            assert_eq!(asked, Ask::Probe);
            back_off = breaker.unanswered(asked, now);
        }
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
