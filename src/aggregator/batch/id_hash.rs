//! Long ids as hashes of 127 bits: what a batch keeps of an event id to know a repeated or corrected event again, and
//! how it tells holders apart whose ids do not fit into a record.
//!
//! The hash is a polynomial over the integers modulo 2^127 - 1, evaluated at a random point that is drawn for every
//! run, as in Poly1305. Different ids up to 1,000 bytes long agree with a probability below 2^-119, whatever the ids
//! are, and those who choose the ids do not learn the point. The text of an id is not kept here; see [`super::lane`]
//! and [`super::names`].

use std::hash::{BuildHasher, RandomState};

/// The hash of an id.
///
/// Two numbers stay in registers from the sum to the comparison. An array would be written in two halves and read as a
/// whole, and such a load waits for both stores; a tenth of reading hashed holders was spent there.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, bytemuck::Pod, bytemuck::Zeroable,
)]
#[repr(C)]
pub(super) struct IdHash {
    low: u64,
    high: u64,
}

/// 2^127 - 1, a prime.
const PRIME: u128 = (1 << 127) - 1;
/// Bytes of text per coefficient.
const BLOCK: usize = 15;

impl IdHash {
    /// The hash with these words.
    #[inline]
    pub(super) const fn from_words([low, high]: [u64; 2]) -> Self {
        Self { low, high }
    }

    #[inline]
    pub(super) const fn words(self) -> [u64; 2] {
        [self.low, self.high]
    }

    /// Equal ids have the same one, and different ids rarely do.
    #[inline]
    pub(super) const fn first_word(self) -> u64 {
        self.low
    }

    /// See [`Self::first_word`].
    #[inline]
    pub(super) const fn shares_word_with(self, other: Self) -> bool {
        self.low == other.low
    }
}

/// Blocks whose products are added up before the sum is reduced: they do not wait for each other.
const TOGETHER: usize = 8;

/// Hashes the ids of one run.
#[derive(Clone, Copy)]
pub(super) struct IdHasher {
    /// The powers of the point, from the first one; each is at most [`PRIME`].
    powers: [u128; TOGETHER],
}

/// A number of 256 bits.
#[derive(Clone, Copy, Default)]
struct Wide {
    low: u128,
    high: u128,
}

impl Default for IdHasher {
    /// A hasher with a point of its own.
    fn default() -> Self {
        let random = RandomState::new();
        let words = [0_u8, 1].map(|word| u128::from(random.hash_one(word)));
        let point = (words[0] << 64 | words[1]) >> 2;
        let mut powers = [point; TOGETHER];
        for power in 1..TOGETHER {
            powers[power] = Wide::product(powers[power - 1], point).reduced();
        }
        Self { powers }
    }
}

impl IdHasher {
    /// The hash of `id`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    pub(super) fn hash(&self, id: &str) -> IdHash {
        let bytes = id.as_bytes();
        // Most ids: a number of blocks that the compiler knows takes two thirds of the time.
        let hash = match bytes.len() {
            16..=30 => self.sum_of::<2>(bytes).reduced(),
            31..=45 => self.sum_of::<3>(bytes).reduced(),
            46..=60 => self.sum_of::<4>(bytes).reduced(),
            61..=75 => self.sum_of::<5>(bytes).reduced(),
            _ => self.hash_of_any(bytes),
        };
        IdHash::from_words([hash as u64, (hash >> u64::BITS) as u64])
    }

    /// The sum of `BLOCKS` blocks, of which the last may share bytes with the one before.
    #[inline]
    fn sum_of<const BLOCKS: usize>(&self, bytes: &[u8]) -> Wide {
        let mut sum = Wide::default();
        for (index, block) in bytes.as_chunks().0.iter().take(BLOCKS - 1).enumerate() {
            sum = sum.plus(Wide::product(
                coefficient(block, 1),
                self.powers[BLOCKS - 1 - index],
            ));
        }
        let marker = 1 + (bytes.len() % BLOCK) as u128;
        let last = bytes.last_chunk().expect("there is a whole block");
        sum.plus(Wide::product(coefficient(last, marker), self.powers[0]))
    }

    fn hash_of_any(&self, bytes: &[u8]) -> u128 {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut sum = Wide::default();
        // What follows a block decides the power that its coefficient is multiplied by.
        let after = usize::from(!rest.is_empty());
        let (first, last) = blocks.split_at(
            (blocks.len() + after)
                .saturating_sub(TOGETHER)
                .min(blocks.len()),
        );
        for (block, power) in last.iter().rev().zip(&self.powers[after..]) {
            sum = sum.plus(Wide::product(coefficient(block, 1), *power));
        }
        if !rest.is_empty() {
            // The marker tells how many bytes are new, so different texts never have the same coefficients.
            let marker = 1 + rest.len() as u128;
            let last = match bytes.last_chunk() {
                Some(last) => coefficient(last, marker),
                None => marker << 120 | padded(rest),
            };
            sum = sum.plus(Wide::product(last, self.powers[0]));
        }
        let hash = sum.reduced();
        if first.is_empty() {
            return hash;
        }
        modulo(hash + self.product_of_long(first))
    }

    /// What the blocks before the last [`TOGETHER`] ones add.
    #[cold]
    fn product_of_long(&self, blocks: &[[u8; BLOCK]]) -> u128 {
        let sum = blocks.iter().fold(0, |sum, block| {
            let sum = modulo(sum + coefficient(block, 1));
            Wide::product(sum, self.powers[0]).reduced()
        });
        Wide::product(sum, self.powers[TOGETHER - 1]).reduced()
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

/// Fewer than [`BLOCK`] bytes, but not none, as a number: the first one is the lowest. Loads overlap, so that no bytes are
/// copied first.
#[inline]
fn padded(bytes: &[u8]) -> u128 {
    let above = |count: usize| 8 * (bytes.len() - count);
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        u128::from(first) | u128::from(last) << above(8)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        u128::from(first) | u128::from(last) << above(4)
    } else {
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

/// A number of at most 2 * [`PRIME`] modulo [`PRIME`].
#[inline]
const fn modulo(number: u128) -> u128 {
    if number >= PRIME {
        number - PRIME
    } else {
        number
    }
}

impl Wide {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "words are cut on purpose")]
    fn product(one: u128, other: u128) -> Self {
        let (one_low, one_high) = (u128::from(one as u64), one >> 64);
        let (other_low, other_high) = (u128::from(other as u64), other >> 64);
        let low = one_low * other_low;
        let middle = one_low * other_high + (low >> 64);
        let other_middle = one_high * other_low + u128::from(middle as u64);
        Self {
            low: other_middle << 64 | u128::from(low as u64),
            high: one_high * other_high + (middle >> 64) + (other_middle >> 64),
        }
    }

    /// The sum, which must be below 2^256.
    #[inline]
    fn plus(self, other: Self) -> Self {
        let (low, has_carry) = self.low.overflowing_add(other.low);
        Self {
            low,
            high: self.high + other.high + u128::from(has_carry),
        }
    }

    /// The number modulo [`PRIME`]; it must be below 2^254, as a product of two numbers up to [`PRIME`] is, and a sum
    /// of [`TOGETHER`] products of such a number and a coefficient below 2^124.
    #[inline]
    const fn reduced(self) -> u128 {
        // 2^127 is 1 modulo the prime.
        let folded = (self.low & PRIME) + (self.high << 1 | self.low >> 127);
        modulo((folded & PRIME) + (folded >> 127))
    }
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

    /// The polynomial as it is defined, in arithmetic of 256 bits.
    fn naive(id: &str, point: u128) -> U256 {
        let mut sum = U256::ZERO;
        for (index, block) in id.as_bytes().chunks(BLOCK).enumerate() {
            let coefficient = if block.len() == BLOCK {
                coefficient(block.try_into().unwrap(), 1)
            } else {
                let marker = 1 + block.len() as u128;
                let mut last = [0; BLOCK];
                match id.as_bytes().last_chunk() {
                    Some(bytes) if index > 0 => last = *bytes,
                    _ => last[..block.len()].copy_from_slice(block),
                }
                coefficient(&last, marker)
            };
            sum = (sum + U256::from(coefficient)) * U256::from(point) % U256::from(PRIME);
        }
        sum
    }

    proptest! {
        #[test]
        fn the_hash_is_the_polynomial_for_ids_of_any_length(id in "[ -~]{1,400}") {
            let hasher = IdHasher::default();
            let [low, high] = hasher.hash(&id).words().map(u128::from);
            prop_assert_eq!(U256::from(high << 64 | low), naive(&id, hasher.powers[0]));
        }

        #[test]
        fn products_and_their_remainders_agree_with_256_bit_arithmetic(one: u128, other: u128) {
            let (one, other) = (one % (PRIME + 1), other % (PRIME + 1));
            let exact = U256::from(one) * U256::from(other) % U256::from(PRIME);
            prop_assert_eq!(U256::from(Wide::product(one, other).reduced()), exact);
        }
    }
}
