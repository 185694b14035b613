//! What a consumer gets: acknowledged events as they were encoded, shared with all other consumers.
//!
//! Nothing is copied or decoded before the consumer asks for events.

use std::sync::Arc;

use crate::core::{Event, EventBatch, encoding};

/// Where the events of a batch come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// They were acknowledged under these numbers.
    Journal,
    /// They are facts of the state, copied because the consumer begins, or begins again, without the events
    /// behind them. All have one number: that of the last event applied when the copy began. Those with
    /// later numbers follow from the journal, although the copy may contain some of them already.
    Facts,
}

/// Where in a batch a reader goes on; at first at its beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    frame: usize,
    batch: usize,
    byte: usize,
    /// Events of this frame that were passed.
    events: u64,
}

/// Events for one consumer, in the order of the journal.
#[derive(Clone, Debug)]
pub struct FeedBatch {
    /// Number of the first event.
    pub first: u64,
    /// The position to commit once the batch is processed. It is the number of the last event, except that all
    /// batches of facts but the last one name the number before theirs, so that a copy counts as processed
    /// only with its end.
    pub last: u64,
    /// Where the events come from.
    pub origin: Origin,
    frames: Vec<Arc<Frame>>,
    /// Events of the first frame that are not part of the batch.
    skipped: usize,
}

impl FeedBatch {
    /// The events from number `first` on of frames in order, of which the first one contains `first`.
    pub(super) fn of_frames(first: u64, frames: Vec<Arc<Frame>>) -> Self {
        let begin = frames.first().map_or(first, |frame| frame.first);
        // Events that a salvage noted as lost are before the first frame.
        let first = first.max(begin);
        let last = frames.last().map_or(first, |frame| frame.last());
        Self {
            first,
            last,
            origin: Origin::Journal,
            skipped: usize::try_from(first - begin).unwrap_or(usize::MAX),
            frames,
        }
    }

    /// Facts of a copy that began after event `sequence`.
    pub(super) fn of_facts(sequence: u64, facts: EventBatch, is_last: bool) -> Self {
        Self {
            first: sequence,
            last: if is_last { sequence } else { sequence - 1 },
            origin: Origin::Facts,
            frames: vec![Arc::new(Frame::new(sequence, vec![facts]))],
            skipped: 0,
        }
    }

    /// Each event with its number.
    pub fn events(&self) -> impl Iterator<Item = (u64, Event<'_>)> {
        let mut place = Place::default();
        std::iter::from_fn(move || self.next_event(&mut place))
    }

    /// The event at `place` with its number, and moves `place` behind it; for a reader that pauses.
    ///
    /// # Panics
    /// If `place` is not one of this batch.
    pub fn next_event(&self, place: &mut Place) -> Option<(u64, Event<'_>)> {
        loop {
            let frame = self.frames.get(place.frame)?;
            let Some(batch) = frame.batches.get(place.batch) else {
                *place = Place {
                    frame: place.frame + 1,
                    ..Place::default()
                };
                continue;
            };
            let event = encoding::next_event(batch.bytes(), &mut place.byte);
            let Some(event) = event.expect("bytes that were applied are events") else {
                (place.batch, place.byte) = (place.batch + 1, 0);
                continue;
            };
            let passed = place.events;
            place.events += 1;
            if place.frame == 0 && passed < self.skipped as u64 {
                continue;
            }
            let number = match self.origin {
                Origin::Journal => frame.first + passed,
                Origin::Facts => frame.first,
            };
            return Some((number, event));
        }
    }

    /// Whether no facts of the same copy follow; always true of events from the journal.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let number = self.events().next().map(|(number, _)| number);
        number.is_none_or(|number| self.last >= number)
    }

    /// Number of events.
    #[must_use]
    pub fn count(&self) -> usize {
        let all = self.frames.iter().map(|frame| frame.count);
        usize::try_from(all.sum::<u64>()).map_or(usize::MAX, |all| all - self.skipped)
    }

    /// Size of the encoded events in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.bytes).sum()
    }
}

/// Events that were written by one commit.
#[derive(Debug)]
pub(in crate::engine) struct Frame {
    /// Number of the first event.
    pub(super) first: u64,
    pub(super) count: u64,
    /// Size of the encoded events.
    pub(super) bytes: usize,
    batches: Vec<EventBatch>,
}

impl Frame {
    /// A frame of batches, of which none is empty.
    pub(in crate::engine) fn new(first: u64, batches: Vec<EventBatch>) -> Self {
        Self {
            first,
            count: batches.iter().map(|batch| u64::from(batch.count())).sum(),
            bytes: batches.iter().map(|batch| batch.bytes().len()).sum(),
            batches,
        }
    }

    /// Gives back memory that the events do not need; returns what they take.
    pub(super) fn shrink(&mut self) -> usize {
        self.batches.iter_mut().map(EventBatch::shrink).sum()
    }

    /// Number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.first + self.count - 1
    }
}
