//! One event of a batch in 56 bytes.
//!
//! Two instants take 59 bits each, counted from the year 1; what is left of their words tells how
//! the holder is coded and what kind of fact it is.

use super::holder_code::{Form, HolderCode};
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
    holder: [u8; 20],
    /// Number of the token.
    token: u32,
    /// Start of a hold, instant of a mark; above it the holder's form.
    start: u64,
    /// End of a hold; above it the kind.
    end: u64,
    /// Steps of the weight, low half first; for a named event its place among the named ones.
    weight: [u64; 2],
}

const _: () = assert!(size_of::<Record>() == 56);

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A plain fact.
    Plain(Fact),
    /// A named event, at this place among the named events of its partition and lane.
    Named(u64),
}

const CLOSED: u64 = 0;
const START: u64 = 1;
const STOP: u64 = 2;
const NAMED: u64 = 3;

impl Record {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a weight is split into its halves"
    )]
    pub(super) fn new(holder: HolderCode, token: IdNumber, content: Content) -> Self {
        let (kind, start, end, weight) = match content {
            Content::Plain(Fact::Closed { start, end, weight }) => {
                (CLOSED, years_from(start), years_from(end), weight.steps())
            }
            Content::Plain(Fact::Start { at, weight }) => {
                (START, years_from(at), 0, weight.steps())
            }
            Content::Plain(Fact::Stop { at }) => (STOP, years_from(at), 0, 0),
            Content::Named(place) => (NAMED, 0, 0, u128::from(place)),
        };
        Self {
            holder: holder.bytes,
            token: token.0,
            start: start | holder.form.bits() << TIME_BITS,
            end: end | kind << TIME_BITS,
            weight: [weight as u64, (weight >> 64) as u64],
        }
    }

    #[inline]
    pub(super) fn holder(&self) -> HolderCode {
        HolderCode {
            bytes: self.holder,
            form: Form::from_bits(self.start >> TIME_BITS),
        }
    }

    pub(super) const fn token(&self) -> IdNumber {
        IdNumber(self.token)
    }

    /// The hold, where this is a plain closed one.
    #[inline]
    pub(super) fn closed(&self) -> Option<(Micros, Micros, Wad)> {
        (self.end >> TIME_BITS == CLOSED)
            .then(|| (instant(self.start), instant(self.end), self.steps()))
    }

    #[inline]
    pub(super) fn content(&self) -> Content {
        let weight = self.steps();
        match self.end >> TIME_BITS {
            CLOSED => Content::Plain(Fact::Closed {
                start: instant(self.start),
                end: instant(self.end),
                weight,
            }),
            START => Content::Plain(Fact::Start {
                at: instant(self.start),
                weight,
            }),
            STOP => Content::Plain(Fact::Stop {
                at: instant(self.start),
            }),
            _ => Content::Named(self.weight[0]),
        }
    }

    #[inline]
    fn steps(&self) -> Wad {
        Wad::from_steps(u128::from(self.weight[0]) | u128::from(self.weight[1]) << 64)
    }
}

#[inline]
fn years_from(at: Micros) -> u64 {
    at.get().abs_diff(Micros::MIN.get())
}

#[inline]
fn instant(word: u64) -> Micros {
    Micros::MIN.after(word & TIME_MASK)
}
