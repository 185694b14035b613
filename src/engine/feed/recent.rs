//! The frames that were acknowledged last, in memory, so that consumers that keep up read no file.
//!
//! Frames are kept only while somebody reads, and only up to a bound; the oldest leave first. The applier
//! adds a frame after it has acknowledged it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::batch::Frame;

/// Time between two events whose age is known.
const AGES_EVERY: Duration = Duration::from_millis(100);
/// Most events whose age is known; beyond that, every second one is forgotten.
const AGES_MAX: usize = 4_096;

/// Frames shared by all consumers.
pub(in crate::engine) struct Recent {
    ring: Mutex<Ring>,
    /// Wakes consumers that wait for a frame, or for the end.
    changed: Notify,
}

struct Ring {
    /// In order, without gaps.
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    bytes_max: usize,
    /// Number of the last event that was added, whether or not it was kept.
    last: u64,
    readers: usize,
    /// Numbers of some events, in order, and when they were added.
    ages: VecDeque<(u64, Instant)>,
    began: Instant,
}

/// What is in memory for a reader.
pub(super) enum Recalled {
    /// At least one frame; the first one contains the wanted event.
    Frames(Vec<Arc<Frame>>),
    /// The wanted event was not added yet.
    Nothing,
    /// The wanted event has left memory, which begins with event `first`.
    Gone { first: u64 },
}

impl Recent {
    /// Keeps at most `bytes_max` bytes, and the last frame whatever its size. `last` is the number of the
    /// last acknowledged event.
    pub(in crate::engine) fn new(bytes_max: usize, last: u64) -> Self {
        Self {
            ring: Mutex::new(Ring {
                frames: VecDeque::new(),
                bytes: 0,
                bytes_max,
                last,
                readers: 0,
                ages: VecDeque::new(),
                began: Instant::now(),
            }),
            changed: Notify::new(),
        }
    }

    /// Adds an acknowledged frame, which follows the one before it.
    pub(in crate::engine) fn push(&self, frame: Frame) {
        let mut ring = self.ring.lock();
        ring.last = frame.last();
        ring.note_age(frame.first);
        if ring.readers == 0 {
            return;
        }
        ring.bytes += frame.bytes;
        ring.frames.push_back(Arc::new(frame));
        while ring.bytes > ring.bytes_max && ring.frames.len() > 1 {
            let oldest = ring.frames.pop_front();
            ring.bytes -= oldest.map_or(0, |oldest| oldest.bytes);
        }
        drop(ring);
        self.changed.notify_waiters();
    }

    /// The frames from the one with event `next` on: as many as fit into `bytes_max`, and at least one.
    pub(super) fn recall(&self, next: u64, bytes_max: usize) -> Recalled {
        let ring = self.ring.lock();
        if next > ring.last {
            return Recalled::Nothing;
        }
        let first = ring
            .frames
            .front()
            .map_or(ring.last + 1, |frame| frame.first);
        if next < first {
            return Recalled::Gone { first };
        }
        let place = ring.frames.partition_point(|frame| frame.last() < next);
        let mut bytes = 0;
        let wanted = ring.frames.range(place..).take_while(|frame| {
            let is_first = bytes == 0;
            bytes += frame.bytes;
            is_first || bytes <= bytes_max
        });
        Recalled::Frames(wanted.cloned().collect())
    }

    /// Keeps frames from now on, until as many calls of [`Self::leave`].
    pub(super) fn enter(&self) {
        self.ring.lock().readers += 1;
    }

    /// Ends what [`Self::enter`] began.
    pub(super) fn leave(&self) {
        let mut ring = self.ring.lock();
        ring.readers -= 1;
        if ring.readers == 0 {
            ring.bytes = 0;
            ring.frames = VecDeque::new();
        }
    }

    /// Bytes of events after number `position`, if all of them are in memory.
    pub(super) fn bytes_after(&self, position: u64) -> Option<u64> {
        let ring = self.ring.lock();
        if position >= ring.last {
            return Some(0);
        }
        let is_whole = ring
            .frames
            .front()
            .is_some_and(|front| front.first <= position + 1);
        let place = ring
            .frames
            .partition_point(|frame| frame.last() <= position);
        let bytes = ring.frames.range(place..).map(|frame| frame.bytes as u64);
        is_whole.then(|| bytes.sum())
    }

    /// Time since the event after number `position` was added, to a tenth of a second; counted from the
    /// beginning if it was there before. Zero if there is none.
    pub(super) fn age_of_event_after(&self, position: u64) -> Duration {
        let ring = self.ring.lock();
        if position >= ring.last {
            return Duration::ZERO;
        }
        let after = ring
            .ages
            .partition_point(|(first, _)| *first <= position + 1);
        let known = after.checked_sub(1).and_then(|place| ring.ages.get(place));
        known.map_or(ring.began, |(_, at)| *at).elapsed()
    }

    /// Resolves at the next frame or the next [`Self::wake`], counted from this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Wakes all that wait.
    pub(in crate::engine) fn wake(&self) {
        self.changed.notify_waiters();
    }
}

impl Ring {
    fn note_age(&mut self, first: u64) {
        let now = Instant::now();
        if self
            .ages
            .back()
            .is_some_and(|(_, at)| now - *at < AGES_EVERY)
        {
            return;
        }
        if self.ages.len() == AGES_MAX {
            let mut place = 0_usize;
            self.ages.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
        self.ages.push_back((first, now));
    }
}
