//! All that is known of one key: its plain facts, and its named ones with their standing.
//!
//! A plain fact can never be withdrawn, so it lives in a [`Timeline`] alone. A named one is kept,
//! because a later event may correct it; the timeline of both together is a view that a correction
//! makes stale and [`KeyFacts::settle`] rebuilds. A key that knows one closed hold, as most do, is
//! that hold and no more: 24 bytes.

use hashbrown::HashMap;

use super::lone::Lone;
use super::{Claim, Fact, Micros, Segment, Standing, Timeline, Totals, Wad, Window};

/// Into how many parts all holders are divided, by [`part_of`].
pub const PARTS: usize = 256;

/// The part of all holders that a holder belongs to, under [`PARTS`]. The same on every machine, so
/// that what lies together in memory lies together on disk.
#[must_use]
pub fn part_of(holder_id: &str) -> usize {
    crc32c::crc32c(holder_id.as_bytes()) as usize % PARTS
}

/// The facts of one key; two that know the same set of events are in the same state.
#[derive(Clone, Debug, Default)]
pub struct KeyFacts(Known);

#[derive(Clone, Debug, Default)]
enum Known {
    /// Events came that earn nothing.
    #[default]
    Nothing,
    Lone(Lone),
    Many(Box<Many>),
}

#[derive(Clone, Debug, Default)]
struct Many {
    plain: Timeline,
    /// Apart, because few keys have any: what all have lies together in memory.
    named: Option<Box<Named>>,
}

#[derive(Clone, Debug, Default)]
struct Named {
    standings: HashMap<Box<str>, Standing>,
    /// Plain facts and the named ones in force.
    view: Timeline,
    is_stale: bool,
}

/// What adding something to a key did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a stale key must be settled before it is asked"]
pub struct Recorded {
    /// Something is known that was not known before.
    pub is_change: bool,
    /// A fact was withdrawn or replaced: call [`KeyFacts::settle`] before asking.
    pub is_stale: bool,
}

impl KeyFacts {
    /// Adds a claim.
    pub fn record(&mut self, claim: Claim<'_>) -> Recorded {
        match claim {
            Claim::Plain(fact) => self.record_plain(fact),
            Claim::Named { event_id, standing } => self.record_named(event_id, standing),
        }
    }

    /// Adds all that `other` knows.
    pub fn merge(&mut self, other: &Self) -> Recorded {
        let mut all = Recorded {
            is_change: false,
            is_stale: self.is_stale(),
        };
        other.claims(|claim| {
            let recorded = self.record(claim);
            all.is_change |= recorded.is_change;
            all.is_stale = recorded.is_stale;
        });
        all
    }

    /// Rebuilds the timeline from what is in force, in time linear in the facts (times a logarithm).
    pub fn settle(&mut self) {
        let Known::Many(many) = &mut self.0 else {
            return;
        };
        if let Some(named) = many.named.as_mut().filter(|named| named.is_stale) {
            named.view = many.plain.clone();
            let standings = named.standings.values();
            for fact in standings.filter_map(|standing| standing.fact) {
                named.view.record(fact);
            }
            named.is_stale = false;
        }
    }

    /// Whether no event has left anything here.
    #[must_use]
    pub const fn knows_nothing(&self) -> bool {
        matches!(self.0, Known::Nothing)
    }

    /// Where the last stretch of its plain holds begins; `None` where there is none.
    #[must_use]
    pub fn last_stretch(&self) -> Option<Micros> {
        match &self.0 {
            Known::Nothing => None,
            Known::Lone(lone) => Some(lone.start()),
            Known::Many(many) => many.plain.last_stretch(),
        }
    }

    /// Hands out the fewest claims that make a key equal to this one, at least one.
    pub fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        let nothing = Claim::Plain(Fact::Closed {
            start: Micros::MIN,
            end: Micros::MIN,
            weight: Wad::ZERO,
        });
        match &self.0 {
            Known::Nothing => visit(nothing),
            Known::Lone(lone) => visit(Claim::Plain(lone.fact())),
            Known::Many(many) => {
                many.plain.facts().map(Claim::Plain).for_each(&mut visit);
                for (event_id, standing) in many.named.iter().flat_map(|named| &named.standings) {
                    visit(Claim::Named {
                        event_id,
                        standing: *standing,
                    });
                }
            }
        }
    }

    /// How many claims [`Self::claims`] hands out.
    #[must_use]
    pub fn claim_count(&self) -> usize {
        match &self.0 {
            Known::Nothing | Known::Lone(_) => 1,
            Known::Many(many) => {
                let named = many.named.as_ref();
                many.plain.fact_count() + named.map_or(0, |named| named.standings.len())
            }
        }
    }

    /// The first instant at which anything is known; `None` where nothing is.
    ///
    /// # Panics
    /// Where the key is stale, as all questions do.
    #[must_use]
    pub fn beginning(&self) -> Option<Micros> {
        match self.view() {
            View::Nothing => None,
            View::Lone(lone) => Some(lone.start()),
            View::Many(timeline) => timeline.beginning(),
        }
    }

    /// The last instant at which anything changes; `None` where nothing is known.
    #[must_use]
    pub fn horizon(&self) -> Option<Micros> {
        match self.view() {
            View::Nothing => None,
            View::Lone(lone) => Some(lone.end()),
            View::Many(timeline) => timeline.horizon(),
        }
    }

    /// What each microsecond past the horizon adds.
    #[must_use]
    pub fn rate(&self) -> Totals {
        let open = match self.view() {
            View::Nothing | View::Lone(_) => None,
            View::Many(timeline) => timeline.open(),
        };
        open.map_or(Totals::ZERO, |(_, weight)| Totals::of(weight, 1))
    }

    /// Totals of everything before [`Self::horizon`].
    #[must_use]
    pub fn totals(&self) -> Totals {
        match self.view() {
            View::Nothing => Totals::ZERO,
            View::Lone(lone) => Totals::of(lone.weight(), lone.length()),
            View::Many(timeline) => timeline.totals(),
        }
    }

    /// Totals over `window`.
    #[must_use]
    pub fn score(&self, window: &Window) -> Totals {
        match self.view() {
            View::Nothing => Totals::ZERO,
            View::Lone(lone) => match window.overlap(lone.start(), lone.end()) {
                0 => Totals::ZERO,
                micros => Totals::of(lone.weight(), micros),
            },
            View::Many(timeline) => timeline.score(window),
        }
    }

    /// The effective weight as maximal stretches, in order of time.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        match self.view() {
            View::Nothing => Vec::new(),
            View::Lone(lone) => vec![Segment {
                start: lone.start(),
                end: Some(lone.end()),
                weight: lone.weight(),
            }],
            View::Many(timeline) => timeline.segments(),
        }
    }

    fn view(&self) -> View<'_> {
        match &self.0 {
            Known::Nothing => View::Nothing,
            Known::Lone(lone) => View::Lone(lone),
            Known::Many(many) => View::Many(many.named.as_ref().map_or(&many.plain, |named| {
                assert!(!named.is_stale, "a stale key is settled before it is asked");
                &named.view
            })),
        }
    }

    fn is_stale(&self) -> bool {
        match &self.0 {
            Known::Nothing | Known::Lone(_) => false,
            Known::Many(many) => many.named.as_ref().is_some_and(|named| named.is_stale),
        }
    }

    fn record_plain(&mut self, fact: Fact) -> Recorded {
        let first = Lone::of(fact);
        match (&mut self.0, first) {
            (Known::Nothing, Some(first)) => {
                self.0 = Known::Lone(first);
                return Recorded::settled(true);
            }
            (Known::Lone(known), Some(other)) => {
                if let Some(is_change) = known.join(other) {
                    return Recorded::settled(is_change);
                }
            }
            (_, None) if matches!(fact, Fact::Closed { start, end, .. } if start >= end) => {
                return Recorded {
                    is_change: false,
                    is_stale: self.is_stale(),
                };
            }
            _ => {}
        }
        let many = self.many();
        let is_change = many.plain.record(fact);
        let mut is_stale = false;
        if let Some(named) = &mut many.named {
            is_stale = named.is_stale;
            if !is_stale {
                named.view.record(fact);
            }
        }
        Recorded {
            is_change,
            is_stale,
        }
    }

    fn record_named(&mut self, event_id: &str, standing: Standing) -> Recorded {
        let many = self.many();
        let plain = &many.plain;
        let named = many.named.get_or_insert_with(|| {
            Box::new(Named {
                view: plain.clone(),
                ..Named::default()
            })
        });
        let replaced = match named.standings.get_mut(event_id) {
            Some(known) if standing.prevails_over(known) => std::mem::replace(known, standing).fact,
            Some(_) => {
                return Recorded {
                    is_change: false,
                    is_stale: named.is_stale,
                };
            }
            None => {
                named.standings.insert(event_id.into(), standing);
                None
            }
        };
        match (replaced, standing.fact) {
            (Some(old), new) if new != Some(old) => named.is_stale = true,
            (None, Some(fact)) if !named.is_stale => {
                named.view.record(fact);
            }
            _ => {}
        }
        Recorded {
            is_change: true,
            is_stale: named.is_stale,
        }
    }

    /// The form that can know everything.
    fn many(&mut self) -> &mut Many {
        if !matches!(self.0, Known::Many(_)) {
            let mut many = Box::<Many>::default();
            if let Known::Lone(lone) = self.0 {
                many.plain.record(lone.fact());
            }
            self.0 = Known::Many(many);
        }
        match &mut self.0 {
            Known::Many(many) => many,
            Known::Nothing | Known::Lone(_) => unreachable!("it was made just now"),
        }
    }
}

enum View<'a> {
    Nothing,
    Lone(&'a Lone),
    Many(&'a Timeline),
}

impl Recorded {
    const fn settled(is_change: bool) -> Self {
        Self {
            is_change,
            is_stale: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_24_bytes() {
        assert_eq!(size_of::<KeyFacts>(), 24);
    }
}
