//! The marks of one key, and the curve that they define.

use std::collections::BTreeMap;

use super::level::Level;
use crate::core::Micros;
use crate::core::timeline::Mark;

/// Marks by instant; the strongest of each sets the curve until the next one.
#[derive(Clone, Default)]
pub(super) struct Marks {
    /// The strongest plain mark of each instant; it can never be withdrawn.
    plain: BTreeMap<Micros, Mark>,
    /// All marks in force, with the number of claims for each.
    named: BTreeMap<(Micros, Mark), u32>,
}

/// How a mark changed the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) start: Micros,
    /// The next mark, or the end of time if there is no next mark.
    pub(super) end: Micros,
    pub(super) before: Level,
    pub(super) after: Level,
}

impl Marks {
    /// Adds a plain mark; `None` if one at least as strong is already there.
    pub(super) fn add_plain(&mut self, at: Micros, mark: Mark) -> Option<Turn> {
        if self.plain.get(&at).is_some_and(|known| *known >= mark) {
            return None;
        }
        Some(self.turn(at, |marks| {
            marks.plain.insert(at, mark);
        }))
    }

    /// Adds a mark that may be withdrawn.
    pub(super) fn add_named(&mut self, at: Micros, mark: Mark) -> Turn {
        self.turn(at, |marks| {
            *marks.named.entry((at, mark)).or_default() += 1;
        })
    }

    /// Withdraws a mark that was added.
    pub(super) fn withdraw(&mut self, at: Micros, mark: Mark) -> Turn {
        self.turn(at, |marks| {
            if let Some(count) = marks.named.get_mut(&(at, mark)) {
                *count -= 1;
                if *count == 0 {
                    marks.named.remove(&(at, mark));
                }
            }
        })
    }

    /// The plain marks, in order.
    pub(super) fn plain(&self) -> impl ExactSizeIterator<Item = (Micros, Mark)> {
        self.plain.iter().map(|(at, mark)| (*at, *mark))
    }

    /// The plain marks from `start` on, in order.
    pub(super) fn plain_from(&self, start: Micros) -> impl Iterator<Item = (Micros, Mark)> {
        self.plain.range(start..).map(|(at, mark)| (*at, *mark))
    }

    /// The first mark.
    pub(super) fn first(&self) -> Option<Micros> {
        let plain = self.plain.first_key_value().map(|(at, _)| *at);
        let named = self.named.first_key_value().map(|((at, _), _)| *at);
        plain.into_iter().chain(named).min()
    }

    /// The last mark, and the level that it sets.
    pub(super) fn last(&self) -> Option<(Micros, Level)> {
        self.set_by(Micros::MAX)
    }

    /// The level of the curve at `at`, and the next mark, or the end of time if there is no next mark.
    pub(super) fn at(&self, at: Micros) -> (Level, Micros) {
        let level = self.set_by(at).map_or(Level::NOTHING, |(_, level)| level);
        (level, self.next_after(at))
    }

    /// The last mark at or before `at`, and the level that it sets.
    fn set_by(&self, at: Micros) -> Option<(Micros, Level)> {
        let plain = self.plain.range(..=at).next_back();
        let plain = plain.map(|(at, mark)| (*at, *mark));
        let named = self.named.range(..=(at, Mark::LAST)).next_back();
        let named = named.map(|(entry, _)| *entry);
        let (at, mark) = plain.max(named)?;
        Some((at, mark.weight().map_or(Level::NOTHING, Level::held)))
    }

    fn next_after(&self, at: Micros) -> Micros {
        use std::ops::Bound::{Excluded, Unbounded};
        let plain = self.plain.range((Excluded(at), Unbounded)).next();
        let plain = plain.map(|(at, _)| *at);
        let named = self.named.range((Excluded((at, Mark::LAST)), Unbounded));
        let named = named.map(|((at, _), _)| *at).next();
        plain.into_iter().chain(named).min().unwrap_or(Micros::MAX)
    }

    fn turn(&mut self, start: Micros, change: impl FnOnce(&mut Self)) -> Turn {
        let (before, _) = self.at(start);
        change(self);
        let (after, end) = self.at(start);
        Turn {
            start,
            end,
            before,
            after,
        }
    }
}
