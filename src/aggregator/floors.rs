//! The lowest leading scores of recent leaderboards, from which the next search starts.
//!
//! A floor is only a guess. A search that starts with one visits few holders besides the leaders. It detects
//! whether enough of them were found, and is repeated without a guess if not, for example after a correction
//! that lowered a leader's score.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::{Micros, Window};

/// Kinds of leaderboard that are remembered; the least recently requested one is replaced.
const KINDS_MAX: usize = 8;

/// The floors of the most recently requested leaderboards.
#[derive(Default)]
pub(super) struct Floors {
    /// The most recent one last.
    known: Mutex<Vec<Floor>>,
}

struct Floor {
    count: usize,
    window: Window,
    score: f64,
}

impl Floor {
    /// Whether scores over `window` are likely to be no smaller than before: it is at least as wide.
    fn is_for(&self, count: usize, window: &Window) -> bool {
        let ends = |window: &Window| (window.from, window.closed_only);
        self.count == count && ends(&self.window) == ends(window)
    }
}

impl Floors {
    /// A score that the last of `count` leaders over `window` likely has; `None` if no such leaderboard is
    /// remembered.
    pub(super) fn guess(&self, count: usize, window: &Window) -> Option<f64> {
        let known = self.lock();
        let floor = known.iter().find(|floor| floor.is_for(count, window))?;
        let is_as_late = |as_of: Micros| as_of <= window.as_of;
        (floor.score > 0.0 && is_as_late(floor.window.as_of)).then_some(floor.score)
    }

    /// Remembers the score of the last of `count` leaders over `window`.
    pub(super) fn remember(&self, count: usize, window: &Window, score: f64) {
        let mut known = self.lock();
        known.retain(|floor| !floor.is_for(count, window));
        if known.len() == KINDS_MAX {
            known.remove(0);
        }
        known.push(Floor {
            count,
            window: *window,
            score,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Floor>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
