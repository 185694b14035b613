//! The pieces of one key, which the steps of a policy cut, leave out and multiply.
//!
//! A multiplier is a product of millionths, one factor for each step that multiplies. A streak is a run of
//! pieces that follow each other without a gap.

use ruint::Uint;
use ruint::aliases::U256;

use super::values::MILLION;
use crate::core::HeldSegment;

/// Wide enough for a balance of 2^255 steps over all of time, multiplied four times.
pub(super) type Wide = Uint<512, 8>;

/// Held at `weight` from `start` up to `end` (in microseconds), and counted `factor` times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) weight: U256,
    pub(super) factor: u128,
}

/// From an instant on, a multiplier in millionths.
pub(super) type Cut = (i64, u64);

impl From<&HeldSegment> for Piece {
    fn from(held: &HeldSegment) -> Self {
        Self {
            start: held.start.get(),
            end: held.end.get(),
            weight: held.weight.steps(),
            factor: 1,
        }
    }
}

impl Piece {
    fn times(&self, millionths: u64) -> Self {
        Self {
            factor: self.factor * u128::from(millionths),
            ..*self
        }
    }

    /// Weight times time times multiplier.
    pub(super) fn area(&self) -> Wide {
        let micros = self.end.abs_diff(self.start);
        Wide::from(self.weight) * Wide::from(u128::from(micros)) * Wide::from(self.factor)
    }
}

/// The runs without a gap.
pub(super) fn streaks(pieces: &[Piece]) -> impl Iterator<Item = &[Piece]> {
    pieces.chunk_by(|before, after| before.end == after.start)
}

/// Multiplies pieces by what `cuts` say, which are in order of time; before the first one by 1.
pub(super) fn multiply(
    pieces: &[Piece],
    cuts: &(impl Iterator<Item = Cut> + Clone),
    out: &mut Vec<Piece>,
) {
    for piece in pieces {
        let (mut rest, mut millionths) = (*piece, MILLION);
        for (at, following) in cuts.clone() {
            if at >= rest.end {
                break;
            }
            if at > rest.start {
                out.push(Piece { end: at, ..rest }.times(millionths));
                rest.start = at;
            }
            millionths = following;
        }
        out.push(rest.times(millionths));
    }
}
