//! Ready policies: what is published for the exact segments of holders, from a JSON document. Values in, values
//! out, integers only, as in [`crate::core`].
//!
//! The package `poh_holdmetrics.policies` computes the same in Python; `docs/policies.md` defines each step. Read
//! [`definition`] (a policy as a [`crate::core::ScoreRule`]), `document` and `json` (how it is read), `values` (its
//! parameters), `step`, `pieces` and `links` (what it does to the pieces of a key). Many holders are scored elsewhere,
//! see [`crate::aggregator::PublishedScores`].

mod definition;
mod document;
mod json;
mod links;
mod pieces;
mod step;
#[cfg(test)]
mod tests;
mod values;

pub use definition::Policy;
pub use values::PolicyError;
