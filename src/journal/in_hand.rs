//! Work that is in hand, and for how long none of it was finished: what stands still is noticed while it stands.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts what was begun and is not finished.
#[derive(Debug, Default)]
pub struct InHand(Mutex<Pieces>);

#[derive(Debug, Default)]
struct Pieces {
    count: u64,
    /// When the last piece was finished, or the first one begun; `None` if there is none.
    since: Option<Instant>,
}

impl InHand {
    /// Another piece is in hand.
    pub fn begin(&self) {
        let mut pieces = self.lock();
        pieces.count += 1;
        pieces.since.get_or_insert_with(Instant::now);
    }

    /// A piece is finished.
    pub fn finish(&self) {
        let mut pieces = self.lock();
        pieces.count = pieces.count.saturating_sub(1);
        pieces.since = (pieces.count > 0).then(Instant::now);
    }

    /// For how long there was work and none of it was finished.
    #[must_use]
    pub fn stands_for(&self) -> Duration {
        let pieces = self.lock();
        pieces.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_while_nothing_is_finished_and_not_without_work() {
        let in_hand = InHand::default();
        assert_eq!(in_hand.stands_for(), Duration::ZERO);
        in_hand.begin();
        in_hand.begin();
        let stands = in_hand.stands_for();
        assert!(in_hand.stands_for() >= stands && in_hand.0.lock().unwrap().since.is_some());
        let before = in_hand.0.lock().unwrap().since;
        in_hand.finish();
        assert!(
            in_hand.0.lock().unwrap().since > before,
            "the rest begins anew"
        );
        in_hand.finish();
        assert_eq!(in_hand.stands_for(), Duration::ZERO);
    }
}
