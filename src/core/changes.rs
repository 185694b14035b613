//! A key of which only changes of balance are known, up to some dozens: what most keys of a token are.
//!
//! A change after all others is added up at once; with any other one the balance over time is computed anew, from the
//! changes sorted by time. Keys with more of them, or with other facts too, are [`super::large`] ones.

use smallvec::SmallVec;

use super::balance::NarrowBalance;
use super::standings::Standings;
use super::timeline::{HeldSegments, push_joined};
use super::window::length;
use super::{Balance, Delta, Fact, Micros, Quantity, Segment, Standing, Totals, Window};

/// Changes and their withdrawals.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    standings: Standings,
    outline: Outline,
    /// The balance from the horizon on.
    balance: NarrowBalance,
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

impl Changes {
    /// Adds a claim: a change, a retraction, or one that a known claim prevails over. Returns whether that changed
    /// anything.
    pub(super) fn record(&mut self, event_id: &str, standing: Standing) -> bool {
        let Some(replaced) = self.standings.replace(event_id, standing) else {
            return false;
        };
        match (replaced.0, standing.fact) {
            (None, Some(Fact::Change { at, delta })) if self.outline.horizon <= Some(at) => {
                self.append(at, delta);
            }
            (before, after) if before != after => self.compute(),
            _ => {}
        }
        true
    }

    /// Adds a change that is not before any other.
    fn append(&mut self, at: Micros, delta: Delta) {
        let outline = &mut self.outline;
        let before = Balance::from(self.balance);
        let balance = before + delta.into();
        if let (Some(horizon), Some(held)) = (outline.horizon, before.held())
            && horizon < at
        {
            outline.totals += Totals::of_quantity(held, length(horizon, at));
        }
        let first = outline.deficit.map(|(first, _)| first);
        if first.is_none_or(|first| first == at) {
            outline.deficit = balance.is_negative().then_some((at, balance));
        }
        outline.beginning = outline.beginning.or(Some(at));
        outline.horizon = Some(at);
        outline.open = balance.held();
        self.balance = balance.into();
    }

    fn compute(&mut self) {
        let levels = self.levels();
        let last = levels.last().map_or(Balance::ZERO, |(_, balance)| *balance);
        self.balance = last.into();
        self.outline = outlined(&levels);
    }

    pub(super) const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Whether no change is in force.
    pub(super) const fn are_withdrawals(&self) -> bool {
        self.outline.horizon.is_none()
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
    fn levels(&self) -> SmallVec<[Level; 16]> {
        let mut changes: SmallVec<[(Micros, Delta); 16]> = self
            .standings
            .facts()
            .filter_map(|fact| match fact {
                Fact::Change { at, delta } => Some((at, delta)),
                _ => None,
            })
            .collect();
        // They come in order of time, as a rule.
        changes.sort_by_key(|(at, _)| *at);
        let mut levels = SmallVec::<[Level; 16]>::new();
        let mut balance = Balance::ZERO;
        for (at, delta) in changes {
            balance += delta.into();
            match levels.last_mut() {
                Some(last) if last.0 == at => last.1 = balance,
                _ => levels.push((at, balance)),
            }
        }
        levels
    }
}

fn outlined(levels: &[Level]) -> Outline {
    let mut totals = Totals::ZERO;
    for (start, end, balance) in spans(levels) {
        if let (Some(end), Some(held)) = (end, balance.held()) {
            totals += Totals::of_quantity(held, length(start, end));
        }
    }
    Outline {
        beginning: levels.first().map(|(at, _)| *at),
        horizon: levels.last().map(|(at, _)| *at),
        open: levels.last().and_then(|(_, balance)| balance.held()),
        totals,
        deficit: levels
            .iter()
            .find(|(_, balance)| balance.is_negative())
            .copied(),
    }
}

/// Each level with its end; the last one has none.
fn spans(levels: &[Level]) -> impl Iterator<Item = (Micros, Option<Micros>, Balance)> {
    let ends = levels.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    levels
        .iter()
        .zip(ends)
        .map(|((start, balance), end)| (*start, end, *balance))
}
