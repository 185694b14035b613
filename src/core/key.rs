//! All that is known of one key: its plain facts, and its named ones with their standing.
//!
//! A plain fact can never be withdrawn, so it lives in a [`Timeline`] alone. A named one is kept,
//! because a later event may correct it; the timeline of both together is a view that a correction
//! makes stale and [`KeyFacts::settle`] rebuilds. A key that knows one closed hold, as most do, is
//! that hold and no more: 24 bytes. A few that do not overlap lie side by side; their sums are made
//! when they are asked for, which is quicker than to look elsewhere for them.

use hashbrown::HashMap;

use super::lone::{self, FEW, Lone};
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
    /// Two to [`FEW`], apart from each other, in order of time.
    Few(Box<[Lone]>),
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
            Known::Many(many) => many.plain.last_stretch(),
            few => few.holds().last().map(Lone::start),
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
            Known::Lone(_) | Known::Few(_) => {
                let holds = self.0.holds().iter();
                holds.for_each(|hold| visit(Claim::Plain(hold.fact())));
            }
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
            Known::Few(holds) => holds.len(),
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
            View::Apart(holds) => holds.first().map(Lone::start),
            View::Timeline(timeline) => timeline.beginning(),
        }
    }

    /// The last instant at which anything changes; `None` where nothing is known.
    #[must_use]
    pub fn horizon(&self) -> Option<Micros> {
        match self.view() {
            View::Apart(holds) => holds.last().map(Lone::end),
            View::Timeline(timeline) => timeline.horizon(),
        }
    }

    /// What each microsecond past the horizon adds.
    #[must_use]
    pub fn rate(&self) -> Totals {
        let open = match self.view() {
            View::Apart(_) => None,
            View::Timeline(timeline) => timeline.open(),
        };
        open.map_or(Totals::ZERO, |(_, weight)| Totals::of(weight, 1))
    }

    /// Totals of everything before [`Self::horizon`].
    #[must_use]
    pub fn totals(&self) -> Totals {
        match self.view() {
            View::Apart(holds) => {
                let each = |hold: &Lone| Totals::of(hold.weight(), hold.length());
                holds.iter().map(each).sum()
            }
            View::Timeline(timeline) => timeline.totals(),
        }
    }

    /// Totals over `window`.
    #[must_use]
    pub fn score(&self, window: &Window) -> Totals {
        match self.view() {
            View::Apart(holds) => {
                let each = |hold: &Lone| match window.overlap(hold.start(), hold.end()) {
                    0 => Totals::ZERO,
                    micros => Totals::of(hold.weight(), micros),
                };
                holds.iter().map(each).sum()
            }
            View::Timeline(timeline) => timeline.score(window),
        }
    }

    /// The effective weight as maximal stretches, in order of time.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        match self.view() {
            View::Apart(holds) => {
                let each = |hold: &Lone| Segment {
                    start: hold.start(),
                    end: Some(hold.end()),
                    weight: hold.weight(),
                };
                holds.iter().map(each).collect()
            }
            View::Timeline(timeline) => timeline.segments(),
        }
    }

    fn view(&self) -> View<'_> {
        match &self.0 {
            Known::Many(many) => View::Timeline(many.named.as_ref().map_or(&many.plain, |named| {
                assert!(!named.is_stale, "a stale key is settled before it is asked");
                &named.view
            })),
            few => View::Apart(few.holds()),
        }
    }

    fn is_stale(&self) -> bool {
        match &self.0 {
            Known::Nothing | Known::Lone(_) | Known::Few(_) => false,
            Known::Many(many) => many.named.as_ref().is_some_and(|named| named.is_stale),
        }
    }

    fn record_plain(&mut self, fact: Fact) -> Recorded {
        if matches!(fact, Fact::Closed { start, end, .. } if start >= end) {
            return Recorded {
                is_change: false,
                is_stale: self.is_stale(),
            };
        }
        if let Some(is_change) = Lone::of(fact).and_then(|hold| self.0.join(hold)) {
            return Recorded::settled(is_change);
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
            for hold in self.0.holds() {
                many.plain.record(hold.fact());
            }
            self.0 = Known::Many(many);
        }
        match &mut self.0 {
            Known::Many(many) => many,
            Known::Nothing | Known::Lone(_) | Known::Few(_) => {
                unreachable!("it was made just now")
            }
        }
    }
}

impl Known {
    /// All that is known, where that is no more than holds that are apart.
    fn holds(&self) -> &[Lone] {
        match self {
            Self::Nothing | Self::Many(_) => &[],
            Self::Lone(hold) => std::slice::from_ref(hold),
            Self::Few(holds) => holds,
        }
    }

    /// Takes one hold more and says whether that is a change; `None` where a timeline is needed for it.
    fn join(&mut self, hold: Lone) -> Option<bool> {
        if matches!(self, Self::Many(_)) {
            return None;
        }
        let holds = self.holds();
        let joined = lone::joined(holds, hold).filter(|joined| joined.len() <= FEW)?;
        if joined[..] == *holds {
            return Some(false);
        }
        *self = match joined[..] {
            [hold] => Self::Lone(hold),
            ref holds => Self::Few(holds.into()),
        };
        Some(true)
    }
}

enum View<'a> {
    Apart(&'a [Lone]),
    Timeline(&'a Timeline),
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_takes_24_bytes() {
        assert_eq!(size_of::<KeyFacts>(), 24);
    }

    proptest! {
        /// Holds that meet, touch and cover each other, up to more than lie side by side; one of the
        /// weights does not fit into a hold of 24 bytes.
        #[test]
        fn holds_side_by_side_answer_as_their_timeline_does(
            holds in proptest::collection::vec((0_i64..60, 1_i64..8, 0_usize..4), 0..14),
            from in proptest::option::of(-1_i64..70), as_of in 0_i64..70, cut in 0_usize..14,
        ) {
            let instant = |number| Micros::new(number).expect("in range");
            let weights = [Wad::ZERO, Wad::ONE, Wad::from_steps(1), Wad::from_steps(u128::MAX)];
            let facts: Vec<_> = holds
                .iter()
                .map(|(start, length, weight)| Fact::Closed {
                    start: instant(*start),
                    end: instant(start + length),
                    weight: weights[*weight],
                })
                .collect();
            let (mut key, mut timeline) = (KeyFacts::default(), Timeline::default());
            for fact in &facts {
                let recorded = key.record(Claim::Plain(*fact));
                prop_assert_eq!(recorded, Recorded::settled(timeline.record(*fact)));
            }
            // Another order, and in two halves.
            let (mut reversed, mut half) = (KeyFacts::default(), KeyFacts::default());
            let (first, second) = facts.split_at(cut.min(facts.len()));
            for fact in second.iter().rev() {
                let _ = reversed.record(Claim::Plain(*fact));
            }
            for fact in first {
                let _ = half.record(Claim::Plain(*fact));
            }
            let _ = reversed.merge(&half);
            let window = Window { from: from.map(instant), as_of: instant(as_of), closed_only: false };
            for key in [&key, &reversed] {
                prop_assert_eq!(key.beginning(), timeline.beginning());
                prop_assert_eq!(key.last_stretch(), timeline.last_stretch());
                prop_assert_eq!(key.horizon(), timeline.horizon());
                prop_assert_eq!(key.totals(), timeline.totals());
                prop_assert_eq!(key.score(&window), timeline.score(&window));
                prop_assert_eq!(key.segments(), timeline.segments());
                let mut claimed = Vec::new();
                key.claims(|claim| if let Claim::Plain(fact) = claim { claimed.push(fact); });
                prop_assert_eq!(key.claim_count(), claimed.len());
                if !facts.is_empty() {
                    prop_assert_eq!(claimed, timeline.facts().collect::<Vec<_>>());
                }
            }
        }
    }
}
