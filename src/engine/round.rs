//! Keys on their way to the state: copied out of the aggregator, so that no lock waits for a disk.

use crate::core::KeyFacts;
use crate::core::encoding::push_claim;
use crate::state::Entry;

/// Keys that are written in one transaction.
#[derive(Default)]
pub(super) struct Round {
    ids: String,
    claims: Vec<u8>,
    /// Where the ids and the claims of each key end.
    ends: Vec<Ends>,
}

struct Ends {
    holder_id: usize,
    token_id: usize,
    claims: usize,
}

impl Round {
    /// Copies one key.
    pub(super) fn push(&mut self, holder_id: &str, token_id: &str, facts: &KeyFacts) {
        self.ids.push_str(holder_id);
        let holder_id = self.ids.len();
        self.ids.push_str(token_id);
        facts.claims(|claim| push_claim(&mut self.claims, claim));
        self.ends.push(Ends {
            holder_id,
            token_id: self.ids.len(),
            claims: self.claims.len(),
        });
    }

    /// How many keys.
    pub(super) fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.ids.len() + self.claims.len() + self.ends.len() * size_of::<Ends>()
    }

    /// The keys as they are stored.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let (mut id, mut claim) = (0, 0);
        self.ends.iter().map(move |ends| {
            let entry = Entry {
                holder_id: &self.ids[id..ends.holder_id],
                token_id: &self.ids[ends.holder_id..ends.token_id],
                claims: &self.claims[claim..ends.claims],
            };
            (id, claim) = (ends.token_id, ends.claims);
            entry
        })
    }

    /// Forgets them and keeps the room.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.claims.clear();
        self.ends.clear();
    }
}
