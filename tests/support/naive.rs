//! The definition of a score, written down as literally as can be: one microsecond at a time.
//!
//! Slow on purpose. It shares no code with the crate but the types of an event.

use std::collections::BTreeMap;

use poh_holdmetrics_rust::core::{Claim, Delta, Draft, Event, Fact, Micros, Standing, Wad, Window};

/// An event that owns its text, as a test makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) token: &'static str,
    pub(crate) holder: &'static str,
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) weight: u128,
    pub(crate) event_id: Option<&'static str>,
    pub(crate) revision: u64,
    pub(crate) retract: bool,
    /// A change of balance by `delta`.
    pub(crate) at: Option<i64>,
    pub(crate) delta: i128,
    pub(crate) seq: u64,
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
            weight: self.weight(),
            event_id: self.event_id,
            revision: self.revision,
            retract: self.retract,
            at: self.at.map(micros),
            delta: self.delta(),
            seq: self.seq,
            ..Draft::default()
        }
        .check()
        .expect("test events are valid")
    }

    /// The weight, unless this is a change.
    pub(crate) fn weight(&self) -> Option<Wad> {
        self.at.is_none().then_some(Wad::from_steps(self.weight))
    }

    /// The delta, if this is a change.
    pub(crate) fn delta(&self) -> Option<Delta> {
        let size = Wad::from_steps(self.delta.unsigned_abs());
        self.at.map(|_| Delta::new(size, self.delta < 0))
    }
}

pub(crate) fn micros(value: i64) -> Micros {
    Micros::new(value).expect("a test instant is in range")
}

/// `holder -> (held_us, score in steps of 1e-18 x 1 us)`.
pub(crate) fn scores(sent: &[Sent], window: &Window) -> BTreeMap<String, (u128, u128)> {
    let mut sums: BTreeMap<String, (u128, u128)> = BTreeMap::new();
    for ((holder, _), claims) in keys(sent) {
        let facts = in_force(&claims);
        let sum = sums.entry(holder.to_owned()).or_default();
        let first = sent
            .iter()
            .filter_map(|event| event.start.or(event.end).or(event.at))
            .min();
        let first = first.map_or(window.as_of, micros).max(window.start());
        for at in first.get()..window.as_of.get() {
            if let Some(weight) = effective(&facts, micros(at), window.closed_only) {
                sum.0 += 1;
                sum.1 += weight;
            }
        }
    }
    sums
}

pub(crate) fn keys(sent: &[Sent]) -> BTreeMap<(&str, &str), Vec<Claim<'_>>> {
    let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in sent.iter().map(Sent::event) {
        let key = (event.holder_id, event.token_id);
        keys.entry(key).or_default().push(event.claim);
    }
    keys
}

pub(crate) fn in_force(claims: &[Claim<'_>]) -> Vec<Fact> {
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

type Stated = (
    (Option<Micros>, Option<Micros>, Option<Wad>),
    (Option<Micros>, Option<Delta>, u64),
);

fn stated(fact: &Fact) -> Stated {
    let no_change = |seq| (None, None, seq);
    match *fact {
        Fact::Closed { start, end, weight } => {
            ((Some(start), Some(end), Some(weight)), no_change(0))
        }
        Fact::Start { at, weight, seq } => ((Some(at), None, Some(weight)), no_change(seq)),
        Fact::Stop { at, seq } => ((None, Some(at), None), no_change(seq)),
        Fact::Change { at, delta } => ((None, None, None), (Some(at), Some(delta), 0)),
    }
}

fn change_time(fact: &Fact) -> Option<Micros> {
    match *fact {
        Fact::Change { at, .. } => Some(at),
        _ => None,
    }
}

pub(crate) fn balance(facts: &[Fact], at: Micros) -> i128 {
    let each = |fact: &Fact| match *fact {
        Fact::Change { at: since, delta } if since <= at => {
            let size = i128::try_from(delta.size().steps()).expect("test deltas are small");
            if delta.is_negative() { -size } else { size }
        }
        _ => 0,
    };
    facts.iter().map(each).sum()
}

/// The first instant before `as_of` at which the balance is below 0.
pub(crate) fn first_deficit(facts: &[Fact], as_of: Micros) -> Option<Micros> {
    let times = facts.iter().filter_map(change_time);
    times
        .filter(|at| *at < as_of && balance(facts, *at) < 0)
        .min()
}

/// The effective weight or balance in steps; `None` if nothing is held.
fn effective(facts: &[Fact], at: Micros, closed_only: bool) -> Option<u128> {
    let mark_time = |fact: &Fact| match *fact {
        Fact::Start { at, .. } | Fact::Stop { at, .. } => Some(at),
        Fact::Closed { .. } | Fact::Change { .. } => None,
    };
    let order = |fact: &Fact| match *fact {
        Fact::Start { seq, .. } | Fact::Stop { seq, .. } => seq,
        Fact::Closed { .. } | Fact::Change { .. } => 0,
    };
    let latest = facts
        .iter()
        .filter_map(mark_time)
        .filter(|time| *time <= at)
        .max();
    let last_of_all = facts.iter().filter_map(mark_time).max();
    let latest_marks: Vec<_> = facts
        .iter()
        .filter(|fact| latest.is_some() && mark_time(fact) == latest)
        .collect();
    let last_order = latest_marks.iter().map(|fact| order(fact)).max();
    let set_by: Vec<_> = latest_marks
        .into_iter()
        .filter(|fact| Some(order(fact)) == last_order)
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
    let last_change = facts.iter().filter_map(change_time).max();
    let counts = !closed_only || last_change.is_some_and(|last| at < last);
    let balance = u128::try_from(balance(facts, at))
        .ok()
        .filter(|balance| counts && *balance > 0);
    curve.chain(covering).map(Wad::steps).chain(balance).max()
}
