//! One step of a policy: its parameters, and what it does to the pieces of one key.
//!
//! Links join keys of several holders, see `links`; a limit of the score is that of a sum, see `definition`.

use ruint::aliases::U256;
use serde_json::{Value, json};

use super::links::Links;
use super::pieces::{Cut, Piece, multiply, streaks};
use super::values::{
    MILLION, Multipliers, text_of_duration, text_of_millionths, value_of_multipliers,
};
use crate::core::{Micros, Score, Wad};

/// Holders and tokens, each in order.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    pub(super) holders: Vec<Box<str>>,
    pub(super) tokens: Vec<Box<str>>,
}

/// A span of time and its multiplier.
#[derive(Clone, Debug)]
pub(super) struct Season {
    pub(super) start: Micros,
    pub(super) end: Micros,
    pub(super) millionths: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Exclude(Lists),
    Include(Lists),
    Linked(Links),
    MinimumHold {
        least_us: u64,
    },
    Tiers {
        tiers: Multipliers,
        is_whole: bool,
    },
    Decay {
        ages: Multipliers,
    },
    Seasons {
        seasons: Vec<Season>,
        otherwise: u64,
    },
    WeightCap(Wad),
    ScoreCap(Score),
}

impl Step {
    /// Whether each factor is multiplied by a number of millionths.
    pub(super) const fn multiplies(&self) -> bool {
        matches!(
            self,
            Self::Tiers { .. } | Self::Decay { .. } | Self::Seasons { .. }
        )
    }

    /// Changes the pieces of one key; `spare` is memory that may be used.
    pub(super) fn apply(
        &self,
        (holder_id, token_id): (&str, &str),
        as_of: Micros,
        pieces: &mut Vec<Piece>,
        spare: &mut Vec<Piece>,
    ) {
        spare.clear();
        match self {
            Self::Exclude(lists) => {
                if has(&lists.holders, holder_id) || has(&lists.tokens, token_id) {
                    pieces.clear();
                }
                return;
            }
            Self::Include(lists) => {
                let counts = |ids: &[Box<str>], id| ids.is_empty() || has(ids, id);
                if !counts(&lists.holders, holder_id) || !counts(&lists.tokens, token_id) {
                    pieces.clear();
                }
                return;
            }
            Self::Linked(_) | Self::ScoreCap(_) => return,
            Self::WeightCap(most) => {
                let most = U256::from(most.steps());
                for piece in pieces {
                    piece.weight = piece.weight.min(most);
                }
                return;
            }
            Self::MinimumHold { least_us } => {
                let is_long = |streak: &&[Piece]| length(streak) >= *least_us;
                spare.extend(streaks(pieces).filter(is_long).flatten());
            }
            Self::Tiers { tiers, is_whole } => {
                for streak in streaks(pieces) {
                    let since = streak[0].start;
                    let cut = |(us, millionths): &(u64, u64)| {
                        (since.saturating_add_unsigned(*us), *millionths)
                    };
                    if *is_whole {
                        let count = tiers.partition_point(|(us, _)| *us <= length(streak));
                        let reached = tiers[..count]
                            .last()
                            .map_or(MILLION, |(_, reached)| *reached);
                        multiply(streak, &std::iter::once((since, reached)), spare);
                    } else {
                        multiply(streak, &tiers.iter().map(cut), spare);
                    }
                }
            }
            Self::Decay { ages } => multiply(pieces, &age_cuts(ages, as_of), spare),
            Self::Seasons { seasons, otherwise } => {
                let cuts = seasons.iter().flat_map(|season| {
                    [
                        (season.start.get(), season.millionths),
                        (season.end.get(), *otherwise),
                    ]
                });
                let before = std::iter::once((Micros::MIN.get(), *otherwise));
                multiply(pieces, &before.chain(cuts), spare);
            }
        }
        std::mem::swap(pieces, spare);
    }

    /// The step with every parameter in its one spelling.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Exclude(Lists { holders, tokens }) => {
                json!({"step": "exclude", "holders": holders, "tokens": tokens})
            }
            Self::Include(Lists { holders, tokens }) => {
                json!({"step": "include", "holders": holders, "tokens": tokens})
            }
            Self::Linked(links) => json!({"step": "linked", "wallets": links.wallets()}),
            Self::MinimumHold { least_us } => {
                json!({"step": "minimum_hold", "duration": text_of_duration(*least_us)})
            }
            Self::Tiers { tiers, is_whole } => json!({
                "step": "tiers",
                "counting": if *is_whole { "whole" } else { "reached" },
                "multipliers": value_of_multipliers(tiers),
            }),
            Self::Decay { ages } => {
                json!({"step": "decay", "multipliers": value_of_multipliers(ages)})
            }
            Self::Seasons { seasons, otherwise } => {
                let season = |season: &Season| {
                    json!({
                        "start": season.start.to_string(),
                        "end": season.end.to_string(),
                        "multiplier": text_of_millionths(season.millionths),
                    })
                };
                json!({
                    "step": "seasons",
                    "otherwise": text_of_millionths(*otherwise),
                    "seasons": seasons.iter().map(season).collect::<Vec<_>>(),
                })
            }
            Self::WeightCap(most) => json!({"step": "weight_cap", "most": most.to_string()}),
            Self::ScoreCap(most) => json!({"step": "score_cap", "most": most.to_string()}),
        }
    }
}

/// From the oldest instant on; the multiplier of an age ends where the next smaller one begins.
fn age_cuts(ages: &Multipliers, as_of: Micros) -> impl Iterator<Item = Cut> + Clone {
    let oldest = ages.last().map_or(MILLION, |(_, millionths)| *millionths);
    let younger = ages.iter().rev().skip(1).map(|(_, millionths)| *millionths);
    let ends = ages
        .iter()
        .rev()
        .map(move |(us, _)| as_of.get().saturating_sub_unsigned(*us));
    let cuts = ends.zip(younger.chain(std::iter::once(MILLION)));
    std::iter::once((i64::MIN, oldest)).chain(cuts)
}

fn length(streak: &[Piece]) -> u64 {
    let (first, last) = (streak[0], streak[streak.len() - 1]);
    last.end.abs_diff(first.start)
}

fn has(ids: &[Box<str>], id: &str) -> bool {
    ids.binary_search_by(|each| (**each).cmp(id)).is_ok()
}
