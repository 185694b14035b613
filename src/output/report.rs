//! What is written: the question, the counts, the refused lines, the holders in order.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::table::grouped;
use super::warnings::Warning;
use crate::core::{HolderScore, RankedHolder, Snapshot, Window};

/// A refused line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedLine {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// The line, from 1; in columnar files the row.
    pub line: u64,
    /// Why; the text begins with the field.
    pub reason: String,
}

/// A file of a known feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RecognisedFile {
    /// The file's name as it was given.
    pub file: String,
    /// The feed's name.
    pub feed: &'static str,
    /// What its tokens are, if the user or the feed says it.
    pub token_kind: Option<&'static str>,
    /// Rows without events of that kind.
    pub left_out: u64,
}

/// One holder of a leaderboard, with the fields of every output format and of the answers over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct HolderRow<'a> {
    /// 1 + the number of holders with a strictly larger score.
    pub rank: u64,
    /// Not empty.
    #[schema(value_type = String)]
    pub holder_id: Cow<'a, str>,
    /// Held time in microseconds.
    #[schema(value_type = u64)]
    pub held_us: u128,
    /// The exact score in weight-seconds, a decimal without trailing zeros.
    #[schema(value_type = String, example = "13034832719")]
    pub score: Cow<'a, str>,
    /// The double nearest to the score.
    pub weighted_score: f64,
    /// `held_us` in whole seconds.
    #[schema(value_type = u64)]
    pub total_seconds: u128,
}

impl<'a> HolderRow<'a> {
    /// A row with the seconds of `held_us`.
    pub(crate) fn new(
        rank: u64,
        holder_id: impl Into<Cow<'a, str>>,
        held_us: u128,
        score: impl Into<Cow<'a, str>>,
        weighted_score: f64,
    ) -> Self {
        Self {
            rank,
            holder_id: holder_id.into(),
            held_us,
            score: score.into(),
            weighted_score,
            total_seconds: held_us / 1_000_000,
        }
    }

    /// The same, with texts of its own.
    #[must_use]
    pub(crate) fn into_owned(self) -> HolderRow<'static> {
        HolderRow {
            rank: self.rank,
            holder_id: Cow::Owned(self.holder_id.into_owned()),
            held_us: self.held_us,
            score: Cow::Owned(self.score.into_owned()),
            weighted_score: self.weighted_score,
            total_seconds: self.total_seconds,
        }
    }
}

impl<'a> From<RankedHolder<&'a HolderScore>> for HolderRow<'a> {
    fn from(ranked: RankedHolder<&'a HolderScore>) -> Self {
        let HolderScore { holder_id, totals } = ranked.holder;
        Self::new(
            ranked.rank,
            &**holder_id,
            totals.held_us,
            totals.score.to_string(),
            totals.score.nearest_double(),
        )
    }
}

/// The policy under which scores are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PolicyName {
    /// The name.
    pub name: String,
    /// SHA-256 of the source and the parameters, in hexadecimal digits: answers with one version were computed by
    /// one rule.
    pub version: String,
}

impl std::fmt::Display for PolicyName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}, version {}", self.name, self.version)
    }
}

/// Holders in leaderboard order, as either engine scored them.
pub(crate) trait Leaderboard {
    /// How many holders are listed.
    fn listed(&self) -> usize;

    /// How many holders have an accepted event.
    fn known(&self) -> usize;

    /// How many keys have a balance below 0 at some instant before the end of the window.
    fn deficits(&self) -> usize;

    /// The listed holders, best first.
    fn rows(&self) -> Box<dyn Iterator<Item = HolderRow<'_>> + '_>;
}

impl Leaderboard for Snapshot {
    fn listed(&self) -> usize {
        self.holders().len()
    }

    fn known(&self) -> usize {
        Snapshot::known(self)
    }

    fn deficits(&self) -> usize {
        Snapshot::deficits(self)
    }

    fn rows(&self) -> Box<dyn Iterator<Item = HolderRow<'_>> + '_> {
        Box::new(self.ranked().map(HolderRow::from))
    }
}

/// The answer to one question about one set of files.
#[derive(Clone, Copy)]
pub(crate) struct ScoreReport<'a> {
    /// The question.
    pub window: Window,
    /// Whether `as_of` was read from the clock instead of the arguments.
    pub is_as_of_now: bool,
    /// Lines or rows read.
    pub read: u64,
    /// How many of them are accepted events.
    pub accepted: u64,
    /// The others.
    pub refused: &'a [RefusedLine],
    /// What the files of known feeds are.
    pub recognised: &'a [RecognisedFile],
    /// The columns and keys of the files that no field was read from.
    pub ignored_columns: &'a [String],
    /// What is valid and probably not meant.
    pub warnings: &'a [Warning],
    /// The holders.
    pub leaderboard: &'a dyn Leaderboard,
    /// Whether the deficits are listed in a file of their own.
    pub lists_deficits: bool,
    /// The policy under which the scores are published; `None` for the scores themselves.
    pub policy: Option<&'a PolicyName>,
}

impl ScoreReport<'_> {
    /// One line that says that input is missing; `None` if there are no deficits.
    pub(crate) fn missing_input(&self) -> Option<String> {
        missing_input(self.leaderboard.deficits(), self.lists_deficits)
    }
}

/// One line that says that input is missing; `None` if no key has a deficit.
pub(crate) fn missing_input(deficits: usize, lists_deficits: bool) -> Option<String> {
    let (keys, have, them) = match deficits {
        0 => return None,
        1 => ("1 key".to_owned(), "has", "it"),
        count => (
            format!("{} keys", grouped(&count.to_string())),
            "have",
            "them",
        ),
    };
    let cure = if lists_deficits {
        String::new()
    } else {
        format!("; list {them} with --deficits FILE")
    };
    Some(format!(
        "{keys} {have} a balance below 0 at some time: something is missing from the input{cure}"
    ))
}
