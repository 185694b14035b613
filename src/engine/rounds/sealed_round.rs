//! A round in memory: its list with its tree, and the proof of each holder.
//!
//! Built from the list alone, and compared with the root that was sealed.

use std::sync::Arc;

use serde_json::Value;

use super::error::RoundError;
use super::manifest::RoundManifest;
use super::request::RoundPlan;
use crate::airdrop::{AddressKind, Document, DocumentError, Hash, HexHash, List};

/// A round whose proofs can be asked for.
pub(super) struct SealedRound {
    pub(super) manifest: Arc<RoundManifest>,
    document: Document,
    /// The rows in the order of their holders, as the document names these.
    by_holder: Box<[u32]>,
}

/// What a holder shows to the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundProof {
    /// The round.
    pub manifest: Arc<RoundManifest>,
    /// The values of the leaf, as the tree's format has them.
    pub value: Vec<Value>,
    /// Base units.
    pub amount: String,
    /// The leaf.
    pub leaf: Hash,
    /// The siblings from the leaf up to the root.
    pub proof: Vec<Hash>,
}

/// The tree of a checked list.
pub(super) fn tree_of(list: List, plan: &RoundPlan) -> Result<Document, DocumentError> {
    let list = match plan.token {
        Some(token) => list.of_token(&token),
        None => list,
    };
    Document::of_list(&list, plan.format, plan.details())
}

impl SealedRound {
    pub(super) fn new(manifest: Arc<RoundManifest>, document: Document) -> Self {
        let rows = u32::try_from(document.len()).expect("a round has less than 2^32 recipients");
        let mut by_holder: Vec<u32> = (0..rows).collect();
        by_holder.sort_by_cached_key(|&row| document.holder(row as usize));
        Self {
            manifest,
            document,
            by_holder: by_holder.into(),
        }
    }

    /// Whether the tree is the one that was sealed.
    pub(super) fn has_sealed_root(&self) -> bool {
        HexHash(&self.document.root()).to_string() == self.manifest.root
    }

    pub(super) fn leaves(&self) -> usize {
        self.document.len()
    }

    /// The proof of a holder, given as an address in any case.
    pub(super) fn proof(&self, holder: &str) -> Result<RoundProof, RoundError> {
        let kind = self.document.format().addresses();
        let name = kind
            .canonical(holder)
            .map_err(|error| RoundError::Address(error.to_string()))?;
        let name = match kind {
            AddressKind::Evm => name.to_ascii_lowercase(),
            AddressKind::Solana | AddressKind::Text => name.into(),
        };
        let found = self.by_holder.binary_search_by(|&row| {
            let known = self.document.holder(row as usize);
            known.as_deref().cmp(&Some(name.as_str()))
        });
        let place = found.map_err(|_| RoundError::NotInRound(holder.to_owned()))?;
        let row = self.by_holder[place] as usize;
        let mut proof = Vec::new();
        self.document.proof_into(row, &mut proof);
        let values = self.document.values(row);
        Ok(RoundProof {
            manifest: Arc::clone(&self.manifest),
            value: values
                .map(|json| serde_json::from_str(json).expect("a cell is JSON"))
                .collect(),
            amount: self.document.amount(row).to_string(),
            leaf: self.document.leaf(row),
            proof,
        })
    }
}
