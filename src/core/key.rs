//! All that is known of one key: its plain facts, and its named ones with their standing.
//!
//! A plain fact can never be withdrawn, so it lives in a [`Timeline`] alone. A named one is kept,
//! because a later event may correct it; the timeline of both together is a view that a correction
//! makes stale and [`KeyFacts::settle`] rebuilds.

use hashbrown::HashMap;

use super::{Claim, Fact, Standing, Timeline};

/// The facts of one key; two that know the same set of events are in the same state.
#[derive(Clone, Debug, Default)]
pub struct KeyFacts {
    plain: Timeline,
    named: Option<Box<NamedFacts>>,
}

#[derive(Clone, Debug, Default)]
struct NamedFacts {
    standings: HashMap<Box<str>, Standing>,
    /// Plain facts and the named ones in force.
    view: Timeline,
    is_stale: bool,
}

/// Whether an answer can be given at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a stale key must be settled before it is asked"]
pub enum Freshness {
    /// The timeline holds what is in force.
    Settled,
    /// A fact was withdrawn or replaced; call [`KeyFacts::settle`].
    Stale,
}

impl KeyFacts {
    /// Adds a claim.
    pub fn record(&mut self, claim: Claim<'_>) -> Freshness {
        match claim {
            Claim::Plain(fact) => self.record_plain(fact),
            Claim::Named { event_id, standing } => self.record_named(event_id, standing),
        }
    }

    /// Adds all that `other` knows.
    pub fn merge(&mut self, other: &Self) -> Freshness {
        self.plain.merge(&other.plain);
        if let Some(named) = &mut self.named {
            named.is_stale = true;
        }
        if let Some(named) = &other.named {
            for (event_id, standing) in &named.standings {
                let _ = self.record_named(event_id, *standing);
            }
        }
        self.freshness()
    }

    /// Rebuilds the timeline from what is in force, in time linear in the facts (times a logarithm).
    pub fn settle(&mut self) {
        if let Some(named) = self.named.as_mut().filter(|named| named.is_stale) {
            named.view = self.plain.clone();
            for fact in named
                .standings
                .values()
                .filter_map(|standing| standing.fact)
            {
                named.view.record(fact);
            }
            named.is_stale = false;
        }
    }

    /// The effective weight over time.
    ///
    /// # Panics
    /// Where the key is stale.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        self.named.as_ref().map_or(&self.plain, |named| {
            assert!(!named.is_stale, "a stale key is settled before it is asked");
            &named.view
        })
    }

    fn freshness(&self) -> Freshness {
        if self.named.as_ref().is_some_and(|named| named.is_stale) {
            Freshness::Stale
        } else {
            Freshness::Settled
        }
    }

    fn record_plain(&mut self, fact: Fact) -> Freshness {
        self.plain.record(fact);
        if let Some(named) = self.named.as_mut().filter(|named| !named.is_stale) {
            named.view.record(fact);
        }
        self.freshness()
    }

    fn record_named(&mut self, event_id: &str, standing: Standing) -> Freshness {
        let plain = &self.plain;
        let named = self.named.get_or_insert_with(|| {
            Box::new(NamedFacts {
                view: plain.clone(),
                ..NamedFacts::default()
            })
        });
        let replaced = match named.standings.get_mut(event_id) {
            Some(known) if standing.prevails_over(known) => std::mem::replace(known, standing).fact,
            Some(_) => return self.freshness(),
            None => {
                named.standings.insert(event_id.into(), standing);
                None
            }
        };
        match (replaced, standing.fact) {
            (Some(old), new) if new != Some(old) => named.is_stale = true,
            (None, Some(fact)) if !named.is_stale => named.view.record(fact),
            _ => {}
        }
        self.freshness()
    }
}
