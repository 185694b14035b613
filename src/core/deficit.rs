//! Keys whose balance falls below 0: something is missing from the input.
//!
//! Nothing is held meanwhile, and later sums stay true. When a balance is below 0 is decided in [`super::key`].

use super::{Balance, KeyFacts, Micros};

/// A key whose balance is below 0 at some instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deficit {
    /// The token.
    pub token_id: Box<str>,
    /// The holder.
    pub holder_id: Box<str>,
    /// The first such instant.
    pub at: Micros,
    /// The balance there, below 0.
    pub balance: Balance,
    /// Of the negative changes in force at that instant; sorted.
    pub event_ids: Vec<Box<str>>,
}

impl Deficit {
    /// The deficit of the key `(token_id, holder_id)`; `None` if its balance is never below 0.
    #[must_use]
    pub fn of(token_id: &str, holder_id: &str, facts: &KeyFacts) -> Option<Self> {
        let (first, balance) = facts.deficit()?;
        let mut event_ids = Vec::new();
        facts.changes(|at, event_id, delta| {
            if at == first && delta.is_negative() {
                event_ids.push(event_id.into());
            }
        });
        event_ids.sort_unstable();
        Some(Self {
            token_id: token_id.into(),
            holder_id: holder_id.into(),
            at: first,
            balance,
            event_ids,
        })
    }
}
