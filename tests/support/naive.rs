//! The definition of a score, written down as literally as can be: one microsecond at a time.
//!
//! Slow on purpose. It shares no code with the crate but the types of an event.

use std::collections::BTreeMap;

use poh_holdmetrics_rust::core::{Claim, Draft, Event, Fact, Micros, Standing, Wad, Window};

/// An event that owns its text, as a test makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) token: &'static str,
    pub(crate) holder: &'static str,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) weight: u128,
    pub(crate) event_id: Option<&'static str>,
    pub(crate) revision: u64,
    pub(crate) retract: bool,
}

/// Instants of test events; few, so that they meet.
pub(crate) const INSTANTS: std::ops::Range<i64> = -12..30;

impl Sent {
    pub(crate) fn event(&self) -> Event<'_> {
        Draft {
            token_id: self.token,
            holder_id: self.holder,
            start: self.start.map(micros),
            end: self.end.map(micros),
            weight: Some(Wad::from_steps(self.weight)),
            event_id: self.event_id,
            revision: self.revision,
            retract: self.retract,
        }
        .check()
        .expect("test events are valid")
    }
}

pub(crate) fn micros(value: i64) -> Micros {
    Micros::new(value).expect("a test instant is in range")
}

/// `holder -> (held_us, score in steps of 1e-18 x 1 us)`.
pub(crate) fn scores(sent: &[Sent], window: &Window) -> BTreeMap<String, (u128, u128)> {
    let mut keys: BTreeMap<(&str, &str), Vec<Claim<'_>>> = BTreeMap::new();
    for event in sent.iter().map(Sent::event) {
        keys.entry((event.holder_id, event.token_id))
            .or_default()
            .push(event.claim);
    }
    let mut sums: BTreeMap<String, (u128, u128)> = BTreeMap::new();
    for ((holder, _), claims) in keys {
        let facts = in_force(&claims);
        let sum = sums.entry(holder.to_owned()).or_default();
        let first = sent
            .iter()
            .filter_map(|event| event.start.or(event.end))
            .min();
        let first = first.map_or(window.as_of, micros).max(window.start());
        for at in first.get()..window.as_of.get() {
            if let Some(weight) = effective(&facts, micros(at), window.closed_only) {
                sum.0 += 1;
                sum.1 += weight.steps();
            }
        }
    }
    sums
}

fn in_force(claims: &[Claim<'_>]) -> Vec<Fact> {
    let mut named: BTreeMap<&str, Vec<Standing>> = BTreeMap::new();
    let mut facts = Vec::new();
    for claim in claims {
        match claim {
            Claim::Plain(fact) => facts.push(*fact),
            Claim::Named { event_id, standing } => {
                named.entry(event_id).or_default().push(*standing);
            }
        }
    }
    for standings in named.into_values() {
        let revision = standings.iter().map(|standing| standing.revision).max();
        let last: Vec<_> = standings
            .iter()
            .filter(|standing| Some(standing.revision) == revision)
            .collect();
        if last.iter().all(|standing| standing.fact.is_some()) {
            facts.extend(
                last.iter()
                    .filter_map(|standing| standing.fact)
                    .max_by_key(stated),
            );
        }
    }
    facts
}

fn stated(fact: &Fact) -> (Option<Micros>, Option<Micros>, Wad) {
    match *fact {
        Fact::Closed { start, end, weight } => (Some(start), Some(end), weight),
        Fact::Start { at, weight } => (Some(at), None, weight),
        Fact::Stop { at } => (None, Some(at), Wad::ZERO),
    }
}

fn effective(facts: &[Fact], at: Micros, closed_only: bool) -> Option<Wad> {
    let mark_time = |fact: &Fact| match *fact {
        Fact::Start { at, .. } | Fact::Stop { at } => Some(at),
        Fact::Closed { .. } => None,
    };
    let latest = facts
        .iter()
        .filter_map(mark_time)
        .filter(|time| *time <= at)
        .max();
    let last_of_all = facts.iter().filter_map(mark_time).max();
    let set_by: Vec<_> = facts
        .iter()
        .filter(|fact| latest.is_some() && mark_time(fact) == latest)
        .collect();
    let is_stopped = set_by.iter().any(|fact| matches!(fact, Fact::Stop { .. }));
    let is_open_tail = closed_only && latest == last_of_all;
    let curve = set_by.iter().filter_map(|fact| match fact {
        Fact::Start { weight, .. } if !is_stopped && !is_open_tail => Some(*weight),
        _ => None,
    });
    let covering = facts.iter().filter_map(|fact| match *fact {
        Fact::Closed { start, end, weight } if start <= at && at < end => Some(weight),
        _ => None,
    });
    curve.chain(covering).max()
}
