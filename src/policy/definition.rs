//! A policy: steps one after the other, then each holder's sum, rounded down once.
//!
//! A holder is published if a piece of it is left after all steps. The version is the SHA-256 of the canonical
//! document and of the number of the definition of its steps.

use std::cell::RefCell;

use hashbrown::HashMap;
use ruint::aliases::U256;
use sha2::{Digest, Sha256};

use super::links::{LinkedKey, groups};
use super::pieces::{Piece, Wide};
use super::step::Step;
use super::values::{MILLION, PolicyError};
use super::{document, json};
use crate::core::{Group, HeldBy, Micros, Score, ScoreRule, Window};

/// What the text of a policy is hashed with: another definition of a step gets another number.
const DEFINITION: &str = "holdmetrics-policy-1\n";

/// A policy of ready steps.
///
/// ```
/// use poh_holdmetrics_rust::policy::Policy;
///
/// let policy = Policy::from_document(r#"{"steps": [{"step": "minimum_hold", "duration": "24h"}]}"#)?;
/// assert_eq!(policy.text(), r#"{"steps":[{"duration":"1d","step":"minimum_hold"}]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    steps: Vec<Step>,
    /// The product of all multipliers that are 1.
    scale: Wide,
    most: Score,
    groups: Vec<Group>,
    group_of: HashMap<Box<str>, usize>,
    text: String,
}

thread_local! {
    /// Memory for the pieces of one key, and for what a step makes of them.
    static BUFFERS: RefCell<(Vec<Piece>, Vec<Piece>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// If it is not a policy; names the step and the field.
    pub fn from_document(text: &str) -> Result<Self, PolicyError> {
        let steps = document::steps(text)?;
        let multiplying = steps.iter().filter(|step| step.multiplies());
        let scale = multiplying.fold(Wide::ONE, |scale, _| scale * Wide::from(MILLION));
        let most = match steps.last() {
            Some(Step::ScoreCap(most)) => *most,
            _ => Score::from_steps(U256::MAX),
        };
        let (groups, group_of) = groups(&steps);
        let values: Vec<_> = steps.iter().map(Step::value).collect();
        let text = json::canonical(&serde_json::json!({ "steps": values }));
        Ok(Self {
            steps,
            scale,
            most,
            groups,
            group_of,
            text,
        })
    }

    /// The canonical document.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 in hexadecimal digits; the same for every spelling of one policy, in every implementation.
    #[must_use]
    pub fn version(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(DEFINITION);
        hash.update(&self.text);
        hex::encode(hash.finalize())
    }

    /// The sum of one holder without a group; `None` if no piece is left.
    fn sum(&self, holder: &HeldBy<'_>, as_of: Micros) -> Option<Wide> {
        BUFFERS.with_borrow_mut(|(pieces, spare)| {
            let mut sum = None;
            for key in holder.keys {
                pieces.clear();
                pieces.extend(key.segments.iter().map(Piece::from));
                for step in &self.steps {
                    step.apply((holder.holder_id, key.token_id), as_of, pieces, spare);
                }
                add(&mut sum, pieces);
            }
            sum
        })
    }

    /// The sum of all members of a group.
    fn sum_of_group(&self, holders: &[HeldBy<'_>], as_of: Micros) -> Option<Wide> {
        let mut keys: Vec<_> = holders
            .iter()
            .flat_map(|holder| {
                holder.keys.iter().map(|key| LinkedKey {
                    holder_id: holder.holder_id,
                    token_id: key.token_id,
                    pieces: key.segments.iter().map(Piece::from).collect(),
                })
            })
            .collect();
        let mut spare = Vec::new();
        for step in &self.steps {
            if let Step::Linked(links) = step {
                keys = links.apply(keys);
                continue;
            }
            for key in &mut keys {
                let id = (key.holder_id, key.token_id);
                step.apply(id, as_of, &mut key.pieces, &mut spare);
            }
        }
        let mut sum = None;
        for key in &keys {
            add(&mut sum, &key.pieces);
        }
        sum
    }
}

impl ScoreRule for Policy {
    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn group_of(&self, holder_id: &str) -> Option<usize> {
        self.group_of.get(holder_id).copied()
    }

    fn depends_on_age(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Decay { .. }))
    }

    fn score(&self, holders: &[HeldBy<'_>], window: &Window) -> Option<Score> {
        let as_of = window.as_of;
        let sum = match holders {
            [holder] if !self.group_of.contains_key(holder.holder_id) => self.sum(holder, as_of),
            _ => self.sum_of_group(holders, as_of),
        }?;
        let steps = if self.scale == Wide::ONE {
            sum
        } else {
            sum / self.scale
        };
        let score = Score::from_steps(steps.saturating_to());
        Some(score.min(self.most))
    }
}

/// Adds the area of all pieces, if there are any.
fn add(sum: &mut Option<Wide>, pieces: &[Piece]) {
    for piece in pieces {
        let before = sum.unwrap_or(Wide::ZERO);
        *sum = Some(before + piece.area());
    }
}
