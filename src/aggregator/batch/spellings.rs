//! Holders that are equal but for case: the hashes of all ids in lower case, and of the repeated ones the numbers.
//!
//! Nearly always no id has a capital letter, and then the hashes are not compared.

use std::hash::BuildHasher;

use super::BatchScorer;
use super::holder_code::HolderCode;
use super::names::id_from_bytes;
use crate::core::findings::in_lower_case;

/// The holders of one partition, or of some, by their ids in lower case.
#[derive(Default)]
pub(super) struct Folds {
    /// One for each holder, by its number.
    hashes: Vec<u64>,
    /// Whether an id is not in lower case itself.
    has_case: bool,
}

impl Folds {
    /// Those of `holders`; `texts` has the ids of holders that are known by their hashes, at the same places, or
    /// nothing if all of these are in lower case.
    pub(super) fn of(scorer: &BatchScorer, holders: &[HolderCode], texts: &[&[u8]]) -> Self {
        // The waits for these reads overlap, those of the texts one by one would not.
        let ends = |text: &&[u8]| {
            text.first()
                .zip(text.last())
                .map_or(0, |(first, last)| first ^ last)
        };
        std::hint::black_box(texts.iter().map(ends).fold(0, |all, byte| all ^ byte));
        let mut has_case = false;
        let hash = |(number, code): (usize, &HolderCode)| {
            let lower = match code.hash() {
                Some(_) => texts
                    .get(number)
                    .and_then(|id| in_lower_case(id_from_bytes(id))),
                None => code.packed_in_lower_case(),
            };
            has_case |= lower.is_some();
            let folded = lower.map_or(*code, |id| HolderCode::of(&id, &scorer.ids));
            scorer.hasher.hash_one(folded.words)
        };
        Self {
            hashes: holders.iter().enumerate().map(hash).collect(),
            has_case,
        }
    }

    /// The hashes that several holders of these partitions have, in order; those of few others may be among them.
    pub(super) fn repeated<'a>(parts: impl Iterator<Item = &'a Self> + Clone) -> Vec<u64> {
        if !parts.clone().any(|part| part.has_case) {
            return Vec::new();
        }
        let mut hashes: Vec<u64> = parts.flat_map(|part| &part.hashes).copied().collect();
        hashes.sort_unstable();
        let alike = hashes.chunk_by(|one, other| one == other);
        let mut repeated: Vec<u64> = alike
            .filter(|alike| alike.len() > 1)
            .map(|alike| alike[0])
            .collect();
        repeated.shrink_to_fit();
        repeated
    }

    /// The numbers of the holders whose hash is among `repeated`.
    pub(super) fn among(&self, repeated: &[u64]) -> impl Iterator<Item = usize> {
        let hashes = self.hashes.iter().enumerate();
        let is_repeated = |hash: &u64| repeated.binary_search(hash).is_ok();
        hashes.filter_map(move |(number, hash)| is_repeated(hash).then_some(number))
    }
}
