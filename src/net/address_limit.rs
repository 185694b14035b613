//! Limits the open connections of each client address, so that one client cannot take the room of all others.
//!
//! Counts only; `listener` closes the connections that get no permit.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use dashmap::{DashMap, Entry};

/// The number of open connections of each address.
pub(super) struct AddressLimit {
    open: DashMap<IpAddr, usize>,
    per_address_max: usize,
}

/// The right to one open connection, given back when it is dropped.
pub(super) struct AddressPermit {
    limit: Arc<AddressLimit>,
    network: IpAddr,
}

impl AddressLimit {
    /// Allows `per_address_max` open connections for each address.
    pub(super) fn new(per_address_max: usize) -> Self {
        Self {
            open: DashMap::new(),
            per_address_max,
        }
    }

    /// A permit for a connection from `address`; `None` if the address already has as many as it may.
    pub(super) fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let network = network(address);
        let mut count = self.open.entry(network).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some(AddressPermit {
            limit: Arc::clone(self),
            network,
        })
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let Entry::Occupied(mut count) = self.limit.open.entry(self.network) else {
            unreachable!("the permit was counted under its address");
        };
        *count.get_mut() -= 1;
        // An address without connections keeps no entry, or the map would only grow.
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// The part of an address that identifies one client: all of IPv4, the first 64 bits of IPv6.
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
    fn an_address_is_counted_by_the_part_that_its_client_cannot_change() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1:a::1"), of("2001:db8:0:1:b::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }

    #[test]
    fn each_address_has_its_own_limit_and_dropped_permits_are_given_back() {
        let limit = Arc::new(AddressLimit::new(2));
        let acquire = |text: &str| limit.acquire(text.parse().unwrap());
        let (first, second) = (acquire("10.0.0.1"), acquire("10.0.0.1"));
        assert!(first.is_some() && second.is_some());
        assert!(acquire("10.0.0.1").is_none());
        let other = acquire("10.0.0.2");
        assert!(other.is_some());
        drop(first);
        assert!(acquire("10.0.0.1").is_some());
        drop((second, other));
        assert!(limit.open.is_empty());
    }

    #[test]
    fn connections_that_open_and_close_at_once_are_counted_exactly() {
        let limit = Arc::new(AddressLimit::new(usize::MAX));
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        let permits = [limit.acquire(address), limit.acquire(address)];
                        assert!(permits.iter().all(Option::is_some));
                    }
                });
            }
        });
        assert!(limit.open.is_empty());
    }
}
