//! Changed keys to be written to the state: copied from the aggregator, so that no lock is held during
//! a disk write.
//!
//! The small keys of a holder with few keys share one entry, which is written as a whole if one of them
//! has changed. Other keys have an entry of their own, so that a holder with a million keys, or a key
//! with a million facts, is not written again because of one new fact. A key of very many facts is copied
//! piece by piece, so that no lock is held for long.

use crate::aggregator::{ChangedHolder, HoldAggregator};
use crate::core::encoding::{push_claim, push_key};
use crate::state::{Entry, EntryKeys};

/// A key with at most so many claims is small.
const SMALL: usize = 4;

/// A key with more claims is copied piece by piece.
const LARGE: usize = 4_096;

/// Entries that are written in one transaction.
#[derive(Default)]
pub(super) struct EntryBatch {
    ids: String,
    values: Vec<u8>,
    /// Where the ids and the value of each entry end.
    ends: Vec<Ends>,
    /// The claims of one key.
    claims: Vec<u8>,
    /// Holder and token of changed keys that are not copied yet.
    large: Vec<(Box<str>, Box<str>)>,
}

struct Ends {
    holder_id: usize,
    /// Equal to `holder_id` in an entry without a `token_id`.
    token_id: usize,
    value: usize,
}

impl EntryBatch {
    /// Copies the changed keys of a holder; large ones are left to [`Self::copy_large`].
    pub(super) fn push(&mut self, holder: ChangedHolder<'_>) {
        let (holder_id, has_few) = (holder.holder_id, holder.has_few_keys());
        let mut small = Vec::new();
        let mut is_small_changed = false;
        holder.take(|token_id, facts, was_changed| {
            let is_small = has_few && facts.claim_count(SMALL) <= SMALL;
            if !is_small && !was_changed {
                return;
            }
            if facts.claim_count(LARGE) > LARGE {
                self.large.push((holder_id.into(), token_id.into()));
                return;
            }
            self.claims.clear();
            facts.claims(|claim| push_claim(&mut self.claims, claim));
            if is_small {
                push_key(&mut small, token_id, &self.claims);
                is_small_changed |= was_changed;
            } else {
                self.values.extend_from_slice(&self.claims);
                self.end(holder_id, token_id);
            }
        });
        if is_small_changed {
            self.values.extend_from_slice(&small);
            self.end(holder_id, "");
        }
    }

    /// Copies the large keys of the holders that were pushed.
    pub(super) fn copy_large(&mut self, aggregator: &HoldAggregator) {
        for (holder_id, token_id) in std::mem::take(&mut self.large) {
            aggregator.claims_of(&holder_id, &token_id, |claim| {
                push_claim(&mut self.values, claim);
            });
            self.end(&holder_id, &token_id);
        }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Their size in memory.
    pub(super) fn bytes(&self) -> usize {
        self.ids.len() + self.values.len() + self.ends.len() * size_of::<Ends>()
    }

    /// The entries as they are stored.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let (mut id, mut value) = (0, 0);
        self.ends.iter().map(move |ends| {
            let token_id = &self.ids[ends.holder_id..ends.token_id];
            let bytes = &self.values[value..ends.value];
            let entry = Entry {
                holder_id: &self.ids[id..ends.holder_id],
                keys: if token_id.is_empty() {
                    EntryKeys::Several(bytes)
                } else {
                    EntryKeys::One {
                        token_id,
                        claims: bytes,
                    }
                },
            };
            (id, value) = (ends.token_id, ends.value);
            entry
        })
    }

    /// Removes all entries and keeps the allocations.
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.values.clear();
        self.ends.clear();
    }

    /// Ends an entry whose value was appended.
    fn end(&mut self, holder_id: &str, token_id: &str) {
        self.ids.push_str(holder_id);
        let holder_id = self.ids.len();
        self.ids.push_str(token_id);
        self.ends.push(Ends {
            holder_id,
            token_id: self.ids.len(),
            value: self.values.len(),
        });
    }
}
