//! All facts of one key: the plain ones, and the named ones with the claim in force.
//!
//! A plain fact can never be withdrawn, so one that a larger one covers is dropped. A named one is kept,
//! because a later event may correct it. Most keys have one closed hold and store nothing else: 24 bytes. A
//! few holds that do not overlap are stored in one slice; their sums are computed on demand, which is faster
//! than reading them from other memory. Up to [`SMALL_MAX`] holds and marks are in sorted vectors, see
//! [`super::timeline`], as many changes of balance in [`super::changes`]. A key with more facts, or with both, is
//! a [`super::large`] one.

use super::changes::Changes;
use super::large::{self, LargeKey};
use super::lone::{self, FEW, Lone};
use super::packed_id::PackedId;
use super::standings::{Replaced, Standings};
use super::timeline::HeldSegments;
use super::{
    Balance, Claim, Delta, Fact, HeldSegment, Micros, Segment, Standing, Timeline, Totals, Wad,
    Window,
};

/// Stretches, marks and named events up to which a correction may compute the whole key anew.
const SMALL_MAX: usize = 64;

/// The number of parts that all holders are divided into, by [`part_of`].
pub const PARTS: usize = 256;

/// The part that a holder belongs to, below [`PARTS`]. The same on every machine, so that holders that are
/// neighbours in memory are neighbours on disk.
#[must_use]
pub fn part_of(holder_id: &str) -> usize {
    crc32c::crc32c(holder_id.as_bytes()) as usize % PARTS
}

/// Stretches of a large key that may fall or be added up in one step.
const PIECES_AT_ONCE: usize = 4_096;
/// The same for the step that is taken at once with a claim.
const PIECES_OF_A_CLAIM: usize = 64;

/// The result of adding a claim to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a change that is not done must be proceeded with"]
pub struct Recorded {
    /// The claim changed the set of facts.
    pub is_change: bool,
    /// [`KeyFacts::lower`] has nothing left to do.
    pub is_lowered: bool,
    /// [`KeyFacts::proceed`] has nothing left to do.
    pub is_done: bool,
}

/// How far the claims of a key have been yielded; see [`KeyFacts::claims_from`].
#[derive(Clone, Copy, Debug)]
pub struct ClaimPlace(large::ClaimPlace);

impl Default for ClaimPlace {
    /// The first claim.
    fn default() -> Self {
        Self(large::ClaimPlace::Holds(Micros::MIN))
    }
}

/// The facts of one key; the same set of events always gives the same state.
#[derive(Clone, Debug, Default)]
pub struct KeyFacts(Form);

#[derive(Clone, Debug, Default)]
enum Form {
    /// No events, or only events that earn nothing.
    #[default]
    Nothing,
    Lone(Lone),
    /// Two to [`FEW`] holds that do not touch, in order of time.
    Few(Box<[Lone]>),
    Small(Box<Small>),
    /// Changes of balance and retractions only.
    Changes(Box<Changes>),
    /// The key has had more than [`SMALL_MAX`] facts at some time, or changes of balance and other facts.
    Large(Box<LargeKey>),
}

#[derive(Clone, Debug, Default)]
struct Small {
    plain: Timeline,
    /// Boxed, because few keys have any, and it would separate in memory what every key has.
    named: Option<Box<Named>>,
}

#[derive(Clone, Debug, Default)]
struct Named {
    standings: Standings,
    /// The plain facts and the named ones in force.
    view: Timeline,
}

impl KeyFacts {
    /// Adds a claim. If the result is not lowered, [`Self::lower`] must be called until it is, before the next claim;
    /// if it is not done, [`Self::proceed`] must be called until it is, after any number of claims. Until then the key
    /// may still answer as it did before.
    pub fn record(&mut self, claim: Claim<'_>) -> Recorded {
        let was_under_way = self.is_under_way();
        let is_change = self.take(claim);
        let is_lowered = self.lower_by(PIECES_OF_A_CLAIM);
        // What was under way is continued by its beginner, so that many changes in a row cost little. A repeated
        // event changes nothing, but the change that it repeats may be under way.
        let is_idle = !is_change && !was_under_way;
        let proceeds = is_lowered && is_change && !was_under_way;
        let is_done = is_idle || proceeds && self.proceed_by(PIECES_OF_A_CLAIM);
        Recorded {
            is_change,
            is_lowered,
            is_done,
        }
    }

    /// Completes the withdrawals of the last claim, for a few milliseconds at most; returns whether all are.
    pub fn lower(&mut self) -> bool {
        self.lower_by(PIECES_AT_ONCE)
    }

    fn lower_by(&mut self, pieces_max: usize) -> bool {
        match &mut self.0 {
            Form::Large(large) => large.lower(pieces_max),
            _ => true,
        }
    }

    /// Continues the changes that [`Self::record`] has begun, for a few milliseconds at most; returns
    /// whether all are done.
    pub fn proceed(&mut self) -> bool {
        self.proceed_by(PIECES_AT_ONCE)
    }

    fn proceed_by(&mut self, pieces_max: usize) -> bool {
        match &mut self.0 {
            Form::Large(large) => large.proceed(pieces_max),
            _ => true,
        }
    }

    /// Adds many claims. Those of a large key are added in order of time, which is several times as fast as
    /// any other order: the next facts to change are then in the core's cache.
    pub fn record_all<'c>(&mut self, claims: impl IntoIterator<Item = Claim<'c>>) {
        let mut claims = claims.into_iter();
        for claim in claims.by_ref().take(SMALL_MAX) {
            self.take(claim);
        }
        let mut more: Vec<_> = claims.collect();
        more.sort_unstable_by_key(Claim::instant);
        for claim in more {
            self.take(claim);
            self.lower_by(usize::MAX);
        }
        self.finish();
    }

    /// Adds a claim without calling [`Self::proceed`].
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

    /// Adds all facts of `other`; returns whether that changed anything.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut is_change = false;
        other.claims(|claim| {
            is_change |= self.take(claim);
            self.lower_by(usize::MAX);
        });
        self.finish();
        is_change
    }

    /// Whether [`Self::proceed`] has something left to do.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(&self.0, Form::Large(large) if large.is_under_way())
    }

    /// Calls [`Self::proceed`] until all is done.
    fn finish(&mut self) {
        if let Form::Large(large) = &mut self.0 {
            large.proceed(usize::MAX);
        }
    }

    /// Whether the key holds no facts.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.0, Form::Nothing)
    }

    /// Some instant stored near the facts that a change reads: reading many keys before changing them
    /// lets the memory accesses overlap.
    #[must_use]
    pub fn touch(&self) -> Option<Micros> {
        match &self.0 {
            Form::Small(small) => small.plain.last_stretch(),
            Form::Changes(changes) => changes.touch(),
            Form::Large(large) => large.outline().horizon,
            few => few.holds().last().map(Lone::start),
        }
    }

    /// Yields the smallest set of claims that makes an equal key; at least one claim.
    pub fn claims(&self, mut visit: impl FnMut(Claim<'_>)) {
        let nothing = Claim::Plain(Fact::Closed {
            start: Micros::MIN,
            end: Micros::MIN,
            weight: Wad::ZERO,
        });
        match &self.0 {
            Form::Nothing => visit(nothing),
            Form::Lone(_) | Form::Few(_) => {
                let holds = self.0.holds().iter();
                holds.for_each(|hold| visit(Claim::Plain(hold.fact())));
            }
            Form::Small(small) => {
                small.plain.facts().map(Claim::Plain).for_each(&mut visit);
                if let Some(named) = &small.named {
                    named.standings.claims(visit);
                }
            }
            Form::Changes(changes) => changes.standings().claims(visit),
            Form::Large(large) => large.claims(visit),
        }
    }

    /// Calls `visit` with some claims of a large key from `place` on, a few thousand at most, and returns where to
    /// go on; [`Self::claims`] with all of another key.
    ///
    /// The key may change between the calls: what is in force from the first one to the last is yielded.
    #[must_use]
    pub fn claims_from(
        &self,
        place: ClaimPlace,
        visit: impl FnMut(Claim<'_>),
    ) -> Option<ClaimPlace> {
        let Form::Large(large) = &self.0 else {
            self.claims(visit);
            return None;
        };
        let next = large.claims_from(place.0, PIECES_AT_ONCE, visit);
        next.map(ClaimPlace)
    }

    /// The number of claims that [`Self::claims`] yields, or some number above `enough` if it seems to be larger.
    #[must_use]
    pub fn claim_count(&self, enough: usize) -> usize {
        match &self.0 {
            Form::Nothing | Form::Lone(_) => 1,
            Form::Few(holds) => holds.len(),
            Form::Small(small) => small.fact_count(),
            Form::Changes(changes) => changes.standings().len(),
            Form::Large(large) => large.claim_count(enough),
        }
    }

    /// The first instant of any fact; `None` if there are no facts.
    #[must_use]
    pub fn beginning(&self) -> Option<Micros> {
        match self.view() {
            View::Apart(holds) => holds.first().map(Lone::start),
            View::Timeline(timeline) => timeline.beginning(),
            View::Changes(changes) => changes.beginning(),
            View::Large(large) => large.outline().beginning,
        }
    }

    /// The last instant at which the weight may change; `None` if there are no facts.
    #[must_use]
    pub fn horizon(&self) -> Option<Micros> {
        match self.view() {
            View::Apart(holds) => holds.last().map(Lone::end),
            View::Timeline(timeline) => timeline.horizon(),
            View::Changes(changes) => changes.horizon(),
            View::Large(large) => large.outline().horizon,
        }
    }

    /// What each microsecond past the horizon adds to the totals.
    #[must_use]
    pub fn rate(&self) -> Totals {
        let open = match self.view() {
            View::Apart(_) => None,
            View::Timeline(timeline) => timeline.open().map(|(_, weight)| weight.into()),
            View::Changes(changes) => changes.open(),
            View::Large(large) => large.outline().open,
        };
        open.map_or(Totals::ZERO, |held| Totals::of_quantity(held, 1))
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
            View::Changes(changes) => changes.totals(),
            View::Large(large) => large.outline().totals,
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
            View::Changes(changes) => changes.score(window),
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
                    weight: hold.weight().into(),
                };
                holds.iter().map(each).collect()
            }
            View::Timeline(timeline) => timeline.segments(),
            View::Changes(changes) => changes.segments(),
            View::Large(large) => large.segments(),
        }
    }

    /// Appends the effective weight within `window` as maximal stretches, in order of time.
    pub fn held_within(&self, window: &Window, segments: &mut Vec<HeldSegment>) {
        let mut segments = HeldSegments::new(segments, window);
        match self.view() {
            View::Apart(holds) => {
                for hold in holds {
                    segments.push(hold.start(), hold.end(), hold.weight().into());
                }
            }
            View::Timeline(timeline) => timeline.held_within(window, &mut segments),
            View::Changes(changes) => changes.held_within(window, &mut segments),
            View::Large(large) => large.held_within(window, &mut segments),
        }
    }

    /// The first instant at which the balance is below 0, and the balance there.
    #[must_use]
    pub fn deficit(&self) -> Option<(Micros, Balance)> {
        match self.view() {
            View::Apart(_) | View::Timeline(_) => None,
            View::Changes(changes) => changes.deficit(),
            View::Large(large) => large.outline().deficit,
        }
    }

    /// Calls `visit` with the changes of balance in force, in any order.
    pub fn changes(&self, mut visit: impl FnMut(Micros, &str, Delta)) {
        if !matches!(self.0, Form::Changes(_) | Form::Large(_)) {
            return;
        }
        self.claims(|claim| {
            if let Claim::Named { event_id, standing } = claim
                && let Some(Fact::Change { at, delta }) = standing.fact
            {
                visit(at, event_id, delta);
            }
        });
    }

    fn view(&self) -> View<'_> {
        match &self.0 {
            Form::Small(small) => View::Timeline(
                small
                    .named
                    .as_ref()
                    .map_or(&small.plain, |named| &named.view),
            ),
            Form::Changes(changes) => View::Changes(changes),
            Form::Large(large) => View::Large(large),
            few => View::Apart(few.holds()),
        }
    }

    /// Adds a claim that does not fit the form of separate holds.
    fn record_in_full(&mut self, claim: Claim<'_>) -> bool {
        self.make_room_for(&claim);
        match &mut self.0 {
            Form::Large(large) => large.take(claim),
            Form::Changes(changes) => {
                let Claim::Named { event_id, standing } = claim else {
                    unreachable!("no room was made for a plain fact");
                };
                let is_change = changes.record(event_id, standing);
                if changes.standings().len() > SMALL_MAX {
                    self.enlarge();
                }
                is_change
            }
            Form::Small(small) => {
                let is_change = small.record(claim);
                if small.fact_count() > SMALL_MAX {
                    self.enlarge();
                }
                is_change
            }
            Form::Nothing | Form::Lone(_) | Form::Few(_) => {
                unreachable!("a small key was made just now")
            }
        }
    }

    /// Takes the form that can hold `claim` beside what is there.
    fn make_room_for(&mut self, claim: &Claim<'_>) {
        let fact = match claim {
            Claim::Plain(fact) => Some(fact),
            Claim::Named { standing, .. } => standing.fact.as_ref(),
        };
        let is_change = matches!(fact, Some(Fact::Change { .. }));
        match &self.0 {
            Form::Nothing if is_change || fact.is_none() => self.0 = Form::Changes(Box::default()),
            Form::Nothing | Form::Lone(_) | Form::Few(_) => {
                let mut small = Box::<Small>::default();
                for hold in self.0.holds() {
                    small.plain.record(hold.fact());
                }
                self.0 = Form::Small(small);
                if is_change {
                    self.enlarge();
                }
            }
            Form::Small(small) if is_change && small.is_news(claim) => self.enlarge(),
            Form::Changes(changes)
                if !is_change && fact.is_some() && changes.standings().is_news(claim) =>
            {
                if changes.are_withdrawals() {
                    let mut small = Box::<Small>::default();
                    self.claims(|claim| {
                        small.record(claim);
                    });
                    self.0 = Form::Small(small);
                } else {
                    self.enlarge();
                }
            }
            Form::Changes(_) | Form::Small(_) | Form::Large(_) => {}
        }
    }

    fn enlarge(&mut self) {
        let mut large = Box::<LargeKey>::default();
        self.claims(|claim| {
            large.take(claim);
            large.lower(usize::MAX);
        });
        large.proceed(usize::MAX);
        self.0 = Form::Large(large);
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

    /// Whether recording a claim would change anything, as far as it is named.
    fn is_news(&self, claim: &Claim<'_>) -> bool {
        let named = self.named.as_ref();
        named.is_none_or(|named| named.standings.is_news(claim))
    }

    fn record_named(&mut self, event_id: &str, standing: Standing) -> bool {
        let plain = &self.plain;
        let named = self.named.get_or_insert_with(|| {
            Box::new(Named {
                view: plain.clone(),
                ..Named::default()
            })
        });
        let Some(Replaced(replaced)) = named.standings.replace(&PackedId::of(event_id), standing)
        else {
            return false;
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
        for fact in self.standings.facts() {
            self.view.record(fact);
        }
    }
}

impl Form {
    /// All facts, if the key is in the form of separate holds.
    fn holds(&self) -> &[Lone] {
        match self {
            Self::Nothing | Self::Small(_) | Self::Changes(_) | Self::Large(_) => &[],
            Self::Lone(hold) => std::slice::from_ref(hold),
            Self::Few(holds) => holds,
        }
    }

    /// Adds one hold and returns whether that changed anything; `None` if the key must become a timeline.
    fn join(&mut self, hold: Lone) -> Option<bool> {
        if matches!(self, Self::Small(_) | Self::Changes(_) | Self::Large(_)) {
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
    Changes(&'a Changes),
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
        /// Holds that overlap, touch and cover each other, up to more than [`FEW`] of them; one of the weights
        /// does not fit into a hold of 24 bytes.
        #[test]
        fn separate_holds_answer_as_their_timeline_does(
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
                prop_assert_eq!(recorded, Recorded { is_change: timeline.record(*fact), is_lowered: true, is_done: true });
            }
            // In another order, and in two halves.
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
                let (mut found, mut expected) = (Vec::new(), Vec::new());
                key.held_within(&window, &mut found);
                timeline.held_within(&window, &mut HeldSegments::new(&mut expected, &window));
                prop_assert_eq!(&found, &expected);
                let sum: Totals = found
                    .iter()
                    .map(|held| Totals::of_quantity(held.weight, window.overlap(held.start, held.end)))
                    .sum();
                prop_assert_eq!(sum, key.score(&window));
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
