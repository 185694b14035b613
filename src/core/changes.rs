//! A key of which only changes of balance are known, up to some dozens: what most keys of a token are.
//!
//! A change after all others is added up at once; with any other one the balance over time is computed anew, from the
//! changes sorted by time. Keys with more of them, or with other facts too, are [`super::large`] ones.

use super::balance::{Area, NarrowBalance};
use super::packed_id::PackedId;
use super::standings::Standings;
use super::timeline::{HeldSegments, push_joined};
use super::window::length;
use super::{Balance, Delta, Fact, Micros, Quantity, Score, Segment, Standing, Totals, Window};

/// Changes and their withdrawals.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    standings: Standings,
    /// The first and the last instant with a change; the wrong way round if there is none.
    span: (Micros, Micros),
    /// The balance from the last instant on.
    balance: NarrowBalance,
    /// Totals of everything before the last instant.
    held_us: u64,
    score: Score,
    /// Boxed, because few keys have one.
    deficit: Option<Box<Level>>,
}

/// What a holder adds up of its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// The first instant of any fact.
    pub(super) beginning: Option<Micros>,
    /// The last instant at which the effective weight may change.
    pub(super) horizon: Option<Micros>,
    /// What is still held past the horizon.
    pub(super) open: Option<Quantity>,
    /// Totals of everything before the horizon.
    pub(super) totals: Totals,
    /// The first instant with a balance below 0, and the balance there.
    pub(super) deficit: Option<(Micros, Balance)>,
}

/// From an instant on, until the next one.
type Level = (Micros, Balance);

impl Default for Changes {
    fn default() -> Self {
        Self {
            standings: Standings::default(),
            span: (Micros::MAX, Micros::MIN),
            balance: NarrowBalance::default(),
            held_us: 0,
            score: Score::ZERO,
            deficit: None,
        }
    }
}

impl Changes {
    /// Adds a claim: a change, a retraction, or one that a known claim prevails over. Returns whether that changed
    /// anything.
    pub(super) fn record(&mut self, event_id: &str, standing: Standing) -> bool {
        let Some(replaced) = self.standings.replace(&PackedId::of(event_id), standing) else {
            return false;
        };
        match (replaced.0, standing.fact) {
            (None, Some(Fact::Change { at, delta })) if self.span.1 <= at => {
                self.append(at, delta);
            }
            (before, after) if before != after => self.compute(),
            _ => {}
        }
        true
    }

    /// Adds a change that is not before any other.
    fn append(&mut self, at: Micros, delta: Delta) {
        let before = Balance::from(self.balance);
        let balance = before + delta.into();
        let (first, last) = self.span;
        if let Some(held) = before.held() {
            self.add_totals(held, length(last, at));
        }
        let below = self.deficit.as_deref().map(|(below, _)| *below);
        if below.is_none_or(|below| below == at) {
            self.deficit = deficit_of(at, balance);
        }
        self.span = (first.min(at), at);
        self.balance = balance.into();
    }

    fn compute(&mut self) {
        let levels = self.levels();
        *self = Self {
            standings: std::mem::take(&mut self.standings),
            ..Self::default()
        };
        if let (Some((first, _)), Some((last, balance))) = (levels.first(), levels.last()) {
            self.span = (*first, *last);
            self.balance = (*balance).into();
        }
        let mut area = Area::ZERO;
        for (start, end, balance) in spans(&levels) {
            if let (Some(end), Some(held)) = (end, balance.held()) {
                let micros = length(start, end);
                match NarrowBalance::from(balance).in_128_bits() {
                    Some(small) => {
                        area.add(small, micros);
                        self.held_us += micros;
                    }
                    None => self.add_totals(held, micros),
                }
            }
        }
        if let Some(area) = Balance::from(area).held() {
            self.score += Totals::of_quantity(area, 1).score;
        }
        let below = levels.iter().find(|(_, balance)| balance.is_negative());
        self.deficit = below.and_then(|(at, balance)| deficit_of(*at, *balance));
    }

    fn add_totals(&mut self, held: Quantity, micros: u64) {
        let mut totals = self.totals();
        totals += Totals::of_quantity(held, micros);
        // All time is less than 2^63 microseconds.
        self.held_us = u64::try_from(totals.held_us).expect("the time of one key");
        self.score = totals.score;
    }

    /// The horizon, and reads what the next event searches.
    pub(super) fn touch(&self) -> Option<Micros> {
        std::hint::black_box(self.standings.touch());
        self.horizon()
    }

    /// The first instant with a change.
    pub(super) fn beginning(&self) -> Option<Micros> {
        (!self.are_withdrawals()).then_some(self.span.0)
    }

    /// The last instant with a change.
    pub(super) fn horizon(&self) -> Option<Micros> {
        (!self.are_withdrawals()).then_some(self.span.1)
    }

    /// What is still held past the horizon.
    pub(super) fn open(&self) -> Option<Quantity> {
        Balance::from(self.balance).held()
    }

    /// Totals of everything before the horizon.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            held_us: self.held_us.into(),
            score: self.score,
        }
    }

    /// The first instant with a balance below 0, and the balance there.
    pub(super) fn deficit(&self) -> Option<(Micros, Balance)> {
        self.deficit.as_deref().copied()
    }

    /// Whether no change is in force.
    pub(super) fn are_withdrawals(&self) -> bool {
        self.span.1 < self.span.0
    }

    pub(super) const fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Totals over `window`.
    pub(super) fn score(&self, window: &Window) -> Totals {
        let levels = self.levels();
        let spans = spans(&levels).map(|(start, end, balance)| {
            let open_end = if window.closed_only {
                start
            } else {
                window.as_of
            };
            let held = balance.held()?;
            match window.overlap(start, end.unwrap_or(open_end)) {
                0 => None,
                micros => Some(Totals::of_quantity(held, micros)),
            }
        });
        spans.flatten().sum()
    }

    /// The effective weight as maximal stretches, in order of time.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let mut segments = Vec::new();
        for (start, end, balance) in spans(&self.levels()) {
            if let Some(weight) = balance.held() {
                push_joined(&mut segments, Segment { start, end, weight });
            }
        }
        segments
    }

    /// Appends the segments within `window`.
    pub(super) fn held_within(&self, window: &Window, segments: &mut HeldSegments<'_>) {
        for (start, end, balance) in spans(&self.levels()) {
            let open_end = if window.closed_only {
                start
            } else {
                window.as_of
            };
            if let Some(weight) = balance.held() {
                segments.push(start, end.unwrap_or(open_end), weight);
            }
        }
    }

    /// The balance from each instant with a change on, in order of time.
    fn levels(&self) -> Vec<Level> {
        let mut levels = Vec::with_capacity(self.standings.len());
        levels.extend(self.standings.facts().filter_map(|fact| match fact {
            Fact::Change { at, delta } => Some((at, Balance::from(delta))),
            _ => None,
        }));
        levels.sort_unstable_by_key(|(at, _)| *at);
        levels.dedup_by(|next, last| {
            let is_same = next.0 == last.0;
            if is_same {
                last.1 += next.1;
            }
            is_same
        });
        let mut sum = Balance::ZERO;
        for (_, balance) in &mut levels {
            sum += *balance;
            *balance = sum;
        }
        levels
    }
}

fn deficit_of(at: Micros, balance: Balance) -> Option<Box<Level>> {
    balance.is_negative().then(|| Box::new((at, balance)))
}

/// Each level with its end; the last one has none.
fn spans(levels: &[Level]) -> impl Iterator<Item = (Micros, Option<Micros>, Balance)> {
    let ends = levels.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    levels
        .iter()
        .zip(ends)
        .map(|((start, balance), end)| (*start, end, *balance))
}
