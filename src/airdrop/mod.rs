//! From scores to amounts that sum to a pool: values in, values out.
//!
//! Opens no file and reads no clock; a list is bytes here. Reading order: [`units`] (amounts as text),
//! [`address`] (recipients), [`selection`] (the scores that count, and their holders), [`allocation`] (the
//! amounts), [`list`] (the amounts as CSV), [`tree`] and [`standard`] (Merkle trees over a list, as contracts check
//! them).

mod address;
mod allocation;
mod keccak;
mod list;
mod selection;
mod standard;
mod tree;
mod units;

pub use address::{AddressError, AddressKind, EvmAddress};
pub use allocation::{Allocation, AllocationError, Curve, Share, Terms, allocate};
pub use list::{List, ListError, Recipient};
pub use selection::{Selected, Selection, SelectionError, select};
pub use standard::{HexHash, Proof, StandardTree, TreeError};
pub use tree::Hash;
pub use units::{UnitsError, parse_units};
