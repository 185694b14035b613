//! Which events are behind a segment of a key: the closed holds of its weight that cover part of it, the marks and the
//! changes that set its weight at its start, and those within it and at its end.
//!
//! Only events with an `event_id` can be named. One walk over segments and claims, both in order of time.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::{Balance, Claim, Fact, HeldSegment, Micros, Quantity};

/// Ids that are listed for one segment; the others are counted.
const IDS_MAX: usize = 1000;

/// The ids behind one segment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Behind {
    /// In order of time, then of the id.
    pub(super) ids: Vec<Box<str>>,
    pub(super) left_out: usize,
}

/// What is behind each of `segments`, which are in order of time; `claims` are those of their key.
pub(super) fn behind(segments: &[HeldSegment], claims: &[Claim<'_>]) -> Vec<Behind> {
    let mut holds = Holds::of(claims);
    let levels = [Levels::of_marks(claims), Levels::of_changes(claims)];
    let each = segments.iter().map(|segment| {
        let mut ids = BTreeSet::new();
        let mut count = holds.covering(segment, &mut ids);
        for levels in &levels {
            count += levels.around(segment, &mut ids);
        }
        // An id is a fact of one kind, so that nothing is counted twice.
        let ids: Vec<_> = ids
            .into_iter()
            .take(IDS_MAX)
            .map(|(_, id)| id.into())
            .collect();
        Behind {
            left_out: count - ids.len(),
            ids,
        }
    });
    each.collect()
}

/// Closed holds in force that begin before the end of the segment that is asked about.
struct Holds<'c> {
    /// The last one first: `(start, end, weight, id)`.
    waiting: Vec<(Micros, Micros, Quantity, &'c str)>,
    active: BTreeMap<Quantity, BTreeSet<(Micros, &'c str)>>,
    ends: BTreeSet<(Micros, Micros, Quantity, &'c str)>,
}

impl<'c> Holds<'c> {
    fn of(claims: &[Claim<'c>]) -> Self {
        let holds = claims.iter().filter_map(|claim| match claim {
            Claim::Named { event_id, standing } => match standing.fact {
                Some(Fact::Closed { start, end, weight }) => {
                    Some((start, end, weight.into(), *event_id))
                }
                _ => None,
            },
            Claim::Plain(_) => None,
        });
        let mut waiting: Vec<_> = holds.filter(|(start, end, ..)| start < end).collect();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            waiting,
            active: BTreeMap::new(),
            ends: BTreeSet::new(),
        }
    }

    /// Adds those of the segment's weight that cover part of it, as many as are listed, and returns how many there are.
    fn covering(&mut self, segment: &HeldSegment, ids: &mut BTreeSet<(Micros, &'c str)>) -> usize {
        while let Some(&(start, end, weight, id)) = self.waiting.last()
            && start < segment.end
        {
            self.waiting.pop();
            self.active.entry(weight).or_default().insert((start, id));
            self.ends.insert((end, start, weight, id));
        }
        while let Some(&(end, start, weight, id)) = self.ends.first()
            && end <= segment.start
        {
            self.ends.pop_first();
            if let Some(of_weight) = self.active.get_mut(&weight) {
                of_weight.remove(&(start, id));
            }
        }
        let Some(covering) = self.active.get(&segment.weight) else {
            return 0;
        };
        ids.extend(covering.iter().take(IDS_MAX));
        covering.len()
    }
}

/// What marks or changes set, instant by instant.
struct Levels<'c> {
    /// In order of time.
    events: Vec<(Micros, &'c str)>,
    /// The level from each instant on; `None` if nothing is held by it.
    levels: Vec<(Micros, Option<Quantity>)>,
}

impl<'c> Levels<'c> {
    fn of_marks(claims: &[Claim<'c>]) -> Self {
        // Of one instant and `seq` a stop sorts first, the largest start last.
        let mut marks = Vec::new();
        let mut events = Vec::new();
        for claim in claims {
            let (fact, event_id) = parts(claim);
            let mark = match fact {
                Some(Fact::Start { at, weight, seq }) => (at, seq, Some(Quantity::from(weight))),
                Some(Fact::Stop { at, seq }) => (at, seq, None),
                _ => continue,
            };
            marks.push(mark);
            events.extend(event_id.map(|id| (mark.0, id)));
        }
        marks.sort_unstable();
        let levels = marks.chunk_by(|a, b| a.0 == b.0).map(|instant| {
            let (at, seq, largest) = instant[instant.len() - 1];
            let is_stopped = instant.iter().any(|mark| mark.1 == seq && mark.2.is_none());
            (at, largest.filter(|_| !is_stopped))
        });
        Self::new(events, levels.collect())
    }

    fn of_changes(claims: &[Claim<'c>]) -> Self {
        let changes = claims.iter().filter_map(|claim| match parts(claim) {
            (Some(Fact::Change { at, delta }), Some(id)) => Some((at, id, delta)),
            _ => None,
        });
        let mut changes: Vec<_> = changes.collect();
        changes.sort_unstable_by_key(|(at, id, _)| (*at, *id));
        let mut balance = Balance::ZERO;
        let levels = changes.chunk_by(|a, b| a.0 == b.0).map(|instant| {
            for (.., delta) in instant {
                balance += (*delta).into();
            }
            (instant[0].0, balance.held())
        });
        let levels = levels.collect();
        Self::new(
            changes.iter().map(|(at, id, _)| (*at, *id)).collect(),
            levels,
        )
    }

    fn new(mut events: Vec<(Micros, &'c str)>, levels: Vec<(Micros, Option<Quantity>)>) -> Self {
        events.sort_unstable();
        Self { events, levels }
    }

    /// Adds the events that set the segment's weight at its start, and those within it and at its end, as many as are
    /// listed, and returns how many there are.
    fn around(&self, segment: &HeldSegment, ids: &mut BTreeSet<(Micros, &'c str)>) -> usize {
        let before = self.levels.partition_point(|(at, _)| *at <= segment.start);
        let ruling = before.checked_sub(1).map(|last| self.levels[last]);
        let first = match ruling {
            Some((at, Some(level))) if level == segment.weight => {
                self.events.partition_point(|event| event.0 < at)
            }
            _ => self
                .events
                .partition_point(|event| event.0 <= segment.start),
        };
        let end = self.events.partition_point(|event| event.0 <= segment.end);
        // What is between the ruling instant and the start is at the ruling instant.
        let around = &self.events[first..end];
        ids.extend(around.iter().take(IDS_MAX));
        around.len()
    }
}

/// The fact of a claim and its id.
fn parts<'c>(claim: &Claim<'c>) -> (Option<Fact>, Option<&'c str>) {
    match claim {
        Claim::Plain(fact) => (Some(*fact), None),
        Claim::Named { event_id, standing } => (standing.fact, Some(event_id)),
    }
}
