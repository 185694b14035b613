//! Events with the places of their keys, of which the longest part can be found while questions go on.
//!
//! Finding the holder of an event, and reading its key into the core's cache, takes as long as changing the key. It
//! changes no answer, so a caller that holds questions up while it records does this before; others leave it to the
//! recording, which is in [`super::hold_aggregator`].

use std::ops::Range;

use rayon::prelude::*;

use super::hold_aggregator::HoldAggregator;
use super::ids::IdNumber;
use super::shard::RUN;
use crate::core::Event;
use crate::core::key::{PARTS, part_of};

/// Events that one thread places at a time; of more, several threads place some each.
const PLACED_AT_ONCE: usize = 8_192;

/// Events with the places of their keys in one aggregator; see [`HoldAggregator::place`].
pub struct PlacedEvents<'e> {
    events: &'e [Event<'e>],
    places: Vec<EventPlace>,
}

/// Where the key of an event is.
#[derive(Clone, Copy)]
pub(super) struct EventPlace {
    pub(super) part: u8,
    /// The number of the holder within its part; `None` if it was not looked for, or had no event before.
    pub(super) holder: Option<u32>,
    pub(super) token: IdNumber,
}

impl HoldAggregator {
    /// Finds the parts and the tokens of events that are about to be recorded.
    #[must_use]
    pub fn place<'e>(&self, events: &'e [Event<'e>]) -> PlacedEvents<'e> {
        let places = if events.len() <= PLACED_AT_ONCE {
            self.places_of(events)
        } else {
            let chunks = events.par_chunks(PLACED_AT_ONCE);
            let places: Vec<_> = chunks.map(|events| self.places_of(events)).collect();
            places.concat()
        };
        PlacedEvents { events, places }
    }

    /// Finds the holders too, and reads their keys, which then are in the cache: of a few thousand events.
    pub fn find_holders(&self, batch: &mut PlacedEvents<'_>) {
        let PlacedEvents { events, places } = batch;
        for run in Parts::of(places).runs() {
            let shard = self.shard(run.part);
            for index in run.events {
                let index = *index as usize;
                places[index].holder = shard.find(events[index].holder_id);
            }
            let places = run.events.iter().map(|index| places[*index as usize]);
            shard.touch(places.filter_map(|place| Some((place.holder?, place.token))));
        }
    }

    fn places_of(&self, events: &[Event<'_>]) -> Vec<EventPlace> {
        let mut places = Vec::with_capacity(events.len());
        let token_ids = events.iter().map(|event| event.token_id);
        self.tokens.numbers(token_ids, |token| {
            let event = &events[places.len()];
            #[expect(clippy::cast_possible_truncation, reason = "there are 256 parts")]
            let part = part_of(event.holder_id) as u8;
            places.push(EventPlace {
                part,
                holder: None,
                token,
            });
        });
        places
    }
}

impl<'e> PlacedEvents<'e> {
    /// Some of the events, by index.
    pub(super) fn slice(&self, range: Range<usize>) -> (&'e [Event<'e>], &[EventPlace]) {
        (&self.events[range.clone()], &self.places[range])
    }
}

/// Events by the part of their holders, in their order within each part.
pub(super) struct Parts {
    order: Vec<u32>,
    ends: [u32; PARTS],
}

/// Some events of one part, by index.
pub(super) struct Run<'a> {
    pub(super) part: usize,
    pub(super) events: &'a [u32],
}

impl Parts {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^32 events would be 300 GB"
    )]
    pub(super) fn of(places: &[EventPlace]) -> Self {
        let mut ends = [0_u32; PARTS];
        for place in places {
            ends[usize::from(place.part)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            // At first the start of each part; advanced with each event that is put in order.
            sum += std::mem::replace(end, sum);
        }
        let mut order = vec![0; places.len()];
        for (index, place) in places.iter().enumerate() {
            let end = &mut ends[usize::from(place.part)];
            order[*end as usize] = index as u32;
            *end += 1;
        }
        Self { order, ends }
    }

    /// The number of events of a part.
    pub(super) fn count(&self, part: usize) -> usize {
        let begin = part.checked_sub(1).map_or(0, |before| self.ends[before]);
        (self.ends[part] - begin) as usize
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let begins = std::iter::once(0).chain(self.ends);
        let parts = begins.zip(self.ends).enumerate();
        parts.flat_map(|(part, (begin, end))| {
            let events = self.order[begin as usize..end as usize].chunks(RUN);
            events.map(move |events| Run { part, events })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::{Draft, Micros};

    proptest! {
        /// Few holders, so that most are new to one piece and known to the next.
        #[test]
        fn events_that_are_placed_first_and_recorded_in_pieces_count_once_each(
            events in prop::collection::vec((0_u8..30, 0_u8..3, 0_i64..1_000, 1_i64..50), 1..400),
            known in 0_usize..200,
            piece in 1_usize..100,
            is_found in any::<bool>(),
        ) {
            let ids: Vec<_> = events.iter().map(|(holder, token, ..)| (format!("h{holder}"), format!("t{token}"))).collect();
            let event = |(index, (.., start, length)): (usize, &(u8, u8, i64, i64))| {
                let draft = Draft {
                    token_id: &ids[index].1,
                    holder_id: &ids[index].0,
                    start: Micros::new(*start).ok(),
                    end: Micros::new(start + length).ok(),
                    ..Draft::default()
                };
                draft.check().unwrap()
            };
            let events: Vec<_> = events.iter().enumerate().map(event).collect();
            let known = known.min(events.len());
            let (in_pieces, one_by_one) = (HoldAggregator::new(), HoldAggregator::new());
            in_pieces.record_events(&events[..known]);
            let mut placed = in_pieces.place(&events);
            if is_found {
                in_pieces.find_holders(&mut placed);
            }
            let mut repeated = 0;
            for begin in (0..events.len()).step_by(piece) {
                repeated += in_pieces.record_placed(&placed, begin..events.len().min(begin + piece));
            }
            for event in &events[..known] {
                one_by_one.record(event);
            }
            let changes: u64 = events.iter().map(|event| u64::from(one_by_one.record(event))).sum();
            prop_assert_eq!(repeated, events.len() as u64 - changes);
            prop_assert_eq!(in_pieces.segments(), one_by_one.segments());
            prop_assert_eq!(in_pieces.figures(), one_by_one.figures());
        }
    }
}
