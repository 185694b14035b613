//! All that is known of one key: its plain facts, and its named ones with their standing.
//!
//! A plain fact can never be withdrawn, so what a larger one covers leaves no trace. A named one is kept,
//! because a later event may correct it. A key that knows one closed hold, as most do, is that hold and no
//! more: 24 bytes. A few that do not overlap lie side by side; their sums are made when they are asked for,
//! which is quicker than to look elsewhere for them. Up to [`SMALL_MAX`] facts of any kind lie in sorted
//! vectors, see [`super::timeline`]; a key that knows more is a [`super::large`] one.

use hashbrown::HashMap;

use super::large::LargeKey;
use super::lone::{self, FEW, Lone};
use super::{Claim, Fact, Micros, Segment, Standing, Timeline, Totals, Wad, Window};

/// Stretches, marks and named events up to which a correction may make a timeline anew.
const SMALL_MAX: usize = 64;

/// Into how many parts all holders are divided, by [`part_of`].
pub const PARTS: usize = 256;

/// The part of all holders that a holder belongs to, under [`PARTS`]. The same on every machine, so
/// that what lies together in memory lies together on disk.
#[must_use]
pub fn part_of(holder_id: &str) -> usize {
    crc32c::crc32c(holder_id.as_bytes()) as usize % PARTS
}

/// Stretches of a large key that may fall at once when something is withdrawn.
const PIECES_AT_ONCE: usize = 4_096;

/// What adding a claim to a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a change that is not done must be proceeded with"]
pub struct Recorded {
    /// Something is known that was not known before.
    pub is_change: bool,
    /// [`KeyFacts::proceed`] has nothing to do.
    pub is_done: bool,
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
    Small(Box<Small>),
    /// More than [`SMALL_MAX`] were known at some time.
    Large(Box<LargeKey>),
}

#[derive(Clone, Debug, Default)]
struct Small {
    plain: Timeline,
    /// Apart, because few keys have any: what all have lies together in memory.
    named: Option<Box<Named>>,
}

#[derive(Clone, Debug, Default)]
struct Named {
    standings: HashMap<Box<str>, Standing>,
    /// Plain facts and the named ones in force.
    view: Timeline,
}

impl KeyFacts {
    /// Adds a claim. If that is not done at once, [`Self::proceed`] must be called until it is; until
    /// then the key may answer as it did before.
    pub fn record(&mut self, claim: Claim<'_>) -> Recorded {
        let is_change = self.take(claim);
        // Sent again, an event is no change, and still not done where it is still under way.
        let is_idle = !is_change && !self.is_under_way();
        Recorded {
            is_change,
            is_done: is_idle || self.proceed(),
        }
    }

    /// Goes on with the changes that [`Self::record`] has begun, for a few milliseconds at most; returns
    /// whether all are done.
    pub fn proceed(&mut self) -> bool {
        match &mut self.0 {
            Known::Large(large) => large.proceed(PIECES_AT_ONCE),
            Known::Nothing | Known::Lone(_) | Known::Few(_) | Known::Small(_) => true,
        }
    }

    /// Adds many claims. Those of a large key are added in order of time, several times as fast as in any
    /// other: what is changed next is then in the core's cache.
    pub fn record_all<'c>(&mut self, claims: impl IntoIterator<Item = Claim<'c>>) {
        let mut claims = claims.into_iter();
        for claim in claims.by_ref().take(SMALL_MAX) {
            self.take(claim);
        }
        let mut more: Vec<_> = claims.collect();
        more.sort_unstable_by_key(Claim::instant);
        for claim in more {
            self.take(claim);
        }
        self.finish();
    }

    /// Adds a claim and leaves it to the caller to proceed.
    fn take(&mut self, claim: Claim<'_>) -> bool {
        match claim {
            Claim::Plain(Fact::Closed { start, end, .. }) if start >= end => false,
            Claim::Plain(fact) => match Lone::of(fact).and_then(|hold| self.0.join(hold)) {
                Some(is_change) => is_change,
                None => self.record_in_full(claim),
            },
            Claim::Named { .. } => self.record_in_full(claim),
        }
    }

    /// Adds all that `other` knows; returns whether that is a change.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut is_change = false;
        other.claims(|claim| is_change |= self.take(claim));
        self.finish();
        is_change
    }

    fn is_under_way(&self) -> bool {
        matches!(&self.0, Known::Large(large) if large.is_under_way())
    }

    /// Proceeds until all is done.
    fn finish(&mut self) {
        if let Known::Large(large) = &mut self.0 {
            large.proceed(usize::MAX);
        }
    }

    /// Whether no event has left anything here.
    #[must_use]
    pub const fn knows_nothing(&self) -> bool {
        matches!(self.0, Known::Nothing)
    }

    /// An instant that lies with the facts that a change reads: reading many keys ahead of their changes
    /// lets them wait for memory together.
    #[must_use]
    pub fn touch(&self) -> Option<Micros> {
        match &self.0 {
            Known::Small(small) => small.plain.last_stretch(),
            Known::Large(large) => large.horizon(),
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
            Known::Small(small) => {
                small.plain.facts().map(Claim::Plain).for_each(&mut visit);
                for (event_id, standing) in small.named.iter().flat_map(|named| &named.standings) {
                    visit(Claim::Named {
                        event_id,
                        standing: *standing,
                    });
                }
            }
            Known::Large(large) => large.claims(visit),
        }
    }

    /// How many claims [`Self::claims`] hands out, or more than `enough` where they are more than that.
    #[must_use]
    pub fn claim_count(&self, enough: usize) -> usize {
        match &self.0 {
            Known::Nothing | Known::Lone(_) => 1,
            Known::Few(holds) => holds.len(),
            Known::Small(small) => small.fact_count(),
            Known::Large(large) => large.claim_count(enough),
        }
    }

    /// The first instant at which anything is known; `None` where nothing is.
    #[must_use]
    pub fn beginning(&self) -> Option<Micros> {
        match self.view() {
            View::Apart(holds) => holds.first().map(Lone::start),
            View::Timeline(timeline) => timeline.beginning(),
            View::Large(large) => large.beginning(),
        }
    }

    /// The last instant at which anything changes; `None` where nothing is known.
    #[must_use]
    pub fn horizon(&self) -> Option<Micros> {
        match self.view() {
            View::Apart(holds) => holds.last().map(Lone::end),
            View::Timeline(timeline) => timeline.horizon(),
            View::Large(large) => large.horizon(),
        }
    }

    /// What each microsecond past the horizon adds.
    #[must_use]
    pub fn rate(&self) -> Totals {
        let open = match self.view() {
            View::Apart(_) => None,
            View::Timeline(timeline) => timeline.open().map(|(_, weight)| weight),
            View::Large(large) => large.open(),
        };
        open.map_or(Totals::ZERO, |weight| Totals::of(weight, 1))
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
            View::Large(large) => large.totals(),
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
            View::Large(large) => large.score(window),
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
            View::Large(large) => large.segments(),
        }
    }

    fn view(&self) -> View<'_> {
        match &self.0 {
            Known::Small(small) => View::Timeline(
                small
                    .named
                    .as_ref()
                    .map_or(&small.plain, |named| &named.view),
            ),
            Known::Large(large) => View::Large(large),
            few => View::Apart(few.holds()),
        }
    }

    /// Adds a claim that needs more than holds that are apart.
    fn record_in_full(&mut self, claim: Claim<'_>) -> bool {
        if matches!(self.0, Known::Nothing | Known::Lone(_) | Known::Few(_)) {
            let mut small = Box::<Small>::default();
            for hold in self.0.holds() {
                small.plain.record(hold.fact());
            }
            self.0 = Known::Small(small);
        }
        match &mut self.0 {
            Known::Large(large) => large.take(claim),
            Known::Small(small) => {
                let is_change = small.record(claim);
                if small.fact_count() > SMALL_MAX {
                    let mut large = Box::<LargeKey>::default();
                    self.claims(|claim| {
                        large.take(claim);
                    });
                    self.0 = Known::Large(large);
                }
                is_change
            }
            Known::Nothing | Known::Lone(_) | Known::Few(_) => {
                unreachable!("a small key was made just now")
            }
        }
    }
}

impl Small {
    fn record(&mut self, claim: Claim<'_>) -> bool {
        match claim {
            Claim::Plain(fact) => {
                if let Some(named) = &mut self.named {
                    named.view.record(fact);
                }
                self.plain.record(fact)
            }
            Claim::Named { event_id, standing } => self.record_named(event_id, standing),
        }
    }

    fn record_named(&mut self, event_id: &str, standing: Standing) -> bool {
        let plain = &self.plain;
        let named = self.named.get_or_insert_with(|| {
            Box::new(Named {
                view: plain.clone(),
                ..Named::default()
            })
        });
        let replaced = match named.standings.get_mut(event_id) {
            Some(known) if standing.prevails_over(known) => std::mem::replace(known, standing).fact,
            Some(_) => return false,
            None => {
                named.standings.insert(event_id.into(), standing);
                None
            }
        };
        match (replaced, standing.fact) {
            (Some(old), new) if new != Some(old) => named.make_view(plain),
            (None, Some(fact)) => {
                named.view.record(fact);
            }
            (Some(_) | None, _) => {}
        }
        true
    }

    fn fact_count(&self) -> usize {
        let named = self.named.as_ref();
        self.plain.fact_count() + named.map_or(0, |named| named.standings.len())
    }
}

impl Named {
    fn make_view(&mut self, plain: &Timeline) {
        self.view = plain.clone();
        for fact in self.standings.values().filter_map(|standing| standing.fact) {
            self.view.record(fact);
        }
    }
}

impl Known {
    /// All that is known, where that is no more than holds that are apart.
    fn holds(&self) -> &[Lone] {
        match self {
            Self::Nothing | Self::Small(_) | Self::Large(_) => &[],
            Self::Lone(hold) => std::slice::from_ref(hold),
            Self::Few(holds) => holds,
        }
    }

    /// Takes one hold more and says whether that is a change; `None` where a timeline is needed for it.
    fn join(&mut self, hold: Lone) -> Option<bool> {
        if matches!(self, Self::Small(_) | Self::Large(_)) {
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
    Large(&'a LargeKey),
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
                prop_assert_eq!(recorded, Recorded { is_change: timeline.record(*fact), is_done: true });
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
            reversed.merge(&half);
            let window = Window { from: from.map(instant), as_of: instant(as_of), closed_only: false };
            for key in [&key, &reversed] {
                prop_assert_eq!(key.beginning(), timeline.beginning());
                prop_assert_eq!(key.touch(), timeline.last_stretch());
                prop_assert_eq!(key.horizon(), timeline.horizon());
                prop_assert_eq!(key.totals(), timeline.totals());
                prop_assert_eq!(key.score(&window), timeline.score(&window));
                prop_assert_eq!(key.segments(), timeline.segments());
                let mut claimed = Vec::new();
                key.claims(|claim| if let Claim::Plain(fact) = claim { claimed.push(fact); });
                prop_assert_eq!(key.claim_count(usize::MAX), claimed.len());
                if !facts.is_empty() {
                    prop_assert_eq!(claimed, timeline.facts().collect::<Vec<_>>());
                }
            }
        }
    }
}
