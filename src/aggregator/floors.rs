//! What it took to lead when a leaderboard was last asked for: where the next search begins.
//!
//! A guess and nothing more. A search that begins with one looks at hardly anybody but the leaders; it
//! says by itself whether enough of them were found, and is made anew without a guess where not, as
//! after a correction that took from a leader.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::{Micros, Window};

/// Kinds of leaderboard that are remembered; the one that was asked for longest ago makes room.
const KINDS_MAX: usize = 8;

/// The floors of the leaderboards that were asked for last.
#[derive(Default)]
pub(super) struct Floors {
    /// The latest last.
    known: Mutex<Vec<Floor>>,
}

struct Floor {
    count: usize,
    window: Window,
    score: f64,
}

impl Floor {
    /// Whether scores over `window` are likely to be no smaller than they were: it is as wide at least.
    fn is_for(&self, count: usize, window: &Window) -> bool {
        let ends = |window: &Window| (window.from, window.closed_only);
        self.count == count && ends(&self.window) == ends(window)
    }
}

impl Floors {
    /// A score that the last of `count` leaders over `window` is likely to have; `None` where nothing is
    /// known of such a leaderboard.
    pub(super) fn guess(&self, count: usize, window: &Window) -> Option<f64> {
        let known = self.lock();
        let floor = known.iter().find(|floor| floor.is_for(count, window))?;
        let is_as_late = |as_of: Micros| as_of <= window.as_of;
        (floor.score > 0.0 && is_as_late(floor.window.as_of)).then_some(floor.score)
    }

    /// Remembers what the last of `count` leaders over `window` had.
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
