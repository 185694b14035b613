//! A shuffled order of any length without a list in memory.
//!
//! A Feistel network permutes the numbers of an even number of bits; a result outside the range is
//! permuted again until it falls inside (cycle walking), so the range itself is permuted.

/// Enough rounds to separate neighbours; the order need not be hard to guess.
const ROUNDS: u64 = 4;

/// A permutation of `0..length`.
pub(super) struct Permutation {
    length: u64,
    half_bits: u32,
    seed: u64,
}

impl Permutation {
    pub(super) fn new(length: u64, seed: u64) -> Self {
        let bits = u64::BITS - length.saturating_sub(1).leading_zeros();
        Self {
            length,
            half_bits: bits.div_ceil(2).max(1),
            seed,
        }
    }

    /// The image of `index`, which must be below the length.
    pub(super) fn of(&self, index: u64) -> u64 {
        let mut number = self.once(index);
        while number >= self.length {
            number = self.once(number);
        }
        number
    }

    fn once(&self, number: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (number >> self.half_bits, number & mask);
        for round in 0..ROUNDS {
            let mixed = mix(right ^ mix(self.seed.wrapping_add(round)));
            (left, right) = (right, (left ^ mixed) & mask);
        }
        left << self.half_bits | right
    }
}

/// Sebastiano Vigna's `splitmix64` finaliser: every bit of the input changes half of the output.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_occurs_once_for_any_length() {
        for length in [1, 2, 3, 7, 64, 1_000, 4_097] {
            let permutation = Permutation::new(length, 7);
            let mut images: Vec<_> = (0..length).map(|index| permutation.of(index)).collect();
            images.sort_unstable();
            assert!(images.into_iter().eq(0..length), "{length}");
        }
    }

    #[test]
    fn the_seed_chooses_the_order() {
        let order = |seed| {
            let permutation = Permutation::new(100, seed);
            (0..100)
                .map(|index| permutation.of(index))
                .collect::<Vec<_>>()
        };
        assert_ne!(order(1), order(2));
        assert_eq!(order(1), order(1));
    }
}
