//! From scores to amounts that sum to a pool, and to Merkle trees over them: values in, values out.
//!
//! Opens no file and reads no clock; a list is bytes here. Reading order: [`units`] (amounts as text), [`address`]
//! (recipients), [`selection`] (the scores that count, and their holders), [`allocation`] (the amounts), [`list`] (the
//! amounts as CSV), [`payout`] (all of these in one step), [`format`], [`document`], [`construction`] and
//! [`document_files`] (a list with its tree, as contracts check it), [`leaf`], [`tree`] and [`layers`] (the hashes).
//! [`explanation`], [`explained_key`] and [`bundle`] say why a holder gets its amount, [`restate`](mod@restate) what a
//! correction changes.

mod abi;
mod address;
mod allocation;
mod behind;
mod bundle;
mod claims;
mod compare;
mod construction;
mod document;
mod document_error;
mod document_files;
mod dump;
mod explained_key;
mod explanation;
mod explanation_error;
mod export;
mod format;
mod keccak;
mod layers;
mod leaf;
mod leaf_proof;
mod list;
mod list_error;
mod payout;
mod recorded;
mod restate;
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
pub use allocation::{
    Allocation, AllocationError, Curve, Division, LastSpare, Portion, Share, Terms, allocate,
};
pub use bundle::{Bundle, BundleError};
pub use document::{Details, Document};
pub use document_error::DocumentError;
pub use explained_key::{ExplainedEvent, ExplainedKey, ExplainedSegment};
pub use explanation::{Conditions, ExplainedScore, ExplainedShare, ExplainedSpare, Explanation};
pub use explanation_error::ExplanationError;
pub use export::ExportFormat;
pub use format::Format;
pub use leaf_proof::{LeafError, LeafProof};
pub use list::List;
pub use list_error::{ListError, PaymentError};
pub use payout::{Payout, PayoutCounts, PayoutError, REMAINDER_RULE, pay};
pub use recorded::{Recorded, SCORE_PLACES, Text};
pub use restate::{
    RestateError, Restated, RestatedCounts, RestatedSums, Restatement, SignedUnits, restate,
};
pub use selection::{Selected, Selection, SelectionError, select};
pub use text::{Done, HexHash};
pub use tree::{Hash, MultiProof};
pub use units::{PLACES_MAX, UnitsError, format_units, parse_units};
