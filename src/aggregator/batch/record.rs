//! One event of a batch in 48 bytes.
//!
//! Two instants take 59 bits each, counted from the year 1; the remaining bits of their words encode how the holder is
//! packed, the kind of fact and the form of the weight. A weight with more digits than a double has is stored outside
//! the records, and so is a claim with an id, see [`super::lane`]; but a closed hold at revision 0 has its id behind
//! its record, in 64 bytes. Changes of balance have no records; see [`super::ledger`].

use super::holder_code::{Form, HolderCode};
use super::id_hash::IdHash;
use crate::aggregator::ids::IdNumber;
use crate::core::{Fact, Micros, Wad};

/// Bits of an instant counted from the year 1.
const TIME_BITS: u32 = 64 - Form::BITS;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const _: () = assert!((Micros::MAX.get() - Micros::MIN.get()) >> TIME_BITS == 0);

/// A packed event.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Record {
    /// The first two words of the holder code; the last one follows.
    holder: [u64; 2],
    holder_last: u32,
    /// The number of the token.
    token: u32,
    /// Start of a hold or instant of a mark; the upper bits are the form of the holder.
    start: u64,
    /// End of a hold, `seq` of a mark; the upper bits are the kind.
    end: u64,
    /// The weight in the unit of its form, or the index of a large claim.
    weight: u64,
}

const _: () = assert!(size_of::<Record>() == 48);

/// A closed hold with an id, at revision 0.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct NamedRecord {
    pub(super) hold: Record,
    pub(super) id: IdHash,
}

const _: () = assert!(size_of::<NamedRecord>() == 64);

/// The content of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A plain fact.
    Plain(Fact),
    /// A claim that has no room in a record, by its index among those of its partition and lane.
    Large(u64),
}

/// Weights that do not fit into a record; records refer to them by index.
pub(super) type WideWeights = Vec<Wad>;

const CLOSED: u64 = 0;
const START: u64 = 1;
const STOP: u64 = 2;
const LARGE: u64 = 3;
const KIND_BITS: u32 = 2;

/// The weight in steps.
const STEPS: u64 = 0;
/// The weight as [`Scaled`].
const SCALED: u64 = 1;
/// The index of the weight among the wide ones.
const WIDE: u64 = 2;

/// A number of steps as a count of a power of ten, in one word: all steps of a double, which has up to 17 digits, and of
/// most other decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scaled(u64);

/// Bits of the exponent of [`Scaled`], the lowest ones.
const EXPONENT_BITS: u32 = 5;
const COUNT_BITS: u32 = u64::BITS - EXPONENT_BITS;
/// Larger exponents than 2^128 steps need.
const EXPONENTS: usize = 1 << EXPONENT_BITS;

/// Powers of ten.
const POWERS: [u128; EXPONENTS] = {
    let mut powers = [1; EXPONENTS];
    let mut exponent = 1;
    while exponent < EXPONENTS {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The inverses of powers of five modulo 2^128.
const INVERSES: [u128; EXPONENTS] = {
    let mut inverses = [1; EXPONENTS];
    let mut exponent = 1;
    while exponent < EXPONENTS {
        inverses[exponent] = inverse(POWERS[exponent] >> exponent);
        exponent += 1;
    }
    inverses
};

impl Record {
    /// Whether a record has room for a plain fact.
    #[inline]
    pub(super) const fn has_room_for(fact: Fact) -> bool {
        match fact {
            Fact::Closed { .. } => true,
            Fact::Start { seq, .. } | Fact::Stop { seq, .. } => seq <= TIME_MASK,
            Fact::Change { .. } => false,
        }
    }

    /// The record of a content that it has room for.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        clippy::cast_possible_truncation,
        reason = "a record is written from registers to its block; the last word has 32 bits"
    )]
    pub(super) fn new(
        holder: HolderCode,
        token: IdNumber,
        content: Content,
        wide: &mut WideWeights,
    ) -> Self {
        let (kind, start, end, (form, weight)) = match content {
            Content::Plain(Fact::Closed { start, end, weight }) => (
                CLOSED,
                years_from(start),
                years_from(end),
                packed(weight, wide),
            ),
            Content::Plain(Fact::Start { at, weight, seq }) => {
                (START, years_from(at), seq, packed(weight, wide))
            }
            Content::Plain(Fact::Stop { at, seq }) => (STOP, years_from(at), seq, (STEPS, 0)),
            Content::Plain(Fact::Change { .. }) => unreachable!("there is no room for a change"),
            Content::Large(place) => (LARGE, 0, 0, (STEPS, place)),
        };
        let (first, middle, last) = holder.words;
        Self {
            holder: [first, middle],
            holder_last: last as u32,
            token: token.0,
            start: start | holder.form.bits() << TIME_BITS,
            end: end | (kind | form << KIND_BITS) << TIME_BITS,
            weight,
        }
    }

    #[inline]
    pub(super) fn holder(&self) -> HolderCode {
        HolderCode {
            words: (self.holder[0], self.holder[1], self.holder_last.into()),
            form: Form::from_bits(self.start >> TIME_BITS),
        }
    }

    pub(super) const fn token(&self) -> IdNumber {
        IdNumber(self.token)
    }

    /// Whether this is a plain closed hold.
    #[inline]
    pub(super) const fn is_closed(&self) -> bool {
        self.kind() == CLOSED
    }

    /// The content of the record; `wide` are the wide weights of its lane and partition.
    #[inline]
    pub(super) fn content(&self, wide: &WideWeights) -> Content {
        let at = instant(self.start);
        match self.kind() {
            CLOSED => Content::Plain(Fact::Closed {
                start: at,
                end: instant(self.end),
                weight: self.weight(wide),
            }),
            START => Content::Plain(Fact::Start {
                at,
                weight: self.weight(wide),
                seq: self.end & TIME_MASK,
            }),
            STOP => Content::Plain(Fact::Stop {
                at,
                seq: self.end & TIME_MASK,
            }),
            _ => Content::Large(self.weight),
        }
    }

    const fn kind(&self) -> u64 {
        self.end >> TIME_BITS & ((1 << KIND_BITS) - 1)
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the place came from a memory size"
    )]
    fn weight(&self, wide: &WideWeights) -> Wad {
        match self.end >> TIME_BITS >> KIND_BITS {
            STEPS => Wad::from_steps(self.weight.into()),
            SCALED => Wad::from_steps(Scaled(self.weight).steps()),
            _ => wide[self.weight as usize],
        }
    }
}

/// A weight as form and number.
#[inline]
fn packed(weight: Wad, wide: &mut WideWeights) -> (u64, u64) {
    let steps = weight.steps();
    if let Ok(steps) = u64::try_from(steps) {
        (STEPS, steps)
    } else if let Some(Scaled(word)) = Scaled::new(steps) {
        (SCALED, word)
    } else {
        wide.push(weight);
        (WIDE, wide.len() as u64 - 1)
    }
}

impl Scaled {
    /// `None` if there is no room for the digits.
    ///
    /// A product with the inverse of an odd number modulo 2^128 is the quotient if the division is exact,
    /// and takes a tenth of the time of a 128-bit division. Multiplying back checks that it is.
    #[inline]
    pub(super) fn new(steps: u128) -> Option<Self> {
        let bits = u128::BITS - steps.leading_zeros();
        // 0.302 is a little more than the logarithm of two. A larger exponent than is needed would not divide.
        let mut exponent = bits.saturating_sub(COUNT_BITS) as usize * 302 / 1_000;
        if steps >> COUNT_BITS >= POWERS[exponent] {
            exponent += 1;
        }
        let count = u64::try_from(steps.wrapping_mul(INVERSES[exponent]) >> exponent).ok()?;
        let is_exact = count >> COUNT_BITS == 0
            && u128::from(count).checked_mul(POWERS[exponent]) == Some(steps);
        is_exact.then_some(Self(count << EXPONENT_BITS | exponent as u64))
    }

    /// The scaled number with this word.
    #[inline]
    pub(super) const fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(super) const fn word(self) -> u64 {
        self.0
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the exponent has 5 bits")]
    pub(super) fn steps(self) -> u128 {
        let exponent = self.0 as usize & (EXPONENTS - 1);
        u128::from(self.0 >> EXPONENT_BITS) * POWERS[exponent]
    }
}

/// The number whose product with `odd` is 1 modulo 2^128; each round doubles the number of correct bits.
const fn inverse(odd: u128) -> u128 {
    let mut inverse = odd;
    while odd.wrapping_mul(inverse) != 1 {
        let product = odd.wrapping_mul(inverse);
        inverse = inverse.wrapping_mul(2_u128.wrapping_sub(product));
    }
    inverse
}

#[inline]
fn years_from(at: Micros) -> u64 {
    at.get().abs_diff(Micros::MIN.get())
}

#[inline]
fn instant(word: u64) -> Micros {
    Micros::MIN.after(word & TIME_MASK)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::aggregator::batch::id_hash::IdHasher;

    /// Whether the steps without some of their zeros are below 2^59.
    fn has_room_scaled(steps: u128) -> bool {
        let mut count = steps;
        while count >> 59 > 0 && count.is_multiple_of(10) {
            count /= 10;
        }
        count >> 59 == 0
    }

    proptest! {
        #[test]
        fn every_fact_comes_back(
            steps in prop_oneof![
                any::<u128>(),
                0..2_u128.pow(65),
                (0..2_u128.pow(65)).prop_map(|millionths| millionths * 10_u128.pow(12)),
            ],
            times in any::<[u64; 2]>(),
        ) {
            let [start, end] = times.map(|micros| Micros::MIN.after(micros));
            let weight = Wad::from_steps(steps);
            let holder = HolderCode::of("h", &IdHasher::default());
            let mut wide = vec![Wad::ONE];
            for fact in [
                Fact::Closed { start: start.min(end), end: start.max(end), weight },
                Fact::Start { at: start, weight, seq: times[1] & TIME_MASK },
                Fact::Stop { at: start, seq: times[0] & TIME_MASK },
            ] {
                prop_assert!(Record::has_room_for(fact));
                let record = Record::new(holder, IdNumber(7), Content::Plain(fact), &mut wide);
                prop_assert!(record.content(&wide) == Content::Plain(fact));
                prop_assert_eq!(record.is_closed(), matches!(fact, Fact::Closed { .. }));
                prop_assert!(record.holder() == holder);
            }
            let seq = TIME_MASK + 1 + times[0] / 2;
            for fact in [Fact::Start { at: start, weight, seq }, Fact::Stop { at: start, seq }] {
                prop_assert!(!Record::has_room_for(fact));
            }
            let fits = u64::try_from(steps).is_ok() || has_room_scaled(steps);
            prop_assert_eq!(wide.len() == 1, fits);
        }

        #[test]
        fn every_double_and_its_like_is_scaled(count in 0..10_u128.pow(17), exponent in 0_u32..22) {
            let steps = count * 10_u128.pow(exponent);
            let scaled = Scaled::new(steps);
            prop_assert_eq!(scaled.map(Scaled::steps), Some(steps));
            let word = scaled.map_or(0, Scaled::word);
            prop_assert_eq!(Scaled::from_word(word).steps(), steps);
            let next = steps + 1;
            prop_assert_eq!(Scaled::new(next).is_some(), has_room_scaled(next));
        }
    }
}
