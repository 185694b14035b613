//! Why a holder gets its amount: the keys behind its score, its share of the pool, and what is rounded.
//!
//! Everything is computed from the events and the [`Division`], so that [`Explanation::computed_again`] checks an
//! explanation that comes from elsewhere. Where the events come from is not known here; [`super::bundle`] adds the
//! leaf.

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use super::explained_key::ExplainedKey;
use super::explanation_error::ExplanationError;
use super::recorded::Text;
use super::{Division, LastSpare, Terms};
use crate::core::{HeldBy, HeldKey, HeldSegment, Score, ScoreRule, Window};

/// What an amount was computed under.
#[derive(Clone, Copy)]
pub struct Conditions<'a> {
    /// The time that counts.
    pub window: Window,
    /// What is shared, and how.
    pub terms: Terms,
    /// The policy under which scores are published; `None` for the scores themselves.
    pub rule: Option<&'a dyn ScoreRule>,
}

/// One holder's amount, from the events to the last unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// As the list names it.
    pub holder_id: Box<str>,
    /// Base units.
    pub amount: Text<U256>,
    /// The sum of `scores`.
    pub score: Text<Score>,
    /// From the score to the amount.
    pub share: ExplainedShare,
    /// Published scores that are added up for this holder, ascending by `holder_id`.
    pub scores: Vec<ExplainedScore>,
}

/// floor(rest x weight / total), its remainder, and the spare unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedShare {
    /// The score in steps of 1e-24, or its root.
    pub weight: Text<U256>,
    /// The sum of the weights of all holders below the cap.
    pub total: Text<U256>,
    /// The part of the pool that these holders share.
    pub rest: Text<U256>,
    /// Whether the share would be above the cap.
    pub is_capped: bool,
    /// Base units, or the cap.
    pub floor: Text<U256>,
    /// What is left of the division.
    pub remainder: Text<U256>,
    /// Whether a spare unit is added to the floor.
    pub has_spare_unit: bool,
    /// The last holder that gets a spare unit; absent if there is none.
    pub last_spare_unit: Option<ExplainedSpare>,
}

/// The holder with the smallest remainder that gets a spare unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedSpare {
    /// Holders with a larger remainder get a unit, too.
    pub remainder: Text<U256>,
    /// Of those with an equal one, the holders up to this one by bytes.
    pub holder_id: Box<str>,
}

/// One published score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedScore {
    /// The name under which it is published.
    pub holder_id: Box<str>,
    /// The sum of the segments, or what the policy makes of them.
    pub score: Text<Score>,
    /// The keys behind it, ascending by `holder_id`, then `token_id`.
    pub keys: Vec<ExplainedKey>,
}

impl Conditions<'_> {
    /// The holders whose segments are behind the score that is published under a name.
    #[must_use]
    pub fn members_of(&self, name: &str) -> Vec<Box<str>> {
        let groups = self.rule.map_or(&[][..], |rule| rule.groups());
        let group = groups.iter().find(|group| *group.holder_id == *name);
        group.map_or_else(|| vec![name.into()], |group| group.members.to_vec())
    }
}

impl Explanation {
    /// Explains the amount of a holder by its scores, which need not be in order.
    pub fn new(
        holder_id: &str,
        mut scores: Vec<ExplainedScore>,
        division: &Division,
        conditions: &Conditions<'_>,
    ) -> Result<Self, ExplanationError> {
        scores.sort_unstable_by(|a, b| a.holder_id.cmp(&b.holder_id));
        let names = scores.iter().map(|score| &*score.holder_id);
        check_order("scores", names)?;
        let mut sum = U256::ZERO;
        for score in &scores {
            let more = sum.checked_add(score.score.0.steps());
            sum = more.ok_or_else(|| ExplanationError::TooLarge(holder_id.into()))?;
        }
        let terms = &conditions.terms;
        if division.rest > terms.pool {
            let (rest, pool) = (division.rest, terms.pool);
            return Err(ExplanationError::Rest { rest, pool });
        }
        let (weight, total) = (terms.curve.weight(sum), division.total);
        let portion = division
            .portion(holder_id, sum, terms)
            .ok_or(ExplanationError::Total { total, weight })?;
        let (amount, minimum) = (portion.amount(), terms.minimum);
        if amount < minimum {
            return Err(ExplanationError::Minimum { amount, minimum });
        }
        let spare = division.last_spare.as_ref();
        // A remainder of one holder makes at least one spare unit, and there are fewer of these than remainders.
        let remainder = portion.remainder;
        let is_possible = spare.map_or(remainder.is_zero(), |last| {
            !last.remainder.is_zero() && last.remainder < total
        });
        if !is_possible {
            return Err(ExplanationError::LastSpare { remainder, total });
        }
        Ok(Self {
            holder_id: holder_id.into(),
            amount: Text(amount),
            score: Text(Score::from_steps(sum)),
            share: ExplainedShare {
                weight: Text(portion.weight),
                total: Text(division.total),
                rest: Text(division.rest),
                is_capped: portion.is_capped,
                floor: Text(portion.floor),
                remainder: Text(remainder),
                has_spare_unit: portion.has_spare,
                last_spare_unit: spare.map(|last| ExplainedSpare {
                    remainder: Text(last.remainder),
                    holder_id: last.holder_id.clone(),
                }),
            },
            scores,
        })
    }

    /// How the holders below the cap share.
    #[must_use]
    pub fn division(&self) -> Division {
        let last = self.share.last_spare_unit.as_ref();
        Division {
            rest: self.share.rest.0,
            total: self.share.total.0,
            last_spare: last.map(|last| LastSpare {
                remainder: last.remainder.0,
                holder_id: last.holder_id.clone(),
            }),
        }
    }

    /// The same, with all that follows from the events, the total and the last spare unit computed anew.
    pub fn computed_again(&self, conditions: &Conditions<'_>) -> Result<Self, ExplanationError> {
        let scores = self.scores.iter().map(|score| {
            let keys = score.keys.iter().map(|key| {
                ExplainedKey::of_events(&key.holder_id, &key.token_id, &key.events, conditions)
            });
            let keys = keys.collect::<Result<_, _>>()?;
            ExplainedScore::new(&score.holder_id, keys, conditions)
        });
        let scores = scores.collect::<Result<_, _>>()?;
        Self::new(&self.holder_id, scores, &self.division(), conditions)
    }
}

impl ExplainedScore {
    /// A score that does not follow from segments by known steps, with the keys of its holder, which are sorted.
    #[must_use]
    pub fn stated(holder_id: &str, keys: Vec<ExplainedKey>, score: Score) -> Self {
        Self {
            holder_id: holder_id.into(),
            score: Text(score),
            keys,
        }
    }

    /// The score that is published under `holder_id` for these keys, which need not be in order.
    pub fn new(
        holder_id: &str,
        mut keys: Vec<ExplainedKey>,
        conditions: &Conditions<'_>,
    ) -> Result<Self, ExplanationError> {
        keys.sort_unstable_by(|a, b| (&a.holder_id, &a.token_id).cmp(&(&b.holder_id, &b.token_id)));
        let is_again = |pair: &&[ExplainedKey]| {
            (&pair[0].holder_id, &pair[0].token_id) == (&pair[1].holder_id, &pair[1].token_id)
        };
        if let Some(again) = keys.windows(2).find(is_again) {
            return Err(ExplanationError::Order {
                what: "keys",
                holder_id: again[1].token_id.clone(),
            });
        }
        let members = conditions.members_of(holder_id);
        if let Some(key) = keys.iter().find(|key| !members.contains(&key.holder_id)) {
            return Err(ExplanationError::Member {
                token_id: key.token_id.clone(),
                holder_id: key.holder_id.clone(),
                of: holder_id.into(),
            });
        }
        let score = match conditions.rule {
            None => {
                let mut sum = Score::ZERO;
                for segment in keys.iter().flat_map(|key| &key.segments) {
                    sum += segment.score.0;
                }
                sum
            }
            Some(rule) => published(rule, &keys, &conditions.window)
                .ok_or_else(|| ExplanationError::NotPublished(holder_id.into()))?,
        };
        Ok(Self {
            holder_id: holder_id.into(),
            score: Text(score),
            keys,
        })
    }
}

/// What `rule` publishes for the keys, which are sorted by their holders.
fn published(rule: &dyn ScoreRule, keys: &[ExplainedKey], window: &Window) -> Option<Score> {
    let segments: Vec<Vec<HeldSegment>> = keys.iter().map(ExplainedKey::held).collect();
    let held: Vec<_> = keys
        .iter()
        .zip(&segments)
        .map(|(key, segments)| HeldKey {
            token_id: &key.token_id,
            segments,
        })
        .collect();
    let mut holders = Vec::new();
    let mut first = 0;
    for of_holder in keys.chunk_by(|a, b| a.holder_id == b.holder_id) {
        let next = first + of_holder.len();
        holders.push(HeldBy {
            holder_id: &of_holder[0].holder_id,
            keys: &held[first..next],
        });
        first = next;
    }
    rule.score(&holders, window)
}

/// Fails unless all are different and in ascending order.
fn check_order<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), ExplanationError> {
    let mut before = None;
    for name in names {
        if before.is_some_and(|before| before >= name) {
            return Err(ExplanationError::Order {
                what,
                holder_id: name.into(),
            });
        }
        before = Some(name);
    }
    Ok(())
}
