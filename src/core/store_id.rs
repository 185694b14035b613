//! The identity of a store: a random number of 128 bits that every file of the store carries.
//!
//! It tells files of different stores apart, and says nothing about what is in them.

use std::fmt;
use std::num::NonZeroU128;

/// The identity of a store, shown as 32 hexadecimal digits.
///
/// ```
/// use poh_holdmetrics_rust::core::StoreId;
///
/// let id = StoreId::from_bytes([0xab; 16]).expect("not zero");
/// assert_eq!(id.to_string(), "ab".repeat(16));
/// assert_eq!(StoreId::from_bytes([0; 16]), None, "a file without an identity");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(NonZeroU128);

impl StoreId {
    /// The identity with these bytes; `None` if all of them are zero.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        NonZeroU128::new(u128::from_be_bytes(bytes)).map(Self)
    }

    /// Its bytes, in the order of its digits.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
