//! What a policy is to the parts that apply one: a pure function from what holders held to published scores.
//!
//! Values and a trait only. The rules that exist are in [`crate::policy`], the scores of many holders under one
//! in [`crate::aggregator`].

use super::{HeldSegment, Score, Window};

/// One key within a window.
#[derive(Clone, Copy, Debug)]
pub struct HeldKey<'a> {
    /// The token.
    pub token_id: &'a str,
    /// In order of time, maximal; none if nothing is held within the window.
    pub segments: &'a [HeldSegment],
}

/// One holder within a window.
#[derive(Clone, Copy, Debug)]
pub struct HeldBy<'a> {
    /// The holder.
    pub holder_id: &'a str,
    /// In any order.
    pub keys: &'a [HeldKey<'a>],
}

/// Holders that are published as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name under which they are published.
    pub holder_id: Box<str>,
    /// In ascending order; the name itself is among them if it is a holder, too.
    pub members: Box<[Box<str>]>,
}

/// A pure function from the segments of holders to published scores. The score of a holder depends on its own
/// segments, those of the members of its group, and the window.
pub trait ScoreRule: Send + Sync {
    /// The groups; a holder that is in none of them is published under its own name.
    fn groups(&self) -> &[Group];

    /// The index of the group of a holder, if it has one.
    fn group_of(&self, holder_id: &str) -> Option<usize>;

    /// Whether the score of what has ended still depends on the end of the window.
    fn depends_on_age(&self) -> bool;

    /// The score of one holder without a group, or of all members of a group together; `None` if it is not
    /// published.
    fn score(&self, holders: &[HeldBy<'_>], window: &Window) -> Option<Score>;
}
