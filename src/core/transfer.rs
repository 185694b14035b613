//! The parties of a transfer, and the changes of balance that it makes.
//!
//! The fields of a transfer are checked in [`super::draft`].

use super::{Delta, Wad};

/// The party of a transfer that does not count as a holder: tokens are minted from it and burned to it.
pub const NULL_ADDRESS: &str = "0x0000000000000000000000000000000000000000";

/// Whether a party of a transfer counts as a holder: not if it is missing, empty or the [`NULL_ADDRESS`].
#[inline]
pub(crate) fn is_holder(party: Option<&str>) -> bool {
    party.is_some_and(|id| !id.is_empty() && !are_same(id, NULL_ADDRESS))
}

/// Whether two ids are the same. Nearly all addresses differ in their last bytes, which are compared without a call.
#[inline]
fn are_same(id: &str, other: &str) -> bool {
    id.as_bytes().last_chunk::<8>() == other.as_bytes().last_chunk::<8>() && id == other
}

/// The holders between which an amount is transferred: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parties<'a> {
    sender: Option<&'a str>,
    receiver: Option<&'a str>,
}

impl<'a> Parties<'a> {
    /// `None` if neither party is a holder.
    #[inline]
    pub(super) fn new(from_id: Option<&'a str>, to_id: Option<&'a str>) -> Option<Self> {
        let sender = from_id.filter(|_| is_holder(from_id));
        let receiver = to_id.filter(|_| is_holder(to_id));
        (sender.is_some() || receiver.is_some()).then_some(Self { sender, receiver })
    }

    /// The holders and by how much their balances change: one by 0 if both are the same.
    #[inline]
    pub(super) fn deltas(self, amount: Wad) -> impl Iterator<Item = (&'a str, Delta)> {
        let (gives, takes) = if let (Some(sender), Some(receiver)) = (self.sender, self.receiver)
            && are_same(sender, receiver)
        {
            (None, Some((receiver, Delta::ZERO)))
        } else {
            let change =
                |is_negative| move |holder_id| (holder_id, Delta::new(amount, is_negative));
            (
                self.sender.map(change(true)),
                self.receiver.map(change(false)),
            )
        };
        gives.into_iter().chain(takes)
    }
}
