//! Synthetic holds and marks: four shapes, each a pure function of the seed and an event number.
//!
//! One event in twenty repeats another exactly; the order is shuffled, so corrections may precede what
//! they correct.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::draws::{DAY_MS, Draws, FIRST_MS, SPAN_MS, real};
use super::weights::{UNIT_MILLIONTHS, Weight, WeightForm};
use super::{Forms, Options};

/// What the holds look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldShape {
    /// Closed holds, one weight per token; 30 % overlap another hold of their key.
    Equal,
    /// The same with a weight of its own for each event, a double with all its digits.
    Mixed,
    /// Long holds nested up to hundreds deep, the inner ones heavier.
    Nested,
    /// Starts, stops, named events, revisions and retractions.
    Marks,
}

/// One event, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SyntheticEvent {
    pub(super) token: u64,
    /// A rank: 1 is drawn most often.
    pub(super) holder: u64,
    pub(super) start_us: Option<i64>,
    pub(super) end_us: Option<i64>,
    pub(super) weight: Option<Weight>,
    /// The group, and the named event within it; or the event alone, in shapes without groups.
    pub(super) event_id: Option<(u64, u64)>,
    pub(super) revision: u64,
    pub(super) retract: bool,
}

/// Events of a block of `equal` and `mixed`: first those that stand alone, then those that overlap
/// one of them, then one that repeats another.
const BLOCK: u64 = 20;
const ALONE: u64 = 13;
/// Where the chains of 512 nested holds begin: depths from 2 to 256.
const CHAINS: [u64; 6] = [0, 2, 10, 42, 128, 256];
const CHAIN_BLOCK: u64 = 512;
/// Events of a group of `marks`.
const GROUP: u64 = 10;

/// All events of one file.
pub(super) struct Holds {
    shape: HoldShape,
    forms: Forms,
    events: u64,
    tokens: u64,
    /// The sum of 1/rank over all holders: Zipf's law gives rank r the share 1/(r * this).
    harmonic: f64,
    draws: Draws,
}

impl Holds {
    pub(super) fn new(shape: HoldShape, options: &Options) -> Self {
        let holders = options.holders;
        // For more holders than can be summed quickly, the logarithm and Euler's constant are close enough.
        let harmonic = if holders > 1 << 22 {
            real(holders).ln() + 0.577_215_664_901_532_9
        } else {
            (1..=holders).map(|rank| real(rank).recip()).sum()
        };
        Self {
            shape,
            forms: options.forms,
            events: options.events,
            tokens: options.tokens,
            harmonic,
            draws: Draws::new(options),
        }
    }

    /// Their number.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Whether events have ids, or some of them.
    pub(super) fn has_event_ids(&self) -> bool {
        self.has_corrections() || self.forms.event_ids.is_some()
    }

    /// Whether events have weights, or some of them.
    pub(super) fn has_weights(&self) -> bool {
        self.forms.weights != Some(WeightForm::None)
    }

    pub(super) fn forms(&self) -> Forms {
        self.forms
    }

    /// Whether events may lack a time or be corrected; some of them then have an event id.
    pub(super) fn has_corrections(&self) -> bool {
        self.shape == HoldShape::Marks
    }

    /// The event in row `row` of the file.
    pub(super) fn event(&self, row: u64) -> SyntheticEvent {
        let number = self.draws.number(row);
        match self.shape {
            HoldShape::Equal | HoldShape::Mixed => self.hold(number),
            HoldShape::Nested => self.nested(number),
            HoldShape::Marks => self.mark(number),
        }
    }

    pub(super) fn holder_id(&self, event: &SyntheticEvent) -> String {
        self.draws.holder_id(event.holder)
    }

    pub(super) fn event_id(&self, event: &SyntheticEvent) -> Option<String> {
        let (group, fact) = event.event_id?;
        Some(match self.forms.event_ids {
            Some(form) => self.draws.event_id(form, group),
            None => format!("event-{group}-{fact}"),
        })
    }

    /// The name of an event of a shape without groups.
    fn name(&self, number: u64) -> Option<(u64, u64)> {
        self.forms.event_ids.map(|_| (number, 0))
    }

    fn key(&self, rng: &mut Pcg64Mcg) -> (u64, u64) {
        let holder = self.draws.holder(rng);
        (self.draws.token(rng), holder)
    }

    /// A closed hold of `equal` and `mixed`.
    fn hold(&self, number: u64) -> SyntheticEvent {
        let place = number % BLOCK;
        let mut rng = self.draws.rng(number);
        if place == BLOCK - 1 {
            return self.hold(number - 1 - rng.random_range(0..BLOCK - 1));
        }
        let (token, holder, start_ms, length_ms) = if place < ALONE {
            self.alone(number)
        } else {
            let (token, holder, start_ms, length_ms) =
                self.alone(number - place + 2 * (place - ALONE));
            let later_ms = rng.random_range(0..length_ms);
            (
                token,
                holder,
                start_ms + later_ms,
                rng.random_range(1..=length_ms),
            )
        };
        let own = match self.shape {
            HoldShape::Mixed => Some(WeightForm::Double),
            HoldShape::Equal | HoldShape::Nested | HoldShape::Marks => None,
        };
        let weight = match self.forms.weights.or(own) {
            None => Some(Weight::from_millionths(
                UNIT_MILLIONTHS + token * UNIT_MILLIONTHS / 2,
            )),
            Some(form) => form.draw(&mut rng),
        };
        SyntheticEvent {
            weight,
            event_id: self.name(number),
            ..closed(
                token,
                holder,
                start_ms * 1_000,
                (start_ms + length_ms) * 1_000,
            )
        }
    }

    /// A key and a hold of it that seldom overlaps another: the more holds of a key, the shorter they are.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of some days")]
    fn alone(&self, number: u64) -> (u64, u64, i64, i64) {
        let mut rng = self.draws.rng(number);
        let (token, holder) = self.key(&mut rng);
        let holds_of_key = real(self.events) / (real(holder) * self.harmonic * real(self.tokens));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a span is far below 2^53 milliseconds"
        )]
        let gap_ms = SPAN_MS as f64 / holds_of_key.max(1.0);
        let length_ms = ((gap_ms * rng.random_range(0.002..0.02)) as i64).max(1_000);
        let start_ms = FIRST_MS + rng.random_range(0..SPAN_MS - length_ms);
        (token, holder, start_ms, length_ms)
    }

    /// One hold of a chain in which each hold lies inside the one before it and weighs more.
    fn nested(&self, number: u64) -> SyntheticEvent {
        let place = number % BLOCK;
        if place == BLOCK - 1 {
            return self.nested(number - 1 - self.draws.rng(number).random_range(0..BLOCK - 1));
        }
        let distinct = number / BLOCK * (BLOCK - 1) + place;
        let in_block = distinct % CHAIN_BLOCK;
        let chain = CHAINS.partition_point(|first| *first <= in_block) - 1;
        let next = CHAINS.get(chain + 1).copied().unwrap_or(CHAIN_BLOCK);
        let (first, depth) = (CHAINS[chain], next - CHAINS[chain]);
        let mut rng = self.draws.rng(!(distinct - in_block + first));
        let (token, holder) = self.key(&mut rng);
        let length_ms = rng.random_range(30 * DAY_MS..300 * DAY_MS);
        let start_ms = FIRST_MS + rng.random_range(0..SPAN_MS - length_ms);
        let level = in_block - first;
        let step_ms = length_ms / signed(2 * depth + 1);
        let inset_ms = step_ms * signed(level);
        let base = rng.random_range(1..=10 * UNIT_MILLIONTHS);
        let weight = Weight::from_millionths(base + level * rng.random_range(1..=UNIT_MILLIONTHS));
        let end_ms = start_ms + length_ms - inset_ms;
        SyntheticEvent {
            weight: Some(weight),
            event_id: self.name(number),
            ..closed(token, holder, (start_ms + inset_ms) * 1_000, end_ms * 1_000)
        }
    }

    /// One of ten events of a key: two marks, a plain hold, and three named facts with corrections.
    fn mark(&self, number: u64) -> SyntheticEvent {
        let group = number / GROUP;
        let mut of_group = self.draws.rng(!group);
        let (token, holder) = self.key(&mut of_group);
        let from_us = of_group.random_range(FIRST_MS * 1_000..(FIRST_MS + SPAN_MS) * 1_000);
        let mut rng = self.draws.rng(number);
        let start_us = from_us + rng.random_range(0..20 * DAY_MS) * 1_000;
        let end_us = start_us + rng.random_range(0..10 * DAY_MS * 1_000);
        let weight = Weight::from_millionths(rng.random_range(0..=100 * UNIT_MILLIONTHS));
        let hold = SyntheticEvent {
            weight: Some(weight),
            ..closed(token, holder, start_us, end_us)
        };
        let named = |fact, revision| SyntheticEvent {
            event_id: Some((group, fact)),
            revision,
            ..hold
        };
        let withdrawn = |fact, revision| SyntheticEvent {
            start_us: None,
            end_us: None,
            weight: None,
            retract: true,
            ..named(fact, revision)
        };
        let without_end = |event| SyntheticEvent {
            end_us: None,
            ..event
        };
        match number % GROUP {
            0 => without_end(hold),
            1 => SyntheticEvent {
                start_us: None,
                weight: None,
                ..hold
            },
            2 => SyntheticEvent {
                weight: None,
                ..hold
            },
            3 => named(0, 0),
            4 => named(0, 1),
            5 => without_end(named(1, 0)),
            6 => withdrawn(1, 1),
            7 => named(2, 0),
            8 if group.is_multiple_of(2) => withdrawn(2, 1),
            8 => SyntheticEvent {
                retract: true,
                ..named(2, 1)
            },
            // Restored, or in conflict with the retraction of the same revision, which then wins.
            _ => named(2, 1 + group % 3),
        }
    }
}

/// A hold without a weight.
fn closed(token: u64, holder: u64, start_us: i64, end_us: i64) -> SyntheticEvent {
    SyntheticEvent {
        token,
        holder,
        start_us: Some(start_us),
        end_us: Some(end_us),
        weight: None,
        event_id: None,
        revision: 0,
        retract: false,
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).expect("a depth of hundreds")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::Shape;
    use super::*;

    fn all(shape: HoldShape, events: u64) -> Vec<SyntheticEvent> {
        let options = Options {
            shape: Shape::Holds(shape),
            seed: 5,
            events,
            holders: 500,
            tokens: 4,
            forms: Forms::default(),
        };
        let holds = Holds::new(shape, &options);
        (0..events).map(|row| holds.event(row)).collect()
    }

    #[test]
    fn one_event_in_twenty_repeats_another() {
        for shape in [HoldShape::Equal, HoldShape::Mixed, HoldShape::Nested] {
            let distinct: HashSet<_> = all(shape, 20_000)
                .iter()
                .map(|event| {
                    (
                        event.token,
                        event.holder,
                        event.start_us,
                        event.end_us,
                        event.weight.map(|weight| format!("{weight:?}")),
                    )
                })
                .collect();
            assert_eq!(distinct.len(), 19_000, "{shape:?}");
        }
    }

    #[test]
    fn about_a_third_of_holds_overlap_an_earlier_one_of_their_key() {
        let mut holds = all(HoldShape::Mixed, 20_000);
        holds.sort_by_key(|event| (event.token, event.holder, event.start_us, event.end_us));
        holds.dedup();
        let overlapping = holds.windows(2).filter(|pair| {
            (pair[0].token, pair[0].holder) == (pair[1].token, pair[1].holder)
                && pair[1].start_us < pair[0].end_us
        });
        let share = overlapping.count() * 100 / holds.len();
        assert!((28..=40).contains(&share), "{share} %");
    }

    #[test]
    fn nested_holds_lie_in_each_other_hundreds_deep() {
        let holds = all(HoldShape::Nested, 2_000);
        assert!(holds.iter().all(|event| event.start_us < event.end_us));
        let depth = |inner: &SyntheticEvent| {
            let around = holds.iter().filter(|event| {
                (event.token, event.holder) == (inner.token, inner.holder)
                    && event.start_us <= inner.start_us
                    && event.end_us >= inner.end_us
                    && event.weight < inner.weight
            });
            around.count()
        };
        let deepest = holds.iter().map(depth).max();
        assert!(deepest >= Some(200), "{deepest:?}");
    }

    #[test]
    fn marks_contain_every_kind_of_event() {
        let events = all(HoldShape::Marks, 1_000);
        let count =
            |kind: fn(&SyntheticEvent) -> bool| events.iter().filter(|event| kind(event)).count();
        assert_eq!(count(|event| event.end_us.is_none() && !event.retract), 200);
        assert_eq!(
            count(|event| event.start_us.is_none() && !event.retract),
            100
        );
        assert_eq!(count(|event| event.retract), 200);
        assert_eq!(count(|event| event.event_id.is_some()), 700);
        assert!(count(|event| event.revision > 1) > 50);
    }
}
