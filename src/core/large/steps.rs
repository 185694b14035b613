//! Consecutive steps of a balance, in order of time, one after the other in as few bytes as each needs.
//!
//! A block of them is decoded whole whenever it changes, see [`super::account`].

use super::tree::Block;
use crate::core::Micros;
use crate::core::balance::NarrowBalance;
use crate::core::packed::{Bytes, Packed, splice};

/// The sum of all changes at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: Micros,
    pub(super) delta: NarrowBalance,
}

/// Steps by instant.
#[derive(Clone, Debug, Default)]
pub(super) struct StepBlock {
    bytes: Vec<u8>,
    count: usize,
}

const RISE: u8 = 0;
const FALL: u8 = 1;
/// The whole delta follows.
const WIDE: u8 = 2;

impl StepBlock {
    pub(super) fn of(step: Step) -> Self {
        let mut block = Self::default();
        block.push(step);
        block
    }

    /// Adds a step after all others.
    pub(super) fn push(&mut self, new: Step) {
        let end = self.bytes.len();
        splice(&mut self.bytes, end..end, &packed(new));
        self.count += 1;
    }

    /// Adds a step to the one at its instant, or inserts it; returns whether it was inserted.
    pub(super) fn add(&mut self, new: Step) -> bool {
        let place = self.place(new.at);
        let rest = &self.bytes[place..];
        let known = Some(rest).filter(|rest| !rest.is_empty()).map(read);
        if let Some((known, length)) = known
            && known.at == new.at
        {
            let delta = known.delta + new.delta;
            let sum = packed(Step { delta, ..new });
            splice(&mut self.bytes, place..place + length, &sum);
            return false;
        }
        splice(&mut self.bytes, place..place, &packed(new));
        self.count += 1;
        true
    }

    /// Removes the step at `at`.
    pub(super) fn remove(&mut self, at: Micros) {
        let place = self.place(at);
        let rest = &self.bytes[place..];
        if !rest.is_empty() {
            let (known, length) = read(rest);
            if known.at == at {
                splice(&mut self.bytes, place..place + length, &[]);
                self.count -= 1;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Step> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (step, length) = read(rest);
            rest = &rest[length..];
            Some(step)
        })
    }

    /// Where the first step at `at` or later begins, or the end.
    fn place(&self, at: Micros) -> usize {
        let mut place = 0;
        while place < self.bytes.len() && Packed::instant(&self.bytes[place..]) < at {
            place += length(&self.bytes[place..]);
        }
        place
    }
}

impl Block for StepBlock {
    fn len(&self) -> usize {
        self.count
    }

    fn split_off(&mut self, place: usize) -> Self {
        let begin = (0..place).fold(0, |begin, _| begin + length(&self.bytes[begin..]));
        let right = Self {
            bytes: self.bytes[begin..].to_vec(),
            count: self.count - place,
        };
        self.bytes.truncate(begin);
        self.bytes.shrink_to_fit();
        self.count = place;
        right
    }

    fn append(&mut self, later: Self) {
        let end = self.bytes.len();
        splice(&mut self.bytes, end..end, &later.bytes);
        self.count += later.count;
    }
}

/// The step that `bytes` begins with, and its length.
#[inline]
fn read(bytes: &[u8]) -> (Step, usize) {
    let Packed { tag, at, amount } = Packed::read(bytes);
    let length = length(bytes);
    let delta = if tag == WIDE {
        NarrowBalance::from_bytes(&bytes[length - NarrowBalance::BYTES..length])
    } else {
        let amount = amount.cast_signed();
        NarrowBalance::from(if tag == FALL { -amount } else { amount })
    };
    (Step { at, delta }, length)
}

fn packed(Step { at, delta }: Step) -> Bytes {
    let mut bytes = Bytes::new();
    let small = delta.in_128_bits().filter(|delta| *delta > i128::MIN);
    let tag = match small {
        Some(0..) => RISE,
        Some(_) => FALL,
        None => WIDE,
    };
    let amount = small.map_or(0, i128::unsigned_abs);
    Packed { tag, at, amount }.push(&mut bytes);
    if tag == WIDE {
        bytes.extend_from_slice(&delta.to_bytes());
    }
    bytes
}

/// The length of the step that `bytes` begins with.
#[inline]
fn length(bytes: &[u8]) -> usize {
    let wide = if Packed::tag(bytes) == WIDE {
        NarrowBalance::BYTES
    } else {
        0
    };
    Packed::length(bytes) + wide
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::core::Balance;

    fn is_same(block: &StepBlock, expected: &BTreeMap<Micros, Balance>) -> bool {
        block.len() == expected.len()
            && block
                .iter()
                .map(|step| (step.at, Balance::from(step.delta)))
                .eq(expected.iter().map(|(at, delta)| (*at, *delta)))
    }

    proptest! {
        #[test]
        fn steps_are_those_of_a_map(
            changes in proptest::collection::vec((0_i64..40, 0_u32..4, any::<i128>(), 0_u32..127), 1..70),
            cut in 0_usize..70,
        ) {
            let (mut block, mut expected) = (StepBlock::default(), BTreeMap::new());
            for (at, kind, size, shift) in changes {
                let at = Micros::new(at * 500_000).unwrap();
                let delta = match kind {
                    0 => Balance::from(i128::MAX) + Balance::from(size >> shift),
                    1 => -Balance::from(i128::MAX) + Balance::from(size),
                    _ => Balance::from(size >> shift),
                };
                let last = expected.last_key_value().map(|(last, _)| *last);
                let is_known = expected.contains_key(&at);
                let step = Step { at, delta: delta.into() };
                if last.is_none_or(|last| last < at) {
                    block.push(step);
                } else {
                    prop_assert_eq!(block.add(step), !is_known);
                }
                *expected.entry(at).or_insert(Balance::ZERO) += delta;
                prop_assert!(is_same(&block, &expected));
            }
            let cut = cut.min(block.len());
            let mut left = block.clone();
            let right = left.split_off(cut);
            prop_assert_eq!((left.len(), right.len()), (cut, block.len() - cut));
            left.append(right);
            prop_assert!(is_same(&left, &expected));
            while let Some((at, _)) = expected.pop_first() {
                block.remove(at);
                block.remove(at);
                prop_assert!(is_same(&block, &expected));
            }
        }
    }
}
