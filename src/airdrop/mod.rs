//! From scores to amounts that sum to a pool, and to Merkle trees over them: values in, values out.
//!
//! Opens no file and reads no clock; a list is bytes here. Reading order: [`units`] (amounts as text), [`address`]
//! (recipients), [`selection`] (the scores that count, and their holders), [`allocation`] (the amounts), [`list`] (the
//! amounts as CSV), [`format`], [`document`], [`construction`] and [`document_files`] (a list with its tree, as
//! contracts check it), [`leaf`], [`tree`] and [`layers`] (the hashes).

mod abi;
mod address;
mod allocation;
mod claims;
mod compare;
mod construction;
mod document;
mod document_error;
mod document_files;
mod dump;
mod export;
mod format;
mod keccak;
mod layers;
mod leaf;
mod list;
mod sablier;
mod selection;
mod shards;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod units;

pub use abi::{AbiType, TypeError, ValueError};
pub use address::{AddressError, AddressKind, EvmAddress};
pub use allocation::{Allocation, AllocationError, Curve, Share, Terms, allocate};
pub use document::{Details, Document};
pub use document_error::DocumentError;
pub use export::ExportFormat;
pub use format::Format;
pub use list::{List, ListError, PaymentError};
pub use selection::{Selected, Selection, SelectionError, select};
pub use text::{Done, HexHash};
pub use tree::{Hash, MultiProof};
pub use units::{UnitsError, format_units, parse_units};
