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
    frames: VecDeque<Kept>,
    bytes_held: usize,
    bytes_max: usize,
    /// Number of the last event that was added, whether or not it was kept.
    last: u64,
    readers: usize,
    /// Numbers of some events, in order, and when they were added.
    ages: VecDeque<(u64, Instant)>,
    began: Instant,
}

/// A frame in the ring.
struct Kept {
    frame: Arc<Frame>,
    /// What it takes in memory.
    bytes: usize,
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
                bytes_held: 0,
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
    pub(in crate::engine) fn push(&self, mut frame: Frame) {
        let mut ring = self.ring.lock();
        ring.last = frame.last();
        ring.note_age(frame.first);
        if ring.readers == 0 {
            return;
        }
        // A batch of an upload begins with room for many events.
        let bytes = frame.shrink();
        ring.bytes_held += bytes;
        ring.frames.push_back(Kept {
            frame: Arc::new(frame),
            bytes,
        });
        while ring.bytes_held > ring.bytes_max && ring.frames.len() > 1 {
            let oldest = ring.frames.pop_front();
            ring.bytes_held -= oldest.map_or(0, |oldest| oldest.bytes);
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
            .map_or(ring.last + 1, |kept| kept.frame.first);
        if next < first {
            return Recalled::Gone { first };
        }
        let place = ring.frames.partition_point(|kept| kept.frame.last() < next);
        let mut bytes = 0;
        let frames = ring.frames.range(place..).map(|kept| &kept.frame);
        let wanted = frames.take_while(|frame| {
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
            ring.bytes_held = 0;
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
            .is_some_and(|front| front.frame.first <= position + 1);
        let place = ring
            .frames
            .partition_point(|kept| kept.frame.last() <= position);
        let after = ring.frames.range(place..);
        let bytes = after.map(|kept| kept.frame.bytes as u64);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Draft, EventBatch, Micros};

    fn frame(first: u64, count: u64) -> Frame {
        let mut batch = EventBatch::default();
        for _ in 0..count {
            let draft = Draft {
                token_id: "T",
                holder_id: "h",
                start: Micros::new(0).ok(),
                ..Draft::default()
            };
            batch.push(&draft.check().expect("a valid event"));
        }
        Frame::new(first, vec![batch])
    }

    #[test]
    fn frames_are_kept_only_while_somebody_reads_and_up_to_the_bound() {
        let bytes_held = frame(1, 1).shrink();
        let recent = Recent::new(3 * bytes_held, 0);
        recent.push(frame(1, 1));
        assert!(matches!(recent.recall(1, 1), Recalled::Gone { first: 2 }));
        recent.enter();
        for number in 2..=6 {
            recent.push(frame(number, 1));
        }
        assert!(matches!(recent.recall(3, 1), Recalled::Gone { first: 4 }));
        let Recalled::Frames(frames) = recent.recall(4, usize::MAX) else {
            panic!("they are in memory")
        };
        assert_eq!(frames.len(), 3);
        assert!(matches!(recent.recall(7, 1), Recalled::Nothing));
        recent.leave();
        assert!(matches!(recent.recall(6, 1), Recalled::Gone { first: 7 }));
    }

    #[test]
    fn the_age_of_an_event_is_that_of_the_last_one_noted_before_it() {
        let recent = Recent::new(usize::MAX, 0);
        let mut ring = recent.ring.lock();
        let now = Instant::now();
        let ago = |seconds| {
            now.checked_sub(Duration::from_secs(seconds))
                .expect("a recent time")
        };
        ring.began = ago(100);
        ring.last = 30;
        ring.ages = [(10, ago(50)), (20, ago(20))].into();
        drop(ring);
        let age = |position| recent.age_of_event_after(position).as_secs();
        assert_eq!([age(0), age(8)], [100, 100]);
        assert_eq!([age(9), age(18)], [50, 50]);
        assert_eq!([age(19), age(29)], [20, 20]);
        assert_eq!(recent.age_of_event_after(30), Duration::ZERO);
    }

    #[test]
    fn of_many_ages_every_second_one_is_forgotten() {
        let recent = Recent::new(0, 0);
        let mut ring = recent.ring.lock();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(60));
        let long_ago = long_ago.expect("a recent time");
        ring.ages = (0..AGES_MAX as u64)
            .map(|first| (first, long_ago))
            .collect();
        ring.note_age(AGES_MAX as u64);
        assert_eq!(ring.ages.len(), AGES_MAX / 2 + 1);
        assert!(ring.ages.iter().all(|(first, _)| first % 2 == 0));
        ring.note_age(9_999);
        assert_eq!(ring.ages.back().unwrap().0, AGES_MAX as u64, "too soon");
    }
}
