//! What a set of events has that is valid and probably not meant, as counts and examples.
//!
//! Changes no score. The scorer of whole files counts while it scores; [`Findings::of`] looks at a few events that
//! came together, and is the plain twin of that. What is said about it is in `output::warnings`.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{Claim, Event, Fact, Mark, Micros, Standing};

/// Counts over the facts in force of all keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// `None` if no fact in force names an instant.
    pub instants: Option<Instants>,
    /// Instants of a key at which different levels are stated under the largest `seq`.
    pub ties: u64,
    /// Ids of events for which different facts are stated at the revision in force, and no retraction.
    pub conflicts: u64,
    /// Holders that are equal but for case.
    pub holders: Spellings,
    /// Tokens that are equal but for case.
    pub tokens: Spellings,
}

/// The first and the last instant of some facts, ends of holds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instants {
    /// The earliest.
    pub first: Micros,
    /// The latest.
    pub last: Micros,
}

/// Ids that are equal but for case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spellings {
    /// Ids that are another spelling of one that is counted already.
    pub count: u64,
    /// Two of them: the first ones by their text in lower case.
    pub example: Option<(Box<str>, Box<str>)>,
}

impl Findings {
    /// What these events have, whatever else is known of their keys.
    #[must_use]
    pub fn of<'a>(events: impl Iterator<Item = Event<'a>>) -> Self {
        let mut findings = Self::default();
        let mut events = events.peekable();
        let Some(first) = events.next() else {
            return findings;
        };
        if events.peek().is_none() {
            // Nearly every message of a stream.
            if let Some(fact) = first.claim.fact() {
                findings.see(fact);
            }
            return findings;
        }
        let (mut holders, mut tokens) = (Vec::new(), Vec::new());
        let mut named: HashMap<_, (Stated, Event<'a>), RandomState> = HashMap::default();
        let mut levels: HashMap<_, Level, RandomState> = HashMap::default();
        let mut count = |findings: &mut Self, event: &Event<'a>, fact: Fact| {
            findings.see(fact);
            if let Some((at, mark)) = Mark::of(fact) {
                let key = (event.token_id, event.holder_id, at);
                let level = levels.entry(key).or_insert(Level::new(mark));
                level.meet(mark);
            }
        };
        for event in std::iter::once(first).chain(events) {
            holders.push(event.holder_id);
            if tokens.last() != Some(&event.token_id) {
                tokens.push(event.token_id);
            }
            match event.claim {
                Claim::Plain(fact) => count(&mut findings, &event, fact),
                Claim::Named { event_id, standing } => {
                    let id = (event.token_id, event.holder_id, event_id);
                    let stated = Stated::new(standing);
                    let (known, _) = named.entry(id).or_insert((stated, event));
                    known.meet(stated);
                }
            }
        }
        findings.holders = Spellings::of(holders.into_iter());
        findings.tokens = Spellings::of(tokens.into_iter());
        for (stated, event) in named.values() {
            findings.conflicts += u64::from(stated.is_conflict());
            if let Some(fact) = stated.standing.fact {
                count(&mut findings, event, fact);
            }
        }
        findings.ties = levels.values().filter(|level| level.is_tie).count() as u64;
        findings
    }

    /// Adds what `fact` names to the instants.
    #[inline]
    pub fn see(&mut self, fact: Fact) {
        self.see_between(fact.instant(), fact.last_instant());
    }

    /// Adds two instants; nothing if the first one is after the last one.
    #[inline]
    pub fn see_between(&mut self, first: Micros, last: Micros) {
        if first <= last {
            let known = self.instants.unwrap_or(Instants { first, last });
            self.instants = Some(Instants {
                first: known.first.min(first),
                last: known.last.max(last),
            });
        }
    }

    /// Adds the findings about other keys.
    pub fn add(&mut self, other: Self) {
        if let Some(Instants { first, last }) = other.instants {
            self.see_between(first, last);
        }
        self.ties += other.ties;
        self.conflicts += other.conflicts;
        self.holders.add(other.holders);
        self.tokens.add(other.tokens);
    }
}

impl Spellings {
    /// Those among `ids`, which come in any order and may come more than once.
    #[must_use]
    pub fn of<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        let ids: Vec<_> = ids.collect();
        // Most sets of ids are in lower case throughout.
        if !ids.iter().any(|id| in_lower_case(id).is_some()) {
            return Self::default();
        }
        let spelled = |id: &'a str| (in_lower_case(id).map_or(Cow::Borrowed(id), Cow::Owned), id);
        let mut spelled: Vec<_> = ids.into_iter().map(spelled).collect();
        spelled.sort_unstable();
        spelled.dedup();
        let mut spellings = Self::default();
        for alike in spelled.chunk_by(|(one, _), (other, _)| one == other) {
            if let [(_, one), (_, other), ..] = alike {
                spellings.count += alike.len() as u64 - 1;
                let example = &mut spellings.example;
                example.get_or_insert_with(|| ((*one).into(), (*other).into()));
            }
        }
        spellings
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.example = self.example.take().or(other.example);
    }
}

/// The id in lower case; `None` if it is that already.
#[must_use]
pub(crate) fn in_lower_case(id: &str) -> Option<String> {
    if id.is_ascii() {
        return is_cased(id).then(|| id.to_ascii_lowercase());
    }
    let lower = id.to_lowercase();
    (lower != id).then_some(lower)
}

/// Whether the id differs from the same in lower case.
#[must_use]
pub(crate) fn is_cased(id: &str) -> bool {
    if id.is_ascii() {
        // Without an early end, so that many bytes are looked at together.
        let has_capital = |found, byte: u8| found | byte.is_ascii_uppercase();
        return id.bytes().fold(false, has_capital);
    }
    id.to_lowercase() != id
}

/// What is stated under one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stated {
    /// The standing in force.
    pub(crate) standing: Standing,
    /// Whether another one differs from it at its revision.
    is_contested: bool,
}

impl Stated {
    /// By one event.
    #[inline]
    pub(crate) const fn new(standing: Standing) -> Self {
        Self {
            standing,
            is_contested: false,
        }
    }

    /// The same, if other events state different facts at the same revision.
    #[inline]
    pub(crate) const fn contested(self, is_contested: bool) -> Self {
        Self {
            is_contested: self.is_contested || is_contested,
            ..self
        }
    }

    /// Adds what other events state.
    #[inline]
    pub(crate) fn meet(&mut self, other: Self) {
        if other.standing.revision < self.standing.revision {
            return;
        }
        let is_equal = other.standing.revision == self.standing.revision;
        let is_contested = is_equal
            && (self.is_contested
                || other.is_contested
                || self.standing.fact != other.standing.fact);
        if other.standing.prevails_over(&self.standing) {
            self.standing = other.standing;
        }
        self.is_contested = is_contested;
    }

    /// Whether facts contradict each other; a retraction settles that.
    #[inline]
    pub(crate) const fn is_conflict(&self) -> bool {
        self.is_contested && self.standing.fact.is_some()
    }
}

/// What the marks of one key at one instant state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    strongest: Mark,
    /// Whether another one of the same `seq` differs from it.
    pub(crate) is_tie: bool,
}

impl Level {
    /// By one mark.
    pub(crate) const fn new(mark: Mark) -> Self {
        Self {
            strongest: mark,
            is_tie: false,
        }
    }

    /// Adds another mark, or the same one again.
    pub(crate) fn meet(&mut self, mark: Mark) {
        let strongest = self.strongest.max(mark);
        if self.strongest.seq() == mark.seq() {
            self.is_tie |= self.strongest != mark;
        } else if strongest == mark {
            self.is_tie = false;
        }
        self.strongest = strongest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Draft;

    fn at(micros: i64) -> Micros {
        Micros::new(micros).unwrap()
    }

    fn hold(end: i64) -> Draft<'static> {
        Draft {
            token_id: "T",
            holder_id: "h",
            start: Some(at(1)),
            end: Some(at(end)),
            event_id: Some("e"),
            ..Draft::default()
        }
    }

    fn conflicts(drafts: &[Draft<'static>]) -> u64 {
        let events: Vec<_> = drafts.iter().map(|draft| draft.check().unwrap()).collect();
        let reversed: Vec<_> = events.iter().rev().copied().collect();
        let count = Findings::of(events.into_iter()).conflicts;
        assert_eq!(Findings::of(reversed.into_iter()).conflicts, count);
        count
    }

    #[test]
    fn a_conflict_is_of_different_facts_at_the_revision_in_force() {
        let at_revision = |revision, draft| Draft { revision, ..draft };
        let retraction = Draft {
            retract: true,
            ..hold(3)
        };
        assert_eq!(conflicts(&[hold(3), hold(4), hold(5)]), 1);
        assert_eq!(conflicts(&[hold(3), hold(3)]), 0);
        assert_eq!(conflicts(&[hold(3), at_revision(1, hold(4))]), 0);
        assert_eq!(conflicts(&[hold(3), hold(4), at_revision(1, hold(4))]), 0);
        assert_eq!(conflicts(&[hold(3), hold(4), retraction]), 0);
        let other = Draft {
            holder_id: "i",
            ..hold(4)
        };
        assert_eq!(conflicts(&[hold(3), other]), 0);
    }

    #[test]
    fn spellings_are_counted_beyond_the_first_and_the_first_two_are_named() {
        let spellings = |ids: &[&str]| {
            let Spellings { count, example } = Spellings::of(ids.iter().copied());
            (count, example.map(|(one, other)| format!("{one} {other}")))
        };
        assert_eq!(
            spellings(&["b", "B", "a", "A", "a"]),
            (2, Some("A a".to_owned()))
        );
        assert_eq!(
            spellings(&["aB", "Ab", "AB"]),
            (2, Some("AB Ab".to_owned()))
        );
        assert_eq!(spellings(&["É", "é"]), (1, Some("É é".to_owned())));
        assert_eq!(spellings(&["a", "a", "b"]), (0, None));
        assert_eq!(spellings(&["A", "b"]), (0, None));
    }
}
