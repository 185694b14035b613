//! The balance of one key: its changes, each id once, in order of time, and the stretches between them.
//!
//! These are changes at revision 0; what corrections and retractions do to them is decided in [`super::facts`].
//! A key may have millions of changes, so for the sums they are as small as possible, and sorted in place.

use std::cmp::Reverse;

use super::id_hash::IdHash;
use super::sweep::Span;
use crate::core::{Balance, Delta, Micros, Quantity, Wad, Window};

/// A change of balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) id: IdHash,
    pub(super) at: Micros,
    pub(super) delta: Delta,
}

/// A change without its id: what a sum needs, in 24 bytes.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Microseconds since the year 1, twice, and 1 if the delta is negative.
    at: u64,
    size: [u64; 2],
}

impl From<Change> for Step {
    #[inline]
    fn from(change: Change) -> Self {
        let at = change.at.get().abs_diff(Micros::MIN.get());
        let sign = u64::from(change.delta.is_negative());
        Self::from_words(at << 1 | sign, change.delta.size().steps())
    }
}

impl Step {
    /// The step with these words; see [`Self::words`].
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    pub(super) const fn from_words(at: u64, size: u128) -> Self {
        Self {
            at,
            size: [size as u64, (size >> 64) as u64],
        }
    }

    /// The instant and the sign in 60 bits, and the size in steps.
    #[inline]
    pub(super) fn words(self) -> (u64, u128) {
        (self.at, self.delta().size().steps())
    }

    /// The change of which this is the step.
    #[inline]
    pub(super) fn change(&self, id: IdHash) -> Change {
        Change {
            id,
            at: self.at(),
            delta: self.delta(),
        }
    }

    #[inline]
    pub(super) fn at(&self) -> Micros {
        Micros::MIN.after(self.at >> 1)
    }

    #[inline]
    fn delta(&self) -> Delta {
        let [low, high] = self.size.map(u128::from);
        Delta::new(Wad::from_steps(high << 64 | low), self.at & 1 == 1)
    }
}

/// The first instant at which the balance of a key is below 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortfall {
    pub(super) at: Micros,
    pub(super) balance: Balance,
}

/// Finds repeated ids among the changes of one key after another.
#[derive(Default)]
pub(super) struct Repeats {
    /// A power of two of words; 0 is free.
    words: Vec<u64>,
}

impl Repeats {
    /// So few ids are compared with each other.
    const FEW: usize = 8;

    /// Whether some ids of a key may be the same. False only if all differ; nearly always that is so, and one word
    /// of each is enough to see it.
    pub(super) fn are_possible(&mut self, ids: &[IdHash]) -> bool {
        if ids.len() <= Self::FEW {
            return (1..ids.len())
                .any(|last| ids[..last].iter().any(|id| id.shares_word_with(ids[last])));
        }
        let size = (ids.len() * 2).next_power_of_two();
        self.words.clear();
        self.words.resize(size, 0);
        ids.iter().any(|id| !self.add(id.first_word().max(1)))
    }

    /// Returns false if the word is known.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "cut to the count of words")]
    fn add(&mut self, word: u64) -> bool {
        let mut at = word as usize & (self.words.len() - 1);
        while self.words[at] != 0 {
            if self.words[at] == word {
                return false;
            }
            at = (at + 1) & (self.words.len() - 1);
        }
        self.words[at] = word;
        true
    }
}

/// Leaves the changes in force, in any order: of those that share an id the one with the larger (`at`, `delta`).
/// Returns the ids whose changes differ, in order.
pub(super) fn drop_repeats(changes: &mut Vec<Change>) -> Vec<IdHash> {
    let mut contested = Vec::new();
    changes.sort_unstable_by_key(|change| (change.id, Reverse((change.at, change.delta))));
    changes.dedup_by(|other, kept| {
        if other.id == kept.id && other != kept && contested.last() != Some(&kept.id) {
            contested.push(kept.id);
        }
        other.id == kept.id
    });
    contested
}

/// Calls `visit` with every stretch at a balance above 0 inside the window, in order of time; sorts the
/// changes by time.
///
/// The shortfall is the first one before the end of the window, even if it is before the window.
#[inline]
pub(super) fn stretches(
    steps: &mut [Step],
    window: &Window,
    mut visit: impl FnMut(Span<Quantity>),
) -> Option<Shortfall> {
    steps.sort_unstable_by_key(|step| step.at);
    let mut shortfall = None;
    let mut balance = Balance::ZERO;
    let mut rest = steps.iter().peekable();
    while let Some(step) = rest.next() {
        balance += step.delta().into();
        let at = step.at();
        let end = match rest.peek().map(|next| next.at()) {
            Some(next) if next == at => continue,
            Some(next) => next,
            None if window.closed_only => at,
            None => window.as_of,
        };
        if at >= window.as_of {
            break;
        }
        if let Some(weight) = balance.held() {
            let stretch = Span {
                start: at,
                end,
                weight,
            };
            stretch.clip(window).into_iter().for_each(&mut visit);
        } else if balance.is_negative() && shortfall.is_none() {
            shortfall = Some(Shortfall { at, balance });
        }
    }
    shortfall
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::Wad;

    fn micros(at: i64) -> Micros {
        Micros::new(at).unwrap()
    }

    fn change(id: u64, at: i64, delta: &str) -> Change {
        Change {
            id: IdHash::from_words([id, 1]),
            at: micros(at),
            delta: Delta::parse(delta).unwrap(),
        }
    }

    /// `(start, end, balance)`.
    type Stretch = (i64, i64, String);

    /// Each stretch, and `(instant, balance)` of the shortfall.
    fn seen(changes: &[Change], window: &Window) -> (Vec<Stretch>, Option<(i64, String)>) {
        let mut steps: Vec<Step> = changes.iter().copied().map(Step::from).collect();
        let mut seen = Vec::new();
        let shortfall = stretches(&mut steps, window, |span| {
            seen.push((span.start.get(), span.end.get(), span.weight.to_string()));
        });
        let shortfall = shortfall.map(|Shortfall { at, balance }| (at.get(), balance.to_string()));
        (seen, shortfall)
    }

    fn stretch(start: i64, end: i64, balance: &str) -> Stretch {
        (start, end, balance.to_owned())
    }

    #[test]
    fn within_one_instant_only_the_sum_counts() {
        let window = Window::until(micros(100));
        let changes = [
            change(1, 10, "5"),
            change(2, 20, "-7"),
            change(3, 20, "7"),
            change(4, 30, "-5"),
            change(5, 40, "1"),
        ];
        let (stretches, shortfall) = seen(&changes, &window);
        let expected = [
            stretch(10, 20, "5"),
            stretch(20, 30, "5"),
            stretch(40, 100, "1"),
        ];
        assert_eq!(stretches, expected);
        assert_eq!(shortfall, None);
    }

    #[test]
    fn nothing_is_held_below_0_and_later_sums_stay_true() {
        let window = Window::until(micros(100));
        let changes = [
            change(1, 10, "-5"),
            change(2, 20, "-1"),
            change(3, 30, "6.5"),
        ];
        let short = Some((10, "-5".to_owned()));
        let (stretches, shortfall) = seen(&changes, &window);
        assert_eq!(stretches, [stretch(30, 100, "0.5")]);
        assert_eq!(shortfall, short);
        // Before the window it is reported, from its end on it is not.
        let from = Some(micros(50));
        let later = Window { from, ..window };
        assert_eq!(
            seen(&changes, &later),
            (vec![stretch(50, 100, "0.5")], short)
        );
        assert_eq!(seen(&changes, &Window::until(micros(10))), (vec![], None));
    }

    #[test]
    fn what_follows_the_last_change_is_not_closed() {
        let window = Window {
            closed_only: true,
            ..Window::until(micros(25))
        };
        let first = change(1, 10, "5");
        assert_eq!(seen(&[first], &window).0, []);
        let (stretches, _) = seen(&[first, change(2, 20, "5")], &window);
        assert_eq!(stretches, [stretch(10, 20, "5")]);
        // The last change is the last of all, also beyond the window.
        let (stretches, _) = seen(&[first, change(2, 90, "5")], &window);
        assert_eq!(stretches, [stretch(10, 25, "5")]);
    }

    #[test]
    fn a_balance_may_exceed_a_weight() {
        let half = format!("{}", Wad::from_steps(u128::MAX));
        let changes: Vec<_> = (0..4).map(|id| change(id, 10, &half)).collect();
        let (stretches, _) = seen(&changes, &Window::until(micros(20)));
        let sum = "1361129467683753853853.49842972707284582";
        assert_eq!(stretches, [stretch(10, 20, sum)]);
    }

    proptest! {
        #[test]
        fn of_one_id_the_larger_change_is_in_force_in_any_order(
            changes in proptest::collection::vec((0_u64..6, 0_i64..4, -3_i32..4), 0..24)
        ) {
            let mut changes: Vec<_> =
                changes.iter().map(|(id, at, delta)| change(*id, *at, &delta.to_string())).collect();
            let mut expected: Vec<Change> = (0..6)
                .filter_map(|id| {
                    let of_id = changes.iter().filter(|change| change.id.first_word() == id);
                    of_id.copied().max_by_key(|change| (change.at, change.delta))
                })
                .collect();
            let ids: Vec<_> = changes.iter().map(|change| change.id).collect();
            let are_repeated = expected.len() < changes.len();
            prop_assert_eq!(Repeats::default().are_possible(&ids), are_repeated);
            let mut contested = changes.clone();
            contested.sort_by_key(|change| (change.id, change.at, change.delta));
            contested.dedup();
            let contested: Vec<IdHash> = contested
                .chunk_by(|one, other| one.id == other.id)
                .filter(|alike| alike.len() > 1)
                .map(|alike| alike[0].id)
                .collect();
            prop_assert_eq!(drop_repeats(&mut changes), contested);
            expected.sort_by_key(|change| change.id);
            prop_assert_eq!(changes, expected);
        }
    }
}
