//! One change of one balance of a batch in 8 bytes: its holder and its place in the log of its lane.
//!
//! The holder has a number in its partition and lane, see [`super::ledger`]; both balances that a transfer changes refer
//! to one place, see [`super::change_log`].

/// A change of the balance of a holder.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Entry {
    /// The number of the holder in its partition.
    holder: u32,
    side: Side,
}

const _: () = assert!(size_of::<Entry>() == 8);

/// The place of a change in its log, and in the lowest bit whether the balance becomes less.
#[derive(Clone, Copy, PartialEq, Eq, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(super) struct Side(u32);

impl Entry {
    #[inline]
    pub(super) const fn new(holder: u32, side: Side) -> Self {
        Self { holder, side }
    }

    #[inline]
    pub(super) const fn holder(self) -> usize {
        self.holder as usize
    }

    #[inline]
    pub(super) const fn side(self) -> Side {
        self.side
    }
}

impl Side {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "asserted")]
    pub(super) fn new(place: usize, is_negative: bool) -> Self {
        assert!(
            place < 1 << (u32::BITS - 1),
            "at most 2^31 changes of a lane, which are 86 GB"
        );
        Self((place as u32) << 1 | u32::from(is_negative))
    }

    #[inline]
    pub(super) const fn place(self) -> usize {
        (self.0 >> 1) as usize
    }

    #[inline]
    pub(super) const fn is_negative(self) -> bool {
        self.0 & 1 == 1
    }
}
