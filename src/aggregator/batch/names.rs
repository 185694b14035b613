//! The texts of holder ids that do not fit into a record, which are known by their hashes.
//!
//! A lane stores a text when it meets its hash, unless it has met that a short while ago: a table of all hashes
//! would not fit into the processor's caches, and one more copy of a text costs less than a wait for memory. What it
//! remembers grows with the texts. The holders of a partition find their texts when it is scored.

use super::arena::{Arena, Run};
use super::id_hash::IdHash;
use crate::core::findings::is_cased;

/// Hashes that share a bucket, and a line of the processor's cache.
const BUCKET: usize = 4;
/// Buckets of what a lane remembers, at first: 64 KiB.
const BUCKETS_MIN: usize = 1 << 10;
/// The same at most: 2 MiB.
const BUCKETS_MAX: usize = 1 << 15;
/// Bytes per block of names, for 16 of them: each partition begins one, and few holders must not take much memory.
const BLOCK: usize = 512;
/// Bytes per piece of text.
const PIECE_BYTES: usize = 1 << 20;

/// The texts of one lane.
#[derive(Default)]
pub(super) struct Names {
    /// The hashes that were met last, by their first word; empty before the first one.
    recent: Vec<Bucket>,
    stored: usize,
    /// Of names.
    arena: Arena<BLOCK>,
    /// Bytes, so that nothing reads them to find a text.
    pieces: Vec<Vec<u8>>,
    /// Whether an id is not in lower case.
    has_case: bool,
}

/// The names of one partition.
pub(super) type NameRun = Run<Name, BLOCK>;

/// Some hashes, the one that was put last first.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([IdHash; BUCKET]);

/// A hash, and where its text is.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Name {
    pub(super) hash: IdHash,
    piece: u32,
    start: u32,
    length: u64,
}

impl Names {
    /// Whether the text of this hash is known to be stored; from now on it is.
    #[inline]
    pub(super) fn knows(&mut self, hash: IdHash) -> bool {
        if self.stored >= self.recent.len() * BUCKET && self.recent.len() < BUCKETS_MAX {
            self.remember_more();
        }
        let recent = bucket_of(&mut self.recent, hash);
        let is_known = recent.has(hash);
        if !is_known {
            recent.put(hash);
        }
        is_known
    }

    /// A word of the bucket of a hash. Read those of several hashes before you ask for the first one: the processor
    /// waits for all of them at once.
    #[inline]
    pub(super) fn touch(&self, hash: IdHash) -> u64 {
        if self.recent.is_empty() {
            return 0;
        }
        self.recent[place(&self.recent, hash)].0[0].first_word()
    }

    #[cold]
    fn remember_more(&mut self) {
        let count = (self.recent.len() * 4).clamp(BUCKETS_MIN, BUCKETS_MAX);
        let mut recent = vec![Bucket([NO_HASH; BUCKET]); count];
        let known = self.recent.drain(..).flat_map(|bucket| bucket.0);
        for hash in known.filter(|hash| *hash != NO_HASH) {
            bucket_of(&mut recent, hash).put(hash);
        }
        self.recent = recent;
    }

    /// Stores a text.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a piece of more than 4 GiB has one text, which starts at 0; 2^32 pieces do not fit into memory"
    )]
    pub(super) fn add(&mut self, hash: IdHash, text: &str, names: &mut NameRun) {
        let has_room = |piece: &Vec<u8>| piece.len() + text.len() <= PIECE_BYTES;
        if !self.pieces.last().is_some_and(has_room) {
            let piece = Vec::with_capacity(PIECE_BYTES.max(text.len()));
            self.pieces.push(piece);
        }
        let index = self.pieces.len() - 1;
        let piece = &mut self.pieces[index];
        let name = Name {
            hash,
            piece: index as u32,
            start: piece.len() as u32,
            length: text.len() as u64,
        };
        piece.extend_from_slice(text.as_bytes());
        names.push(&mut self.arena, name);
        self.stored += 1;
        self.has_case = self.has_case || is_cased(text);
    }

    /// The names of a run, in several slices.
    pub(super) fn slices<'a>(&'a self, names: &'a NameRun) -> impl Iterator<Item = &'a [Name]> {
        names.slices(&self.arena)
    }

    /// Whether an id is not in lower case.
    pub(super) const fn has_case(&self) -> bool {
        self.has_case
    }

    /// The text of a name of this lane.
    #[expect(clippy::cast_possible_truncation, reason = "it was a memory size")]
    pub(super) fn text(&self, name: &Name) -> &[u8] {
        let start = name.start as usize;
        &self.pieces[name.piece as usize][start..start + name.length as usize]
    }
}

/// The id whose text [`Names::text`] gives.
pub(super) fn id_from_bytes(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("it was the text of an id")
}

/// The hash of no id, except with the probability that two ids share one.
const NO_HASH: IdHash = IdHash::from_words([0, 0]);

impl Bucket {
    /// Compares all of them, because which one it is cannot be predicted.
    #[inline]
    fn has(&self, hash: IdHash) -> bool {
        let is_equal = |known: &IdHash| u8::from(*known == hash);
        self.0.iter().fold(0, |any, known| any | is_equal(known)) != 0
    }

    /// Puts a hash in the place of the one that was put first.
    #[inline]
    fn put(&mut self, hash: IdHash) {
        self.0.copy_within(..BUCKET - 1, 1);
        self.0[0] = hash;
    }
}

/// The index of the bucket of a hash; the length of `recent` is a power of two.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cut on purpose")]
fn place(recent: &[Bucket], hash: IdHash) -> usize {
    hash.first_word() as usize & (recent.len() - 1)
}

#[inline]
fn bucket_of(recent: &mut [Bucket], hash: IdHash) -> &mut Bucket {
    let place = place(recent, hash);
    &mut recent[place]
}

#[cfg(test)]
mod tests {
    use super::super::id_hash::IdHasher;
    use super::*;

    #[test]
    fn every_text_comes_back_and_few_are_stored_twice() {
        let hasher = IdHasher::default();
        let (mut lane, mut stored) = (Names::default(), NameRun::default());
        let id = |number: usize| format!("{number}{}", "-".repeat(number % 300));
        let long = "x".repeat(PIECE_BYTES + 1);
        let ids: Vec<String> = (0..8_000).map(id).chain([long]).collect();
        for id in ids.iter().chain(&ids) {
            let hash = hasher.hash(id);
            if !lane.knows(hash) {
                lane.add(hash, id, &mut stored);
            }
            assert!(lane.knows(hash));
        }
        assert!((8_001..14_000).contains(&stored.len()), "{}", stored.len());
        assert!(lane.pieces.len() > 2);
        let names: Vec<Name> = lane.slices(&stored).flatten().copied().collect();
        for name in &names {
            let text = id_from_bytes(lane.text(name));
            assert_eq!(hasher.hash(text), name.hash);
        }
        let mut distinct: Vec<&[u8]> = names.iter().map(|name| lane.text(name)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 8_001);
    }
}
