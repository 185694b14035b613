//! A bundle: everything behind one payment, which its holder can check without the inputs, the list or a server.
//!
//! Checking computes all of it again from the events, the value of the leaf and the proof, and compares the text, as
//! [`super::compare`] does for trees; a hash over the rest shows whether what is not computed, like the manifest, was
//! changed. What a manifest says is the caller's business.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::compare::{compact, difference};
use super::document_error::json_reason;
use super::explanation::{Conditions, Explanation};
use super::explanation_error::ExplanationError;
use super::leaf_proof::{LeafError, LeafProof};
use super::recorded::Text;
use super::tree::Hash;
use crate::excerpt::quoted;

/// What the file is, and the version of its fields.
const FORMAT: &str = "holdmetrics-airdrop-bundle-1";

/// The fields, in their order; `M` is the manifest of the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle<M> {
    format: Box<str>,
    /// What the list was computed from.
    pub manifest: M,
    /// The canonical document of the policy under which the scores are published; absent for the scores themselves.
    pub policy: Option<Box<str>>,
    /// From events to the amount.
    pub explanation: Explanation,
    /// From the amount to the root; absent if the list has no tree.
    pub claim: Option<LeafProof>,
    /// SHA-256 of an array of the fields before, as JSON without white space.
    sha256: Text<Hash>,
}

/// Why a bundle is not right.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not JSON of the format.
    #[error("not a bundle: {0}")]
    Json(String),
    /// Another format or version.
    #[error("format: {} is not {FORMAT}", quoted(.0))]
    Format(Box<str>),
    /// Something from which the amount cannot be computed.
    #[error("explanation: {0}")]
    Explanation(#[from] ExplanationError),
    /// Something from which the leaf cannot be computed.
    #[error("claim: {0}")]
    Leaf(#[from] LeafError),
    /// The leaf pays somebody else, or another amount.
    #[error("claim: the leaf pays {paid} base units to {}, the explanation is of {amount} to {}", quoted(.payee), quoted(.holder_id))]
    Payment {
        /// By the leaf.
        payee: Box<str>,
        /// By the leaf.
        paid: ruint::aliases::U256,
        /// By the explanation.
        holder_id: Box<str>,
        /// By the explanation.
        amount: ruint::aliases::U256,
    },
    /// Not what the events, the value and the proof give.
    #[error("{0}")]
    Different(String),
}

impl<M: Clone + Serialize + DeserializeOwned> Bundle<M> {
    /// Puts the parts together.
    ///
    /// # Panics
    /// If the manifest cannot be written as JSON.
    #[must_use]
    pub fn new(
        manifest: M,
        policy: Option<Box<str>>,
        explanation: Explanation,
        claim: Option<LeafProof>,
    ) -> Self {
        let format = FORMAT.into();
        let hashed = serde_json::to_vec(&(&format, &manifest, &policy, &explanation, &claim));
        let hash = Sha256::digest(hashed.expect("a bundle is JSON"));
        Self {
            format,
            manifest,
            policy,
            explanation,
            claim,
            sha256: Text(hash.into()),
        }
    }

    /// The text of the file.
    ///
    /// # Panics
    /// If the manifest cannot be written as JSON.
    #[must_use]
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("a bundle is JSON");
        format!("{text}\n")
    }

    /// Reads the fields; [`Bundle::check`] says whether they are right.
    pub fn parse(text: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self =
            serde_json::from_slice(text).map_err(|error| BundleError::Json(json_reason(&error)))?;
        if *bundle.format != *FORMAT {
            return Err(BundleError::Format(bundle.format));
        }
        Ok(bundle)
    }

    /// Computes everything again and compares it with the `text` that the bundle was read from. White space between the
    /// values does not count.
    ///
    /// # Panics
    /// If the manifest cannot be written as JSON.
    pub fn check(&self, text: &[u8], conditions: &Conditions<'_>) -> Result<(), BundleError> {
        let explanation = self.explanation.computed_again(conditions)?;
        let claim = self.claim.as_ref().map(LeafProof::computed_again);
        let claim = claim.transpose()?;
        // Of the parts, then of the hash over them: whatever is computed is told before what is only hashed.
        let computed = Self {
            explanation,
            claim,
            ..self.clone()
        };
        let hashed = Self::new(
            self.manifest.clone(),
            self.policy.clone(),
            self.explanation.clone(),
            self.claim.clone(),
        );
        let compacted = compact(text);
        for expected in [&computed, &hashed] {
            let expected = serde_json::to_vec(expected).expect("a bundle is JSON");
            if let Some(found) = difference(&compacted, |out| out.write_all(&expected)) {
                let said = found.said(text, "what it follows from gives");
                return Err(BundleError::Different(said));
            }
        }
        self.check_payment()
    }

    fn check_payment(&self) -> Result<(), BundleError> {
        let Some(claim) = &self.claim else {
            return Ok(());
        };
        let (payee, paid) = claim.payment()?;
        let (holder_id, amount) = (&self.explanation.holder_id, self.explanation.amount.0);
        if payee == *holder_id && paid == amount {
            return Ok(());
        }
        Err(BundleError::Payment {
            payee,
            paid,
            holder_id: holder_id.clone(),
            amount,
        })
    }
}

#[cfg(test)]
mod tests;
