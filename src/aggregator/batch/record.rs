//! One event of a batch in 48 bytes.
//!
//! Two instants take 59 bits each, counted from the year 1; the remaining bits of their words encode how
//! the holder is packed, the kind of fact and the unit of the weight. A weight that is neither a few steps
//! nor whole millionths is stored outside the records, and so is a claim with an id, see [`super::lane`]; but a closed
//! hold at revision 0 has its id behind its record, in 64 bytes.
//! Changes of balance have no records; see [`super::ledger`].

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
/// The weight in millionths, which are [`MILLIONTH`] steps each.
const MILLIONTHS: u64 = 1;
/// The index of the weight among the wide ones.
const WIDE: u64 = 2;
pub(super) const MILLIONTH: u128 = 1_000_000_000_000;

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
            MILLIONTHS => Wad::from_steps(u128::from(self.weight) * MILLIONTH),
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
    } else if let Some(millionths) = in_millionths(steps) {
        (MILLIONTHS, millionths)
    } else {
        wide.push(weight);
        (WIDE, wide.len() as u64 - 1)
    }
}

/// `steps` / [`MILLIONTH`], if the division is exact and the quotient fits.
///
/// A product with the inverse of an odd number modulo 2^128 is the quotient if the division is exact,
/// and takes a tenth of the time of a 128-bit division. Multiplying back checks that it is.
#[inline]
pub(super) fn in_millionths(steps: u128) -> Option<u64> {
    const TWOS: u32 = MILLIONTH.trailing_zeros();
    const INVERSE: u128 = inverse(MILLIONTH >> TWOS);
    let quotient = u64::try_from(steps.wrapping_mul(INVERSE) >> TWOS).ok()?;
    (u128::from(quotient) * MILLIONTH == steps).then_some(quotient)
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

    proptest! {
        #[test]
        fn every_fact_comes_back(
            steps in prop_oneof![
                any::<u128>(),
                0..2_u128.pow(65),
                (0..2_u128.pow(65)).prop_map(|millionths| millionths * MILLIONTH),
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
            let fits = u64::try_from(steps).is_ok()
                || steps % MILLIONTH == 0 && u64::try_from(steps / MILLIONTH).is_ok();
            prop_assert_eq!(wide.len() == 1, fits);
        }
    }
}
