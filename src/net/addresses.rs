//! Open connections by the address that they come from, so that one caller leaves room for others.
//!
//! Counts only; who may not come in is turned away by `listener`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the open connections of each address.
pub(super) struct Addresses {
    open: Mutex<HashMap<IpAddr, usize>>,
    per_address_max: usize,
}

/// The place of one open connection; free again once it is dropped.
pub(super) struct Place {
    addresses: Arc<Addresses>,
    network: IpAddr,
}

impl Addresses {
    /// Lets in `per_address_max` connections of each address at once.
    pub(super) fn new(per_address_max: usize) -> Self {
        Self {
            open: Mutex::default(),
            per_address_max,
        }
    }

    /// A place for a connection from `address`; `None` where that address has all that it may have.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut open = self.open();
        let count = open.entry(network).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some(Place {
            addresses: Arc::clone(self),
            network,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open();
        let count = open.get_mut(&self.network).expect("it was counted");
        *count -= 1;
        // Addresses that are gone leave nothing behind.
        if *count == 0 {
            open.remove(&self.network);
        }
    }
}

/// The part of an address that one caller has for itself: all of IPv4, the first half of IPv6.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            Ipv6Addr::from(segments).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_by_what_its_caller_can_change_at_will() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1:a::1"), of("2001:db8:0:1:b::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn each_address_has_places_of_its_own_and_gives_them_back() {
        let addresses = Arc::new(Addresses::new(2));
        let enter = |text: &str| addresses.enter(text.parse().unwrap());
        let (first, second) = (enter("10.0.0.1"), enter("10.0.0.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("10.0.0.1").is_none());
        let other = enter("10.0.0.2");
        assert!(other.is_some());
        drop(first);
        assert!(enter("10.0.0.1").is_some());
        drop((second, other));
        assert!(addresses.open().is_empty());
    }
}
