//! What every key held within a window, for policies that are computed elsewhere.

use rayon::prelude::*;

use super::hold_aggregator::HoldAggregator;
use super::questions::Question;
use crate::core::HeldSegment;
use crate::core::key::PARTS;

/// One key and its segments within a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHeld {
    /// The holder.
    pub holder_id: Box<str>,
    /// The token.
    pub token_id: Box<str>,
    /// In order of time; at least one.
    pub segments: Vec<HeldSegment>,
}

impl HoldAggregator {
    /// The keys that are held at some time within the window of `question`, by `holder_id`, then `token_id`.
    #[must_use]
    pub fn held(&self, question: &Question) -> Vec<KeyHeld> {
        let Some(tokens) = self.tokens_of(question) else {
            return Vec::new();
        };
        let of_part = |part: usize| {
            let shard = self.shard(part);
            let names = self.tokens.names();
            let mut keys = Vec::new();
            for holder in shard.holders() {
                let all = holder.state.keys().iter();
                for (token, key) in all.filter(|(token, _)| tokens.include(*token)) {
                    let mut segments = Vec::new();
                    key.facts.held_within(&question.window, &mut segments);
                    if !segments.is_empty() {
                        keys.push(KeyHeld {
                            holder_id: holder.id.clone(),
                            token_id: names.get(token).into(),
                            segments,
                        });
                    }
                }
            }
            keys
        };
        let mut keys: Vec<KeyHeld> = (0..PARTS).into_par_iter().flat_map_iter(of_part).collect();
        keys.par_sort_unstable_by(|a, b| {
            (&a.holder_id, &a.token_id).cmp(&(&b.holder_id, &b.token_id))
        });
        keys
    }
}
