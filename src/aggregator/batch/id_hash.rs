//! Event ids as hashes of 127 bits: what a batch keeps of an id to know a repeated or corrected event again.
//!
//! The hash is a polynomial over the integers modulo 2^127 - 1, evaluated at a random point that is drawn for
//! every run, as in Poly1305. Different ids up to 1,000 bytes long agree with a probability below 2^-119, whatever the
//! ids are, and those who choose the ids do not learn the point. The text of an id is not kept here; see [`super::lane`].

use std::hash::{BuildHasher, RandomState};

/// The hash of an event id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct IdHash([u64; 2]);

/// 2^127 - 1, a prime.
const PRIME: u128 = (1 << 127) - 1;
/// Bytes of text per coefficient.
const BLOCK: usize = 15;

impl IdHash {
    /// The hash with these words.
    #[inline]
    pub(super) const fn from_words(words: [u64; 2]) -> Self {
        Self(words)
    }

    #[inline]
    pub(super) const fn words(self) -> [u64; 2] {
        self.0
    }

    /// Equal ids have the same one, and different ids rarely do.
    #[inline]
    pub(super) const fn first_word(self) -> u64 {
        self.0[0]
    }

    /// See [`Self::first_word`].
    #[inline]
    pub(super) const fn shares_word_with(self, other: Self) -> bool {
        self.0[0] == other.0[0]
    }
}

/// Hashes the ids of one run.
#[derive(Clone, Copy)]
pub(super) struct IdHasher {
    /// Below 2^126, so that no product of [`times`] exceeds its bound.
    point: u128,
}

impl Default for IdHasher {
    /// A hasher with a point of its own.
    fn default() -> Self {
        let random = RandomState::new();
        let words = [0_u8, 1].map(|word| u128::from(random.hash_one(word)));
        Self {
            point: (words[0] << 64 | words[1]) >> 2,
        }
    }
}

impl IdHasher {
    /// The hash of `id`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    pub(super) fn hash(self, id: &str) -> IdHash {
        let (blocks, rest) = id.as_bytes().as_chunks::<BLOCK>();
        let mut sum = 0;
        for block in blocks {
            sum = times(sum + coefficient(block, 1), self.point);
        }
        if !rest.is_empty() {
            // The marker tells how many bytes are new, so different texts never have the same coefficients.
            let marker = 1 + rest.len() as u128;
            let last = id.as_bytes().last_chunk().copied().unwrap_or_else(|| {
                let mut padded = [0; BLOCK];
                padded[..rest.len()].copy_from_slice(rest);
                padded
            });
            sum = times(sum + coefficient(&last, marker), self.point);
        }
        let hash = if sum >= PRIME { sum - PRIME } else { sum };
        IdHash([hash as u64, (hash >> u64::BITS) as u64])
    }
}

/// The bytes as a number, below `marker`, which is at most [`BLOCK`].
#[inline]
fn coefficient(bytes: &[u8; BLOCK], marker: u128) -> u128 {
    let (first, _) = bytes.split_first_chunk().expect("more than 8 bytes");
    let (_, last) = bytes.split_last_chunk().expect("more than 8 bytes");
    // The two words overlap by one byte.
    let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    marker << 120 | u128::from(last >> 8) << 64 | u128::from(first)
}

/// The product modulo [`PRIME`], at most 2^127, of a sum below 2^127 + 2^125 and a point below 2^126.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "words are cut on purpose")]
fn times(sum: u128, point: u128) -> u128 {
    let (sum_low, sum_high) = (u128::from(sum as u64), sum >> 64);
    let (point_low, point_high) = (u128::from(point as u64), point >> 64);
    let low = sum_low * point_low;
    let middle = sum_low * point_high + (low >> 64);
    let other_middle = sum_high * point_low + u128::from(middle as u64);
    let high = sum_high * point_high + (middle >> 64) + (other_middle >> 64);
    let low = other_middle << 64 | u128::from(low as u64);
    // 2^127 is 1 modulo the prime.
    let folded = (low & PRIME) + (high << 1 | low >> 127);
    (folded & PRIME) + (folded >> 127)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use ruint::aliases::U256;

    use super::*;

    #[test]
    fn ids_that_differ_in_anything_have_different_hashes() {
        let long = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060";
        let mut ids: Vec<String> = (0..3_000).map(|log| format!("{long}:{log}")).collect();
        for length in 1..80 {
            ids.push("a".repeat(length));
            ids.push("\0".repeat(length));
            ids.push(long.chars().cycle().take(length).collect());
        }
        let hasher = IdHasher::default();
        let mut seen: HashMap<IdHash, String> = HashMap::new();
        for id in ids {
            assert_eq!(hasher.hash(&id), hasher.hash(&id.clone()));
            if let Some(other) = seen.insert(hasher.hash(&id), id.clone()) {
                assert_eq!(other, id);
            }
        }
        assert!(seen.len() > 3_100);
    }

    #[test]
    fn every_run_draws_another_point() {
        let hash = || IdHasher::default().hash("0x5c:1");
        assert_ne!(hash(), hash());
    }

    proptest! {
        #[test]
        fn the_product_agrees_with_256_bit_arithmetic(sum: u128, point: u128) {
            let (sum, point) = (sum % ((1 << 127) + (1 << 125)), point >> 2);
            let product = times(sum, point);
            let exact = U256::from(sum) * U256::from(point) % U256::from(PRIME);
            prop_assert!(product <= 1 << 127);
            prop_assert_eq!(U256::from(product % PRIME), exact);
        }
    }
}
