//! One event of a batch in 48 bytes.
//!
//! Two instants take 59 bits each, counted from the year 1; the remaining bits of their words encode how
//! the holder is packed, the kind of fact and the unit of the weight. A weight that is neither a few steps
//! nor whole millionths is stored outside the records. A change of balance has the hash of its id in
//! place of an end and a weight, and its size among the words of its partition; see [`super::lane`].

use super::balance::Change;
use super::holder_code::{Form, HolderCode};
use super::id_hash::IdHash;
use crate::aggregator::ids::IdNumber;
use crate::core::{Delta, Fact, Micros, Wad};

/// Bits of an instant counted from the year 1.
const TIME_BITS: u32 = 64 - Form::BITS;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const _: () = assert!((Micros::MAX.get() - Micros::MIN.get()) >> TIME_BITS == 0);
const _: () = assert!(IdHash::HIGH_BITS == TIME_BITS);

/// A packed event.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Record {
    /// The first two words of the holder code; the last one follows.
    holder: [u64; 2],
    holder_last: u32,
    /// The number of the token.
    token: u32,
    /// Start of a hold, instant of a mark or a change; the upper bits are the form of the holder.
    start: u64,
    /// End of a hold, `seq` of a mark, or the higher word of an id; the upper bits are the kind.
    end: u64,
    /// The weight in the unit of its form, the lower word of an id, or the index of a claim.
    weight: u64,
}

const _: () = assert!(size_of::<Record>() == 48);

/// The content of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A fact that is not a change.
    Plain(Fact),
    /// A change of balance at revision 0; see [`Record::change`].
    Change,
    /// A claim that has no room in a record, by its index among those of its partition and lane.
    Large(u64),
}

/// Weights that do not fit into a record; records refer to them by index.
pub(super) type WideWeights = Vec<Wad>;

const CLOSED: u64 = 0;
const START: u64 = 1;
const STOP: u64 = 2;
const LARGE: u64 = 3;
/// A change by at least 0.
const RISE: u64 = 4;
/// A change by less than 0.
const FALL: u64 = 5;
const KIND_BITS: u32 = 3;

/// The weight in steps.
const STEPS: u64 = 0;
/// The weight in millionths, which are [`MILLIONTH`] steps each.
const MILLIONTHS: u64 = 1;
/// The index of the weight among the wide ones; of a change the two words of its size, the higher one first.
const WIDE: u64 = 2;
const MILLIONTH: u128 = 1_000_000_000_000;

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

    /// A record of a fact that it has room for.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a record is written from registers to its block"
    )]
    pub(super) fn of_fact(
        holder: HolderCode,
        token: IdNumber,
        fact: Fact,
        wide: &mut WideWeights,
    ) -> Self {
        let (kind, start, end, (form, weight)) = match fact {
            Fact::Closed { start, end, weight } => (
                CLOSED,
                years_from(start),
                years_from(end),
                packed(weight, wide),
            ),
            Fact::Start { at, weight, seq } => (START, years_from(at), seq, packed(weight, wide)),
            Fact::Stop { at, seq } => (STOP, years_from(at), seq, (STEPS, 0)),
            Fact::Change { .. } => unreachable!("there is no room for a change"),
        };
        Self::new(holder, token, (kind, form), start, end, weight)
    }

    /// A record of the claim at this index.
    pub(super) fn of_large(holder: HolderCode, token: IdNumber, place: u64) -> Self {
        Self::new(holder, token, (LARGE, STEPS), 0, 0, place)
    }

    /// A record of a change; `add_word` takes the words of its size.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    pub(super) fn of_change(
        holder: HolderCode,
        token: IdNumber,
        change: &Change,
        mut add_word: impl FnMut(u64),
    ) -> Self {
        let Change { id, at, delta } = *change;
        let kind = if delta.is_negative() { FALL } else { RISE };
        let form = if let Some((form, word)) = narrow(delta.size()) {
            add_word(word);
            form
        } else {
            let steps = delta.size().steps();
            add_word((steps >> u64::BITS) as u64);
            add_word(steps as u64);
            WIDE
        };
        let at = years_from(at);
        Self::new(holder, token, (kind, form), at, id.high(), id.low())
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        clippy::cast_possible_truncation,
        reason = "as for its caller; the last word has 32 bits"
    )]
    fn new(
        holder: HolderCode,
        token: IdNumber,
        (kind, form): (u64, u64),
        start: u64,
        end: u64,
        weight: u64,
    ) -> Self {
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

    /// Whether this may be a change: one at revision 0, or a claim that has no room in a record.
    #[inline]
    pub(super) const fn may_be_change(&self) -> bool {
        self.kind() >= LARGE
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
            LARGE => Content::Large(self.weight),
            _ => Content::Change,
        }
    }

    /// The change, if the content is one; `words` are the words of its lane and partition from its own on.
    #[inline]
    pub(super) fn change<'w>(&self, words: &mut impl Iterator<Item = &'w u64>) -> Change {
        let mut word = || u128::from(words.next().copied().unwrap_or_default());
        let steps = match self.form() {
            STEPS => word(),
            MILLIONTHS => word() * MILLIONTH,
            _ => word() << u64::BITS | word(),
        };
        Change {
            id: IdHash::from_words(self.end & TIME_MASK, self.weight),
            at: instant(self.start),
            delta: Delta::new(Wad::from_steps(steps), self.kind() == FALL),
        }
    }

    const fn kind(&self) -> u64 {
        self.end >> TIME_BITS & ((1 << KIND_BITS) - 1)
    }

    const fn form(&self) -> u64 {
        self.end >> TIME_BITS >> KIND_BITS
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the place came from a memory size"
    )]
    fn weight(&self, wide: &WideWeights) -> Wad {
        match self.form() {
            STEPS => Wad::from_steps(self.weight.into()),
            MILLIONTHS => Wad::from_steps(u128::from(self.weight) * MILLIONTH),
            _ => wide[self.weight as usize],
        }
    }
}

/// A weight as form and number.
#[inline]
fn packed(weight: Wad, wide: &mut WideWeights) -> (u64, u64) {
    narrow(weight).unwrap_or_else(|| {
        wide.push(weight);
        (WIDE, wide.len() as u64 - 1)
    })
}

/// A weight as form and number, if one word is enough.
#[inline]
fn narrow(weight: Wad) -> Option<(u64, u64)> {
    let steps = weight.steps();
    match u64::try_from(steps) {
        Ok(steps) => Some((STEPS, steps)),
        Err(_) => Some((MILLIONTHS, in_millionths(steps)?)),
    }
}

/// `steps` / [`MILLIONTH`], if the division is exact and the quotient fits.
///
/// A product with the inverse of an odd number modulo 2^128 is the quotient if the division is exact,
/// and takes a tenth of the time of a 128-bit division. Multiplying back checks that it is.
#[inline]
fn in_millionths(steps: u128) -> Option<u64> {
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
    use crate::aggregator::ids::{IdIndex, IdMemo};

    fn sizes() -> impl Strategy<Value = u128> {
        prop_oneof![
            any::<u128>(),
            0..2_u128.pow(65),
            (0..2_u128.pow(65)).prop_map(|millionths| millionths * MILLIONTH),
        ]
    }

    fn is_narrow(steps: u128) -> bool {
        u64::try_from(steps).is_ok()
            || steps.is_multiple_of(MILLIONTH) && u64::try_from(steps / MILLIONTH).is_ok()
    }

    proptest! {
        #[test]
        fn every_fact_comes_back(steps in sizes(), times: [u64; 2]) {
            let [start, end] = times.map(|micros| Micros::MIN.after(micros));
            let weight = Wad::from_steps(steps);
            let index = IdIndex::default();
            let holder = HolderCode::of("h", &mut IdMemo::new(&index));
            let mut wide = vec![Wad::ONE];
            for fact in [
                Fact::Closed { start: start.min(end), end: start.max(end), weight },
                Fact::Start { at: start, weight, seq: times[1] & TIME_MASK },
                Fact::Stop { at: start, seq: times[0] & TIME_MASK },
            ] {
                prop_assert!(Record::has_room_for(fact));
                let record = Record::of_fact(holder, IdNumber(7), fact, &mut wide);
                prop_assert!(record.content(&wide) == Content::Plain(fact));
                prop_assert_eq!(record.is_closed(), matches!(fact, Fact::Closed { .. }));
                prop_assert!(!record.may_be_change());
                prop_assert!(record.holder() == holder);
            }
            let large = TIME_MASK + 1 + times[0] / 2;
            for fact in [
                Fact::Start { at: start, weight, seq: large },
                Fact::Stop { at: start, seq: large },
            ] {
                prop_assert!(!Record::has_room_for(fact));
            }
            prop_assert_eq!(wide.len() == 1, is_narrow(steps));
        }

        #[test]
        fn every_change_comes_back(
            sizes in proptest::collection::vec(sizes(), 1..9), micros: u64, id: [u64; 2], is_negative: bool
        ) {
            let index = IdIndex::default();
            let holder = HolderCode::of("0xc5521660f3a3c5717476189975a3adb3254a9493", &mut IdMemo::new(&index));
            let changes = sizes.iter().map(|steps| Change {
                id: IdHash::from_words(id[0] & TIME_MASK, id[1]),
                at: Micros::MIN.after(micros),
                delta: Delta::new(Wad::from_steps(*steps), is_negative),
            });
            let changes: Vec<Change> = changes.collect();
            let mut words = Vec::new();
            let records: Vec<Record> = changes
                .iter()
                .map(|change| Record::of_change(holder, IdNumber(7), change, |word| words.push(word)))
                .collect();
            let narrow = sizes.iter().filter(|steps| is_narrow(**steps)).count();
            prop_assert_eq!(words.len(), 2 * sizes.len() - narrow);
            let mut words = words.iter();
            for (record, change) in records.iter().zip(&changes) {
                prop_assert!(record.content(&Vec::new()) == Content::Change);
                prop_assert!(record.may_be_change() && !record.is_closed());
                prop_assert!(record.holder() == holder && record.token() == IdNumber(7));
                prop_assert_eq!(record.change(&mut words), *change);
            }
        }
    }
}
